//! The settings types as their source says them: fields, alternatives, doc comments.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Crates with types that recipes are made of.
const CRATES: [&str; 6] = ["core", "signal", "infer", "train", "score", "recipe"];

/// A struct or an enum.
#[derive(Debug, Clone)]
pub(crate) struct Type {
    pub(crate) doc: Doc,
    pub(crate) is_enum: bool,
    /// Whether every field may be left out.
    pub(crate) all_default: bool,
    pub(crate) parts: Vec<Part>,
}

impl Type {
    /// Whether it is one of several words, none of which has settings.
    pub(crate) fn is_word(&self) -> bool {
        let bare = |part: &Part| part.kind.is_empty() && part.own.is_none();
        self.is_enum && self.parts.iter().all(bare)
    }
}

/// A field, or an alternative.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) doc: Doc,
    /// The type as written; empty for an alternative without settings.
    pub(crate) kind: String,
    /// Settings of an alternative that has them in itself.
    pub(crate) own: Option<Type>,
    pub(crate) may_be_absent: bool,
}

/// A doc comment: what it says in its first paragraphs, and its source.
#[derive(Debug, Clone, Default)]
pub(crate) struct Doc {
    pub(crate) text: String,
    pub(crate) source: String,
}

/// Every public type of the settings crates, by name.
pub(crate) fn types(root: &Path) -> BTreeMap<String, Type> {
    let mut found = BTreeMap::new();
    for name in CRATES {
        for file in rust_files(&root.join("crates").join(name).join("src")) {
            let text = fs::read_to_string(&file).unwrap();
            Reader { lines: text.lines().collect(), at: 0 }.read(&mut found);
        }
    }
    found
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

struct Reader<'a> {
    lines: Vec<&'a str>,
    at: usize,
}

/// What stands above an item.
#[derive(Default)]
struct Above {
    doc: Vec<String>,
    attributes: String,
}

impl Above {
    fn serde(&self, word: &str) -> bool {
        self.attributes.contains("serde(") && self.attributes.contains(word)
    }
}

impl Reader<'_> {
    fn read(mut self, found: &mut BTreeMap<String, Type>) {
        while self.at < self.lines.len() {
            let above = self.above();
            let Some(line) = self.lines.get(self.at).copied() else { return };
            self.at += 1;
            let word = |prefix: &str| {
                let rest = line.trim_start().strip_prefix(prefix)?.strip_suffix(" {")?;
                rest.chars().all(char::is_alphanumeric).then(|| rest.to_owned())
            };
            if let Some(name) = word("pub struct ") {
                let parts = self.fields("}");
                // What is written as text has no keys of its own.
                if !above.serde("from = \"String\"") {
                    found.insert(name, made(&above, false, parts));
                }
            } else if let Some(name) = word("pub enum ") {
                let parts = self.variants(&above, "}");
                found.insert(name, made(&above, true, parts));
            } else if let Some(name) = match line {
                "losses! {" => Some("LossConfig"),
                "backends! {" => Some("BackendConfig"),
                _ => None,
            } {
                let mut parts = self.listed();
                // What the macro adds to the list.
                parts.push(Part {
                    name: "custom".to_owned(),
                    doc: Doc {
                        text: "One of another crate, by its name".to_owned(),
                        ..Doc::default()
                    },
                    kind: "String".to_owned(),
                    own: None,
                    may_be_absent: false,
                });
                found.insert(name.to_owned(), made(&above, true, parts));
            }
        }
    }

    /// Doc comments and attributes from here on.
    fn above(&mut self) -> Above {
        let mut above = Above::default();
        while let Some(line) = self.lines.get(self.at).map(|line| line.trim()) {
            if let Some(doc) = line.strip_prefix("///") {
                above.doc.push(doc.trim().to_owned());
            } else if line.starts_with("#[") {
                above.attributes += line;
            } else {
                break;
            }
            self.at += 1;
        }
        above
    }

    fn fields(&mut self, end: &str) -> Vec<Part> {
        let mut parts = Vec::new();
        loop {
            let above = self.above();
            let line = self.lines[self.at].trim();
            self.at += 1;
            if line == end {
                return parts;
            }
            let line = line.strip_prefix("pub ").unwrap_or(line);
            let Some((name, kind)) = line.trim_end_matches(',').split_once(": ") else { continue };
            parts.push(Part {
                name: renamed(&above).unwrap_or_else(|| name.to_owned()),
                doc: doc(&above.doc),
                kind: kind.to_owned(),
                own: None,
                may_be_absent: above.serde("default") || kind.starts_with("Option<"),
            });
        }
    }

    fn variants(&mut self, enumeration: &Above, end: &str) -> Vec<Part> {
        let mut parts = Vec::new();
        loop {
            let above = self.above();
            let line = self.lines[self.at].trim();
            self.at += 1;
            if line == end {
                return parts;
            }
            let name: String = line.chars().take_while(|c| c.is_alphanumeric()).collect();
            if name.is_empty() {
                continue;
            }
            let rest = line[name.len()..].trim_end_matches(',');
            let named = if enumeration.serde("kebab-case") { kebab(&name) } else { name };
            let inner = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
            let own = (rest == " {").then(|| made(&above, false, self.fields("},")));
            parts.push(Part {
                name: renamed(&above).unwrap_or(named),
                doc: doc(&above.doc),
                kind: inner.unwrap_or_default().to_owned(),
                own,
                may_be_absent: false,
            });
        }
    }

    /// Lines `Variant(file::Settings) = "name",` of a list that a macro makes an enum of.
    fn listed(&mut self) -> Vec<Part> {
        let mut parts = Vec::new();
        loop {
            let above = self.above();
            let line = self.lines[self.at].trim();
            self.at += 1;
            if line == "}" {
                return parts;
            }
            let (variant, name) = line.trim_end_matches(',').split_once(" = ").unwrap();
            let kind = variant.split_once('(').unwrap().1.trim_end_matches(')');
            parts.push(Part {
                name: name.trim_matches('"').to_owned(),
                doc: doc(&above.doc),
                kind: kind.rsplit("::").next().unwrap().to_owned(),
                own: None,
                may_be_absent: false,
            });
        }
    }
}

fn made(above: &Above, is_enum: bool, parts: Vec<Part>) -> Type {
    Type { doc: doc(&above.doc), is_enum, all_default: above.serde("default"), parts }
}

/// `#[serde(rename = "name")]`.
fn renamed(above: &Above) -> Option<String> {
    let (_, rest) = above.attributes.split_once("rename = \"")?;
    rest.split('"').next().map(str::to_owned)
}

fn kebab(name: &str) -> String {
    let mut text = String::new();
    for (index, letter) in name.chars().enumerate() {
        if letter.is_uppercase() && index > 0 {
            text.push('-');
        }
        text.extend(letter.to_lowercase());
    }
    text
}

/// The paragraphs before the first heading or example, and the text below "Source".
fn doc(lines: &[String]) -> Doc {
    let mut found = Doc::default();
    let mut heading = "";
    for line in lines {
        if line.starts_with("```") {
            break;
        }
        if let Some(title) = line.strip_prefix("# ") {
            heading = title;
            continue;
        }
        if let Some(source) = line.strip_prefix("Source: ") {
            heading = "Source";
            found.source += source;
            continue;
        }
        let text = match heading {
            "" => &mut found.text,
            "Source" => &mut found.source,
            _ => continue,
        };
        if !text.is_empty() && !text.ends_with(' ') {
            text.push(' ');
        }
        *text += line;
    }
    Doc { text: plain(&found.text), source: plain(&found.source) }
}

/// Without links to items and the paths before their names.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, link)) = rest.split_once("[`") {
        plain += before;
        let Some((item, after)) = link.split_once("`]") else { break };
        plain += &format!("`{}`", item.rsplit("::").next().unwrap());
        // The address of a link that has one.
        rest = match after.strip_prefix('(') {
            Some(address) => address.split_once(')').map_or("", |(_, after)| after),
            None => after,
        };
    }
    plain += rest;
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}
