//! Sound in a file of the WAV family: samples, or blocks that decode by themselves.

use std::{io::SeekFrom, path::Path};

use super::{
    bytes::{Bytes, FileBytes, Input, Stop, all_there, read_up_to},
    chunks::{Family, find_sound},
    info::AudioInfo,
    layout::BadUnit,
    piece::Piece,
    sound::{Sound, find_recording},
};
use crate::{AudioError, Damage};

/// Bytes decoded at a time, give or take a frame.
const BLOCK_BYTES: usize = 1 << 16;

/// A header that begins in a block may end in the next: bytes looked at behind it.
const BEYOND_BYTES: usize = 16;

/// The samples of an open file.
pub(super) struct PlainSource {
    input: Box<dyn Input>,
    sound: Sound,
    frames: u64,
    next_frame: u64,
    /// What is wrong behind the last frame.
    damage: Option<Damage>,
    /// Place from which on no header vouches for the sound, so that anything may be in it.
    open_from: u64,
    block: Vec<u8>,
}

impl PlainSource {
    /// Reads the header.
    pub(super) fn open(
        path: &Path,
        mut input: Box<dyn Input>,
        family: Family,
        end: u64,
    ) -> Result<(AudioInfo, Self), AudioError> {
        let mut bytes = FileBytes { path, input: input.as_mut() };
        let sound = all_there(path, find_sound(path, &mut bytes, family))?;
        let (sound, sound_end, damage) = all_there(path, measure(sound, &mut bytes, end))?;
        let room = sound.layout.frames(sound_end.saturating_sub(sound.start));
        let as_announced = sound.size.bytes() == Some(sound_end.saturating_sub(sound.start));
        let frames = sound.stated_frames.filter(|_| as_announced).unwrap_or(room);
        let open_from = sound.start.saturating_add(sound.size.bytes().unwrap_or(0));
        let source =
            Self { input, sound, frames, next_frame: 0, damage, open_from, block: Vec::new() };
        let info = AudioInfo {
            rate_hz: sound.layout.rate_hz,
            channels: sound.layout.channels,
            frames,
            container: sound.container,
            codec: sound.layout.codec(),
        };
        Ok((info, source))
    }

    /// What is known to be wrong before the sound is read.
    pub(super) fn known_damage(&self) -> Option<&Damage> {
        self.damage.as_ref()
    }

    /// Makes `frame` the next to be read.
    pub(super) fn seek(&mut self, frame: u64) {
        self.next_frame = frame;
    }

    /// Appends the next frames.
    pub(super) fn read_block(
        &mut self,
        path: &Path,
        out: &mut Vec<f32>,
    ) -> Result<Piece, AudioError> {
        let layout = self.sound.layout;
        let (unit_bytes, unit_frames) = (layout.unit_bytes, layout.unit_frames as u64);
        let first = self.next_frame / unit_frames;
        let left = self.frames.saturating_sub(self.next_frame);
        if left == 0 {
            return Ok(self.damage.take().map_or(Piece::End, Piece::Damaged));
        }
        let most = (BLOCK_BYTES / unit_bytes).max(1) as u64;
        let units = most.min((left + self.next_frame % unit_frames).div_ceil(unit_frames)) as usize;
        self.block.resize(units * unit_bytes + BEYOND_BYTES, 0);
        let io_error = |source| AudioError::Io { path: path.to_owned(), source };
        let place = self.sound.start + first * unit_bytes as u64;
        self.input.seek(SeekFrom::Start(place)).map_err(io_error)?;
        let found = read_up_to(self.input.as_mut(), &mut self.block).map_err(io_error)?;
        let mut sound = found.min(units * unit_bytes);
        let frame_at = |bytes: usize| (first + (bytes / unit_bytes) as u64) * unit_frames;
        let vouched = usize::try_from(self.open_from.saturating_sub(place)).unwrap_or(usize::MAX);
        if let Some(open) = self.block[..found].get(vouched..)
            && let Some(at) = find_recording(open)
            && vouched + at < sound
        {
            sound = vouched + at;
            self.frames = frame_at(sound);
            self.damage = Some(Damage::AnotherRecording { frame: self.frames });
        } else if sound < units * unit_bytes {
            // The file has become shorter since it was opened.
            let (frame, expected) = (frame_at(sound), self.frames);
            self.frames = frame;
            self.damage = Some(Damage::CutShort { frame, expected });
        }
        let begin = out.len();
        if let Err(BadUnit { before, what }) = layout.append(&self.block[..sound], out) {
            sound = before * unit_bytes;
            self.frames = frame_at(sound);
            self.damage = Some(Damage::BadBlock { frame: self.frames, what });
        }
        // A place within a block, and one that is filled up.
        let channels = usize::from(layout.channels);
        let skipped = (self.next_frame % unit_frames) as usize * channels;
        out.drain(begin..(begin + skipped).min(out.len()));
        let end = frame_at(sound).min(self.frames);
        let given = end.saturating_sub(self.next_frame);
        out.truncate(begin + given as usize * channels);
        self.next_frame += given;
        if given == 0 {
            return self.read_block(path, out);
        }
        Ok(Piece::Frames)
    }
}

/// Finds the end of the sound, and where its bits lie.
fn measure(
    mut sound: Sound,
    bytes: &mut FileBytes<'_>,
    end: u64,
) -> Result<(Sound, u64, Option<Damage>), Stop> {
    let (sound_end, damage) = sound.end(bytes, end)?;
    let mut stretch = vec![0; sound.layout.decision_bytes()];
    let mut place = sound.start;
    for count in 1.. {
        if !sound.layout.which_24 || place >= sound_end {
            break;
        }
        let left = usize::try_from(sound_end - place).unwrap_or(usize::MAX);
        let most = stretch.len().min(left);
        let found = bytes.read_at(place, &mut stretch[..most])?;
        sound.layout.decide(&stretch[..found], count);
        place += stretch.len() as u64;
    }
    Ok((sound, sound_end, damage))
}
