//! One recording and everything that its name or its data set says about it.

use std::{fmt, path::PathBuf, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{TruthEntry, names::section_text};

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

/// What a clip may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// Normal training clip, later a reference.
    Train,
    /// To be scored; never seen in training.
    Test,
    /// Clean-machine or noise-only extra of 2025: neither a reference nor a test clip.
    Supplemental,
    /// The data set does not say; see [`crate::Dataset::assign_splits`]. An empty cell in tables.
    #[serde(rename = "")]
    Unassigned,
}

/// The challenge's two domains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Domain {
    /// The conditions most training clips were recorded in.
    Source,
    /// The shifted conditions, with few training clips.
    Target,
}

/// Whether the machine was healthy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Condition {
    /// Healthy.
    Normal,
    /// Faulty; `anomaly` in the challenge's file names.
    Anomaly,
}

/// A year of DCASE Challenge Task 2: it decides file names and the official score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub enum Year {
    /// 2020: machine ids, no domains.
    Y2020,
    /// 2021: sections and domains, scored apart.
    Y2021,
    /// 2022: attributes in file names, one threshold for both domains.
    Y2022,
    /// 2023: one section per machine, new machines in evaluation.
    Y2023,
    /// 2024: as 2023, some attributes hidden.
    Y2024,
    /// 2025: as 2024, with supplemental clips.
    Y2025,
    /// 2026: two channels.
    Y2026,
}

/// A word that is none of an enumeration's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what} `{found}`, expected one of: {expected}")]
pub struct UnknownWord {
    /// Which enumeration was read.
    pub what: &'static str,
    /// The word found.
    pub found: String,
    /// The words that would have been understood.
    pub expected: &'static str,
}

macro_rules! words {
    ($type:ident, $what:literal, $expected:literal, $($variant:ident => $word:literal $(| $alias:literal)*),+) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(match self { $(Self::$variant => $word),+ })
            }
        }
        impl FromStr for $type {
            type Err = UnknownWord;
            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                match text {
                    $($word $(| $alias)* => Ok(Self::$variant),)+
                    _ => Err(UnknownWord { what: $what, found: text.to_owned(), expected: $expected }),
                }
            }
        }
    };
}

words!(Split, "split", "train, test, supplemental, or nothing",
    Train => "train", Test => "test", Supplemental => "supplemental", Unassigned => "" | "unassigned");
words!(Domain, "domain", "source, target", Source => "source", Target => "target");
words!(Condition, "label", "normal, anomaly", Normal => "normal" | "0", Anomaly => "anomaly" | "abnormal" | "1");
words!(Year, "year", "2020, 2021, 2022, 2023, 2024, 2025, 2026",
    Y2020 => "2020", Y2021 => "2021", Y2022 => "2022", Y2023 => "2023",
    Y2024 => "2024", Y2025 => "2025", Y2026 => "2026");

impl TryFrom<u16> for Year {
    type Error = UnknownWord;
    fn try_from(year: u16) -> Result<Self, UnknownWord> {
        year.to_string().parse()
    }
}

impl From<Year> for u16 {
    fn from(year: Year) -> Self {
        2020 + year as Self
    }
}
