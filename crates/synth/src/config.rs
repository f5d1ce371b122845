//! What a synthetic data set shall be, and what it became.

use std::{io, path::PathBuf};

use serde::{Deserialize, Serialize};

/// Samples per second of everything generated, as in the challenge.
pub(crate) const RATE_HZ: u32 = 16_000;

/// A synthetic data set. The same settings give the same bytes, whatever the number of threads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SynthConfig {
    /// Machine types. Default 3: fan, gearbox and pump.
    pub machines: usize,
    /// Individual machines of each type. Default 1, as in the challenge since 2023.
    pub sections: usize,
    /// Training clips of each section, nine tenths of them from the source domain; half as many
    /// test clips come on top. Default 100: a tenth of the challenge's.
    pub clips: usize,
    /// Hours of training audio altogether; takes the place of `clips` where given.
    pub hours: Option<f64>,
    /// Level of the machine above the factory background, in decibels of mean power. Default 0:
    /// as loud as each other, the middle of the levels that MIMII was mixed at (-6, 0, 6).
    pub snr_db: f64,
    /// Seconds of a clip. Default 10, as in the challenge's first years.
    pub clip_s: f64,
    /// Least and greatest severity of a fault, 0 (none) to 1 (about to break). Default 0.4 to 1.
    pub severity: (f32, f32),
    /// Seed of everything random.
    pub seed: u64,
}

impl Default for SynthConfig {
    fn default() -> Self {
        Self {
            machines: 3,
            sections: 1,
            clips: 100,
            hours: None,
            snr_db: 0.0,
            clip_s: 10.0,
            severity: (0.4, 1.0),
            seed: 0,
        }
    }
}

impl SynthConfig {
    /// Training clips of each section.
    pub fn train_clips(&self) -> usize {
        match self.hours {
            None => self.clips,
            Some(hours) => {
                let sections = (self.machines * self.sections).max(1) as f64;
                (hours * 3600.0 / self.clip_s / sections).ceil() as usize
            }
        }
    }

    /// Test clips of each section.
    pub fn test_clips(&self) -> usize {
        self.train_clips() / 2
    }

    /// All clips of the data set.
    pub fn total_clips(&self) -> usize {
        self.machines * self.sections * (self.train_clips() + self.test_clips())
    }

    /// Samples of a clip.
    pub(crate) fn samples(&self) -> usize {
        (self.clip_s * f64::from(RATE_HZ)).round() as usize
    }

    /// # Errors
    /// [`SynthError::Setting`] for the first setting out of range.
    pub(crate) fn check(&self) -> Result<(), SynthError> {
        let (low, high) = self.severity;
        let hours = self.hours.unwrap_or(1.0);
        let rules = [
            ("machines", self.machines.to_string(), (1..=100).contains(&self.machines), "1 to 100"),
            ("sections", self.sections.to_string(), (1..=100).contains(&self.sections), "1 to 100"),
            (
                "clip_s",
                self.clip_s.to_string(),
                (1.0..=600.0).contains(&self.clip_s),
                "1 to 600 seconds",
            ),
            (
                "hours",
                hours.to_string(),
                hours > 0.0 && hours < 10_000.0,
                "above 0 and below 10000",
            ),
            ("clips", self.train_clips().to_string(), self.train_clips() >= 1, "at least 1"),
            ("snr_db", self.snr_db.to_string(), self.snr_db.abs() <= 100.0, "-100 to 100"),
            (
                "severity",
                format!("{low} to {high}"),
                0.0 <= low && low <= high && high <= 1.0,
                "a range within 0 to 1",
            ),
        ];
        match rules.into_iter().find(|(_, _, holds, _)| !holds) {
            None => Ok(()),
            Some((name, found, _, expected)) => Err(SynthError::Setting { name, found, expected }),
        }
    }
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SynthReport {
    /// Training clips, all normal.
    pub train_clips: usize,
    /// Test clips.
    pub test_clips: usize,
    /// Anomalous clips among the test clips.
    pub anomalies: usize,
}

/// Why a data set could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SynthError {
    /// A setting out of its range.
    #[error("synthetic data: `{name}` is {found}, expected {expected}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// Its value.
        found: String,
        /// What would do.
        expected: &'static str,
    },
    /// The file system refused.
    #[error("cannot write `{}`", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The folder holds recordings that are none of the data set's.
    #[error(
        "`{}` holds recordings of another data set, as `{}`: the two would be read as one",
        path.display(),
        found.display()
    )]
    Strangers {
        /// The folder.
        path: PathBuf,
        /// The first of these recordings.
        found: PathBuf,
    },
    /// The caller asked to stop.
    #[error("stopped on request after {done} of {total} clips")]
    Cancelled {
        /// Clips written.
        done: usize,
        /// Clips asked for.
        total: usize,
    },
}
