//! What a model file says besides its arrays.

use offkey_score::Rule;
use offkey_signal::{Codec, SparseFingerprint};
use serde::{Deserialize, Serialize};

use crate::{FalseAlarmRate, MemberCard, Profile, WindowRule};

/// What a model file says besides its arrays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MonitorCard {
    /// What the machine is called.
    pub name: String,
    /// Version of offkey that wrote the file.
    pub version: String,
    /// Seed of everything random.
    pub seed: u64,
    /// The recipe it was learned by.
    pub recipe: String,
    /// How recordings become windows.
    pub windows: WindowRule,
    /// Sampling rates of the normal recordings; others cannot be judged.
    pub rates_hz: Vec<u32>,
    /// What was learned and what was left out, in words.
    pub explanation: String,
    /// The members of the detector.
    pub members: Vec<MemberCard>,
    /// How their scores are joined.
    pub rule: Rule,
    /// The false-alarm rate that was asked for.
    pub wished: Option<FalseAlarmRate>,
    /// What the normal recordings sound like, band by band.
    pub profile: Profile,
    /// The recordings, in the order of the arrays' rows.
    pub recordings: Vec<RecordingCard>,
    /// What was added after learning.
    pub journal: Vec<JournalEntry>,
}

/// A recording that the model knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordingCard {
    /// Where it was.
    pub path: String,
    /// The recording session: recordings of one group are left out together.
    pub group: String,
    /// Fingerprint of its sound, the same for every copy.
    pub content: String,
    /// First sample of each of its windows, at the model's rate.
    pub starts: Vec<u64>,
    /// What it is used for.
    pub role: Role,
    /// The journal entry that added it; 0 is the learning itself.
    pub entry: u32,
    /// Form of its samples; none: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codec: Option<Codec>,
    /// Fingerprint that copies of another coding, rate or level share, and recordings of the same stretch; none: not
    /// known. No sound can be made of it. It stands in arrays of the file.
    #[serde(skip)]
    pub sound: Option<SparseFingerprint>,
}

/// What a recording is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Reference and calibration: it was chosen before it was judged, and no model was trained on it.
    Calibration,
    /// Reference alone: chosen because it was judged normal, or a network was trained on it.
    Reference,
}

/// One later addition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JournalEntry {
    /// Number of the entry, from 1.
    pub entry: u32,
    /// Seconds since 1970 when it was made.
    pub unix_s: u64,
    /// The recordings added.
    pub recordings: Vec<String>,
    /// Windows added.
    pub windows: usize,
    /// Recordings that were not judged normal and were added all the same.
    pub forced: Vec<String>,
    /// Whether the recordings are a whole period, chosen before it was judged.
    pub whole_period: bool,
    /// The profile as it was before, to return to.
    pub profile_before: Profile,
}

impl MonitorCard {
    /// Seconds between the starts of windows.
    pub fn every_s(&self) -> f64 {
        self.windows.seconds(self.windows.hop as u64)
    }

    /// Windows of all recordings.
    pub fn window_count(&self) -> usize {
        self.recordings.iter().map(|recording| recording.starts.len()).sum()
    }

    /// The recording and the first sample of each row of the arrays.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (&RecordingCard, u64)> {
        self.recordings
            .iter()
            .flat_map(|recording| recording.starts.iter().map(move |&start| (recording, start)))
    }
}
