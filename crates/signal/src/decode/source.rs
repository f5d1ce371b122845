//! What all containers have in common: interleaved frames, read in blocks, with a place to seek.

use std::{
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use super::{AudioInfo, flac::FlacSource, wav::WavSource};
use crate::AudioError;

/// Bytes that can be read at any place: a file, or a buffer.
pub(super) trait Input: Read + Seek + Send + Sync {}

impl<T: Read + Seek + Send + Sync> Input for T {}

/// An open audio file.
pub(super) struct Source {
    path: PathBuf,
    info: AudioInfo,
    container: Container,
}

enum Container {
    Wav(WavSource),
    Flac(Box<FlacSource>),
}

impl Source {
    /// Recognises the container by its first bytes and reads its header.
    pub(super) fn open(path: &Path, mut input: Box<dyn Input>) -> Result<Self, AudioError> {
        let io_error = |source| AudioError::Io { path: path.to_owned(), source };
        let end = input.seek(SeekFrom::End(0)).map_err(io_error)?;
        input.rewind().map_err(io_error)?;
        if end == 0 {
            return Err(AudioError::Empty { path: path.to_owned() });
        }
        let mut magic = [0; 12];
        let found = read_up_to(&mut input, &mut magic).map_err(io_error)?;
        let (info, container) = match &magic {
            [b'R', b'I' | b'F', b'F' | b'6', b'F' | b'4', .., b'W', b'A', b'V', b'E']
            | [b'B', b'W', b'6', b'4', .., b'W', b'A', b'V', b'E'] => {
                let (info, wav) = WavSource::open(path, input, end)?;
                (info, Container::Wav(wav))
            }
            [b'f', b'L', b'a', b'C', ..] | [b'I', b'D', b'3', ..] => {
                let (info, flac) = FlacSource::open(path, input, end)?;
                (info, Container::Flac(Box::new(flac)))
            }
            _ => {
                let found = magic[..found].escape_ascii().to_string();
                return Err(AudioError::UnknownFormat { path: path.to_owned(), found });
            }
        };
        Ok(Self { path: path.to_owned(), info, container })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn info(&self) -> &AudioInfo {
        &self.info
    }

    /// Makes `frame` the next to be read. It lies within the file.
    pub(super) fn seek(&mut self, frame: u64) -> Result<(), AudioError> {
        match &mut self.container {
            Container::Wav(wav) => wav.seek(&self.path, frame),
            Container::Flac(flac) => flac.seek(&self.path, frame),
        }
    }

    /// Appends the next frames, interleaved, full scale at 1; returns their number, 0 at the end.
    pub(super) fn read_block(&mut self, out: &mut Vec<f32>) -> Result<usize, AudioError> {
        match &mut self.container {
            Container::Wav(wav) => wav.read_block(&self.path, out),
            Container::Flac(flac) => flac.read_block(&self.path, out),
        }
    }
}

/// Fills as much of the buffer as there are bytes left.
pub(super) fn read_up_to(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
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
