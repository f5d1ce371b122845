//! What a model can hear and what it cannot, before any real fault: known faults planted into
//! normal recordings at falling levels.

use std::path::PathBuf;

use offkey_core::Seed;
use serde::Serialize;

use super::{model::Monitor, verdict::Verdict, windows::each_window};
use crate::{MonitorError, Step};

/// Plants a fault into a window at a rate in hertz, at a level in decibels relative to the window.
pub type Plant<'a> = &'a dyn Fn(&mut Vec<f32>, u32, f64, Seed);

/// A kind of fault that can be planted into a window.
pub struct PlantedFault<'a> {
    /// Its name.
    pub name: &'a str,
    /// Plants it.
    pub plant: Plant<'a>,
}

/// Detection of each kind of fault at each level.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SelfTest {
    /// Normal windows the faults were planted into.
    pub windows: usize,
    /// Share of those windows that alarm without any fault; absent where they are calibration windows,
    /// of which hardly any can.
    pub false_alarms: Option<f64>,
    /// Levels tried, in decibels of the fault relative to the window.
    pub levels_db: Vec<f64>,
    /// One curve a kind of fault.
    pub faults: Vec<FaultCurve>,
}

/// How well one kind of fault is found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FaultCurve {
    /// The kind.
    pub fault: String,
    /// Share of windows that alarm, at each level.
    pub detected: Vec<f64>,
    /// Share of windows of which nothing can be told, at each level, as where the fault clips: noticed
    /// too, though not as a fault.
    pub cannot_tell: Vec<f64>,
    /// Lowest level from which on at least half of the windows are no longer taken as sound that could
    /// be normal: they alarm, or nothing can be told; absent where there is none.
    pub found_from_db: Option<f64>,
}

/// Levels of the fault relative to the window: from clearly louder than the machine to far below.
const LEVELS_DB: [f64; 7] = [10.0, 5.0, 0.0, -5.0, -10.0, -15.0, -20.0];
/// Share of windows that must be noticed for a fault to count as found.
const FOUND: f64 = 0.5;

impl Monitor {
    /// Plants faults into normal windows and judges them. The windows are the held-out ones the
    /// model keeps, or those of `recordings` where there are any.
    ///
    /// # Errors
    /// [`MonitorError::Audio`] when a recording cannot be read, [`MonitorError::RecordingRate`] for one of
    /// another rate, [`MonitorError::AllTooShort`] when there is no window, [`MonitorError::Cancelled`] when the caller asks to stop.
    pub fn self_test(
        &self,
        recordings: &[PathBuf],
        planted: &[PlantedFault<'_>],
        step: Step<'_>,
    ) -> Result<SelfTest, MonitorError> {
        let windows = self.normal_windows(recordings)?;
        if windows.is_empty() {
            return Err(self.all_too_short(recordings));
        }
        let false_alarms =
            if recordings.is_empty() { None } else { Some(self.noticed(&windows)?.0) };
        let total = planted.len() * LEVELS_DB.len();
        let mut faults = Vec::new();
        for (index, fault) in planted.iter().enumerate() {
            let mut curve = Vec::new();
            for (level_index, level_db) in LEVELS_DB.into_iter().enumerate() {
                curve.push(self.noticed(&self.with_fault(&windows, fault, level_db))?);
                if !step(index * LEVELS_DB.len() + level_index + 1, total) {
                    return Err(MonitorError::Cancelled);
                }
            }
            let noticed: Vec<f64> = curve.iter().map(|(alarm, untold)| alarm + untold).collect();
            let (detected, cannot_tell) = curve.into_iter().unzip();
            let found_from_db = found_from(&noticed);
            let fault = fault.name.to_owned();
            faults.push(FaultCurve { fault, detected, cannot_tell, found_from_db });
        }
        Ok(SelfTest { windows: windows.len(), false_alarms, levels_db: LEVELS_DB.to_vec(), faults })
    }

    /// Share of windows that alarm, and of those of which nothing can be told.
    fn noticed(&self, windows: &[Vec<f32>]) -> Result<(f64, f64), MonitorError> {
        let (mut alarms, mut untold) = (0, 0);
        for window in windows {
            match self.judge(0, window)?.verdict {
                Verdict::Alarm => alarms += 1,
                Verdict::CannotTell => untold += 1,
                Verdict::Normal | Verdict::Suspicious => {}
            }
        }
        let share = |count: usize| count as f64 / windows.len() as f64;
        Ok((share(alarms), share(untold)))
    }

    fn normal_windows(&self, recordings: &[PathBuf]) -> Result<Vec<Vec<f32>>, MonitorError> {
        if recordings.is_empty() {
            return Ok(self.arrays.sounds.rows().into_iter().map(|row| row.to_vec()).collect());
        }
        let mut windows = Vec::new();
        for path in recordings {
            self.probe_alike(path)?;
            each_window(path, self.card.windows, |_, window| {
                windows.push(window.to_vec());
                Ok::<(), MonitorError>(())
            })?;
        }
        Ok(windows)
    }

    fn with_fault(
        &self,
        windows: &[Vec<f32>],
        fault: &PlantedFault<'_>,
        level_db: f64,
    ) -> Vec<Vec<f32>> {
        let rate_hz = self.card.windows.rate_hz;
        let seed = Seed::new(self.card.seed).child("self-test").child(fault.name);
        windows
            .iter()
            .enumerate()
            .map(|(index, window)| {
                let mut window = window.clone();
                (fault.plant)(&mut window, rate_hz, level_db, seed.child(index));
                window
            })
            .collect()
    }
}

/// Lowest level of the unbroken run, from the loudest down, at which faults are noticed.
fn found_from(noticed: &[f64]) -> Option<f64> {
    let found = noticed.iter().take_while(|&&share| share >= FOUND - 1e-9).count();
    found.checked_sub(1).map(|last| LEVELS_DB[last])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_found_from_the_end_of_the_unbroken_run() {
        let cases: [(&[f64], Option<f64>); 3] = [
            (&[1.0, 1.0, 0.6, 0.4, 0.6, 0.0, 0.0], Some(0.0)),
            (&[0.2, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0], None),
            (&[1.0; 7], Some(-20.0)),
        ];
        for (detected, expected) in cases {
            assert_eq!(found_from(detected), expected, "{detected:?}");
        }
    }
}
