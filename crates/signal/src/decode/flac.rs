//! FLAC, decoded by symphonia.
//!
//! The decoder is given a stream of our making: the stream information block, then the coded
//! frames. Tags, pictures and seek tables, whose lengths anyone may write, never reach it.

use std::{
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

use symphonia::{
    core::{
        codecs::audio::{AudioDecoder, AudioDecoderOptions},
        errors::Error,
        formats::{FormatOptions, FormatReader, SeekMode, SeekTo},
        io::{MediaSource, MediaSourceStream, MediaSourceStreamOptions},
        packet::Packet,
        units::Timestamp,
    },
    default::{codecs::FlacDecoder, formats::FlacReader},
};

use super::{
    AudioFormat, AudioInfo,
    source::{Input, read_up_to},
};
use crate::AudioError;

const MARKER: &[u8; 4] = b"fLaC";
const STREAM_INFO_BYTES: usize = 34;

/// The coded frames of an open FLAC file.
pub(super) struct FlacSource {
    reader: FlacReader<'static>,
    decoder: FlacDecoder,
    channels: u16,
    /// Frames announced; zero where unknown.
    frames: u64,
    next_frame: u64,
    /// Frames of the next packets that lie before the place sought.
    skip: u64,
    packet: Vec<f32>,
}

/// The stream information block.
struct StreamInfo {
    block: [u8; STREAM_INFO_BYTES],
    rate_hz: u32,
    channels: u16,
    bits: u16,
    frames: u64,
}

impl FlacSource {
    /// Reads the header. Where it does not tell the length, the file is decoded once to count.
    pub(super) fn open(
        path: &Path,
        mut input: Box<dyn Input>,
        end: u64,
    ) -> Result<(AudioInfo, Self), AudioError> {
        let (stream, audio_start) = read_header(path, &mut input)?;
        let body = FlacBody::new(input, &stream.block, audio_start, end);
        let mut source = Self::start(path, body, &stream)?;
        if source.frames == 0 {
            source.frames = source.count_frames(path)?;
        }
        let StreamInfo { rate_hz, channels, bits, .. } = stream;
        let format = AudioFormat::Flac(bits);
        Ok((AudioInfo { rate_hz, channels, frames: source.frames, format }, source))
    }

    fn start(path: &Path, body: FlacBody, stream: &StreamInfo) -> Result<Self, AudioError> {
        let media = MediaSourceStream::new(Box::new(body), MediaSourceStreamOptions::default());
        let reader = FlacReader::try_new(media, FormatOptions::default())
            .map_err(|error| damaged(path, 0, error))?;
        let params = reader
            .tracks()
            .first()
            .and_then(|track| track.codec_params.as_ref())
            .and_then(|params| params.audio())
            .ok_or_else(|| malformed(path, "it has no audio track".to_owned()))?;
        let decoder = FlacDecoder::try_new(params, &AudioDecoderOptions::default())
            .map_err(|error| damaged(path, 0, error))?;
        let (channels, frames) = (stream.channels, stream.frames);
        Ok(Self { reader, decoder, channels, frames, next_frame: 0, skip: 0, packet: Vec::new() })
    }

    fn count_frames(&mut self, path: &Path) -> Result<u64, AudioError> {
        let mut block = Vec::new();
        while self.read_block(path, &mut block)? > 0 {
            block.clear();
        }
        let frames = self.next_frame;
        self.seek(path, 0)?;
        Ok(frames)
    }

    /// Makes `frame` the next to be read.
    pub(super) fn seek(&mut self, path: &Path, frame: u64) -> Result<(), AudioError> {
        if frame > 0 && frame == self.frames {
            return self.skip_all(path);
        }
        let to = SeekTo::Timestamp { ts: Timestamp::new(frame.cast_signed()), track_id: 0 };
        let sought = self
            .reader
            .seek(SeekMode::Accurate, to)
            .map_err(|error| damaged(path, frame, error))?;
        self.next_frame = sought.actual_ts.get() as u64;
        self.skip = frame
            .checked_sub(self.next_frame)
            .ok_or_else(|| malformed(path, format!("frame {frame} cannot be found")))?;
        Ok(())
    }

    fn skip_all(&mut self, path: &Path) -> Result<(), AudioError> {
        let mut block = Vec::new();
        while self.read_block(path, &mut block)? > 0 {
            block.clear();
        }
        Ok(())
    }

    /// Appends the next frames; returns their number, 0 at the end.
    pub(super) fn read_block(
        &mut self,
        path: &Path,
        out: &mut Vec<f32>,
    ) -> Result<usize, AudioError> {
        loop {
            let Some(packet) = next_packet(&mut self.reader, path, self.next_frame)? else {
                return self.end(path);
            };
            if packet.pts.get() as u64 != self.next_frame {
                let what = format!("a block is missing at frame {}", self.next_frame);
                return Err(malformed(path, what));
            }
            let decoded = self
                .decoder
                .decode(&packet)
                .map_err(|error| damaged(path, self.next_frame, error))?;
            decoded.copy_to_vec_interleaved(&mut self.packet);
            let frames = decoded.frames();
            self.next_frame += frames as u64;
            let skipped = (self.skip as usize).min(frames);
            self.skip -= skipped as u64;
            out.extend_from_slice(&self.packet[skipped * usize::from(self.channels)..]);
            if frames > skipped {
                return Ok(frames - skipped);
            }
        }
    }

    fn end(&self, path: &Path) -> Result<usize, AudioError> {
        if self.next_frame < self.frames {
            let (found, expected) = (self.next_frame, self.frames);
            return Err(AudioError::Truncated { path: path.to_owned(), found, expected });
        }
        Ok(0)
    }
}

fn next_packet(
    reader: &mut FlacReader<'static>,
    path: &Path,
    frame: u64,
) -> Result<Option<Packet>, AudioError> {
    match reader.next_packet() {
        Ok(packet) => Ok(packet),
        Err(Error::IoError(error)) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(damaged(path, frame, error)),
    }
}

/// Reads the metadata blocks; returns the stream information and where the coded frames begin.
fn read_header(path: &Path, input: &mut Box<dyn Input>) -> Result<(StreamInfo, u64), AudioError> {
    let mut place = after_id3(path, input)?;
    let mut marker = [0; 4];
    read_at(path, input, place, &mut marker)?;
    if &marker != MARKER {
        let found = marker.escape_ascii().to_string();
        return Err(AudioError::UnknownFormat { path: path.to_owned(), found });
    }
    place += marker.len() as u64;
    let mut stream = None;
    loop {
        let mut head = [0; 4];
        if read_at(path, input, place, &mut head)? < head.len() {
            return Err(malformed(path, "its header has no end".to_owned()));
        }
        let size = u32::from_be_bytes([0, head[1], head[2], head[3]]);
        place += head.len() as u64;
        if head[0] << 1 == 0 && stream.is_none() {
            let mut block = [0; STREAM_INFO_BYTES];
            if read_at(path, input, place, &mut block)? < block.len() {
                return Err(malformed(path, "its stream information is cut short".to_owned()));
            }
            stream = Some(StreamInfo::parse(path, block)?);
        }
        place += u64::from(size);
        if head[0] & 0x80 != 0 {
            break;
        }
    }
    let stream =
        stream.ok_or_else(|| malformed(path, "it has no stream information".to_owned()))?;
    Ok((stream, place))
}

/// Some taggers put an ID3 block in front: ten bytes, the last four its size in 7-bit pieces.
fn after_id3(path: &Path, input: &mut Box<dyn Input>) -> Result<u64, AudioError> {
    let mut head = [0; 10];
    read_at(path, input, 0, &mut head)?;
    if !head.starts_with(b"ID3") {
        return Ok(0);
    }
    let size = head[6..].iter().fold(0, |size, byte| size << 7 | u64::from(byte & 0x7F));
    Ok(head.len() as u64 + size)
}

fn read_at(
    path: &Path,
    input: &mut Box<dyn Input>,
    place: u64,
    buffer: &mut [u8],
) -> Result<usize, AudioError> {
    let io_error = |source| AudioError::Io { path: path.to_owned(), source };
    input.seek(SeekFrom::Start(place)).map_err(io_error)?;
    read_up_to(input, buffer).map_err(io_error)
}

impl StreamInfo {
    /// Rate (20 bits), channels less one (3), bits less one (5) and frames (36) follow ten bytes
    /// of block sizes.
    fn parse(path: &Path, block: [u8; STREAM_INFO_BYTES]) -> Result<Self, AudioError> {
        let mut field = [0; 8];
        field.copy_from_slice(&block[10..18]);
        let field = u64::from_be_bytes(field);
        let rate_hz = (field >> 44) as u32;
        if rate_hz == 0 {
            return Err(malformed(path, "its header says 0 Hz".to_owned()));
        }
        Ok(Self {
            block,
            rate_hz,
            channels: (field >> 41 & 0x7) as u16 + 1,
            bits: (field >> 36 & 0x1F) as u16 + 1,
            frames: field & 0xF_FFFF_FFFF,
        })
    }
}

/// The stream that the decoder sees: a short header of ours, then the file's coded frames.
struct FlacBody {
    head: Vec<u8>,
    input: Box<dyn Input>,
    audio_start: u64,
    audio_bytes: u64,
    place: u64,
}

impl FlacBody {
    fn new(
        input: Box<dyn Input>,
        stream_info: &[u8; STREAM_INFO_BYTES],
        audio_start: u64,
        end: u64,
    ) -> Self {
        // One metadata block: kind 0 with the mark of the last, and its size.
        let last_stream_info = [0x80, 0, 0, STREAM_INFO_BYTES as u8];
        let head = [&MARKER[..], &last_stream_info, stream_info].concat();
        let audio_bytes = end.saturating_sub(audio_start);
        Self { head, input, audio_start, audio_bytes, place: 0 }
    }

    fn len(&self) -> u64 {
        self.head.len() as u64 + self.audio_bytes
    }
}

impl Read for FlacBody {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let head_bytes = self.head.len() as u64;
        let count = if self.place < head_bytes {
            (&self.head[self.place as usize..]).read(buffer)?
        } else {
            self.input.seek(SeekFrom::Start(self.audio_start + self.place - head_bytes))?;
            self.input.read(buffer)?
        };
        self.place += count as u64;
        Ok(count)
    }
}

impl Seek for FlacBody {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::End(offset) => self.len().checked_add_signed(offset),
            SeekFrom::Current(offset) => self.place.checked_add_signed(offset),
        };
        self.place = place.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.place)
    }
}

impl MediaSource for FlacBody {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.len())
    }
}

fn damaged(path: &Path, frame: u64, error: Error) -> AudioError {
    match error {
        Error::IoError(source) if source.kind() != io::ErrorKind::UnexpectedEof => {
            AudioError::Io { path: path.to_owned(), source }
        }
        error => malformed(path, format!("{error} near frame {frame}")),
    }
}

fn malformed(path: &Path, what: String) -> AudioError {
    AudioError::Malformed { path: path.to_owned(), what }
}
