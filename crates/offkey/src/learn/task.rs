//! An auxiliary task that works for whatever recordings there are.
//!
//! Classification needs at least two classes. Where the recordings name machines or operating
//! conditions, those are the classes. Where they do not, conditions are found by clustering, and a
//! background of synthetic machines gives the network something to tell them from.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use offkey_core::{AuxiliaryTask, Clip, Dataset, Seed, Split};
use offkey_monitor::{WindowRef, WindowRow, WindowRule, WindowSource};
use offkey_synth::SynthConfig;
use offkey_train::Labels;

use crate::{OffkeyError, Progress, conditions::conditions, demo::synthesize};

/// Classes and the windows they belong to.
pub(super) struct Task {
    pub(super) labels: Labels,
    /// Training windows, background included.
    pub(super) windows: Vec<WindowRef>,
    /// The choice, in words.
    pub(super) explanation: String,
}

/// Fewer named classes than this need help.
const ENOUGH_CLASSES: usize = 3;
/// Windows a cluster should have on average, so that a condition is more than one recording.
const WINDOWS_PER_CLUSTER: usize = 12;
/// Most conditions looked for in recordings that name none.
const MOST_CLUSTERS: usize = 4;
/// Most classes named in the explanation.
const MOST_NAMED: usize = 6;
/// Machines of the synthetic background, and clips of each.
const BACKGROUND: (usize, usize) = (3, 24);
/// The generator makes no shorter clips; a window is cut from their beginning.
const SHORTEST_SYNTHETIC_S: f64 = 1.0;

/// Chooses the auxiliary task for training windows.
pub(super) fn choose(
    rule: WindowRule,
    training: &[(WindowRow, Clip)],
    named: &AuxiliaryTask,
    seed: Seed,
    scratch: &Path,
    progress: &dyn Progress,
) -> Result<Task, OffkeyError> {
    let clips: Vec<Clip> =
        training.iter().map(|(_, clip)| Clip { split: Split::Train, ..clip.clone() }).collect();
    let clips: Vec<&Clip> = clips.iter().collect();
    let windows: Vec<WindowRef> = training.iter().map(|(row, _)| row.window.clone()).collect();
    let classes = named.labels(&clips, None, seed.child("labels")).map_err(OffkeyError::embed)?;
    let found = classes.classes.len();
    if found >= ENOUGH_CLASSES {
        let labels = Labels { classes: found, of_clip: classes.of_clip };
        let explanation = format!(
            "told apart the {found} machines and conditions that folders, names or manifest tell: {}",
            listed(&classes.classes)
        );
        return Ok(Task { labels, windows, explanation });
    }
    let wanted = (windows.len() / WINDOWS_PER_CLUSTER).clamp(1, MOST_CLUSTERS);
    let source = WindowSource { rule, windows: windows.clone() };
    let clusters = conditions(&source, rule.rate_hz, wanted, seed)?;
    let pseudo: Vec<String> = clusters.iter().map(|c| format!("condition {c}")).collect();
    let classes =
        named.labels(&clips, Some(&pseudo), seed.child("labels")).map_err(OffkeyError::embed)?;
    let own = classes.classes.len();
    let background = background(rule, seed, scratch, progress)?;
    let machines: BTreeSet<&str> = background.iter().map(|(machine, _)| machine.as_str()).collect();
    let machines: Vec<&str> = machines.into_iter().collect();
    let mut task = Task {
        explanation: format!(
            "{}, too few to learn from: told apart {own} operating conditions found by clustering and {} synthetic \
             machines of a built-in background",
            match found {
                1 => "the recordings name one machine in one condition".to_owned(),
                more => format!("the recordings name {more} machines or conditions"),
            },
            machines.len()
        ),
        labels: Labels { classes: own + machines.len(), of_clip: classes.of_clip },
        windows,
    };
    for (machine, window) in &background {
        let class = machines.partition_point(|other| *other < machine.as_str());
        task.labels.of_clip.push((own + class) as u32);
        task.windows.push(window.clone());
    }
    Ok(task)
}

/// The first few names, and how many more there are.
fn listed(names: &[String]) -> String {
    let named = names.iter().take(MOST_NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(MOST_NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

/// Windows of synthetic machines, each with its machine's name.
fn background(
    rule: WindowRule,
    seed: Seed,
    scratch: &Path,
    progress: &dyn Progress,
) -> Result<Vec<(String, WindowRef)>, OffkeyError> {
    let folder: PathBuf = scratch.join("background");
    let config = SynthConfig {
        machines: BACKGROUND.0,
        clips: BACKGROUND.1,
        clip_s: rule.seconds(rule.samples as u64).max(SHORTEST_SYNTHETIC_S),
        seed: seed.child("background").value(),
        ..SynthConfig::default()
    };
    synthesize(&config, &folder, progress)?;
    let dataset = Dataset::read(&folder)?;
    Ok(dataset
        .clips
        .into_iter()
        .filter(|clip| clip.split == Split::Train)
        .map(|clip| (clip.machine, WindowRef { path: clip.path, start: 0 }))
        .collect())
}
