//! Sound kept around events: what came before them is remembered, the disk is bounded.

use std::{
    collections::VecDeque,
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use offkey_core::write_whole;

use super::KeepRule;
use crate::MonitorError;

/// Begins the name of every clip kept; no other file of the folder is ever removed.
const PREFIX: &str = "event_";

/// The last seconds of a source.
#[derive(Debug)]
pub(super) struct PreRoll {
    samples: VecDeque<f32>,
    most: usize,
}

impl PreRoll {
    pub(super) fn new(most: usize) -> Self {
        Self { samples: VecDeque::with_capacity(most), most }
    }

    pub(super) fn push(&mut self, samples: &[f32]) {
        let tail = &samples[samples.len().saturating_sub(self.most)..];
        let excess = (self.samples.len() + tail.len()).saturating_sub(self.most);
        self.samples.drain(..excess);
        self.samples.extend(tail);
    }

    pub(super) fn to_vec(&self) -> Vec<f32> {
        self.samples.iter().copied().collect()
    }
}

/// Writes sound as 16-bit WAV and makes room for it first.
pub(super) fn keep(
    rule: &KeepRule,
    name: &str,
    samples: &[f32],
    rate_hz: u32,
) -> Result<PathBuf, MonitorError> {
    fs::create_dir_all(&rule.folder).map_err(MonitorError::io(&rule.folder))?;
    let wav = offkey_signal::encode_wav(samples, rate_hz);
    make_room(rule, wav.len() as u64).map_err(MonitorError::io(&rule.folder))?;
    let path = rule.folder.join(format!("{PREFIX}{name}.wav"));
    write_whole(&path, &wav).map_err(MonitorError::io(&path))?;
    Ok(path)
}

/// Removes the oldest clips until `bytes` more fit.
fn make_room(rule: &KeepRule, bytes: u64) -> io::Result<()> {
    let mut clips: Vec<(SystemTime, PathBuf, u64)> = Vec::new();
    for entry in fs::read_dir(&rule.folder)? {
        let path = entry?.path();
        if is_ours(&path) {
            let data = fs::metadata(&path)?;
            clips.push((data.modified()?, path, data.len()));
        }
    }
    clips.sort();
    let mut held: u64 = clips.iter().map(|(_, _, size)| size).sum();
    for (_, path, size) in clips {
        if held + bytes <= rule.most_bytes {
            break;
        }
        fs::remove_file(path)?;
        held -= size;
    }
    Ok(())
}

fn is_ours(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.strip_suffix(".wav").is_some_and(|stem| stem.starts_with(PREFIX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pre_roll_holds_the_last_samples_only() {
        let mut roll = PreRoll::new(4);
        for block in [&[1.0, 2.0][..], &[3.0], &[4.0, 5.0, 6.0]] {
            roll.push(block);
        }
        assert_eq!(roll.to_vec(), [3.0, 4.0, 5.0, 6.0]);
        roll.push(&[0.0; 9]);
        assert_eq!(roll.to_vec(), [0.0; 4]);
    }

    #[test]
    fn the_folder_stays_within_its_bound() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let rule =
            KeepRule { folder: folder.path().join("kept"), pre_roll_s: 1.0, most_bytes: 5000 };
        fs::create_dir(&rule.folder).expect("the folder");
        fs::write(rule.folder.join("mine.wav"), [0; 4000]).expect("somebody's recording");
        for index in 0..8 {
            keep(&rule, &index.to_string(), &[0.1; 1000], 16_000).expect("room is made");
        }
        let clips = fs::read_dir(&rule.folder).expect("the folder").map(|entry| {
            let entry = entry.expect("a kept clip");
            (entry.path(), entry.metadata().expect("its size").len())
        });
        let held: u64 = clips.filter(|(path, _)| is_ours(path)).map(|(_, size)| size).sum();
        assert!(0 < held && held <= rule.most_bytes, "{held}");
        assert!(rule.folder.join("event_7.wav").is_file());
        assert!(rule.folder.join("mine.wav").is_file(), "what others put there stays");
    }
}
