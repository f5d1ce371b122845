//! Bytes that a header is parsed from, whether they lie in a file or are still arriving.

use std::{
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

use super::refusal::malformed;
use crate::AudioError;

/// Why parsing stopped.
pub(super) enum Stop {
    /// More bytes are needed than have come.
    More,
    /// The bytes cannot be used.
    Failed(AudioError),
}

impl From<AudioError> for Stop {
    fn from(error: AudioError) -> Self {
        Self::Failed(error)
    }
}

/// Bytes at known places.
pub(super) trait Bytes {
    /// Fills as much of the buffer as there are bytes from `place` on; returns how many. Fewer than
    /// asked for means that there never will be more.
    fn read_at(&mut self, place: u64, buffer: &mut [u8]) -> Result<usize, Stop>;

    /// The bytes from `place` on, `N` of them; `None` behind the end.
    fn array_at<const N: usize>(&mut self, place: u64) -> Result<Option<[u8; N]>, Stop> {
        let mut bytes = [0; N];
        Ok((self.read_at(place, &mut bytes)? == N).then_some(bytes))
    }
}

/// Bytes that can be read at any place: a file, or a buffer.
pub(super) trait Input: Read + Seek + Send + Sync {}

impl<T: Read + Seek + Send + Sync> Input for T {}

/// A file's bytes.
pub(super) struct FileBytes<'a> {
    pub(super) path: &'a Path,
    pub(super) input: &'a mut dyn Input,
}

impl Bytes for FileBytes<'_> {
    fn read_at(&mut self, place: u64, buffer: &mut [u8]) -> Result<usize, Stop> {
        let io_error = |source| AudioError::Io { path: self.path.to_owned(), source };
        self.input.seek(SeekFrom::Start(place)).map_err(io_error)?;
        Ok(read_up_to(self.input, buffer).map_err(io_error)?)
    }
}

/// The first bytes of a stream.
pub(super) struct Prefix<'a> {
    pub(super) bytes: &'a [u8],
    /// Whether nothing comes behind them.
    pub(super) ended: bool,
}

impl Bytes for Prefix<'_> {
    fn read_at(&mut self, place: u64, buffer: &mut [u8]) -> Result<usize, Stop> {
        let start = usize::try_from(place).unwrap_or(usize::MAX).min(self.bytes.len());
        let found = (self.bytes.len() - start).min(buffer.len());
        if found < buffer.len() && !self.ended {
            return Err(Stop::More);
        }
        buffer[..found].copy_from_slice(&self.bytes[start..start + found]);
        Ok(found)
    }
}

/// Fills as much of the buffer as there are bytes left.
pub(super) fn read_up_to(input: &mut (impl Read + ?Sized), buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match input.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// A file has all its bytes, so that parsing it never waits for more.
pub(super) fn all_there<T>(path: &Path, result: Result<T, Stop>) -> Result<T, AudioError> {
    result.map_err(|stop| match stop {
        Stop::Failed(error) => error,
        Stop::More => malformed(path, "it is cut short"),
    })
}
