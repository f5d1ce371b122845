//! From embeddings to a map of them.

use std::{collections::BTreeMap, fs, ops::ControlFlow, path::PathBuf};

use offkey_core::{Clip, Seed, Split, table};
use offkey_report::{
    TsneConfig, TsneError,
    chart::{MapGroup, PointMap, write_chart},
    page::{EmbeddingMap, MapPoint},
};
use serde::{Deserialize, Serialize};

use super::score::read_scores;
use crate::{OffkeyError, RunFolder, Stage, run::Run, run_folder};

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

impl Run<'_> {
    /// Arranges all embeddings on a plane by t-SNE; writes `tsne.csv`, and pictures by machine and
    /// by label. Returns where the picture is.
    pub(crate) fn map(&mut self) -> Result<PathBuf, OffkeyError> {
        self.timed("map", |run| {
            let table = run.embedding_table("tsne")?;
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
            let by_machine =
                grouped("t-SNE by machine and section", &table.clips, &places, |clip| {
                    Some(format!("{} {}", clip.machine, clip.section))
                });
            let by_label = grouped("t-SNE of test clips by label", &table.clips, &places, |clip| {
                (clip.split == Split::Test)
                    .then(|| clip.condition.map_or_else(|| "unknown".to_owned(), |c| c.to_string()))
            });
            run.write_map("tsne", &by_machine)?;
            run.write_map("tsne_label", &by_label)?;
            Ok(run.folder.root().join("tsne.svg"))
        })
    }

    fn write_map(&self, name: &str, map: &PointMap) -> Result<(), OffkeyError> {
        let root = self.folder.root();
        let csv = fs::read(root.join("tsne.csv")).map_err(OffkeyError::io(root))?;
        write_chart(root, name, map).map_err(OffkeyError::io(root))?;
        // The chart's own table says less than ours of the same name.
        run_folder::write_atomically(&root.join("tsne.csv"), &csv)?;
        let png = map.png(PNG_SIDE).map_err(OffkeyError::embed)?;
        run_folder::write_atomically(&root.join(format!("{name}.png")), &png)
    }

    /// The map as the page shows it, where one was made.
    pub(super) fn page_map(&self) -> Result<Option<EmbeddingMap>, OffkeyError> {
        if !self.manifest.is_done("map") {
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

fn grouped(
    title: &str,
    clips: &[Clip],
    places: &[[f64; 2]],
    name: impl Fn(&Clip) -> Option<String>,
) -> PointMap {
    let mut groups: BTreeMap<String, Vec<[f64; 2]>> = BTreeMap::new();
    for (clip, place) in clips.iter().zip(places) {
        if let Some(name) = name(clip) {
            groups.entry(name).or_default().push(*place);
        }
    }
    let groups = groups.into_iter().map(|(name, points)| MapGroup { name, points }).collect();
    PointMap { title: title.to_owned(), groups }
}
