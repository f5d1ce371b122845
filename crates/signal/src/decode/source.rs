//! What all containers have in common: interleaved frames, read in blocks, with a place to seek.

use std::{
    fs::{self, File},
    io::{self, SeekFrom},
    path::{Path, PathBuf},
};

use super::{
    bytes::{FileBytes, Input, all_there},
    flac::FlacSource,
    info::AudioInfo,
    packets::PacketSource,
    piece::Piece,
    plain::PlainSource,
    sniff::{Kind, sniff},
};
use crate::{AudioError, Damage};

/// An open audio file.
pub(super) struct Source {
    path: PathBuf,
    info: AudioInfo,
    form: Form,
}

enum Form {
    Plain(PlainSource),
    Flac(Box<FlacSource>),
    Packets(Box<PacketSource>),
}

impl Source {
    /// Recognises the form of a file by its first bytes and reads its header.
    ///
    /// Some compressed files do not tell their length: [`AudioInfo::frames`] is then `u64::MAX`
    /// until [`Source::count`].
    pub(super) fn open(path: &Path, mut input: Box<dyn Input>) -> Result<Self, AudioError> {
        let io_error = |source| AudioError::Io { path: path.to_owned(), source };
        let end = input.seek(SeekFrom::End(0)).map_err(io_error)?;
        let kind = all_there(path, sniff(path, &mut FileBytes { path, input: input.as_mut() }))?;
        let (info, form) = match kind {
            Kind::Family(family) => {
                let (info, plain) = PlainSource::open(path, input, family, end)?;
                (info, Form::Plain(plain))
            }
            Kind::Flac(place) => {
                let (info, flac) = FlacSource::open(path, input, place, end)?;
                (info, Form::Flac(Box::new(flac)))
            }
            Kind::Packets(container, place) => {
                let (info, packets) = PacketSource::open(path, input, container, place..end)?;
                (info, Form::Packets(Box::new(packets)))
            }
            Kind::Foreign(foreign) => return Err(foreign.refused(path)),
            Kind::Unknown => {
                let mut head = [0; 12];
                let mut bytes = FileBytes { path, input: input.as_mut() };
                let found =
                    all_there(path, super::bytes::Bytes::read_at(&mut bytes, 0, &mut head))?;
                let found = head[..found].escape_ascii().to_string();
                return Err(AudioError::UnknownFormat { path: path.to_owned(), found });
            }
        };
        Ok(Self { path: path.to_owned(), info, form })
    }

    /// Decodes a file of unknown length to its end, to count its frames; begins anew afterwards.
    pub(super) fn count(self) -> Result<Self, AudioError> {
        match self {
            Self { path, info, form: Form::Packets(packets) } if info.frames == u64::MAX => {
                let (frames, packets) = packets.count(&path)?;
                let form = Form::Packets(Box::new(packets));
                Ok(Self { path, info: AudioInfo { frames, ..info }, form })
            }
            counted => Ok(counted),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn info(&self) -> &AudioInfo {
        &self.info
    }

    /// Whether a frame can only be decoded behind all those before it.
    pub(super) fn is_packed(&self) -> bool {
        matches!(self.form, Form::Packets(_))
    }

    /// What is known to be wrong before the sound is read.
    pub(super) fn known_damage(&self) -> Option<&Damage> {
        match &self.form {
            Form::Plain(plain) => plain.known_damage(),
            Form::Flac(_) | Form::Packets(_) => None,
        }
    }

    /// Makes `frame` the next to be read. It lies within the file.
    pub(super) fn seek(&mut self, frame: u64) -> Result<(), AudioError> {
        match &mut self.form {
            Form::Plain(plain) => {
                plain.seek(frame);
                Ok(())
            }
            Form::Flac(flac) => flac.seek(&self.path, frame),
            Form::Packets(packets) => {
                packets.skip(frame);
                Ok(())
            }
        }
    }

    /// Appends the next frames, interleaved, full scale at 1.
    pub(super) fn read_block(&mut self, out: &mut Vec<f32>) -> Result<Piece, AudioError> {
        match &mut self.form {
            Form::Plain(plain) => plain.read_block(&self.path, out),
            Form::Flac(flac) => flac.read_block(&self.path, out),
            Form::Packets(packets) => packets.read_block(&self.path, out),
        }
    }
}

/// Opens a regular file.
pub(super) fn open(path: &Path) -> Result<Source, AudioError> {
    let io_error = |source| AudioError::Io { path: path.to_owned(), source };
    // A named pipe would block for ever, and a device never end.
    if !fs::metadata(path).map_err(io_error)?.is_file() {
        let found = io::Error::other("found a folder, pipe or device, expected a regular file");
        return Err(io_error(found));
    }
    let file = File::open(path).map_err(io_error)?;
    let input: Box<dyn Input> = Box::new(file);
    Source::open(path, input)
}
