//! No two files of a crate need each other: each can be read, moved and tested after those it uses.
//!
//! A file needs another where it names something of it; that a parent declares a module or hands its names on does
//! not count, nor do tests.

#![expect(clippy::unwrap_used, reason = "a broken house should stop the test where it broke")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// A module's path from the root of its crate.
type Module = Vec<String>;

/// What a file names, and what it hands on under a name of its own.
#[derive(Default)]
struct Names {
    used: Vec<Module>,
    handed_on: BTreeMap<String, Module>,
}

#[test]
fn no_two_files_need_each_other() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut found_in = Vec::new();
    for entry in fs::read_dir(crates).unwrap() {
        let folder = entry.unwrap().path();
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let found = circles(&read(&folder.join("src")));
        if !found.is_empty() {
            let path = |module: &Module| module.join("::");
            let files: Vec<String> = found
                .iter()
                .map(|(module, needed)| {
                    let needed: Vec<String> = needed.iter().map(path).collect();
                    format!("    {} needs {}", path(module), needed.join(", "))
                })
                .collect();
            found_in.push(format!("{name}:\n{}", files.join("\n")));
        }
    }
    assert!(found_in.is_empty(), "files are in a circle:\n{}", found_in.join("\n"));
}

#[test]
fn a_circle_is_found_through_names_handed_on_and_only_then() {
    let files = [
        ("lib", "mod a; mod b; mod c; pub use a::First; pub use b::Second;"),
        ("a", "use crate::Second; pub struct First; // crate::c::Third"),
        ("b", "use std::fmt::{self, Write}; use super::{c::{Third as Last}}; pub struct Second;"),
        ("c", "pub struct Third; #[cfg(test)] mod tests { use crate::First; }"),
    ];
    let house = |files: &[(&str, &str)]| -> BTreeMap<Module, Names> {
        let module = |name: &str| if name == "lib" { Vec::new() } else { vec![name.to_owned()] };
        files.iter().map(|(name, text)| (module(name), names(text))).collect()
    };
    assert_eq!(circles(&house(&files)), BTreeMap::new());
    let mut files = files;
    files[3].1 = "pub struct Third(crate::First);";
    let found = circles(&house(&files));
    let needed = [("a", "b"), ("b", "c"), ("c", "a")]
        .map(|(file, needed)| (vec![file.to_owned()], BTreeSet::from([vec![needed.to_owned()]])));
    assert_eq!(found, needed.into());
}

/// The files of a crate that need a file that needs them, each with such files.
fn circles(house: &BTreeMap<Module, Names>) -> BTreeMap<Module, BTreeSet<Module>> {
    let needs: BTreeMap<Module, BTreeSet<Module>> = house
        .iter()
        .map(|(module, names)| {
            let homes = names.used.iter().filter_map(|path| home(house, module, path, 0));
            (module.clone(), homes.filter(|home| home != module).collect())
        })
        .collect();
    let reached = |from: &Module| {
        let mut found: BTreeSet<&Module> = BTreeSet::new();
        let mut next: Vec<&Module> = needs[from].iter().collect();
        while let Some(module) = next.pop() {
            if found.insert(module) {
                next.extend(&needs[module]);
            }
        }
        found
    };
    let on_the_way_back = |module: &Module| {
        let needed = needs[module].iter().filter(|needed| reached(needed).contains(module));
        (module.clone(), needed.cloned().collect::<BTreeSet<Module>>())
    };
    needs.keys().map(on_the_way_back).filter(|(_, needed)| !needed.is_empty()).collect()
}

/// The file in which what a path names is written; none for what is not of this crate.
fn home(
    house: &BTreeMap<Module, Names>,
    from: &Module,
    path: &[String],
    depth: usize,
) -> Option<Module> {
    let (mut here, mut rest) = match path.first()?.as_str() {
        "crate" => (Vec::new(), &path[1..]),
        "self" => (from.clone(), &path[1..]),
        "super" => (from[..from.len().checked_sub(1)?].to_vec(), &path[1..]),
        first => {
            let child = [from.as_slice(), &[first.to_owned()]].concat();
            house.get(&child)?;
            (from.clone(), path)
        }
    };
    while let Some(part) = rest.first() {
        let child = if part == "super" {
            here[..here.len().checked_sub(1)?].to_vec()
        } else {
            [here.as_slice(), std::slice::from_ref(part)].concat()
        };
        if !house.contains_key(&child) {
            break;
        }
        (here, rest) = (child, &rest[1..]);
    }
    let handed_on = rest.first().and_then(|name| house.get(&here)?.handed_on.get(name));
    // Names may be handed on from file to file, though not for ever.
    match handed_on.filter(|_| depth < 8) {
        Some(path) => home(house, &here, path, depth + 1).or(Some(here)),
        None => Some(here),
    }
}

/// Every file of a crate outside of its tests.
fn read(folder: &Path) -> BTreeMap<Module, Names> {
    let mut texts = BTreeMap::new();
    collect(folder, &Vec::new(), &mut texts);
    let tests: Vec<Module> = texts
        .iter()
        .flat_map(|(module, text)| {
            let of = |name: String| [module.as_slice(), &[name]].concat();
            test_modules(text).into_iter().map(of).collect::<Vec<Module>>()
        })
        .collect();
    texts.retain(|module, _| !tests.iter().any(|test| module.starts_with(test)));
    texts.into_iter().map(|(module, text)| (module, names(&text))).collect()
}

fn collect(folder: &Path, module: &Module, texts: &mut BTreeMap<Module, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let child = [module.as_slice(), std::slice::from_ref(&stem)].concat();
        if path.is_dir() {
            collect(&path, &child, texts);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let is_root = ["lib", "main", "mod"].contains(&stem.as_str());
            let module = if is_root { module.clone() } else { child };
            texts.insert(module, fs::read_to_string(&path).unwrap());
        }
    }
}

/// Modules that a file declares for tests alone.
fn test_modules(text: &str) -> Vec<String> {
    let tokens = tokens(text);
    let declared = tokens.windows(9).filter(|window| {
        let (attribute, item) = window.split_at(7);
        attribute.concat() == "#[cfg(test)]" && item[0] == "mod"
    });
    declared.map(|window| window[8].clone()).collect()
}

/// What a file names: paths in `use`, and paths in code.
fn names(text: &str) -> Names {
    let tokens = without_tests(&tokens(text));
    let mut names = Names::default();
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at] == "use" && tokens.get(at + 1).is_some_and(|next| next != "<") {
            let public = at > 0 && (tokens[at - 1] == "pub" || tokens[at - 1] == ")");
            let end = at + tokens[at..].iter().position(|token| token == ";").unwrap();
            for (path, name) in branches(&tokens[at + 1..end], &[]) {
                if public {
                    names.handed_on.insert(name, path);
                } else {
                    names.used.push(path);
                }
            }
            at = end;
        } else if is_word(&tokens[at]) {
            let mut path = vec![tokens[at].clone()];
            while tokens.get(at + 1).is_some_and(|token| token == "::")
                && tokens.get(at + 2).is_some_and(|token| is_word(token))
            {
                path.push(tokens[at + 2].clone());
                at += 2;
            }
            if path.len() > 1 {
                names.used.push(path);
            }
        }
        at += 1;
    }
    names
}

/// The paths of a `use` tree, each with the name it gets.
fn branches(tokens: &[String], before: &[String]) -> Vec<(Module, String)> {
    let mut path = before.to_vec();
    let mut at = 0;
    while at < tokens.len() {
        match tokens[at].as_str() {
            "::" => {}
            "{" => {
                let inner = &tokens[at + 1..tokens.len() - 1];
                return split(inner).into_iter().flat_map(|part| branches(part, &path)).collect();
            }
            "as" => return vec![(path, tokens[at + 1].clone())],
            "self" if at > 0 || !before.is_empty() => {}
            word => path.push(word.to_owned()),
        }
        at += 1;
    }
    let name = path.last().cloned().unwrap_or_default();
    vec![(path, name)]
}

/// Parts between commas that are in no braces.
fn split(tokens: &[String]) -> Vec<&[String]> {
    let mut parts = Vec::new();
    let (mut begin, mut depth) = (0, 0);
    for (at, token) in tokens.iter().enumerate() {
        match token.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            "," if depth == 0 => {
                parts.push(&tokens[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&tokens[begin..]);
    parts.into_iter().filter(|part| !part.is_empty()).collect()
}

/// Leaves out the modules of tests that are written in the file.
fn without_tests(tokens: &[String]) -> Vec<String> {
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let is_test = tokens[at..].iter().take(7).map(String::as_str).collect::<String>()
            == "#[cfg(test)]"
            && tokens.get(at + 7).is_some_and(|token| token == "mod");
        if is_test && tokens.get(at + 9).is_some_and(|token| token == "{") {
            at += 9;
            let mut depth = 0;
            loop {
                match tokens[at].as_str() {
                    "{" => depth += 1,
                    "}" => depth -= 1,
                    _ => {}
                }
                at += 1;
                if depth == 0 {
                    break;
                }
            }
        } else {
            kept.push(tokens[at].clone());
            at += 1;
        }
    }
    kept
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Words and marks of a text, without comments and strings.
fn tokens(text: &str) -> Vec<String> {
    let text: Vec<char> = text.chars().collect();
    let mut found = Vec::new();
    let mut at = 0;
    let from =
        |at: usize, mark: &str| text[at..].iter().take(mark.len()).collect::<String>() == mark;
    while at < text.len() {
        let c = text[at];
        if from(at, "//") {
            at += text[at..].iter().position(|&c| c == '\n').unwrap_or(text.len() - at);
        } else if c == '"' {
            at += 1;
            while text[at] != '"' {
                at += if text[at] == '\\' { 2 } else { 1 };
            }
            at += 1;
        } else if c == 'r' && (from(at, "r\"") || from(at, "r#")) {
            let hashes = text[at + 1..].iter().take_while(|&&c| c == '#').count();
            let end = format!("\"{}", "#".repeat(hashes));
            at += 2 + hashes;
            while !from(at, &end) {
                at += 1;
            }
            at += end.len();
        } else if c == '\'' {
            // A character, or the mark of a lifetime.
            let is_escape = text.get(at + 1) == Some(&'\\');
            let length = text[at + 1..].iter().skip(1).take(10).position(|&c| c == '\'');
            at += match length {
                Some(0) if !is_escape => 3,
                Some(rest) if is_escape => rest + 3,
                _ => 1,
            };
        } else if c.is_alphanumeric() || c == '_' {
            let word = text[at..].iter().take_while(|c| c.is_alphanumeric() || **c == '_');
            let word: String = word.collect();
            at += word.chars().count();
            found.push(word);
        } else if from(at, "::") {
            found.push("::".to_owned());
            at += 2;
        } else {
            if !c.is_whitespace() {
                found.push(c.to_string());
            }
            at += 1;
        }
    }
    found
}
