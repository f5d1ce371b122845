//! What pages ask of whoever listens to a machine: a picture while somebody looks, and normal recordings
//! from the machine's own source.

use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use crate::judge::Judge;

/// Seconds of one recording.
const PIECE_S: u32 = 10;
/// Normal recordings of a machine at most.
pub const MOST_RECORDINGS: usize = 1000;

/// What is asked of one machine's listener.
#[derive(Default)]
pub struct Ear {
    looks: AtomicUsize,
    wish: Mutex<Option<Wish>>,
    trial: RwLock<Option<Arc<Trial>>>,
}

/// A model that is tried beside the one in use.
pub struct Trial {
    /// Name and version.
    pub model: String,
    /// It.
    pub judge: Arc<dyn Judge>,
}

/// Normal recordings that are wished for.
#[derive(Debug)]
struct Wish {
    folder: PathBuf,
    left_s: f64,
    sound: Vec<f32>,
    rate_hz: u32,
    number: usize,
}

impl Ear {
    /// Somebody begins to look.
    pub fn look(&self) {
        self.looks.fetch_add(1, Ordering::Relaxed);
    }

    /// Tries a model beside the one in use from now on; none: no longer.
    pub fn try_out(&self, trial: Option<Trial>) {
        *self.trial.write().unwrap_or_else(PoisonError::into_inner) = trial.map(Arc::new);
    }

    /// The model that is tried.
    pub fn trial(&self) -> Option<Arc<Trial>> {
        self.trial.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Somebody looks away.
    pub fn look_away(&self) {
        self.looks.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether somebody looks.
    pub fn is_looked_at(&self) -> bool {
        self.looks.load(Ordering::Relaxed) > 0
    }

    /// Records so many seconds from now on into a folder; 0 stops. What was being recorded before is kept.
    ///
    /// # Errors
    /// [`io::Error`] when what was being recorded cannot be written.
    pub fn record(&self, folder: &Path, seconds: f64, now_ms: i64) -> io::Result<()> {
        let mut wish = self.wish.lock().unwrap_or_else(PoisonError::into_inner);
        let before = wish.take();
        *wish = (seconds > 0.0).then(|| Wish {
            folder: folder.to_owned(),
            left_s: seconds,
            sound: Vec::new(),
            rate_hz: 0,
            number: 0,
        });
        before.map_or(Ok(()), |mut before| before.cut(now_ms))
    }

    /// Seconds still to record; none: nothing is recorded.
    pub fn left_s(&self) -> Option<f64> {
        self.wish.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|wish| wish.left_s)
    }

    /// Takes in sound that was heard. An error ends the recording.
    ///
    /// # Errors
    /// [`io::Error`] when a recording cannot be written.
    pub fn hear(&self, samples: &[f32], rate_hz: u32, now_ms: i64) -> io::Result<()> {
        self.with(|wish| wish.hear(samples, rate_hz, now_ms))
    }

    /// What comes next does not follow on what was heard: a gap, another recording, the end. What has been
    /// gathered becomes a recording of its own, or is dropped where it is less than a second. An error ends the
    /// recording.
    ///
    /// # Errors
    /// [`io::Error`] when a recording cannot be written.
    pub fn cut(&self, now_ms: i64) -> io::Result<()> {
        self.with(|wish| wish.cut(now_ms).map(|()| false))
    }

    /// Does something for a wish, which ends where that is done or fails.
    fn with(&self, does: impl FnOnce(&mut Wish) -> io::Result<bool>) -> io::Result<()> {
        let mut held = self.wish.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(wish) = held.as_mut() else { return Ok(()) };
        let done = does(wish);
        if !matches!(done, Ok(false)) {
            *held = None;
        }
        done.map(|_| ())
    }
}

impl Wish {
    /// Whether all that was wished for is recorded.
    fn hear(&mut self, samples: &[f32], rate_hz: u32, now_ms: i64) -> io::Result<bool> {
        if rate_hz != self.rate_hz {
            self.cut(now_ms)?;
            self.rate_hz = rate_hz;
        }
        self.sound.extend_from_slice(samples);
        self.left_s -= samples.len() as f64 / f64::from(rate_hz.max(1));
        let piece = (PIECE_S * rate_hz) as usize;
        while self.sound.len() >= piece.max(1) {
            let rest = self.sound.split_off(piece);
            let whole = std::mem::replace(&mut self.sound, rest);
            self.write(&whole, now_ms)?;
        }
        if self.left_s > 0.0 {
            return Ok(false);
        }
        self.cut(now_ms)?;
        Ok(true)
    }

    /// Less than a second is of no use, and is still to be recorded.
    fn cut(&mut self, now_ms: i64) -> io::Result<()> {
        let sound = std::mem::take(&mut self.sound);
        let second = self.rate_hz.max(1) as usize;
        if sound.len() >= second {
            return self.write(&sound, now_ms);
        }
        self.left_s += sound.len() as f64 / second as f64;
        Ok(())
    }

    fn write(&mut self, sound: &[f32], now_ms: i64) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        if fs::read_dir(&self.folder)?.count() >= MOST_RECORDINGS {
            return Err(io::Error::other(format!(
                "{MOST_RECORDINGS} recordings are there already"
            )));
        }
        let mut file = tempfile::Builder::new().prefix(".record-").tempfile_in(&self.folder)?;
        file.write_all(&offkey_signal::encode_wav(sound, self.rate_hz))?;
        file.as_file().sync_data()?;
        let path = self.folder.join(format!("{now_ms}-source-{:04}.wav", self.number));
        file.persist(path).map_err(|error| error.error)?;
        self.number += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_becomes_whole_recordings_and_ends() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let normals = folder.path().join("normals/pump");
        let ear = Ear::default();
        ear.record(&normals, 25.0, 0).expect("nothing was recorded");
        for second in 0..40 {
            ear.hear(&[0.1; 1000], 1000, second).expect("it can be written");
        }
        assert_eq!(ear.left_s(), None);
        assert_eq!(lengths(&normals), [5000, 10_000, 10_000]);
    }

    /// Lengths in samples of the recordings in a folder.
    fn lengths(folder: &Path) -> Vec<u64> {
        let mut lengths: Vec<u64> = fs::read_dir(folder)
            .expect("recordings")
            .map(|entry| (entry.expect("a file").metadata().expect("its size").len() - 44) / 2)
            .collect();
        lengths.sort_unstable();
        lengths
    }

    #[test]
    fn what_a_gap_cuts_off_is_a_recording_of_its_own_or_is_recorded_later() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let ear = Ear::default();
        let hear = |samples, now_ms| {
            ear.hear(&vec![0.1; samples], 1000, now_ms).expect("it can be written");
        };
        ear.record(folder.path(), 20.0, 0).expect("nothing was recorded");
        hear(3000, 1);
        ear.cut(2).expect("it can be written");
        assert_eq!(lengths(folder.path()), [3000]);
        hear(900, 3);
        ear.cut(4).expect("nothing to write");
        assert_eq!(ear.left_s(), Some(17.0), "what was dropped is still wished for");
        hear(10_500, 5);
        // Another wish ends this one, as stopping does.
        hear(1000, 6);
        ear.record(folder.path(), 0.0, 7).expect("it can be written");
        assert_eq!(lengths(folder.path()), [1500, 3000, 10_000]);
        assert_eq!(ear.left_s(), None);
    }

    #[test]
    fn what_cannot_be_written_is_told_and_ends() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("file");
        fs::write(&file, "").expect("a file");
        let ear = Ear::default();
        ear.record(&file.join("normals"), 10.0, 0).expect("nothing was recorded");
        assert!(ear.hear(&vec![0.0; 10_000], 1000, 0).is_err());
        assert_eq!(ear.left_s(), None);
    }
}
