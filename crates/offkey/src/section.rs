//! A machine and one section of it: what has references and a threshold of its own.

use offkey_core::Clip;
use offkey_score::ScoreError;
use serde::{Deserialize, Serialize};

use crate::{DetectError, OffkeyError};

/// A machine and one section of it.
///
/// ```
/// use offkey::SectionKey;
///
/// let key = SectionKey { machine: "pump".to_owned(), section: "00".to_owned() };
/// assert_eq!(serde_json::json!(key), serde_json::json!({ "machine": "pump", "section": "00" }));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SectionKey {
    /// Machine type.
    pub machine: String,
    /// Section.
    pub section: String,
}

impl SectionKey {
    /// The section a clip belongs to.
    pub fn of(clip: &Clip) -> Self {
        Self { machine: clip.machine.clone(), section: clip.section.clone() }
    }

    /// The error of scoring this section.
    pub(crate) fn failed(&self, source: ScoreError) -> OffkeyError {
        DetectError::Score { machine: self.machine.clone(), section: self.section.clone(), source }
            .into()
    }

    /// As part of a file name: characters that a file system might not take become `_`.
    pub(crate) fn file_stem(&self) -> String {
        offkey_core::stems::file_stem(&self.machine, &self.section)
    }
}
