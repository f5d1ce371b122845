//! From a file's place and name to a clip.

use std::path::{Path, PathBuf};

use super::Problem;
use crate::{
    Clip, Condition, DcaseName, Domain, Split,
    names::{FolderWord, condition_prefix, section_text},
    walk::Found,
};

/// A clip, not yet named, and how it was recognised.
pub(super) struct Placed {
    pub(super) clip: Clip,
    /// The same file with all links resolved.
    pub(super) real: PathBuf,
    /// Path below the data set's root, with `/`.
    pub(super) relative: String,
    /// Whether the file has a challenge name.
    pub(super) challenge: bool,
    pub(super) problem: Option<Problem>,
}

/// Reads folders of one root. Folder names that are words ([`FolderWord`]) speak for all files below
/// them; the machine is the folder that holds the first such word's folder.
pub(super) struct Root {
    path: PathBuf,
    /// Words of the root itself and of folders above it, where the root lies inside a machine.
    climbed: Vec<String>,
    /// Name of the folder that `climbed` starts below.
    base: String,
}

impl Root {
    pub(super) fn new(path: &Path) -> Self {
        let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let mut climbed = Vec::new();
        let mut base = String::new();
        for folder in real.iter().rev() {
            base = folder.to_string_lossy().into_owned();
            if FolderWord::parse(&base).is_none() {
                break;
            }
            climbed.insert(0, base.clone());
        }
        Self { path: path.to_owned(), climbed, base }
    }

    pub(super) fn place(&self, found: Found) -> Placed {
        let below = found.path.strip_prefix(&self.path).unwrap_or(&found.path);
        let mut parts: Vec<String> =
            below.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        let relative = parts.join("/");
        let file_name = parts.pop().unwrap_or_default();
        let name = DcaseName::parse(&file_name);
        let challenge = name.is_some();
        let (machine, folders) = self.machine_and_folders(parts, &file_name, challenge);
        let said = Said::by_folders(&folders);
        let mut clip = Clip {
            path: found.path,
            name: String::new(),
            machine,
            section: section_text(said.section.unwrap_or_default()),
            domain: said.domain,
            split: said.split.unwrap_or(Split::Unassigned),
            condition: said.condition,
            attributes: String::new(),
            group: String::new(),
        };
        let problem = name.and_then(|name| add_name(&mut clip, name));
        if !challenge {
            clip.condition = clip.condition.or(condition_prefix(&file_name));
        }
        if clip.split == Split::Train && clip.condition.is_none() {
            clip.condition = Some(Condition::Normal);
        }
        Placed { clip, real: found.real, relative, challenge, problem }
    }

    /// The machine, and the folders from its own down to the file.
    fn machine_and_folders(
        &self,
        mut parts: Vec<String>,
        file_name: &str,
        challenge: bool,
    ) -> (String, Vec<String>) {
        let first_word = parts.iter().position(|part| FolderWord::parse(part).is_some());
        match first_word {
            Some(0) => (self.base.clone(), [self.climbed.clone(), parts].concat()),
            Some(index) => {
                let folders = parts.split_off(index);
                (parts.pop().unwrap_or_default(), folders)
            }
            None if parts.is_empty() => (self.base.clone(), self.climbed.clone()),
            None if challenge || condition_prefix(file_name).is_some() => {
                (parts.pop().unwrap_or_default(), Vec::new())
            }
            None => (parts.swap_remove(0), Vec::new()),
        }
    }
}

/// What the folders around a file say; the innermost word of a kind counts.
#[derive(Default)]
struct Said<'a> {
    section: Option<&'a str>,
    domain: Option<Domain>,
    split: Option<Split>,
    condition: Option<Condition>,
}

impl<'a> Said<'a> {
    fn by_folders(folders: &'a [String]) -> Self {
        let mut said = Self::default();
        for word in folders.iter().filter_map(|folder| FolderWord::parse(folder)) {
            match word {
                FolderWord::Condition(condition) => said.condition = Some(condition),
                FolderWord::Section(section) => said.section = Some(section),
                FolderWord::Split(split, domain) => {
                    said.split = Some(split);
                    said.domain = domain.or(said.domain);
                }
            }
        }
        said
    }
}

/// Adds what a challenge name says to what the folders said. Where the two disagree the clip is
/// kept away from training: it counts as test, as anomaly.
fn add_name(clip: &mut Clip, name: DcaseName) -> Option<Problem> {
    let mut problem = None;
    let mut disagree = |name_says: String, folder_says: String, taken_as: String| {
        problem = Some(Problem::NameAgainstFolder {
            path: clip.path.clone(),
            name_says,
            folder_says,
            taken_as,
        });
    };
    let split = match (name.split, clip.split) {
        (Some(Split::Supplemental), _) | (_, Split::Supplemental) => Split::Supplemental,
        (Some(by_name), Split::Unassigned) => by_name,
        (Some(by_name), by_folder) if by_name != by_folder => {
            disagree(by_name.to_string(), by_folder.to_string(), Split::Test.to_string());
            Split::Test
        }
        // A neutral name outside any folder that says better is an evaluation clip.
        (None, Split::Unassigned) if name.condition.is_none() => Split::Test,
        (_, by_folder) => by_folder,
    };
    let condition = match (name.condition, clip.condition) {
        (Some(by_name), Some(by_folder)) if by_name != by_folder => {
            disagree(by_name.to_string(), by_folder.to_string(), Condition::Anomaly.to_string());
            Some(Condition::Anomaly)
        }
        (by_name, by_folder) => by_name.or(by_folder),
    };
    let domain = match (name.domain, clip.domain) {
        (Some(by_name), Some(by_folder)) if by_name != by_folder => {
            disagree(by_name.to_string(), by_folder.to_string(), by_name.to_string());
            Some(by_name)
        }
        (by_name, by_folder) => by_name.or(by_folder),
    };
    clip.section = section_text(&name.section);
    clip.split = split;
    clip.condition = condition;
    clip.domain = domain;
    clip.attributes = name.attributes;
    problem
}
