//! FLAC, decoded by symphonia.
//!
//! The decoder is given a stream of our making: the stream information block, then the coded
//! frames. Tags, pictures and seek tables, whose lengths anyone may write, never reach it.

use std::{io, path::Path};

use symphonia::{
    core::{
        codecs::audio::{AudioDecoder, AudioDecoderOptions},
        errors::Error,
        formats::{FormatOptions, FormatReader, SeekMode, SeekTo},
        io::{MediaSourceStream, MediaSourceStreamOptions},
        units::Timestamp,
    },
    default::{codecs::FlacDecoder, formats::FlacReader},
};

use super::{
    bytes::{Bytes, FileBytes, Input, all_there},
    flac_end::{Blocks, last_frame},
    info::{AudioInfo, Codec, Container},
    layout::check_form,
    part::Part,
    piece::Piece,
    refusal::malformed,
};
use crate::{AudioError, Damage};

const MARKER: &[u8; 4] = b"fLaC";
const STREAM_INFO_BYTES: usize = 34;

/// The coded frames of an open FLAC file.
pub(super) struct FlacSource {
    reader: FlacReader<'static>,
    decoder: FlacDecoder,
    channels: u16,
    /// Frames that the last coded frame, or the header, tells; zero where unknown.
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
    /// Reads the header, its marker at `place`. The last coded frame tells the length; where it
    /// cannot be found, the header does; where that does not either, the file is decoded once.
    pub(super) fn open(
        path: &Path,
        mut input: Box<dyn Input>,
        place: u64,
        end: u64,
    ) -> Result<(AudioInfo, Self), AudioError> {
        let mut bytes = FileBytes { path, input: input.as_mut() };
        let (mut stream, audio_start) = read_header(path, &mut bytes, place)?;
        let mut audio_end = end;
        let blocks = Blocks::of(&stream.block);
        if let Some(last) = all_there(path, last_frame(&mut bytes, audio_start..end, blocks))? {
            audio_end = last.end;
            stream.frames = last.frames;
        }
        let first = all_there(path, bytes.array_at::<2>(audio_start))?.unwrap_or_default();
        // One metadata block: kind 0 with the mark of the last, and its size.
        let last_stream_info = [0x80, 0, 0, STREAM_INFO_BYTES as u8];
        let head = [&MARKER[..], &last_stream_info, &stream.mended(first)].concat();
        let body = Part::new(head, input, audio_start..audio_end);
        let mut source = Self::start(path, body, &stream)?;
        if source.frames == 0 {
            source.frames = source.count_frames(path)?;
        }
        let StreamInfo { rate_hz, channels, bits, .. } = stream;
        let (container, codec) = (Container::Flac, Codec::Flac(bits));
        Ok((AudioInfo { rate_hz, channels, frames: source.frames, container, codec }, source))
    }

    fn start(path: &Path, body: Part, stream: &StreamInfo) -> Result<Self, AudioError> {
        let media = MediaSourceStream::new(Box::new(body), MediaSourceStreamOptions::default());
        let reader = FlacReader::try_new(media, FormatOptions::default())
            .map_err(|error| damaged(path, 0, error))?;
        let params = reader
            .tracks()
            .first()
            .and_then(|track| track.codec_params.as_ref())
            .and_then(|params| params.audio())
            .ok_or_else(|| malformed(path, "it has no audio track"))?;
        let decoder = FlacDecoder::try_new(params, &AudioDecoderOptions::default())
            .map_err(|error| damaged(path, 0, error))?;
        let (channels, frames) = (stream.channels, stream.frames);
        Ok(Self { reader, decoder, channels, frames, next_frame: 0, skip: 0, packet: Vec::new() })
    }

    fn count_frames(&mut self, path: &Path) -> Result<u64, AudioError> {
        self.skip_all(path)?;
        let frames = self.next_frame;
        self.decoder.reset();
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
        while let Piece::Frames = self.read_block(path, &mut block)? {
            block.clear();
        }
        Ok(())
    }

    /// Appends the next frames.
    pub(super) fn read_block(
        &mut self,
        path: &Path,
        out: &mut Vec<f32>,
    ) -> Result<Piece, AudioError> {
        loop {
            let frame = self.next_frame;
            let packet = match self.reader.next_packet() {
                Ok(Some(packet)) => packet,
                Ok(None) => return Ok(self.end()),
                Err(Error::IoError(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Ok(self.end());
                }
                Err(error) => return bad_block(path, frame, error),
            };
            if packet.pts.get() as u64 != frame {
                let what = "a block is missing or damaged".to_owned();
                return Ok(Piece::Damaged(Damage::BadBlock { frame, what }));
            }
            let decoded = match self.decoder.decode(&packet) {
                Ok(decoded) => decoded,
                Err(error) => return bad_block(path, frame, error),
            };
            decoded.copy_to_vec_interleaved(&mut self.packet);
            let frames = decoded.frames();
            self.next_frame += frames as u64;
            let skipped = (self.skip as usize).min(frames);
            self.skip -= skipped as u64;
            out.extend_from_slice(&self.packet[skipped * usize::from(self.channels)..]);
            if frames > skipped {
                return Ok(Piece::Frames);
            }
        }
    }

    fn end(&self) -> Piece {
        let (frame, expected) = (self.next_frame, self.frames);
        if frame < expected {
            return Piece::Damaged(Damage::CutShort { frame, expected });
        }
        Piece::End
    }
}

/// A block that cannot be decoded is damage; a disk that cannot be read is an error.
fn bad_block(path: &Path, frame: u64, error: Error) -> Result<Piece, AudioError> {
    match error {
        Error::IoError(source) if source.kind() != io::ErrorKind::UnexpectedEof => {
            Err(AudioError::Io { path: path.to_owned(), source })
        }
        error => Ok(Piece::Damaged(Damage::BadBlock { frame, what: error.to_string() })),
    }
}

/// Metadata blocks that a header may have.
const MOST_BLOCKS: usize = 1024;

/// Reads the metadata blocks behind the marker; returns the stream information and where the coded
/// frames begin.
fn read_header(
    path: &Path,
    bytes: &mut FileBytes<'_>,
    place: u64,
) -> Result<(StreamInfo, u64), AudioError> {
    let mut place = place + MARKER.len() as u64;
    let mut stream = None;
    for _ in 0..MOST_BLOCKS {
        let Some([kind, size @ ..]) = all_there(path, bytes.array_at::<4>(place))? else {
            return Err(malformed(path, "its header has no end"));
        };
        place += 4;
        if kind << 1 == 0 && stream.is_none() {
            let block = all_there(path, bytes.array_at(place))?
                .ok_or_else(|| malformed(path, "its stream information is cut short"))?;
            stream = Some(StreamInfo::parse(path, block)?);
        }
        place += u64::from(u32::from_be_bytes([0, size[0], size[1], size[2]]));
        if kind & 0x80 != 0 {
            let stream = stream.ok_or_else(|| malformed(path, "it has no stream information"))?;
            return Ok((stream, place));
        }
    }
    Err(malformed(path, format!("its header has more than {MOST_BLOCKS} blocks")))
}

impl StreamInfo {
    /// Rate (20 bits), channels less one (3), bits less one (5) and frames (36) follow ten bytes
    /// of block sizes.
    fn parse(path: &Path, block: [u8; STREAM_INFO_BYTES]) -> Result<Self, AudioError> {
        let mut field = [0; 8];
        field.copy_from_slice(&block[10..18]);
        let field = u64::from_be_bytes(field);
        let (rate_hz, channels) = ((field >> 44) as u32, (field >> 41 & 0x7) as u16 + 1);
        check_form(path, channels, rate_hz)?;
        Ok(Self {
            block,
            rate_hz,
            channels,
            bits: (field >> 36 & 0x1F) as u16 + 1,
            frames: field & 0xF_FFFF_FFFF,
        })
    }

    /// The block with what is known better than it says, so that a decoder that trusts it is not led
    /// astray: the length, the least block (where blocks are alike, that of all but the last), and
    /// nothing about the bytes of a coded frame. `first` is how the first frame begins.
    fn mended(&self, first: [u8; 2]) -> [u8; STREAM_INFO_BYTES] {
        let mut block = self.block;
        let most = u16::from_be_bytes([block[2], block[3]]);
        let least = u16::from_be_bytes([block[0], block[1]]);
        let least = match first {
            [0xFF, 0xF8] => most,
            [0xFF, 0xF9] if least == most => most.saturating_sub(1),
            _ => least,
        };
        block[..2].copy_from_slice(&least.to_be_bytes());
        block[4..10].fill(0);
        let frames = self.frames.min(0xF_FFFF_FFFF).to_be_bytes();
        block[13] = block[13] & 0xF0 | frames[3];
        block[14..18].copy_from_slice(&frames[4..]);
        block
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
