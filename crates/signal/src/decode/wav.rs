//! WAV: RIFF, RF64 and BW64 containers with integer or floating-point samples.
//!
//! Every length in the header is compared with the file's size before it is believed.

use std::{
    io::{self, SeekFrom},
    path::Path,
};

use super::{
    AudioFormat, AudioInfo,
    source::{Input, read_up_to},
};
use crate::{AudioError, resample::MAX_RATE_HZ};

/// Bytes decoded at a time, give or take a frame.
const BLOCK_BYTES: usize = 1 << 16;
/// The size of a chunk whose true size stands elsewhere, or nowhere.
const SIZE_UNKNOWN: u32 = u32::MAX;

/// The sample data of an open WAV file.
pub(super) struct WavSource {
    input: Box<dyn Input>,
    format: AudioFormat,
    frame_bytes: usize,
    data_start: u64,
    frames: u64,
    next_frame: u64,
    block: Vec<u8>,
}

/// The chunks read so far.
#[derive(Default)]
struct Header {
    riff_size: u32,
    /// From the `ds64` chunk of RF64.
    long_data_size: Option<u64>,
    layout: Option<Layout>,
}

/// The `fmt ` chunk.
#[derive(Clone, Copy)]
struct Layout {
    channels: u16,
    rate_hz: u32,
    frame_bytes: u16,
    format: AudioFormat,
}

impl WavSource {
    /// Reads the header of `input`, whose magic number has been seen.
    pub(super) fn open(
        path: &Path,
        mut input: Box<dyn Input>,
        end: u64,
    ) -> Result<(AudioInfo, Self), AudioError> {
        let (layout, data_start, data_bytes) = read_chunks(path, &mut input, end)?;
        let frame_bytes = usize::from(layout.frame_bytes);
        let frames = data_bytes / frame_bytes as u64;
        let present = (end - data_start).min(data_bytes) / frame_bytes as u64;
        if present < frames {
            let path = path.to_owned();
            return Err(AudioError::Truncated { path, found: present, expected: frames });
        }
        input.seek(SeekFrom::Start(data_start)).map_err(io_error(path))?;
        let Layout { channels, rate_hz, format, .. } = layout;
        let source = Self {
            input,
            format,
            frame_bytes,
            data_start,
            frames,
            next_frame: 0,
            block: Vec::new(),
        };
        Ok((AudioInfo { rate_hz, channels, frames, format }, source))
    }

    /// Makes `frame` the next to be read.
    pub(super) fn seek(&mut self, path: &Path, frame: u64) -> Result<(), AudioError> {
        let place = SeekFrom::Start(self.data_start + frame * self.frame_bytes as u64);
        self.input.seek(place).map_err(io_error(path))?;
        self.next_frame = frame;
        Ok(())
    }

    /// Appends the next frames; returns their number, 0 at the end.
    pub(super) fn read_block(
        &mut self,
        path: &Path,
        out: &mut Vec<f32>,
    ) -> Result<usize, AudioError> {
        let most = (BLOCK_BYTES / self.frame_bytes).max(1) as u64;
        let frames = most.min(self.frames - self.next_frame) as usize;
        self.block.resize(frames * self.frame_bytes, 0);
        let found = read_up_to(&mut self.input, &mut self.block).map_err(io_error(path))?;
        if found < self.block.len() {
            return Err(AudioError::Truncated {
                path: path.to_owned(),
                found: self.next_frame + (found / self.frame_bytes) as u64,
                expected: self.frames,
            });
        }
        self.next_frame += frames as u64;
        convert(self.format, &self.block, out);
        Ok(frames)
    }
}

/// Walks the chunks up to the sample data; returns its layout, place and size.
fn read_chunks(
    path: &Path,
    input: &mut Box<dyn Input>,
    end: u64,
) -> Result<(Layout, u64, u64), AudioError> {
    let mut head = [0; 12];
    input.rewind().map_err(io_error(path))?;
    read_up_to(input, &mut head).map_err(io_error(path))?;
    let mut header = Header { riff_size: le_u32(&head[4..]), ..Header::default() };
    let mut place = head.len() as u64;
    loop {
        let mut chunk = [0; 8];
        input.seek(SeekFrom::Start(place)).map_err(io_error(path))?;
        if read_up_to(input, &mut chunk).map_err(io_error(path))? < chunk.len() {
            return Err(malformed(path, "it has no `data` chunk"));
        }
        let (id, size) = (&chunk[..4], le_u32(&chunk[4..]));
        let start = place + chunk.len() as u64;
        match id {
            b"data" => {
                let layout = header
                    .layout
                    .ok_or_else(|| malformed(path, "its `data` chunk comes before `fmt `"))?;
                return Ok((layout, start, data_bytes(&header, size, start, end)));
            }
            b"fmt " => header.layout = Some(read_layout(path, input, size)?),
            b"ds64" => {
                let mut sizes = [0; 16];
                read_up_to(input, &mut sizes).map_err(io_error(path))?;
                header.long_data_size = Some(le_u64(&sizes[8..]));
            }
            _ => {}
        }
        place = next_chunk(path, input, start + u64::from(size))?;
    }
}

/// Chunks begin at even places, behind a zero byte where needed; some writers forget that.
fn next_chunk(path: &Path, input: &mut Box<dyn Input>, end: u64) -> Result<u64, AudioError> {
    if end.is_multiple_of(2) {
        return Ok(end);
    }
    let mut pad = [0];
    input.seek(SeekFrom::Start(end)).map_err(io_error(path))?;
    read_up_to(input, &mut pad).map_err(io_error(path))?;
    Ok(if pad == [0] { end + 1 } else { end })
}

/// The size of the sample data. A recorder that was never stopped leaves it unknown or zero.
fn data_bytes(header: &Header, size: u32, start: u64, end: u64) -> u64 {
    let unfinished = header.riff_size == 0
        || header.riff_size == SIZE_UNKNOWN
        || u64::from(header.riff_size) + 8 <= start;
    match (size, header.long_data_size) {
        (SIZE_UNKNOWN, Some(long)) if long > 0 => long,
        (SIZE_UNKNOWN, _) => end - start,
        (0, _) if unfinished => end - start,
        _ => u64::from(size),
    }
}

/// Reads and checks the `fmt ` chunk.
fn read_layout(path: &Path, input: &mut Box<dyn Input>, size: u32) -> Result<Layout, AudioError> {
    let mut fields = [0; 40];
    let wanted = fields.len().min(size as usize);
    let found = read_up_to(input, &mut fields[..wanted]).map_err(io_error(path))?;
    if found < 16 {
        return Err(malformed(path, format!("its `fmt ` chunk has {found} bytes, expected 16")));
    }
    let (tag, channels, rate_hz) = (le_u16(&fields), le_u16(&fields[2..]), le_u32(&fields[4..]));
    let (frame_bytes, bits) = (le_u16(&fields[12..]), le_u16(&fields[14..]));
    // An extensible header keeps the true tag in the first bytes of its sub-format.
    let tag = if tag == 0xFFFE && found == 40 { le_u16(&fields[24..]) } else { tag };
    if channels == 0 || rate_hz == 0 {
        return Err(malformed(
            path,
            format!("its header says {channels} channels at {rate_hz} Hz"),
        ));
    }
    if rate_hz > MAX_RATE_HZ {
        return Err(unsupported(path, "a rate of", format!("{rate_hz} Hz"), "at most 1 MHz"));
    }
    let sample_bytes = frame_bytes / channels;
    if sample_bytes == 0 || frame_bytes % channels != 0 || bits.div_ceil(8) > sample_bytes {
        let what =
            format!("{channels} channels of {bits} bits do not fit {frame_bytes} bytes a frame");
        return Err(malformed(path, what));
    }
    let format = match (tag, sample_bytes) {
        (1, 1..=4) => AudioFormat::WavInteger(8 * sample_bytes),
        (3, 4 | 8) => AudioFormat::WavFloat(8 * sample_bytes),
        (1 | 3, _) => {
            let found = format!("{} bits", 8 * u32::from(sample_bytes));
            return Err(unsupported(path, "samples of", found, "8, 16, 24, 32 or float 32, 64"));
        }
        (tag, _) => {
            return Err(unsupported(path, "the coding", coding_name(tag), "PCM or floating point"));
        }
    };
    Ok(Layout { channels, rate_hz, frame_bytes, format })
}

fn coding_name(tag: u16) -> String {
    match tag {
        2 => "Microsoft ADPCM".to_owned(),
        6 => "A-law".to_owned(),
        7 => "mu-law".to_owned(),
        0x11 => "IMA ADPCM".to_owned(),
        0x55 => "MP3".to_owned(),
        _ => format!("{tag:#06x}"),
    }
}

/// Appends little-endian samples as floating point, full scale at 1. Integers lie in the upper
/// bits of their bytes, whatever number of bits the header calls valid.
fn convert(format: AudioFormat, bytes: &[u8], out: &mut Vec<f32>) {
    match format {
        AudioFormat::WavInteger(8) => {
            out.extend(bytes.iter().map(|byte| (f32::from(*byte) - 128.0) / 128.0));
        }
        AudioFormat::WavInteger(16) => {
            out.extend(words(bytes).map(|word| f32::from(i16::from_le_bytes(word)) / 32_768.0));
        }
        AudioFormat::WavInteger(24) => {
            let widened = words(bytes).map(|[a, b, c]| i32::from_le_bytes([0, a, b, c]) >> 8);
            out.extend(widened.map(|sample| sample as f32 / 8_388_608.0));
        }
        AudioFormat::WavInteger(_) => {
            out.extend(words(bytes).map(|word| i32::from_le_bytes(word) as f32 / 2_147_483_648.0));
        }
        AudioFormat::WavFloat(32) => out.extend(words(bytes).map(f32::from_le_bytes)),
        AudioFormat::WavFloat(_) => {
            out.extend(words(bytes).map(|word| f64::from_le_bytes(word) as f32));
        }
        AudioFormat::Flac(_) => unreachable!("a WAV source has a WAV format"),
    }
}

fn words<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> {
    bytes.as_chunks::<N>().0.iter().copied()
}

fn le_u16(bytes: &[u8]) -> u16 {
    u16::from_le_bytes([bytes[0], bytes[1]])
}

fn le_u32(bytes: &[u8]) -> u32 {
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

fn le_u64(bytes: &[u8]) -> u64 {
    u64::from(le_u32(bytes)) | u64::from(le_u32(&bytes[4..])) << 32
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> AudioError + '_ {
    move |source| AudioError::Io { path: path.to_owned(), source }
}

fn malformed(path: &Path, what: impl Into<String>) -> AudioError {
    AudioError::Malformed { path: path.to_owned(), what: what.into() }
}

fn unsupported(
    path: &Path,
    what: &'static str,
    found: String,
    expected: &'static str,
) -> AudioError {
    AudioError::Unsupported { path: path.to_owned(), what, found, expected }
}
