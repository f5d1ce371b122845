//! Sound to bytes: 16-bit WAV, for players.

use crate::pcm::to_i16;

/// A mono 16-bit WAV file of samples in -1 to 1; louder ones are cut off, undefined ones silent.
pub fn encode_wav(samples: &[f32], rate_hz: u32) -> Vec<u8> {
    const HEADER_BYTES: u32 = 36;
    // What a size of 32 bits does not hold is left open, as readers know it.
    let data_bytes = u32::try_from(2 * samples.len()).unwrap_or(u32::MAX - HEADER_BYTES);
    let mut bytes = Vec::with_capacity(44 + 2 * samples.len());
    bytes.extend(b"RIFF");
    bytes.extend((HEADER_BYTES + data_bytes).to_le_bytes());
    bytes.extend(b"WAVEfmt ");
    bytes.extend(16_u32.to_le_bytes());
    bytes.extend(1_u16.to_le_bytes());
    bytes.extend(1_u16.to_le_bytes());
    bytes.extend(rate_hz.to_le_bytes());
    bytes.extend((2 * rate_hz).to_le_bytes());
    bytes.extend(2_u16.to_le_bytes());
    bytes.extend(16_u16.to_le_bytes());
    bytes.extend(b"data");
    bytes.extend(data_bytes.to_le_bytes());
    for sample in samples {
        bytes.extend(to_i16(*sample).to_le_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{DecodeConfig, decode_bytes};

    #[test]
    fn what_was_written_is_read_again() {
        let samples = [0.0, 0.5, -1.0, 1.0, 2.0, f32::NAN];
        let read =
            decode_bytes(Path::new("x.wav"), encode_wav(&samples, 8000), &DecodeConfig::default());
        let read = read.expect("a valid file");
        assert_eq!(read.rate_hz, 8000);
        let top = 32_767.0 / 32_768.0;
        assert_eq!(read.samples, [0.0, 0.5, -1.0, top, top, 0.0]);
    }
}
