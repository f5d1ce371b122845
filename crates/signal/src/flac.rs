//! Sound to bytes: FLAC, for players; the same samples as the WAV file in about half of its bytes.

use flacenc::{
    bitsink::ByteSink, component::BitRepr as _, config, encode_with_fixed_block_size,
    error::Verify as _, source::MemSource,
};

use crate::{
    pcm::to_i16,
    resample::{MAX_RATE_HZ, resample},
};

const BITS: usize = 16;
/// The format's smallest block, and so its shortest file.
const LEAST_SAMPLES: usize = 16;

/// Highest rate that the encoder writes, and players are sure to play.
const MOST_RATE_HZ: u32 = 96_000;
/// Rate of what is recorded at a higher one: all that can be heard fits.
const AUDIBLE_RATE_HZ: u32 = 48_000;

/// A mono 16-bit FLAC file of samples in -1 to 1; louder ones are cut off, undefined ones silent. A
/// file has at least sixteen samples, the last of them silent where there were fewer. Sound of more
/// than 96 kHz is converted to 48 kHz.
pub fn encode_flac(samples: &[f32], rate_hz: u32) -> Vec<u8> {
    if rate_hz > MOST_RATE_HZ {
        let rate_hz = rate_hz.min(MAX_RATE_HZ);
        let samples: Vec<f32> =
            samples.iter().map(|s| if s.is_nan() { 0.0 } else { s.clamp(-1.0, 1.0) }).collect();
        let audible = resample(&samples, rate_hz, AUDIBLE_RATE_HZ)
            .expect("both rates lie in the converter's range");
        return encode_flac(&audible, AUDIBLE_RATE_HZ);
    }
    let mut levels: Vec<i32> = samples.iter().map(|sample| i32::from(to_i16(*sample))).collect();
    levels.resize(samples.len().max(LEAST_SAMPLES), 0);
    let config = config::Encoder::default().into_verified().expect("the library's own defaults");
    let source = MemSource::from_samples(&levels, 1, BITS, rate_hz as usize);
    let mut stream = encode_with_fixed_block_size(&config, source, config.block_size)
        .expect("16-bit levels in memory, which is all that an encoder can find fault with");
    // The last block may be shorter without a word; some readers refuse a header that counts it.
    let (least, most) = (config.block_size, config.block_size);
    stream.stream_info_mut().set_block_sizes(least, most).expect("the size just encoded with");
    let mut bytes = ByteSink::new();
    stream.write(&mut bytes).expect("memory takes whatever is written");
    bytes.into_inner()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{DecodeConfig, decode_bytes, encode_wav};

    /// Both files of the same samples, read again.
    fn read_again(samples: &[f32]) -> [Vec<f32>; 2] {
        [("x.flac", encode_flac(samples, 16_000)), ("x.wav", encode_wav(samples, 16_000))].map(
            |(name, bytes)| {
                let read = decode_bytes(Path::new(name), bytes, &DecodeConfig::default());
                let read = read.expect("a valid file");
                assert_eq!(read.rate_hz, 16_000);
                read.samples
            },
        )
    }

    /// A hum under noise that any seed would do for.
    fn sound(count: usize, noise: f32) -> Vec<f32> {
        let mut state = 1_u32;
        let sample = |at: usize| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let random = (state >> 8) as f32 / (1 << 24) as f32 - 0.5;
            0.3 * (at as f32 * 0.05).sin() + noise * random
        };
        (0..count).map(sample).collect()
    }

    #[test]
    fn what_was_written_is_read_again_whatever_its_length() {
        for count in [1, 2, 5, 17, 4095, 4096, 4097, 10_000, 600_000] {
            let [flac, wav] = read_again(&sound(count, 0.1));
            assert!(
                flac[..count] == wav && flac[count..].iter().all(|rest| *rest == 0.0),
                "{count} samples"
            );
        }
    }

    #[test]
    fn silence_steps_and_the_loudest_noise_survive() {
        let step = |at: usize| if (at / 100).is_multiple_of(2) { 1.0 } else { -1.0 };
        for samples in [
            vec![0.0; 5000],
            (0..5000).map(step).collect(),
            sound(5000, 4.0),
            [f32::NAN, 7.0, -7.0, 0.5].repeat(9),
        ] {
            let [flac, wav] = read_again(&samples);
            assert!(flac == wav);
        }
    }

    #[test]
    fn ultrasonic_recordings_are_written_at_a_rate_that_players_know() {
        for rate_hz in [96_000, 96_001, 192_000, 250_000, 384_000, 2_000_000] {
            let bytes = encode_flac(&sound(20_000, 0.1), rate_hz);
            let read = decode_bytes(Path::new("x.flac"), bytes, &DecodeConfig::default());
            let expected = if rate_hz > 96_000 { 48_000 } else { rate_hz };
            assert_eq!(read.expect("a valid file").rate_hz, expected, "{rate_hz}");
        }
    }

    #[test]
    fn a_hum_takes_less_than_its_wav() {
        let samples = sound(100_000, 0.02);
        let (flac, wav) = (encode_flac(&samples, 16_000), encode_wav(&samples, 16_000));
        assert!(4 * flac.len() < 3 * wav.len(), "{} against {} bytes", flac.len(), wav.len());
    }
}
