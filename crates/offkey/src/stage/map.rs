//! From embeddings to a map of them.

use std::{collections::BTreeMap, fs, ops::ControlFlow, path::PathBuf};

use offkey_core::{Clip, Condition, Seed, Split, table};
use offkey_report::{
    TsneConfig, TsneError,
    chart::{MapGroup, PointMap, write_chart},
    page::{EmbeddingMap, MapPoint},
};
use serde::{Deserialize, Serialize};

use super::score::read_scores;
use crate::{OffkeyError, RunFolder, Stage, files, open_run::Run};

/// One row of `tsne.csv`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct MapRow {
    machine: String,
    section: String,
    name: String,
    split: String,
    domain: String,
    label: String,
    score: Option<f64>,
    x: f32,
    y: f32,
}

/// Side of the PNG, in pixels.
const PNG_SIDE: u32 = 900;
/// Classes of scores on a map: as many as there are shades.
const SCORE_CLASSES: usize = 5;

impl Run<'_> {
    /// Arranges all embeddings on a plane by t-SNE; writes `tsne.csv`, a picture by machine and
    /// section, and others by domain, label and score where clips differ in those. Returns where the
    /// first picture is.
    pub(crate) fn map(&mut self) -> Result<PathBuf, OffkeyError> {
        self.timed(Stage::Map, |run| {
            let table = run.embedded(Stage::Map)?.table;
            let rows = table.clips.len();
            let perplexity =
                TsneConfig::default().perplexity.min(TsneConfig::largest_perplexity(rows));
            let config = TsneConfig { perplexity: perplexity.max(1.0), ..TsneConfig::default() };
            run.progress.begin(Stage::Map, (config.early_steps + config.steps) as u64, "steps");
            let seed = Seed::new(run.manifest.seed).child("t-sne");
            let map = config
                .fit(table.embeddings.view(), seed, |step, _| {
                    run.progress.advance(step as u64, "");
                    if run.progress.cancelled() {
                        ControlFlow::Break(())
                    } else {
                        ControlFlow::Continue(())
                    }
                })
                .map_err(|error| match error {
                    TsneError::Stopped { .. } => {
                        OffkeyError::Cancelled { run: run.folder.root().to_owned() }
                    }
                    other => OffkeyError::Map(other),
                })?;
            run.progress.end();
            let scores = scores_of(&run.folder);
            let places: Vec<[f64; 2]> = map
                .positions()
                .rows()
                .into_iter()
                .map(|place| [f64::from(place[0]), f64::from(place[1])])
                .collect();
            let map_rows: Vec<MapRow> = table
                .clips
                .iter()
                .zip(&places)
                .map(|(clip, place)| row(clip, *place, scores.get(&key(clip)).copied()))
                .collect();
            table::write_csv(&run.folder.root().join("tsne.csv"), &map_rows)?;
            let placed: Vec<(&Clip, [f64; 2])> = table.clips.iter().zip(places).collect();
            run.write_map("tsne", &by_machine(&placed))?;
            for (name, map) in [
                ("tsne_domain", by_domain(&placed)),
                ("tsne_label", by_label(&placed)),
                ("tsne_score", by_score(&placed, &scores)),
            ] {
                // One colour for all points says nothing.
                if map.groups.len() > 1 {
                    run.write_map(name, &map)?;
                }
            }
            Ok(run.folder.root().join("tsne.svg"))
        })
    }

    fn write_map(&self, name: &str, map: &PointMap) -> Result<(), OffkeyError> {
        let root = self.folder.root();
        let csv = fs::read(root.join("tsne.csv")).map_err(OffkeyError::io(root))?;
        write_chart(root, name, map).map_err(OffkeyError::io(root))?;
        // The chart's own table says less than ours of the same name.
        files::write_atomically(&root.join("tsne.csv"), &csv)?;
        let png = map.png(PNG_SIDE).map_err(OffkeyError::embed)?;
        Ok(files::write_atomically(&root.join(format!("{name}.png")), &png)?)
    }

    /// The map as the page shows it, where one was made.
    pub(super) fn page_map(&self) -> Result<Option<EmbeddingMap>, OffkeyError> {
        if !self.manifest.is_done(Stage::Map) {
            return Ok(None);
        }
        let path = self.folder.root().join("tsne.csv");
        let rows: Vec<MapRow> = table::read_csv(&path)?;
        let clips: BTreeMap<ClipKey, &Clip> =
            self.clips.iter().map(|clip| (key(clip), clip)).collect();
        let points = rows
            .into_iter()
            .filter_map(|row| {
                let clip = clips.get(&(row.machine, row.section, row.split, row.name))?;
                Some(MapPoint { clip: (*clip).clone(), x: row.x, y: row.y, score: row.score })
            })
            .collect();
        Ok(Some(EmbeddingMap { method: "t-SNE, cosine distance".to_owned(), kl: None, points }))
    }
}

type ClipKey = (String, String, String, String);

fn key(clip: &Clip) -> ClipKey {
    (clip.machine.clone(), clip.section.clone(), clip.split.to_string(), clip.name.clone())
}

/// Scores of the test clips, where the run has any.
fn scores_of(folder: &RunFolder) -> BTreeMap<ClipKey, f64> {
    let rows = read_scores(&folder.scores()).map(|(rows, _)| rows).unwrap_or_default();
    rows.into_iter().map(|row| (key(&row.clip), row.score)).collect()
}

fn row(clip: &Clip, place: [f64; 2], score: Option<f64>) -> MapRow {
    MapRow {
        machine: clip.machine.clone(),
        section: clip.section.clone(),
        name: clip.name.clone(),
        split: clip.split.to_string(),
        domain: clip.domain.map(|domain| domain.to_string()).unwrap_or_default(),
        label: clip.condition.map(|condition| condition.to_string()).unwrap_or_default(),
        score,
        x: place[0] as f32,
        y: place[1] as f32,
    }
}

/// A clip and its place on the map.
type Placed<'a> = (&'a Clip, [f64; 2]);

fn by_machine(placed: &[Placed]) -> PointMap {
    grouped("t-SNE by machine and section", placed, |clip| {
        Some(format!("{} {}", clip.machine, clip.section))
    })
}

fn by_domain(placed: &[Placed]) -> PointMap {
    grouped("t-SNE by domain", placed, |clip| clip.domain.map(|domain| domain.to_string()))
}

/// Test clips; normal ones first, in the colour they have in every chart.
fn by_label(placed: &[Placed]) -> PointMap {
    let label = |clip: &Clip| clip.condition.filter(|_| clip.split == Split::Test);
    let mut map = grouped("t-SNE of test clips by label", placed, |clip| {
        label(clip).map(|condition| condition.to_string())
    });
    map.groups.sort_by_key(|group| group.name != Condition::Normal.to_string());
    map
}

/// Scored clips in classes of equal size, from pale to strong.
fn by_score(placed: &[Placed], scores: &BTreeMap<ClipKey, f64>) -> PointMap {
    let mut scored: Vec<(f64, [f64; 2])> = placed
        .iter()
        .filter_map(|(clip, place)| Some((*scores.get(&key(clip))?, *place)))
        .filter(|(score, _)| score.is_finite())
        .collect();
    scored.sort_by(|a, b| a.0.total_cmp(&b.0));
    let classes = scored.chunks(scored.len().div_ceil(SCORE_CLASSES).max(1));
    let groups = classes.map(|class| MapGroup {
        name: format!("{:.3} to {:.3}", class[0].0, class[class.len() - 1].0),
        points: class.iter().map(|(_, place)| *place).collect(),
    });
    let title = "t-SNE of test clips by anomaly score".to_owned();
    PointMap { title, groups: groups.collect(), is_ranked: true }
}

fn grouped(title: &str, placed: &[Placed], name: impl Fn(&Clip) -> Option<String>) -> PointMap {
    let mut groups: BTreeMap<String, Vec<[f64; 2]>> = BTreeMap::new();
    for (clip, place) in placed {
        if let Some(name) = name(clip) {
            groups.entry(name).or_default().push(*place);
        }
    }
    let groups = groups.into_iter().map(|(name, points)| MapGroup { name, points }).collect();
    PointMap { title: title.to_owned(), groups, is_ranked: false }
}
