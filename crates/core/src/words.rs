//! The words that say what is known of a clip: split, domain, label and year.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

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
