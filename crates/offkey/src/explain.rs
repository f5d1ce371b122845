//! Why a clip scored as it did: which part of its spectrogram, and of its spectrum, raises the score.

use std::path::{Path, PathBuf};

use offkey_core::Seed;
use offkey_explain::{
    ExplainError, Explanation, Judged, NORMAL_CLIPS, NormalLevels, Question, can_be_explained,
    cause, levels_of, write,
};
use offkey_report::rise::RiseConfig;

use crate::{Detector, OffkeyError, Progress, Stage, stage::Embedder};

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

/// Explains a recording's score by RISE and writes pictures and numbers into a folder named for the
/// clip.
///
/// The spectrogram's magnitudes are masked before their temporal mean is subtracted; the other
/// branches hear the clip unchanged. The spectrum is masked likewise, on its own. Where the normal
/// recordings are not at their place any more, nothing is said of levels.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::path::Path;
///
/// use offkey::{Detector, ExplainRequest, RiseConfig, Seed, Silent, explain_clip};
///
/// let request = ExplainRequest {
///     machine: None,
///     section: None,
///     rise: RiseConfig::default(),
///     seed: Seed::new(0),
///     folder: "explained".into(),
/// };
/// let detector = Detector::load(Path::new("run"))?;
/// let explanation = explain_clip(&detector, Path::new("odd.wav"), &request, &Silent)?;
/// for sentence in &explanation.words {
///     println!("{sentence}");
/// }
/// # Ok(())
/// # }
/// ```
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
    let Embedder::Network(encoders) = detector.model() else {
        return Err(ExplainError::NothingToMask.into());
    };
    let encoder = encoders.first().ok_or(ExplainError::NothingToMask)?;
    if !can_be_explained(encoder) {
        return Err(ExplainError::NothingToMask.into());
    }
    let heard = detector.hear(path, request.machine.as_deref(), request.section.as_deref())?;
    let nearest_wave = known(detector.wave_of(heard.nearest_row), progress)?;
    let normal_waves = known(detector.reference_waves(heard.scorer, NORMAL_CLIPS), progress)?;
    let normal = NormalLevels::of(encoder, &normal_waves.unwrap_or_default())?;
    progress.begin(Stage::Explain, request.rise.masks as u64, "masks");
    let question = Question {
        encoders,
        score: &|embeddings| Ok(heard.scorer.score_by_model(embeddings)?),
        wave: &heard.wave,
        normal: normal.as_ref(),
        rise: &request.rise,
        seed: request.seed,
        tested: true,
    };
    let cause = cause(&question, progress)?;
    progress.end();
    let nearest = nearest_wave.map(|wave| levels_of(encoder, &wave)).transpose()?;
    let judged = Judged {
        path: path.to_owned(),
        section: heard.scorer.key.clone(),
        score: heard.score,
        threshold: heard.threshold,
        nearest: heard.nearest,
        nearest_distance: heard.nearest_distance,
    };
    Ok(write(judged, &cause, normal.as_ref(), nearest, &request.folder)?)
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
