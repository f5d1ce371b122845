//! One recording and everything that its name or its data set says about it.

use std::{path::PathBuf, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{Condition, Domain, Split, TruthEntry, UnknownWord, names::section_text};

/// One recording: where it is, and what is known of it.
///
/// The triple (`machine`, `section`, `name`) identifies a clip inside a data set.
///
/// Reads from CSV rows with the columns `path,machine,section,domain,split,label,attributes,group`,
/// with or without `name`; only `path` must be there, and what is unknown may be empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "ClipRow")]
pub struct Clip {
    /// Where the audio lies.
    pub path: PathBuf,
    /// File name, or the path below the data set's root where file names repeat within a section.
    /// Scores and truth are joined by it.
    pub name: String,
    /// Machine type, as in `fan`.
    pub machine: String,
    /// Section (in DCASE 2020: machine id), two digits where the data set counts, as in `00`.
    pub section: String,
    /// Source or target; unknown outside the challenge's domain-shift years.
    pub domain: Option<Domain>,
    /// What the clip may be used for.
    pub split: Split,
    /// Normal or anomalous; unknown for evaluation clips without truth.
    #[serde(rename = "label")]
    pub condition: Option<Condition>,
    /// Everything after the sixth field of the file name, kept verbatim; empty where unknown.
    pub attributes: String,
    /// Names the recording session this clip was cut from. Clips of one group belong on one side
    /// of any split, and bootstrap intervals resample groups. Defaults to the clip's own name.
    pub group: String,
}

impl Clip {
    /// The clip's file name, which the challenge's score files are joined by.
    pub fn file_name(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or(&self.name)
    }

    /// Fills in what is unknown; what is known stays.
    pub(crate) fn fill(&mut self, truth: TruthEntry) {
        self.condition = self.condition.or(truth.condition);
        self.domain = self.domain.or(truth.domain);
        if let Some(attributes) = truth.attributes.filter(|_| self.attributes.is_empty()) {
            self.attributes = attributes;
        }
        if let Some(group) = truth.group.filter(|_| self.group == self.name) {
            self.group = group;
        }
    }
}

/// A clip as a table row that anybody may have written: everything but the path may be missing.
#[derive(Deserialize)]
pub(crate) struct ClipRow {
    pub(crate) path: PathBuf,
    #[serde(default)]
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) machine: String,
    #[serde(default)]
    pub(crate) section: String,
    #[serde(default)]
    pub(crate) domain: String,
    #[serde(default)]
    pub(crate) split: String,
    #[serde(default)]
    pub(crate) label: String,
    #[serde(default)]
    pub(crate) attributes: String,
    #[serde(default)]
    pub(crate) group: String,
}

impl TryFrom<ClipRow> for Clip {
    type Error = UnknownWord;

    fn try_from(row: ClipRow) -> Result<Self, UnknownWord> {
        let name = match row.name.as_str() {
            "" => match row.path.file_name() {
                Some(name) => name.to_string_lossy().into_owned(),
                None => row.path.to_string_lossy().into_owned(),
            },
            name => name.to_owned(),
        };
        Ok(Self {
            machine: row.machine,
            section: section_text(&row.section),
            domain: known(&row.domain)?,
            split: row.split.parse()?,
            condition: known(&row.label)?,
            attributes: row.attributes,
            group: if row.group.is_empty() { name.clone() } else { row.group },
            path: row.path,
            name,
        })
    }
}

/// A word of a table cell; an empty cell says nothing.
fn known<T: FromStr>(cell: &str) -> Result<Option<T>, T::Err> {
    if cell.is_empty() { Ok(None) } else { cell.parse().map(Some) }
}
