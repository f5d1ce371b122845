//! A file read as it grows, from bytes to samples; and how a recording is recognised that was met before.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use offkey_core::Digest;
use offkey_signal::{AudioError, AudioInfo, Container, DecodeConfig, PcmFormat, StreamReader};

use super::mark::Mark;

/// Bytes read at a time.
const BLOCK_BYTES: usize = 1 << 16;
/// Header bytes that a recorder may write anew when it ends, left out of fingerprints.
const HEADER_BYTES: u64 = 4096;
/// Bytes that a fingerprint is made of.
const PRINT_BYTES: u64 = 1 << 16;

/// What can be seen of a file without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Its size.
    pub bytes: u64,
    /// When it was changed, in milliseconds since 1970.
    pub modified_ms: u64,
    identity: (u64, u64),
}

impl Look {
    /// Looks at a file.
    ///
    /// # Errors
    /// [`io::Error`] when there is none, and for what is no regular file: a pipe could hold up its reader for ever.
    pub fn at(path: &Path) -> io::Result<Self> {
        let data = fs::metadata(path)?;
        if !data.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
        }
        let modified = data.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        Ok(Self {
            bytes: data.len(),
            modified_ms: modified.map_or(0, |since| since.as_millis() as u64),
            identity: identity_of(&data),
        })
    }

    /// Tells the file from another under the same name, where the system has it.
    pub fn identity(&self) -> (u64, u64) {
        self.identity
    }

    /// Whether this can be the same file, unchanged or grown.
    pub fn may_continue(&self, before: &Self) -> bool {
        self.identity == before.identity && self.bytes >= before.bytes
    }
}

#[cfg(unix)]
fn identity_of(data: &fs::Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    (data.dev(), data.ino())
}

#[cfg(not(unix))]
fn identity_of(_data: &fs::Metadata) -> (u64, u64) {
    (0, 0)
}

impl Mark {
    /// The mark of the first `bytes` bytes of a file that looked so before they were read.
    pub(super) fn of(path: &Path, bytes: u64, look: &Look) -> io::Result<Self> {
        let (head, tail) = Self::prints(path, bytes)?;
        Ok(Self { bytes, modified_ms: look.modified_ms, head, tail })
    }

    fn prints(path: &Path, bytes: u64) -> io::Result<(u64, u64)> {
        let mut file = File::open(path)?;
        let start = HEADER_BYTES.min(bytes);
        let head = print(&mut file, start, (start + PRINT_BYTES).min(bytes))?;
        let tail = print(&mut file, bytes.saturating_sub(PRINT_BYTES).max(start), bytes)?;
        Ok((head, tail))
    }

    /// Whether a file holds the recording with this mark, grown or not.
    pub(super) fn fits(&self, path: &Path, look: &Look) -> io::Result<bool> {
        let unchanged = (look.bytes, look.modified_ms) == (self.bytes, self.modified_ms);
        if unchanged || look.bytes < self.bytes {
            return Ok(unchanged);
        }
        Ok(Self::prints(path, self.bytes)? == (self.head, self.tail))
    }
}

fn print(file: &mut File, from: u64, to: u64) -> io::Result<u64> {
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(to - from).read_to_end(&mut bytes)?;
    let digest = Digest::of(&bytes);
    Ok(digest.iter().take(8).fold(0, |value, &byte| value << 8 | u64::from(byte)))
}

/// A file being read from its beginning.
pub struct Follow {
    path: PathBuf,
    file: File,
    reader: StreamReader,
    /// Bytes read so far.
    pub read: u64,
    /// The header as it was when reading began.
    header: Vec<u8>,
    block: Vec<u8>,
}

/// Why a file is not read on.
#[derive(Debug)]
pub enum FollowError {
    /// The file system refused: it may work later.
    Io(io::Error),
    /// The content is at fault.
    Audio(AudioError),
}

impl Follow {
    /// Opens a file; `raw` is the form of its samples where it has no header.
    ///
    /// # Errors
    /// [`io::Error`] when it cannot be opened.
    pub fn open(path: &Path, raw: Option<PcmFormat>, config: &DecodeConfig) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            file: File::open(path)?,
            reader: StreamReader::new(path, raw, config),
            read: 0,
            header: Vec::new(),
            block: vec![0; BLOCK_BYTES],
        })
    }

    /// What the recording is, once its header has come; of compressed sound, once it is whole.
    pub fn info(&self) -> Option<AudioInfo> {
        self.reader.info()
    }

    /// The form of a recording of which nothing is heard before its end.
    pub fn waits_for_end(&self) -> Option<Container> {
        self.reader.waits_for_end()
    }

    /// Reads on and appends samples; false at the present end of the file.
    ///
    /// # Errors
    /// [`FollowError`]; what was read before it is appended.
    pub fn read_on(&mut self, out: &mut Vec<f32>) -> Result<bool, FollowError> {
        let read = self.file.read(&mut self.block).map_err(FollowError::Io)?;
        if read == 0 {
            return Ok(false);
        }
        let missing = (HEADER_BYTES as usize).saturating_sub(self.header.len());
        self.header.extend_from_slice(&self.block[..read.min(missing)]);
        self.read += read as u64;
        self.reader.push(&self.block[..read], out).map_err(FollowError::Audio)?;
        Ok(true)
    }

    /// Appends what is left of a file that does not grow any more.
    pub(super) fn finish(&mut self, out: &mut Vec<f32>) -> Result<(), AudioError> {
        self.reader.finish(out)
    }

    /// Whether the header was written anew since reading began, as recorders do at the end.
    pub(super) fn header_changed(&self) -> io::Result<bool> {
        let mut now = vec![0; self.header.len()];
        File::open(&self.path)?.read_exact(&mut now)?;
        Ok(now != self.header)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_is_recognised_when_it_has_grown_and_when_its_header_is_final() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.wav");
        let mut bytes: Vec<u8> =
            (0..200_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let fits = |mark: &Mark, bytes: &[u8]| {
            fs::write(&path, bytes).expect("room");
            mark.fits(&path, &Look::at(&path).expect("a file")).expect("it can be read")
        };
        fs::write(&path, &bytes[..150_000]).expect("room");
        let look = Look::at(&path).expect("a file");
        let mark =
            Mark { modified_ms: 0, ..Mark::of(&path, 150_000, &look).expect("it can be read") };
        assert!(fits(&mark, &bytes[..150_000]) && fits(&mark, &bytes));
        assert!(!fits(&mark, &bytes[..149_999]), "shorter");
        bytes[40] ^= 1;
        assert!(fits(&mark, &bytes), "another header");
        bytes[5000] ^= 1;
        assert!(!fits(&mark, &bytes), "other sound");
    }

    #[test]
    fn what_is_no_regular_file_is_not_looked_into() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(Look::at(folder.path()).is_err());
        assert!(Look::at(&folder.path().join("absent")).is_err());
    }
}
