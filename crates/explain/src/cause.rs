//! What raises a clip's score: importance over its spectrogram and over its spectrum, by RISE.

use std::cell::{Cell, RefCell};

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, concatenate};
use offkey_core::{Progress, Seed};
use offkey_infer::{Axes, ClipFeatures, Encoder, normalised, side_by_side};
use offkey_report::rise::{
    Extent, Faithfulness, FaithfulnessConfig, Finding, Importance, Mask, RiseConfig, RiseError,
    ScoreFailure, explain, explain_spectrum, faithfulness, findings,
};

use crate::{
    error::ExplainError,
    gaps::{Gap, Strokes, gaps, loudness},
};

/// Masks scored for each clip a page shows: enough for the places that stand out most.
pub const PAGE_MASKS: usize = 256;

/// Reference clips whose mean level counts as normal.
pub const NORMAL_CLIPS: usize = 8;

/// Places named in the spectrogram, and bands in the spectrum, at most.
const MOST_FINDINGS: usize = 3;
/// Masks of the spectrum, three groups: it has 32 bands where the spectrogram has 64 cells, and no time.
const SPECTRUM_MASKS: usize = 264;
/// The same where the spectrogram has one group of masks only: two groups.
const FEW_SPECTRUM_MASKS: usize = 176;
/// Width of the bands that bins of the whole-clip spectrum are put together in.
const BAND_HZ: f64 = 10.0;

/// Scores embeddings, `[clips, dims]`.
pub type ScoreOf<'a> = dyn Fn(ArrayView2<'_, f32>) -> Result<Vec<f64>, ScoreFailure> + 'a;

/// A clip whose score is to be explained, and who scored it.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// What embeds the clip: a network, or those of an ensemble. They are of one architecture.
    pub encoders: &'a [Encoder],
    /// What scores its embeddings, by these encoders alone.
    pub score: &'a ScoreOf<'a>,
    /// The clip, as the encoder takes it.
    pub wave: &'a [f32],
    /// How loud normal clips are; without it nothing is said of levels.
    pub normal: Option<&'a NormalLevels>,
    /// Masks of the spectrogram.
    pub rise: &'a RiseConfig,
    /// Seed of the masks.
    pub seed: Seed,
    /// Whether to put the explanation to the test of insertion and deletion.
    pub tested: bool,
}

impl<'a> Question<'a> {
    /// The encoder whose features are masked, which are those of every other.
    fn encoder(&self) -> Result<&'a Encoder, ExplainError> {
        self.encoders.first().ok_or(ExplainError::NothingToMask)
    }
}

/// What raises a clip's score.
#[derive(Debug)]
pub struct Cause {
    /// What the axes stand for.
    pub extent: Extent,
    /// Spectrogram in decibels, `[frames, bins]`.
    pub levels_db: Array2<f32>,
    /// Importance of each of its places, of the same shape.
    pub importance: Importance,
    /// Places that raise the score, the weightiest first.
    pub findings: Vec<Finding>,
    /// Times in which the clip is quieter than normal clips ever are, or quiet for longer.
    pub gaps: Vec<Gap>,
    /// How the score falls and rises as those places are removed or shown.
    pub faithfulness: Option<Faithfulness>,
    /// The same for the spectrum of the whole clip, where the encoder looks at one.
    pub spectrum: Option<SpectrumCause>,
}

/// What raises a clip's score in its spectrum, in bands of 10 Hz.
#[derive(Debug)]
pub struct SpectrumCause {
    /// Level of each band, in decibels.
    pub levels_db: Array1<f32>,
    /// Importance of each band, `[1, bands]`.
    pub importance: Importance,
    /// Bands that raise the score, the weightiest first.
    pub findings: Vec<Finding>,
}

/// Mean level of normal clips of a section, per bin of the spectrogram and per band of the spectrum.
#[derive(Debug)]
pub struct NormalLevels {
    spectrogram: Array1<f32>,
    /// Mean level of the quietest frame of all.
    quietest_db: f32,
    /// Of a machine that works in strokes, how it pauses.
    strokes: Option<Strokes>,
    spectrum: Option<Array1<f32>>,
}

impl NormalLevels {
    /// Means over waveforms of normal clips; nothing without any.
    ///
    /// # Errors
    /// [`ExplainError::Model`] when the encoder cannot take one of them.
    pub fn of(encoder: &Encoder, waves: &[Vec<f32>]) -> Result<Option<Self>, ExplainError> {
        let mut spectrograms = Vec::new();
        let mut spectra = Vec::new();
        let mut loudnesses = Vec::new();
        for wave in waves {
            let features = encoder.features(wave)?;
            let Some((_, magnitude)) = spectrogram_of(encoder, &features) else { return Ok(None) };
            let levels = decibels(magnitude.view());
            loudnesses.push(loudness(levels.view()));
            spectrograms.extend(levels.mean_axis(Axis(0)));
            if let Some((_, bins)) = spectrum_of(encoder, &features) {
                spectra.push(band_levels(bins, bins_of_a_band(extent(encoder), bins.len())));
            }
        }
        let spectrogram = mean(&spectrograms);
        let spectrum = mean(&spectra);
        let quietest_db = loudnesses.iter().flatten().copied().fold(f32::INFINITY, f32::min);
        let strokes = Strokes::of(&loudnesses);
        Ok(spectrogram.map(|spectrogram| Self { spectrogram, quietest_db, strokes, spectrum }))
    }

    /// How far a clip lies above them, `[frames, bins]`.
    pub(crate) fn above(&self, levels_db: &Array2<f32>) -> Array2<f32> {
        levels_db - &self.spectrogram.view().insert_axis(Axis(0))
    }

    fn gaps(&self, levels_db: &Array2<f32>, extent: Extent) -> Vec<Gap> {
        let normal_db = self.spectrogram.mean().unwrap_or(0.0);
        gaps(levels_db.view(), extent, normal_db, self.quietest_db, self.strokes)
    }

    /// How far its spectrum lies above theirs, a value a band.
    pub(crate) fn above_in_spectrum(&self, spectrum: &SpectrumCause) -> Option<Array1<f32>> {
        self.spectrum.as_ref().map(|normal| &spectrum.levels_db - normal)
    }
}

fn mean(rows: &[Array1<f32>]) -> Option<Array1<f32>> {
    let first = rows.first()?;
    let sum = rows.iter().fold(Array1::zeros(first.len()), |sum, row| sum + row);
    Some(sum / rows.len() as f32)
}

/// Finds what raises the score of a clip.
///
/// The spectrogram's magnitudes are masked before their temporal mean is subtracted, and the
/// spectrum's likewise on its own; each time the other branches hear the clip unchanged, and are
/// embedded once. Of several spectrogram branches the first is explained.
///
/// # Errors
/// [`ExplainError::NothingToMask`] when the encoder has no spectrogram branch,
/// [`ExplainError::Cancelled`] when the caller asks to stop, else what keeps the clip from being
/// scored.
pub fn cause(question: &Question<'_>, progress: &dyn Progress) -> Result<Cause, ExplainError> {
    let &Question { wave, normal, rise, seed, .. } = question;
    let encoder = question.encoder()?;
    let features = encoder.features(wave)?;
    let (branch, magnitude) =
        spectrogram_of(encoder, &features).ok_or(ExplainError::NothingToMask)?;
    let masked = Masked::new(question, &features, progress)?;
    let seed = seed.child("rise");
    let score = |batch: &[Mask]| masked.scores(branch, batch);
    let importance = explain(magnitude.dim(), rise, seed, |batch| {
        progress.advance(masked.scored(batch.len()), "");
        score(batch)
    })
    .map_err(failed)?;
    let faithfulness = question
        .tested
        .then(|| faithfulness(&importance, &FaithfulnessConfig::default(), seed, score))
        .transpose()
        .map_err(failed)?;
    let extent = extent(encoder);
    let levels_db = decibels(magnitude.view());
    let above = normal.map(|normal| normal.above(&levels_db));
    let findings =
        findings(&importance, extent, above.as_ref().map(ArrayView2::from), MOST_FINDINGS);
    let gaps = normal.map_or_else(Vec::new, |normal| normal.gaps(&levels_db, extent));
    let spectrum = spectrum_cause(&masked, &features, extent, seed)?;
    Ok(Cause { extent, levels_db, importance, findings, gaps, faithfulness, spectrum })
}

fn spectrum_cause(
    masked: &Masked<'_>,
    features: &ClipFeatures,
    extent: Extent,
    seed: Seed,
) -> Result<Option<SpectrumCause>, ExplainError> {
    let question = masked.question;
    let Some((branch, bins)) = spectrum_of(question.encoder()?, features) else { return Ok(None) };
    let most = if question.rise.masks > PAGE_MASKS { SPECTRUM_MASKS } else { FEW_SPECTRUM_MASKS };
    let masks = question.rise.masks.min(most);
    let config = RiseConfig { masks, keep: question.rise.keep, ..RiseConfig::spectrum() };
    let score = |batch: &[Mask]| masked.scores(branch, batch);
    let fine = explain_spectrum(bins.len(), &config, seed.child("spectrum"), score);
    let fine = fine.map_err(failed)?;
    let width = bins_of_a_band(extent, bins.len());
    let values = in_bands(fine.by_bin().view(), width).insert_axis(Axis(0));
    let importance = Importance { values, ..fine };
    let levels_db = band_levels(bins, width);
    let mut spectrum = SpectrumCause { levels_db, importance, findings: Vec::new() };
    let above = question.normal.and_then(|normal| normal.above_in_spectrum(&spectrum));
    let above = above.map(|above| above.insert_axis(Axis(0)));
    spectrum.findings =
        findings(&spectrum.importance, extent, above.as_ref().map(ArrayView2::from), MOST_FINDINGS);
    Ok(Some(spectrum))
}

/// A clip whose unchanged branches are embedded once.
struct Masked<'a> {
    question: &'a Question<'a>,
    features: &'a ClipFeatures,
    /// By encoder and branch.
    parts: Vec<Vec<Array2<f32>>>,
    progress: &'a dyn Progress,
    scored: Cell<u64>,
    /// Masked features, kept for the next batch of masks.
    room: RefCell<Vec<f32>>,
}

/// The caller asked to stop.
#[derive(Debug, thiserror::Error)]
#[error("stopped on request")]
struct Stopped;

impl<'a> Masked<'a> {
    fn new(
        question: &'a Question<'a>,
        features: &'a ClipFeatures,
        progress: &'a dyn Progress,
    ) -> Result<Self, ExplainError> {
        let parts_of = |encoder: &Encoder| {
            let part = |(branch, features): (usize, &Array2<f32>)| {
                let room = &mut Vec::new();
                encoder
                    .embed_copies(branch, features, 1, room, |_, from, to| to.copy_from_slice(from))
            };
            features.branches.iter().enumerate().map(part).collect::<Result<_, _>>()
        };
        let parts = question.encoders.iter().map(parts_of).collect::<Result<_, _>>()?;
        let (scored, room) = Default::default();
        Ok(Self { question, features, parts, progress, scored, room })
    }

    /// Masks scored so far, these included.
    fn scored(&self, more: usize) -> u64 {
        self.scored.set(self.scored.get() + more as u64);
        self.scored.get()
    }

    /// Scores of the clip with one branch's features multiplied with each of some masks.
    fn scores(&self, branch: usize, masks: &[Mask]) -> Result<Vec<f64>, ScoreFailure> {
        if self.progress.cancelled() {
            return Err(Box::new(Stopped));
        }
        let room = &mut *self.room.borrow_mut();
        let mut embeddings = Vec::new();
        for (encoder, parts) in self.question.encoders.iter().zip(&self.parts) {
            let changed = encoder.embed_copies(
                branch,
                &self.features.branches[branch],
                masks.len(),
                room,
                |copy, original, values| masks[copy].apply(original, values),
            )?;
            let mut parts: Vec<Array2<f32>> =
                parts.iter().map(|unchanged| repeated(unchanged, masks.len())).collect();
            parts[branch] = changed;
            let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
            embeddings.push(normalised(concatenate(Axis(1), &views)?));
        }
        let embeddings = side_by_side(embeddings);
        (self.question.score)(embeddings.view())
    }
}

fn failed(error: RiseError) -> ExplainError {
    match error {
        RiseError::Score { source } if source.is::<Stopped>() => ExplainError::Cancelled,
        RiseError::Cells { .. } | RiseError::Keep { .. } => ExplainError::Masks(error),
        other => ExplainError::Rise(other),
    }
}

/// One row, several times.
fn repeated(row: &Array2<f32>, times: usize) -> Array2<f32> {
    row.broadcast((times, row.ncols())).expect("one row fits any number of rows").to_owned()
}

/// The first spectrogram among the features, and its place.
fn spectrogram_of<'a>(
    encoder: &Encoder,
    features: &'a ClipFeatures,
) -> Option<(usize, &'a Array2<f32>)> {
    let place = branch_with(encoder, |axes| matches!(axes, Axes::Spectrogram { .. }))?;
    Some((place, &features.branches[place]))
}

/// The first spectrum of the whole clip among the features, and its place.
fn spectrum_of<'a>(
    encoder: &Encoder,
    features: &'a ClipFeatures,
) -> Option<(usize, ArrayView1<'a, f32>)> {
    let place = branch_with(encoder, |axes| axes == Axes::Spectrum)?;
    Some((place, features.branches[place].row(0)))
}

fn branch_with(encoder: &Encoder, is_wanted: impl Fn(Axes) -> bool) -> Option<usize> {
    encoder.config().branches.iter().position(|branch| is_wanted(branch.axes()))
}

/// Spectrogram of another clip in decibels, as the explained branch sees it.
///
/// # Errors
/// [`ExplainError::NothingToMask`] when the encoder has no spectrogram branch, [`ExplainError::Model`] when it cannot
/// take the clip.
pub fn levels_of(encoder: &Encoder, wave: &[f32]) -> Result<Array2<f32>, ExplainError> {
    let features = encoder.features(wave)?;
    let (_, magnitude) = spectrogram_of(encoder, &features).ok_or(ExplainError::NothingToMask)?;
    Ok(decibels(magnitude.view()))
}

/// Whether an encoder has a spectrogram that can be masked.
pub fn can_be_explained(encoder: &Encoder) -> bool {
    branch_with(encoder, |axes| matches!(axes, Axes::Spectrogram { .. })).is_some()
}

fn extent(encoder: &Encoder) -> Extent {
    let config = encoder.config();
    Extent {
        duration_s: config.clip_samples() as f64 / f64::from(config.rate_hz),
        low_hz: 0.0,
        high_hz: f64::from(config.rate_hz) / 2.0,
    }
}

/// Bins of the whole-clip spectrum that make one band.
fn bins_of_a_band(extent: Extent, bins: usize) -> usize {
    let bin_hz = extent.high_hz / bins as f64;
    ((BAND_HZ / bin_hz).round() as usize).max(1)
}

fn in_bands(bins: ArrayView1<f32>, width: usize) -> Array1<f32> {
    bins.axis_chunks_iter(Axis(0), width).map(|band| band.sum() / band.len() as f32).collect()
}

fn band_levels(bins: ArrayView1<f32>, width: usize) -> Array1<f32> {
    in_bands(bins.mapv(level_db).view(), width)
}

fn decibels(magnitude: ArrayView2<f32>) -> Array2<f32> {
    magnitude.mapv(level_db)
}

fn level_db(magnitude: f32) -> f32 {
    20.0 * magnitude.max(1e-6).log10()
}
