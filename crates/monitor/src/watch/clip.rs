//! Sound kept around events: from before the first alarm to the end. The disk is bounded.

use std::{
    collections::VecDeque,
    fs::{self, File, OpenOptions},
    io::{self, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    time::SystemTime,
};

use offkey_core::Digest;

/// How sound around events is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct KeepRule {
    /// The folder.
    pub folder: PathBuf,
    /// Seconds kept from before an event's first alarm.
    pub pre_roll_s: f64,
    /// Most bytes the folder may hold; the oldest clips go first.
    pub most_bytes: u64,
}

/// Begins the name of every clip kept; no other file of the folder is ever removed.
const PREFIX: &str = "event_";
/// Longest part of an event's name that its clip carries.
const MOST_NAMED: usize = 80;
/// Bytes of a WAV header as it is written here.
const HEADER_BYTES: u64 = 44;

/// The last seconds of a source.
#[derive(Debug)]
pub(super) struct PreRoll {
    samples: VecDeque<f32>,
    most: usize,
}

impl PreRoll {
    pub(super) fn new(most: usize) -> Self {
        Self { samples: VecDeque::new(), most }
    }

    pub(super) fn push(&mut self, samples: &[f32]) {
        let tail = &samples[samples.len().saturating_sub(self.most)..];
        let excess = (self.samples.len() + tail.len()).saturating_sub(self.most);
        self.samples.drain(..excess);
        self.samples.extend(tail);
    }

    /// The last so many samples, or as many as there are.
    pub(super) fn last(&self, count: usize) -> Vec<f32> {
        self.samples.iter().skip(self.samples.len().saturating_sub(count)).copied().collect()
    }
}

/// The file that the sound of an event is kept in: a valid WAV file after every call.
pub(super) fn begin(
    rule: &KeepRule,
    event: &str,
    samples: &[f32],
    rate_hz: u32,
) -> io::Result<PathBuf> {
    fs::create_dir_all(&rule.folder)?;
    let wav = offkey_signal::encode_wav(samples, rate_hz);
    let path = rule.folder.join(name(event));
    make_room(rule, &path, wav.len() as u64)?;
    let mut file = File::create(&path)?;
    file.write_all(&wav)?;
    file.sync_data()?;
    Ok(path)
}

/// Appends sound to a clip; false where the bound of the folder leaves no room for more.
pub(super) fn append(rule: &KeepRule, path: &Path, samples: &[f32]) -> io::Result<bool> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let held = file.metadata()?.len();
    let bytes: Vec<u8> = samples.iter().flat_map(|&x| sample(x).to_le_bytes()).collect();
    let grown = held + bytes.len() as u64;
    let size = u32::try_from(grown).ok().filter(|_| grown <= rule.most_bytes);
    let Some(size) = size else { return Ok(false) };
    make_room(rule, path, grown)?;
    file.seek(SeekFrom::End(0))?;
    file.write_all(&bytes)?;
    // The sound is there before the header says so.
    for (place, value) in [(4, size - 8), (40, size - HEADER_BYTES as u32)] {
        file.seek(SeekFrom::Start(place))?;
        file.write_all(&value.to_le_bytes())?;
    }
    Ok(true)
}

fn sample(x: f32) -> i16 {
    (x * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16
}

/// A file name for an event whose name may be long and hold anything.
fn name(event: &str) -> String {
    let safe: String =
        event.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let digest = Digest::of(event.as_bytes());
    let print: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    let readable = &safe[safe.len().saturating_sub(MOST_NAMED)..];
    format!("{PREFIX}{}_{print}.wav", readable.trim_matches('_'))
}

/// Removes the oldest clips until one of `bytes` at `path` fits. A time that lies in the future was
/// set by a wrong clock: such clips count as the oldest.
fn make_room(rule: &KeepRule, path: &Path, bytes: u64) -> io::Result<()> {
    let now = SystemTime::now();
    let mut clips: Vec<(SystemTime, PathBuf, u64)> = Vec::new();
    for entry in fs::read_dir(&rule.folder)? {
        let clip = entry?.path();
        if is_ours(&clip) && clip != path {
            let data = fs::metadata(&clip)?;
            let modified = data.modified()?;
            let age = if modified > now { SystemTime::UNIX_EPOCH } else { modified };
            clips.push((age, clip, data.len()));
        }
    }
    clips.sort();
    let mut held: u64 = clips.iter().map(|(_, _, size)| size).sum();
    for (_, clip, size) in clips {
        if held + bytes <= rule.most_bytes {
            return Ok(());
        }
        fs::remove_file(clip)?;
        held -= size;
    }
    if bytes <= rule.most_bytes {
        return Ok(());
    }
    let problem = format!("{bytes} bytes do not fit into the {} allowed", rule.most_bytes);
    Err(io::Error::new(io::ErrorKind::StorageFull, problem))
}

fn is_ours(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.strip_suffix(".wav").is_some_and(|stem| stem.starts_with(PREFIX))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use offkey_signal::{DecodeConfig, decode};

    use super::*;

    fn rule(folder: &tempfile::TempDir, most_bytes: u64) -> KeepRule {
        KeepRule { folder: folder.path().join("kept"), pre_roll_s: 1.0, most_bytes }
    }

    /// Samples that the header of a kept clip announces.
    fn samples_of(path: &Path) -> u64 {
        let bytes = std::fs::read(path).expect("a clip");
        let announced = bytes[40..44].try_into().expect("four bytes");
        u64::from(u32::from_le_bytes(announced)) / 2
    }

    #[test]
    fn the_pre_roll_holds_the_last_samples_only() {
        let mut roll = PreRoll::new(4);
        for block in [&[1.0, 2.0][..], &[3.0], &[4.0, 5.0, 6.0]] {
            roll.push(block);
        }
        assert_eq!((roll.last(9), roll.last(2)), (vec![3.0, 4.0, 5.0, 6.0], vec![5.0, 6.0]));
        roll.push(&[0.0; 9]);
        assert_eq!(roll.last(9), [0.0; 4]);
    }

    #[test]
    fn the_folder_stays_within_its_bound() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let rule = rule(&folder, 5000);
        fs::create_dir(&rule.folder).expect("the folder");
        fs::write(rule.folder.join("mine.wav"), [0; 4000]).expect("somebody's recording");
        let mut last = PathBuf::new();
        for index in 0..8 {
            last = begin(&rule, &index.to_string(), &[0.1; 1000], 16_000).expect("room is made");
            let future = SystemTime::now() + Duration::from_hours(index * 24);
            File::options()
                .write(true)
                .open(&last)
                .and_then(|f| f.set_modified(future))
                .expect("its time");
        }
        let clips = fs::read_dir(&rule.folder).expect("the folder").map(|entry| {
            let entry = entry.expect("a kept clip");
            (entry.path(), entry.metadata().expect("its size").len())
        });
        let held: u64 = clips.filter(|(path, _)| is_ours(path)).map(|(_, size)| size).sum();
        assert!(0 < held && held <= rule.most_bytes, "{held}");
        assert!(last.is_file());
        assert!(rule.folder.join("mine.wav").is_file(), "what others put there stays");
        assert!(begin(&rule, "large", &[0.1; 3000], 16_000).is_err());
    }

    #[test]
    fn a_clip_is_whole_whenever_it_is_looked_at() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let rule = rule(&folder, 3000);
        let path = begin(&rule, &"deep/".repeat(90), &[0.5; 100], 16_000).expect("room");
        let heard =
            |path: &Path| decode(path, &DecodeConfig::default()).expect("a WAV file").samples;
        assert_eq!(heard(&path), [0.5; 100]);
        assert!(append(&rule, &path, &[0.25; 50]).expect("room"));
        assert_eq!(heard(&path), [vec![0.5; 100], vec![0.25; 50]].concat());
        assert_eq!(samples_of(&path), 150);
        assert!(!append(&rule, &path, &vec![0.25; 5000]).expect("no room"));
        assert_eq!(heard(&path).len(), 150);
    }
}
