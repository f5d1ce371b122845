//! Why a clip scored as it did: which part of its spectrogram, and of its spectrum, raises the score.

mod cause;
mod files;
mod gaps;
mod words;

use std::path::{Path, PathBuf};

pub(crate) use cause::{Cause, NormalLevels, Question, can_be_explained, cause};
pub use gaps::Gap;
use offkey_core::Seed;
use offkey_report::rise::{Faithfulness, Finding, RiseConfig};
use serde::{Deserialize, Serialize};
pub(crate) use words::{bands, places};

use crate::{Detector, OffkeyError, Progress, SectionKey, Stage, detector::Heard, stage::Embedder};

/// What is asked of an explanation.
#[derive(Debug, Clone)]
pub struct ExplainRequest {
    /// The clip's machine; none: as its name and folder say.
    pub machine: Option<String>,
    /// Its section, likewise.
    pub section: Option<String>,
    /// Grid, probability and number of the masks; fewer are scored where the estimate settles earlier.
    pub rise: RiseConfig,
    /// Seed of the masks.
    pub seed: Seed,
    /// Folder in which each clip gets one of its own.
    pub folder: PathBuf,
}

/// Masks scored for each clip a page shows: enough for the places that stand out most.
pub const PAGE_MASKS: usize = 256;

/// Why a clip scored as it did, as `explanation.json` holds it.
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

/// Reference clips whose mean level counts as normal.
pub(crate) const NORMAL_CLIPS: usize = 8;

/// Explains a recording's score by RISE and writes pictures and numbers into a folder named for the
/// clip.
///
/// The spectrogram's magnitudes are masked before their temporal mean is subtracted; the other
/// branches hear the clip unchanged. The spectrum is masked likewise, on its own. Where the normal
/// recordings are not at their place any more, nothing is said of levels.
///
/// # Errors
/// [`OffkeyError::NothingToMask`] when the model has no spectrogram branch,
/// [`OffkeyError::Cancelled`] when the caller asks to stop, else whatever keeps the clip from being
/// scored or the files from being written.
pub fn explain_clip(
    detector: &Detector,
    path: &Path,
    request: &ExplainRequest,
    progress: &dyn Progress,
) -> Result<Explanation, OffkeyError> {
    let Embedder::Network(encoder) = detector.embedder() else {
        return Err(OffkeyError::NothingToMask);
    };
    if !can_be_explained(encoder) {
        return Err(OffkeyError::NothingToMask);
    }
    let heard = detector.hear(path, request.machine.as_deref(), request.section.as_deref())?;
    let nearest_wave = known(detector.wave_of(heard.nearest_row), progress)?;
    let normal_waves = known(detector.reference_waves(heard.scorer, NORMAL_CLIPS), progress)?;
    let normal = NormalLevels::of(encoder, &normal_waves.unwrap_or_default())?;
    progress.begin(Stage::Explain, request.rise.masks as u64, "masks");
    let question = Question {
        encoder,
        scorer: heard.scorer,
        wave: &heard.wave,
        normal: normal.as_ref(),
        rise: &request.rise,
        seed: request.seed,
        tested: true,
    };
    let cause = cause(&question, progress)?;
    progress.end();
    let folder = files::folder_of(&request.folder, path);
    let explanation = explanation(path, &heard, &cause, folder);
    let nearest = nearest_wave
        .map(|wave| cause::levels_of(encoder, &wave))
        .transpose()?
        .map(|levels| (explanation.nearest.as_path(), levels));
    files::write(&explanation, &cause, normal.as_ref(), nearest)?;
    Ok(explanation)
}

fn explanation(path: &Path, heard: &Heard<'_>, cause: &Cause, folder: PathBuf) -> Explanation {
    let faithfulness = cause.faithfulness.clone().expect("asked for");
    let mut explanation = Explanation {
        path: path.to_owned(),
        section: heard.scorer.key.clone(),
        score: heard.score,
        threshold: heard.threshold,
        nearest: heard.nearest.clone(),
        nearest_distance: heard.nearest_distance,
        findings: cause.findings.clone(),
        spectrum_findings: cause
            .spectrum
            .as_ref()
            .map_or_else(Vec::new, |spectrum| spectrum.findings.clone()),
        gaps: cause.gaps.clone(),
        masks: cause.importance.masks,
        reliability: cause.importance.reliability,
        spectrum_reliability: cause.spectrum.as_ref().map(|s| s.importance.reliability),
        deletion_gain: faithfulness.deletion_gain(),
        insertion_gain: faithfulness.insertion_gain(),
        faithfulness,
        words: Vec::new(),
        folder,
    };
    explanation.words = words::sentences(&explanation);
    explanation
}

/// Recordings that may have been moved since the model learned from them: absence is a warning.
fn known<T>(
    found: Result<T, OffkeyError>,
    progress: &dyn Progress,
) -> Result<Option<T>, OffkeyError> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(OffkeyError::Audio(error)) => {
            progress.warn(&format!("no comparison with normal recordings: {error}"));
            Ok(None)
        }
        Err(other) => Err(other),
    }
}
