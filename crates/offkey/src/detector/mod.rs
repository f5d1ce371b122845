//! A finished run as a detector: single clips in, scores and decisions out.

mod error;

use std::{
    collections::{BTreeMap, btree_map::Entry},
    path::{Path, PathBuf},
    sync::Arc,
};

use ndarray::Array2;
use offkey_core::{Clip, FileError, Seed, Split, names::DcaseName};
use offkey_score::Scale;
use offkey_signal::{probe, resample};
use serde::Serialize;

pub use self::error::DetectError;
use crate::{
    Manifest, OffkeyError, Recipe, Registries, RunFolder, SectionKey, Stage,
    audio::ClipAudio,
    files,
    holds::expect_run,
    noise::with_noise,
    run_folder,
    stage::{Embedded, Embedder, Members, RaisedBy, SectionScorer},
    wave_cache::WaveCache,
};

/// A trained model with its references, ready to score clips.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use offkey::{Detector, Recipe, RunRequest, Silent, SynthConfig, recordings, run, synthesize};
///
/// # let folder = tempfile::tempdir()?;
/// # let (data, out) = (folder.path().join("data"), folder.path().join("run"));
/// # let config = SynthConfig { machines: 1, clips: 12, clip_s: 2.0, ..SynthConfig::default() };
/// # synthesize(&config, &data, &Silent)?;
/// # let recipe = Recipe::load("fusion", &["model.pooled.clip_s=2.0".to_owned()])?;
/// # run(&RunRequest::new(vec![data.clone()], recipe, out.clone()), &Silent)?;
/// let detector = Detector::load(&out)?;
/// let clips = recordings(&[data.join("fan/test")])?;
/// let scores = detector.score(&clips, None, None)?;
/// assert_eq!(scores.len(), clips.len());
///
/// let silence = (vec![0.0; 32_000], 16_000);
/// let one = detector.score_samples((&silence.0, silence.1), "live.wav".as_ref(), Some("fan"), None)?;
/// assert!(one.score.is_finite());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Detector {
    recipe: Recipe,
    members: Members,
    embedded: Embedded,
    scorers: BTreeMap<SectionKey, SectionScorer>,
}

/// What a detector says of one clip.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use offkey::{Detector, Recipe, RunRequest, Silent, SynthConfig, recordings, run, synthesize};
/// # let folder = tempfile::tempdir()?;
/// # let (data, out) = (folder.path().join("data"), folder.path().join("run"));
/// # let config = SynthConfig { machines: 1, clips: 12, clip_s: 2.0, ..SynthConfig::default() };
/// # synthesize(&config, &data, &Silent)?;
/// # let recipe = Recipe::load("fusion", &["model.pooled.clip_s=2.0".to_owned()])?;
/// # run(&RunRequest::new(vec![data.clone()], recipe, out.clone()), &Silent)?;
/// # let detector = Detector::load(&out)?;
/// # let clips = recordings(&[data.join("fan/test")])?;
/// let clip = &detector.score(&clips[..1], None, None)?[0];
/// assert_eq!(clip.decision, clip.score > clip.threshold);
/// println!("most like {}, by the {:?}", clip.nearest.display(), clip.raised_by);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClipScore {
    /// The recording.
    #[serde(with = "offkey_core::paths")]
    pub path: PathBuf,
    /// Machine type it was compared with.
    pub machine: String,
    /// Section it was compared with.
    pub section: String,
    /// Anomaly score: larger is more anomalous.
    pub score: f64,
    /// The section's threshold.
    pub threshold: f64,
    /// Whether it is called anomalous: by a run where the score lies above the threshold, by a monitor where it
    /// alarms.
    pub decision: bool,
    /// Share of normal recordings expected to be called anomalous; none where it cannot be stated, because
    /// the threshold comes from recordings that the model was trained on.
    pub expected_false_alarms: Option<f64>,
    /// Which member of the detector raised the score the most; none where there is the model alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raised_by: Option<String>,
    /// The most similar normal recording, as that member hears it.
    #[serde(with = "offkey_core::paths")]
    pub nearest: PathBuf,
}

/// The normal recordings that clips of one section are compared with.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use offkey::{Detector, Recipe, RunRequest, Silent, SynthConfig, run, synthesize};
/// # let folder = tempfile::tempdir()?;
/// # let (data, out) = (folder.path().join("data"), folder.path().join("run"));
/// # let config = SynthConfig { machines: 1, clips: 12, clip_s: 2.0, ..SynthConfig::default() };
/// # synthesize(&config, &data, &Silent)?;
/// # let recipe = Recipe::load("fusion", &["model.pooled.clip_s=2.0".to_owned()])?;
/// # run(&RunRequest::new(vec![data.clone()], recipe, out.clone()), &Silent)?;
/// for section in Detector::load(&out)?.references() {
///     assert_eq!(section.embeddings[0].nrows(), section.clips.len());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SectionReferences {
    /// Which section.
    pub section: SectionKey,
    /// Their embeddings by the model, then by each pooled spectrum beside it, `[references, dims]`.
    pub embeddings: Vec<Array2<f32>>,
    /// The scale of each member's scores, none where a member does not count; empty where the model scores
    /// alone.
    pub scales: Vec<Option<Scale>>,
    /// The recordings, in the same order.
    pub clips: Vec<Clip>,
    /// Scores above it are anomalous.
    pub threshold: f64,
}

/// A recording, decoded and scored.
#[derive(Debug)]
pub(crate) struct Heard<'a> {
    pub(crate) wave: Vec<f32>,
    pub(crate) scorer: &'a SectionScorer,
    pub(crate) score: f64,
    pub(crate) threshold: f64,
    pub(crate) raised_by: Option<String>,
    pub(crate) nearest: PathBuf,
    pub(crate) nearest_distance: f64,
    /// Row of the nearest normal recording among those the detector knows.
    pub(crate) nearest_row: usize,
}

impl Heard<'_> {
    /// What is said of it, under a name.
    fn of(self, path: &Path) -> ClipScore {
        ClipScore {
            path: path.to_owned(),
            machine: self.scorer.key.machine.clone(),
            section: self.scorer.key.section.clone(),
            score: self.score,
            threshold: self.threshold,
            decision: self.score > self.threshold,
            expected_false_alarms: self.scorer.scorer.expected_false_alarms(),
            raised_by: self.raised_by,
            nearest: self.nearest,
        }
    }
}

impl Detector {
    /// Loads the model and the references of a run.
    ///
    /// # Errors
    /// [`OffkeyError`] when the run lacks its model or its embeddings, a file is damaged, or the
    /// folder holds a run a seed.
    pub fn load(root: &Path) -> Result<Self, OffkeyError> {
        Self::load_with(root, &Registries::default())
    }

    /// As [`Detector::load`], of a run whose recipe may name losses and backends of other crates.
    ///
    /// # Errors
    /// As [`Detector::load`], and when a name is not registered.
    pub fn load_with(root: &Path, registries: &Registries) -> Result<Self, OffkeyError> {
        expect_run(root)?;
        run_folder::refuse_several_seeds(root)?;
        let folder = RunFolder::open_to_read(root)?;
        let recipe = registries.resolve(Recipe::read(&folder.recipe())?)?;
        let manifest: Manifest = files::read_json(&folder.manifest())?;
        let members = Members::load(&folder.model(), &recipe, manifest.compute)?;
        let embeddings = RunFolder::require(folder.embeddings(), Stage::Score, Stage::Embed)?;
        let embedded = Embedded::read(&embeddings, &recipe)?;
        let mut scorers = BTreeMap::new();
        for clip in embedded.table.clips.iter().filter(|clip| clip.split == Split::Train) {
            if let Entry::Vacant(entry) = scorers.entry(SectionKey::of(clip)) {
                let scorer = SectionScorer::fit(
                    entry.key(),
                    &embedded,
                    &recipe.scoring(),
                    Seed::new(manifest.seed),
                )?;
                entry.insert(scorer);
            }
        }
        Ok(Self { recipe, members, embedded, scorers })
    }

    /// What is worth saying of the rate of a recording: that it lies below the model's.
    ///
    /// # Errors
    /// [`OffkeyError::Audio`] when the recording cannot be read.
    pub fn about_rate(&self, path: &Path) -> Result<Option<String>, OffkeyError> {
        let (model_hz, _) = self.recipe.clip_shape();
        let rate_hz = probe(path)?.rate_hz;
        Ok((rate_hz < model_hz).then(|| {
            format!(
                "`{}` has {rate_hz} Hz, and the model takes {model_hz} Hz: nothing above {} Hz is in it, which can look like a fault",
                path.display(),
                rate_hz / 2
            )
        }))
    }

    /// The machines and sections this detector has references of.
    pub fn sections(&self) -> impl Iterator<Item = &SectionKey> {
        self.scorers.keys()
    }

    /// What clips of each section are compared with.
    pub fn references(&self) -> impl Iterator<Item = SectionReferences> {
        self.scorers.values().map(|scorer| SectionReferences {
            section: scorer.key.clone(),
            embeddings: self.embedded.select(&scorer.reference_rows),
            scales: scorer.scorer.scales(),
            clips: scorer.reference_rows.iter().map(|&row| self.clips()[row].clone()).collect(),
            threshold: scorer.threshold(),
        })
    }

    /// Scores recordings.
    ///
    /// Machine and section are the ones given; where they are not, the ones the file's name and
    /// folder say; where those say nothing, the only section the detector knows.
    ///
    /// # Errors
    /// [`DetectError::UnknownSection`] when none of this leads to a known section,
    /// [`OffkeyError::Audio`] when a recording cannot be used.
    pub fn score(
        &self,
        paths: &[PathBuf],
        machine: Option<&str>,
        section: Option<&str>,
    ) -> Result<Vec<ClipScore>, OffkeyError> {
        paths.iter().map(|path| Ok(self.hear(path, machine, section)?.of(path))).collect()
    }

    /// Scores a recording that is in memory: mono samples at a rate, converted to the model's. The name
    /// stands for the recording in the answer, and says machine and section as a file's does.
    ///
    /// # Errors
    /// As [`Self::score`]; [`DetectError::Samples`] when there are no samples, or the rate cannot be converted.
    pub fn score_samples(
        &self,
        (samples, rate_hz): (&[f32], u32),
        name: &Path,
        machine: Option<&str>,
        section: Option<&str>,
    ) -> Result<ClipScore, OffkeyError> {
        let scorer = self.scorer_for(name, machine, section)?;
        let wave = self.fitted((samples, rate_hz), name)?;
        Ok(self.listen(scorer, bare_clip(name, &scorer.key), wave)?.of(name))
    }

    /// Embeddings of a recording that is in memory, as [`Self::score_samples`] takes it: `[1, dims]` by the model, then by
    /// each pooled spectrum beside it.
    ///
    /// # Errors
    /// As [`Self::score_samples`].
    pub fn embed_samples(
        &self,
        sound: (&[f32], u32),
        name: &Path,
        machine: Option<&str>,
        section: Option<&str>,
    ) -> Result<Vec<Array2<f32>>, OffkeyError> {
        let key = &self.scorer_for(name, machine, section)?.key;
        let wave = self.fitted(sound, name)?;
        self.members.embed(&[wave], &[bare_clip(name, key)])
    }

    /// Samples as the model takes them.
    fn fitted(
        &self,
        (samples, rate_hz): (&[f32], u32),
        name: &Path,
    ) -> Result<Vec<f32>, OffkeyError> {
        let (model_hz, length) = self.recipe.clip_shape();
        let refused = |source| DetectError::Samples { name: name.to_owned(), source };
        let wave = resample(samples, rate_hz, model_hz).map_err(refused)?;
        Ok(self.recipe.audio.length.fit(&wave, length, 0).map_err(refused)?)
    }

    /// Decodes and scores one recording.
    pub(crate) fn hear(
        &self,
        path: &Path,
        machine: Option<&str>,
        section: Option<&str>,
    ) -> Result<Heard<'_>, OffkeyError> {
        std::fs::metadata(path).map_err(FileError::io(path))?;
        let scorer = self.scorer_for(path, machine, section)?;
        let clip = bare_clip(path, &scorer.key);
        let wave = self.audio(&[&clip])?.wave_at(0, 0)?;
        self.listen(scorer, clip, wave)
    }

    fn listen<'a>(
        &self,
        scorer: &'a SectionScorer,
        clip: Clip,
        wave: Vec<f32>,
    ) -> Result<Heard<'a>, OffkeyError> {
        let embedding = self.members.embed(std::slice::from_ref(&wave), &[clip])?;
        let RaisedBy { score, member, nearest } = scorer.raised(&embedding)?.remove(0);
        Ok(Heard {
            wave,
            scorer,
            score,
            threshold: scorer.threshold(),
            raised_by: member,
            nearest: self.clips()[nearest.reference].path.clone(),
            nearest_distance: nearest.distance,
            nearest_row: nearest.reference,
        })
    }

    /// Waveform of one of the recordings the detector knows.
    pub(crate) fn wave_of(&self, row: usize) -> Result<Vec<f32>, OffkeyError> {
        Ok(self.audio(&[&self.clips()[row]])?.wave_at(0, 0)?)
    }

    /// Waveforms of references of a section, spread evenly over them.
    pub(crate) fn reference_waves(
        &self,
        scorer: &SectionScorer,
        most: usize,
    ) -> Result<Vec<Vec<f32>>, OffkeyError> {
        let clips: Vec<&Clip> =
            scorer.spread_references(most).map(|row| &self.clips()[row]).collect();
        Ok(self.audio(&clips)?.waves(0..clips.len())?)
    }

    /// The model among its members.
    pub(crate) fn model(&self) -> &Embedder {
        &self.members.model
    }

    /// The recordings the detector knows.
    fn clips(&self) -> &[Clip] {
        &self.embedded.table.clips
    }

    fn audio(&self, clips: &[&Clip]) -> Result<ClipAudio, OffkeyError> {
        let (rate_hz, samples) = self.recipe.clip_shape();
        let cache = Arc::new(WaveCache::new(0));
        let audio = &self.recipe.audio;
        let source = ClipAudio::new(clips, audio, rate_hz, samples, Arc::clone(&cache));
        with_noise(source, audio.noise.as_ref(), self.clips(), cache)
    }

    fn scorer_for(
        &self,
        path: &Path,
        machine: Option<&str>,
        section: Option<&str>,
    ) -> Result<&SectionScorer, OffkeyError> {
        let file_name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let section_of_name = DcaseName::parse(file_name).map(|name| name.section);
        let folders: Vec<&str> =
            path.iter().filter_map(|part| part.to_str()).rev().skip(1).collect();
        let fits = |key: &SectionKey, sure: bool| {
            let machine_fits = machine
                .map_or(!sure || folders.contains(&key.machine.as_str()), |m| m == key.machine);
            let section_fits = section.map_or_else(
                || !sure || section_of_name.as_ref().is_none_or(|s| *s == key.section),
                |s| s == key.section,
            );
            machine_fits && section_fits
        };
        for sure in [true, false] {
            let mut matches = self.scorers.values().filter(|scorer| fits(&scorer.key, sure));
            if let (Some(scorer), None) = (matches.next(), matches.next()) {
                return Ok(scorer);
            }
        }
        let or_unknown = |word: Option<&str>| word.unwrap_or("unknown").to_owned();
        Err(DetectError::UnknownSection {
            path: path.to_owned(),
            asked: format!("machine {}, section {}", or_unknown(machine), or_unknown(section)),
            known: self
                .scorers
                .keys()
                .map(|key| format!("{} {}", key.machine, key.section))
                .collect::<Vec<_>>()
                .join(", "),
        }
        .into())
    }
}

/// A clip of which only the file is known.
fn bare_clip(path: &Path, key: &SectionKey) -> Clip {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Clip {
        path: path.to_owned(),
        group: name.clone(),
        name,
        machine: key.machine.clone(),
        section: key.section.clone(),
        domain: None,
        split: Split::Test,
        condition: None,
        attributes: String::new(),
    }
}
