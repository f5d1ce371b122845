//! Evaluation and scoring of what other tools made: score files, and vectors.

use std::path::Path;

use offkey_core::{
    DataError, EmbeddingTable, ScoreFiles, Seed, Truth, Unused, Year, read_score_files, score_rows,
    stems::check_stems,
};
use offkey_eval::{Metrics, evaluate};
use offkey_score::{BackendConfig, ThresholdConfig};

use crate::{OffkeyError, Progress, Scoring, stage};

/// Evaluates score files in the challenge's form, and says what of them was not used. `truth` may be
/// absent where file names carry the label.
///
/// # Errors
/// [`OffkeyError`] when files are absent or malformed, or nothing in them has a label.
pub fn evaluate_scores(
    scores: &Path,
    truth: Option<&Path>,
    year: Option<Year>,
) -> Result<(Metrics, Vec<Unused>), OffkeyError> {
    let ScoreFiles { rows, mut unused } = read_score_files(scores)?;
    let truth = truth.map(Truth::read).transpose()?;
    let (rows, unused_truth) = score_rows(&rows, truth.as_ref());
    unused.extend(unused_truth);
    Ok((evaluate(&rows, year)?, unused))
}

/// Scores anybody's vectors: float32 or float64 `.npy`, `[clips, dims]`, with a manifest CSV in the same order.
/// Writes scores and thresholds into `out` where given, and returns the metrics where the manifest
/// has labels.
///
/// # Errors
/// [`OffkeyError`] when a file is absent or malformed, the two differ in length, or a section has
/// no training rows.
pub fn score_embeddings(
    embeddings: &Path,
    rows: &Path,
    backend: &BackendConfig,
    seed: u64,
    out: Option<&Path>,
    progress: &dyn Progress,
) -> Result<Metrics, OffkeyError> {
    let table = EmbeddingTable::read_parts(embeddings, rows)?;
    check_stems(&table.clips).map_err(DataError::Names)?;
    let threshold = ThresholdConfig::default();
    let scoring = Scoring { backend, fusion: None, threshold: &threshold };
    let (scores, thresholds) =
        stage::score_table(&table.into(), &scoring, Seed::new(seed), progress)?;
    if let Some(out) = out {
        stage::write_scores(out, &scores, &thresholds, None)?;
    }
    Ok(evaluate(&scores, None)?)
}

/// A backend by name, with its default settings, or from the `[backend]` table of a TOML file.
///
/// # Errors
/// [`OffkeyError::Backend`] when there is neither such a name nor such a file, or the file is not
/// valid.
pub fn load_backend(name: &str) -> Result<BackendConfig, OffkeyError> {
    #[derive(serde::Deserialize)]
    struct File {
        backend: BackendConfig,
    }
    let invalid = |source| OffkeyError::Backend { name: name.to_owned(), source };
    if !Path::new(name).is_file() {
        return BackendConfig::from_name(name).map_err(|error| invalid(error.into()));
    }
    let text = std::fs::read_to_string(name).map_err(OffkeyError::io(Path::new(name)))?;
    let file: File = toml::from_str(&text).map_err(|error| invalid(error.into()))?;
    Ok(file.backend)
}
