//! What pages ask of whoever listens to a machine: a picture while somebody looks, and normal recordings
//! from the machine's own source.

use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Seconds of one recording.
const PIECE_S: u32 = 10;
/// Normal recordings of a machine at most.
pub const MOST_RECORDINGS: usize = 1000;

/// What is asked of one machine's listener.
#[derive(Debug, Default)]
pub struct Ear {
    looks: AtomicUsize,
    wish: Mutex<Option<Wish>>,
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

    /// Somebody looks away.
    pub fn look_away(&self) {
        self.looks.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether somebody looks.
    pub fn is_looked_at(&self) -> bool {
        self.looks.load(Ordering::Relaxed) > 0
    }

    /// Records so many seconds from now on into a folder; 0 stops.
    pub fn record(&self, folder: &Path, seconds: f64) {
        let mut wish = self.wish.lock().unwrap_or_else(PoisonError::into_inner);
        *wish = (seconds > 0.0).then(|| Wish {
            folder: folder.to_owned(),
            left_s: seconds,
            sound: Vec::new(),
            rate_hz: 0,
            number: 0,
        });
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
        let mut held = self.wish.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(wish) = held.as_mut() else { return Ok(()) };
        let done = wish.hear(samples, rate_hz, now_ms);
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
            self.sound.clear();
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
        // A rest of less than a second is of no use.
        if self.sound.len() >= rate_hz as usize {
            let rest = std::mem::take(&mut self.sound);
            self.write(&rest, now_ms)?;
        }
        Ok(true)
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
        ear.record(&normals, 25.0);
        for second in 0..40 {
            ear.hear(&[0.1; 1000], 1000, second).expect("it can be written");
        }
        assert_eq!(ear.left_s(), None);
        let mut lengths: Vec<u64> = fs::read_dir(&normals)
            .expect("recordings")
            .map(|entry| (entry.expect("a file").metadata().expect("its size").len() - 44) / 2000)
            .collect();
        lengths.sort_unstable();
        assert_eq!(lengths, [5, 10, 10]);
    }

    #[test]
    fn what_cannot_be_written_is_told_and_ends() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("file");
        fs::write(&file, "").expect("a file");
        let ear = Ear::default();
        ear.record(&file.join("normals"), 10.0);
        assert!(ear.hear(&vec![0.0; 10_000], 1000, 0).is_err());
        assert_eq!(ear.left_s(), None);
    }
}
