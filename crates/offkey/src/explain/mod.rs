//! Why a clip scored as it did: which part of its spectrogram, and of its spectrum, raises the score.

mod cause;
mod error;
mod explanation;
mod files;
mod gaps;
mod words;

use std::path::{Path, PathBuf};

pub use self::error::ExplainError;
pub use cause::PAGE_MASKS;
pub(crate) use cause::{Cause, NormalLevels, Question, can_be_explained, cause};
pub use explanation::Explanation;
pub use gaps::Gap;
use offkey_core::Seed;
use offkey_report::rise::RiseConfig;
pub(crate) use words::{bands, places};

use crate::{Detector, OffkeyError, Progress, Stage, detector::Heard, stage::Embedder};

/// What is asked of an explanation.
///
/// ```
/// use offkey::{ExplainRequest, RiseConfig, Seed};
///
/// let request = ExplainRequest {
///     machine: Some("pump".to_owned()),
///     section: None,
///     rise: RiseConfig { masks: 500, ..RiseConfig::default() },
///     seed: Seed::new(0),
///     folder: "explained".into(),
/// };
/// assert_eq!(request.rise.masks, 500);
/// ```
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
/// [`ExplainError::NothingToMask`] when the model has no spectrogram branch,
/// [`OffkeyError::Cancelled`] when the caller asks to stop, else whatever keeps the clip from being
/// scored or the files from being written.
pub fn explain_clip(
    detector: &Detector,
    path: &Path,
    request: &ExplainRequest,
    progress: &dyn Progress,
) -> Result<Explanation, OffkeyError> {
    let Embedder::Network(encoder) = detector.model() else {
        return Err(ExplainError::NothingToMask.into());
    };
    if !can_be_explained(encoder) {
        return Err(ExplainError::NothingToMask.into());
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
