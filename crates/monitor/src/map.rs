//! Where the windows of a recording lie among the normal windows that were learned from.

use std::path::Path;

use ndarray::{ArrayView1, ArrayView2, Axis};
use offkey_core::{Seed, stats::main_direction};
use serde::Serialize;

use crate::{
    HeardWindow, Monitor, MonitorError, Stop, each_window,
    model::{Detecting, Members},
};

/// Normal windows, and those of a recording among them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Map {
    /// The member that says most of the worst window; `along` is seen by it.
    pub member: String,
    /// The normal windows. The deviations of each are those by the recordings other than its own.
    pub normals: Vec<MapPoint>,
    /// The windows of the recording that can be judged.
    pub windows: Vec<MapPoint>,
    /// The normal window nearest to the worst one: recording, and where in it, in seconds.
    pub nearest: Option<(String, f64)>,
}

/// One window on a map.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MapPoint {
    /// Its recording; none for the recording that was asked about.
    pub recording: Option<String>,
    /// Where it begins in its recording, in seconds.
    pub at_s: f64,
    /// Its place along the direction in which the normal windows differ most, in their deviations.
    pub along: f64,
    /// How unusual it is, by all members: deviations from the median of held-out normal windows.
    pub deviations: f64,
}

/// A window of the recording, as the detector judges it.
struct Placed {
    start: u64,
    vectors: Vec<Vec<f32>>,
    deviations: f64,
    loudest: Option<usize>,
    nearest: Option<usize>,
}

impl Monitor {
    /// Where the windows of a recording lie among the normal ones. None where no window can be judged, no member says
    /// anything, or the model is of the first form.
    ///
    /// # Errors
    /// [`MonitorError::Audio`] and [`MonitorError::RecordingRate`] when the recording cannot be opened or judged,
    /// [`MonitorError::Cancelled`] once `stop` says so, or [`MonitorError`] when a model refuses a window.
    pub fn map(&self, path: &Path, stop: Stop<'_>) -> Result<Option<Map>, MonitorError> {
        let Detecting::Members(members) = &self.detecting else { return Ok(None) };
        self.open_alike(path)?;
        let rule = self.card.windows;
        let mut placed = Vec::new();
        each_window(path, rule, stop, |start, window| {
            if self.card.profile.unusable(window).is_none() {
                placed.push(self.place(members, start, window)?);
            }
            Ok(())
        })?;
        let worst = placed.iter().max_by(|a, b| a.deviations.total_cmp(&b.deviations));
        let Some((worst, member)) = worst.and_then(|worst| Some((worst, worst.loudest?))) else {
            return Ok(None);
        };
        let normals = members.heard.embeddings[member].view();
        let along = along(normals, Seed::new(self.card.seed).child("map"));
        let rows = self.card.rows().zip(normals.axis_iter(Axis(0))).zip(members.scales.held_out());
        let normals = rows.map(|(((recording, start), row), &deviations)| MapPoint {
            recording: Some(recording.path.clone()),
            at_s: rule.seconds(start),
            along: along(row),
            deviations,
        });
        let windows = placed.iter().map(|window| MapPoint {
            recording: None,
            at_s: rule.seconds(window.start),
            along: along(ArrayView1::from(&window.vectors[member])),
            deviations: window.deviations,
        });
        let nearest = worst.nearest.and_then(|row| self.card.rows().nth(row));
        Ok(Some(Map {
            member: self.card.members[member].name.clone(),
            normals: normals.collect(),
            windows: windows.collect(),
            nearest: nearest
                .map(|(recording, start)| (recording.path.clone(), rule.seconds(start))),
        }))
    }

    fn place(&self, members: &Members, start: u64, window: &[f32]) -> Result<Placed, MonitorError> {
        let vectors = HeardWindow::of(&members.models, self.card.windows, window)?.vectors;
        let rows: Vec<ArrayView1<f32>> = vectors.iter().map(ArrayView1::from).collect();
        let failed = |source| MonitorError::Score { name: self.card.name.clone(), source };
        let judged = self.detector(members)?.judge(&rows).map_err(failed)?;
        let loudest = judged.loudest();
        let nearest = loudest.map(|loudest| judged.members[loudest].nearest.reference);
        Ok(Placed { start, vectors, deviations: judged.z, loudest, nearest })
    }
}

/// The place of a row along the direction in which these rows differ most, in their deviations.
fn along(rows: ArrayView2<f32>, seed: Seed) -> impl Fn(ArrayView1<f32>) -> f64 {
    let rows = rows.mapv(f64::from);
    let mean = rows.mean_axis(Axis(0)).expect("a detector has references");
    let centred = &rows - &mean;
    let direction = main_direction(&centred.t().dot(&centred), None, seed);
    let places = centred.dot(&direction);
    let deviation = (places.dot(&places) / places.len().max(1) as f64).sqrt();
    let scale = if deviation > 0.0 { 1.0 / deviation } else { 0.0 };
    move |row| (row.mapv(f64::from) - &mean).dot(&direction) * scale
}
