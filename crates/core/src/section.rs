//! A machine and one section of it: what has references and a threshold of its own.

use serde::{Deserialize, Serialize};

use crate::{Clip, stems::file_stem};

/// A machine and one section of it.
///
/// ```
/// use offkey_core::SectionKey;
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

    /// As part of a file name: characters that a file system might not take become `_`.
    pub fn file_stem(&self) -> String {
        file_stem(&self.machine, &self.section)
    }
}
