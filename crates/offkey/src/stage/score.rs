//! From embeddings to anomaly scores, thresholds and decisions.

use std::{collections::BTreeMap, fs, path::PathBuf};

use ndarray::{Array2, ArrayView2};
use offkey_core::{Clip, ScoreRow, Seed, Split, table};
use offkey_score::{Member, Nearest, Raised, References, Rule, Scorer};
use serde::{Deserialize, Serialize};

use super::embedded::Embedded;
use crate::{
    DetectError, OffkeyError, Progress, RunFolder, Scoring, SectionKey, Stage, files,
    open_run::Run, withheld::withheld,
};

/// The threshold of one section, as `scores/thresholds.json` holds it.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use offkey::{Recipe, RunFolder, RunRequest, SectionThreshold, Silent, SynthConfig, files, run, synthesize};
///
/// # let folder = tempfile::tempdir()?;
/// # let (data, out) = (folder.path().join("data"), folder.path().join("run"));
/// # let config = SynthConfig { machines: 1, clips: 12, clip_s: 2.0, ..SynthConfig::default() };
/// # synthesize(&config, &data, &Silent)?;
/// # let recipe = Recipe::load("fusion", &["model.pooled.clip_s=2.0".to_owned()])?;
/// # run(&RunRequest::new(vec![data.clone()], recipe, out.clone()), &Silent)?;
/// let path = RunFolder::open_to_read(&out)?.scores().join("thresholds.json");
/// let thresholds: Vec<SectionThreshold> = files::read_json(&path)?;
/// assert!(thresholds.iter().all(|section| section.references > 0));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SectionThreshold {
    /// Which section.
    #[serde(flatten)]
    pub key: SectionKey,
    /// Scores above it are anomalous.
    pub threshold: f64,
    /// Reference clips.
    pub references: usize,
    /// What the threshold was found on: scores of recordings withheld from training and references, or of
    /// the references, each made without its own recording.
    pub held_out_scores: Vec<f64>,
    /// Share of new normal recordings expected above the threshold; none where it cannot be stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_false_alarms: Option<f64>,
}

/// One section's scorer, and where its references stand in the run's table.
#[derive(Debug)]
pub(crate) struct SectionScorer {
    pub(crate) key: SectionKey,
    pub(crate) scorer: Scorer,
    /// Rows of the references in the table they came from.
    pub(crate) reference_rows: Vec<usize>,
    /// Names of the members.
    names: Vec<String>,
}

/// The score of a clip, what raised it, and what it is nearest to.
#[derive(Debug, Clone)]
pub(crate) struct RaisedBy {
    pub(crate) score: f64,
    /// The member, where there are several.
    pub(crate) member: Option<String>,
    /// The nearest reference by that member, as a row of the table the references came from.
    pub(crate) nearest: Nearest,
}

impl SectionScorer {
    /// Fits members and threshold of one section on its training rows.
    pub(crate) fn fit(
        key: &SectionKey,
        embedded: &Embedded,
        scoring: &Scoring,
        seed: Seed,
    ) -> Result<Self, OffkeyError> {
        let clips = &embedded.table.clips;
        let of_section = |clip: &Clip| clip.split == Split::Train && SectionKey::of(clip) == *key;
        let withheld = withheld(clips, scoring.threshold, seed);
        let (withheld_rows, reference_rows): (Vec<usize>, Vec<usize>) = (0..clips.len())
            .filter(|&row| of_section(&clips[row]))
            .partition(|row| withheld.contains(row));
        let of_rows = || reference_rows.iter().map(|&row| &clips[row]);
        let domains: Vec<_> = of_rows().map(|clip| clip.domain).collect();
        let groups: Vec<String> = of_rows().map(|clip| clip.group.clone()).collect();
        let seed = seed.child("backend").child(format!("{} {}", key.machine, key.section));
        let failed = DetectError::of(key);
        let references = embedded.select(&reference_rows);
        let mut members = Vec::new();
        for ((name, backend), own) in scoring.members().zip(&references) {
            let references =
                References::new(own.view(), &domains, &groups, seed).map_err(&failed)?;
            members.push(Member { name: name.to_owned(), backend, references });
        }
        let withheld = embedded.select(&withheld_rows);
        let withheld: Vec<_> = withheld.iter().map(|own| own.view()).collect();
        let rule = scoring.fusion.map_or(Rule::Max, |fusion| fusion.rule);
        let scorer = Scorer::fit(&members, rule, scoring.threshold, &withheld).map_err(&failed)?;
        let names = members.iter().map(|member| member.name.clone()).collect();
        Ok(Self { key: key.clone(), scorer, reference_rows, names })
    }

    /// Rows of at most so many references, spread evenly over all of them.
    pub(crate) fn spread_references(&self, most: usize) -> impl Iterator<Item = usize> {
        let (all, count) = (self.reference_rows.len(), self.reference_rows.len().min(most));
        (0..count).map(move |index| self.reference_rows[index * all / count])
    }

    /// Scores above it are anomalous.
    pub(crate) fn threshold(&self) -> f64 {
        self.scorer.threshold()
    }

    /// Scores embeddings, `[clips, dims]` per member.
    pub(crate) fn score(&self, clips: &[Array2<f32>]) -> Result<Vec<f64>, OffkeyError> {
        Ok(self.scorer.score(&views(clips)).map_err(DetectError::of(&self.key))?)
    }

    /// Scores embeddings of the model by the model alone, on the scale of its backend.
    pub(crate) fn score_by_model(
        &self,
        embeddings: ArrayView2<f32>,
    ) -> Result<Vec<f64>, OffkeyError> {
        Ok(self.scorer.score_by_first(embeddings).map_err(DetectError::of(&self.key))?)
    }

    /// What raised the score of each clip.
    pub(crate) fn raised(&self, clips: &[Array2<f32>]) -> Result<Vec<RaisedBy>, OffkeyError> {
        let raised = self.scorer.raised(&views(clips)).map_err(DetectError::of(&self.key))?;
        let named = |Raised { score, member, nearest }| RaisedBy {
            score,
            member: (self.names.len() > 1).then(|| self.names[member].clone()),
            nearest: Nearest { reference: self.reference_rows[nearest.reference], ..nearest },
        };
        Ok(raised.into_iter().map(named).collect())
    }
}

fn views(clips: &[Array2<f32>]) -> Vec<ArrayView2<'_, f32>> {
    clips.iter().map(|member| member.view()).collect()
}

/// Scores every test clip of a table, each section with references of its own.
///
/// # Errors
/// [`crate::DetectError::Score`] naming the section that cannot be scored, for lack of references among
/// other reasons; [`OffkeyError::Cancelled`] when the caller asks to stop between two sections.
pub fn score_table(
    embedded: &Embedded,
    scoring: &Scoring,
    seed: Seed,
    progress: &dyn Progress,
) -> Result<(Vec<ScoreRow>, Vec<SectionThreshold>), OffkeyError> {
    let mut rows_of_section: BTreeMap<SectionKey, Vec<usize>> = BTreeMap::new();
    for (row, clip) in embedded.table.clips.iter().enumerate() {
        if clip.split == Split::Test {
            rows_of_section.entry(SectionKey::of(clip)).or_default().push(row);
        }
    }
    progress.begin(Stage::Score, rows_of_section.len() as u64, "sections");
    let mut scores = Vec::new();
    let mut thresholds = Vec::new();
    let mut warned: Vec<String> = Vec::new();
    for (done, (key, rows)) in rows_of_section.iter().enumerate() {
        if progress.cancelled() {
            return Err(OffkeyError::Cancelled { run: PathBuf::new() });
        }
        let section = SectionScorer::fit(key, embedded, scoring, seed)?;
        if let Some(warning) = section.scorer.warnings().first() {
            warned.push(format!("{} section {}: {warning}", key.machine, key.section));
        }
        let section_scores = section.score(&embedded.select(rows))?;
        let decisions = section.scorer.decide(&section_scores);
        for ((&row, score), decision) in rows.iter().zip(section_scores).zip(decisions) {
            let clip = embedded.table.clips[row].clone();
            scores.push(ScoreRow { clip, score, decision: Some(decision) });
        }
        thresholds.push(SectionThreshold {
            key: key.clone(),
            threshold: section.threshold(),
            references: section.reference_rows.len(),
            held_out_scores: section.scorer.held_out().to_vec(),
            expected_false_alarms: section.scorer.expected_false_alarms(),
        });
        progress.advance(done as u64 + 1, &format!("{} {}", key.machine, key.section));
    }
    progress.end();
    match warned.as_slice() {
        [] => {}
        [only] => progress.warn(only),
        [first, others @ ..] => {
            progress.warn(&format!("{first}; the like in {} more sections", others.len()));
        }
    }
    Ok((scores, thresholds))
}

/// Writes scores as one CSV a section, in the challenge's form as well, and the thresholds.
///
/// # Errors
/// [`OffkeyError`] when the folder cannot be written.
pub(crate) fn write_scores(
    folder: &std::path::Path,
    rows: &[ScoreRow],
    thresholds: &[SectionThreshold],
    year: Option<offkey_core::Year>,
) -> Result<(), OffkeyError> {
    if folder.is_dir() {
        fs::remove_dir_all(folder).map_err(OffkeyError::io(folder))?;
    }
    fs::create_dir_all(folder).map_err(OffkeyError::io(folder))?;
    let mut of_section: BTreeMap<SectionKey, Vec<ScoreRow>> = BTreeMap::new();
    for row in rows {
        of_section.entry(SectionKey::of(&row.clip)).or_default().push(row.clone());
    }
    for (key, rows) in &of_section {
        table::write_csv(&folder.join(format!("{}.csv", key.file_stem())), rows)?;
    }
    files::write_json(&folder.join("thresholds.json"), &thresholds)?;
    offkey_eval::write_submission(rows, year, &folder.join("challenge"))?;
    Ok(())
}

/// Reads what [`write_scores`] wrote.
///
/// # Errors
/// [`OffkeyError`] when the folder is absent or a file is malformed.
pub(crate) fn read_scores(
    folder: &std::path::Path,
) -> Result<(Vec<ScoreRow>, Vec<SectionThreshold>), OffkeyError> {
    let thresholds: Vec<SectionThreshold> = files::read_json(&folder.join("thresholds.json"))?;
    let mut rows = Vec::new();
    for section in &thresholds {
        let path = folder.join(format!("{}.csv", section.key.file_stem()));
        rows.extend(table::read_csv::<ScoreRow>(&path)?);
    }
    Ok((rows, thresholds))
}

impl Run<'_> {
    /// The embeddings of this run, or the error that says which stage writes them.
    pub(crate) fn embedded(&self, stage: Stage) -> Result<Embedded, OffkeyError> {
        let folder = RunFolder::require(self.folder.embeddings(), stage, Stage::Embed)?;
        Embedded::read(&folder, &self.recipe)
    }

    /// Scores the test clips.
    pub(crate) fn score(&mut self) -> Result<(), OffkeyError> {
        self.timed(Stage::Score, |run| {
            let embedded = run.embedded(Stage::Score)?;
            let (rows, thresholds) = score_table(
                &embedded,
                &run.recipe.scoring(),
                Seed::new(run.manifest.seed),
                run.progress,
            )
            .map_err(|error| error.in_run(run.folder.root()))?;
            write_scores(&run.folder.scores(), &rows, &thresholds, run.manifest.year)
        })
    }
}
