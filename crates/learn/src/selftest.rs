//! The self-test with the faults that the generator of synthetic machines can plant.

use std::path::PathBuf;

use offkey_core::{Progress, Seed, Stage, progress::steps};
use offkey_monitor::{Monitor, MonitorError, PlantedFault, SelfTest};
use offkey_signal::Waveform;
use offkey_synth::plant::{self, plant};

/// Plants every known kind of fault into normal windows and lets a monitor judge them. The windows
/// are the held-out ones the model keeps, or those of `recordings` where there are any.
///
/// # Errors
/// As [`Monitor::self_test`].
pub fn self_test(
    monitor: &Monitor,
    recordings: &[PathBuf],
    progress: &dyn Progress,
) -> Result<SelfTest, MonitorError> {
    let kinds = plant::PlantedFault::ALL.map(|kind| {
        let into = move |window: &mut Vec<f32>, rate_hz: u32, level_db: f64, seed: Seed| {
            let mut wave = Waveform { samples: std::mem::take(window), rate_hz };
            plant(&mut wave, kind, level_db, seed);
            *window = wave.samples;
        };
        (kind.name(), into)
    });
    let faults: Vec<PlantedFault<'_>> =
        kinds.iter().map(|(name, plant)| PlantedFault { name, plant }).collect();
    let step = steps(progress, Stage::Score, "levels");
    let test = monitor.self_test(recordings, &faults, &step)?;
    progress.end();
    Ok(test)
}
