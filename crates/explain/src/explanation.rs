//! An explanation as its file holds it.

use std::path::PathBuf;

use offkey_core::SectionKey;
use offkey_report::rise::{Faithfulness, Finding};
use serde::{Deserialize, Serialize};

use crate::gaps::Gap;

/// Why a clip scored as it did, as `explanation.json` holds it.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::path::Path;
///
/// use offkey_core::files::read_json;
/// use offkey_explain::Explanation;
///
/// let explanation: Explanation = read_json(Path::new("explained/odd/explanation.json"))?;
/// for sentence in &explanation.words {
///     println!("{sentence}");
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Explanation {
    /// The recording.
    #[serde(with = "offkey_core::paths")]
    pub path: PathBuf,
    /// Machine and section it was compared with.
    #[serde(flatten)]
    pub section: SectionKey,
    /// Its anomaly score.
    pub score: f64,
    /// The threshold of its section.
    pub threshold: f64,
    /// The most similar normal recording.
    #[serde(with = "offkey_core::paths")]
    pub nearest: PathBuf,
    /// How far that one is.
    pub nearest_distance: f64,
    /// Places of the spectrogram that raise the score, the weightiest first.
    pub findings: Vec<Finding>,
    /// Bands of the whole clip's spectrum that raise the score, likewise.
    pub spectrum_findings: Vec<Finding>,
    /// Times in which the clip is quieter than normal clips ever are.
    #[serde(default)]
    pub gaps: Vec<Gap>,
    /// Masks scored.
    pub masks: usize,
    /// How far more masks would leave the estimate as it is, 0 to 1.
    pub reliability: f64,
    /// The same of the estimate over the spectrum; none without such a branch.
    pub spectrum_reliability: Option<f64>,
    /// What happens to the score as the marked parts are removed or shown first.
    pub faithfulness: Faithfulness,
    /// How far the score falls below that of random removal, on average over shares removed.
    pub deletion_gain: f64,
    /// How far it rises above that of randomly shown parts.
    pub insertion_gain: f64,
    /// The same in sentences.
    pub words: Vec<String>,
    /// Where pictures and numbers are.
    #[serde(with = "offkey_core::paths")]
    pub folder: PathBuf,
}

/// A clip that was judged, before it is explained.
#[derive(Debug, Clone)]
pub struct Judged {
    /// The recording.
    pub path: PathBuf,
    /// Machine and section it was compared with.
    pub section: SectionKey,
    /// Its anomaly score.
    pub score: f64,
    /// The threshold of its section.
    pub threshold: f64,
    /// The most similar normal recording.
    pub nearest: PathBuf,
    /// How far that one is.
    pub nearest_distance: f64,
}
