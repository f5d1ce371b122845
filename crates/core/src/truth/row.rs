//! What one line of a truth file says of a clip.

use std::path::PathBuf;

use crate::{Condition, Domain};

/// What is known of one clip; `None` where no file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TruthEntry {
    /// Normal or anomalous.
    pub condition: Option<Condition>,
    /// Source or target.
    pub domain: Option<Domain>,
    /// Attribute text.
    pub attributes: Option<String>,
    /// Recording session.
    pub group: Option<String>,
}

/// One line of a truth file, with all that its file's name adds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TruthRow {
    /// The clips it speaks of; `None` speaks of every machine.
    pub(crate) machine: Option<String>,
    /// `None` speaks of every section; file names of the challenge count sections themselves.
    pub(crate) section: Option<String>,
    /// Of which of 2021's two test folders.
    pub(crate) folder: Option<Domain>,
    /// File name without extension.
    pub(crate) stem: String,
    pub(crate) entry: TruthEntry,
    /// Label and domain are read off a full name, not stated.
    pub(crate) implied: bool,
    /// The file that says so.
    pub(crate) source: PathBuf,
}

impl TruthRow {
    pub(crate) fn speaks_of(&self, machine: &str, section: &str, domain: Option<Domain>) -> bool {
        self.machine.as_deref().is_none_or(|own| own == machine)
            && self.section.as_deref().is_none_or(|own| own == section)
            && (self.folder.is_none() || domain.is_none() || self.folder == domain)
    }

    pub(super) fn contradicts(&self, other: &Self) -> bool {
        fn differ<T: PartialEq>(a: Option<&T>, b: Option<&T>) -> bool {
            a.is_some() && b.is_some() && a != b
        }
        !differ(self.machine.as_ref(), other.machine.as_ref())
            && !differ(self.section.as_ref(), other.section.as_ref())
            && !differ(self.folder.as_ref(), other.folder.as_ref())
            && (differ(self.entry.condition.as_ref(), other.entry.condition.as_ref())
                || differ(self.entry.domain.as_ref(), other.entry.domain.as_ref()))
    }
}

impl TruthEntry {
    /// What this entry says, and what `other` says where this one is silent. Attributes that the
    /// challenge hid (`noAttribute`) count as silence.
    pub(super) fn or(self, other: Self) -> Self {
        let shown = |attributes: &String| attributes != HIDDEN_ATTRIBUTES;
        let attributes = match (self.attributes, other.attributes) {
            (Some(own), other) if shown(&own) || other.is_none() => Some(own),
            (_, other) => other,
        };
        Self {
            condition: self.condition.or(other.condition),
            domain: self.domain.or(other.domain),
            attributes,
            group: self.group.or(other.group),
        }
    }
}

/// What stands for attributes where the challenge gives none (2024 on).
pub(super) const HIDDEN_ATTRIBUTES: &str = "noAttribute";
