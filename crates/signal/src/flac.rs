//! Sound to bytes: FLAC, for players; the same samples as the WAV file in two thirds of its bytes or so.
//!
//! Fixed predictors and Rice codes only, after RFC 9639: small, and fast enough to encode a clip of
//! ten seconds in a few milliseconds.

use super::encode::level;

/// Samples of every frame but the last.
const BLOCK: usize = 4096;
const BITS: u32 = 16;
/// The largest Rice parameter of the four-bit coding method; above it lies the escape code.
const MOST_RICE: u32 = 14;
/// Residuals are cut into at most two to the power of this many partitions, each with its parameter.
const MOST_PARTITION_ORDER: u32 = 6;

/// A mono 16-bit FLAC file of samples in -1 to 1; louder ones are cut off, undefined ones silent.
pub fn encode_flac(samples: &[f32], rate_hz: u32) -> Vec<u8> {
    let levels: Vec<i32> = samples.iter().map(|sample| i32::from(level(*sample))).collect();
    let mut bits = Bits::default();
    bits.put(u64::from(u32::from_be_bytes(*b"fLaC")), 32);
    // The only metadata block: STREAMINFO, the last of them, of 34 bytes.
    bits.put(0x80, 8);
    bits.put(34, 24);
    bits.put(BLOCK as u64, 16);
    bits.put(BLOCK as u64, 16);
    // Sizes of frames and the digest of all samples may be left unknown.
    bits.put(0, 48);
    bits.put(u64::from(rate_hz), 20);
    bits.put(0, 3);
    bits.put(u64::from(BITS - 1), 5);
    bits.put(levels.len() as u64, 36);
    bits.put(0, 64);
    bits.put(0, 64);
    for (number, block) in levels.chunks(BLOCK).enumerate() {
        frame(&mut bits, number as u64, block);
    }
    bits.bytes
}

fn frame(bits: &mut Bits, number: u64, block: &[i32]) {
    let begin = bits.bytes.len();
    // Synchronisation, fixed block size; the size follows at the header's end; the rate is the stream's.
    bits.put(0xfff8, 16);
    bits.put(0b0111, 4);
    bits.put(0, 4);
    // One channel of 16 bits.
    bits.put(0, 4);
    bits.put(0b100, 3);
    bits.put(0, 1);
    put_number(bits, number);
    bits.put(block.len() as u64 - 1, 16);
    let check = crc(&bits.bytes[begin..], 8, 0x07);
    bits.put(u64::from(check), 8);
    subframe(bits, block);
    bits.fill_byte();
    let check = crc(&bits.bytes[begin..], 16, 0x8005);
    bits.put(u64::from(check), 16);
}

/// A number as UTF-8 codes its letters.
fn put_number(bits: &mut Bits, number: u64) {
    if number < 0x80 {
        return bits.put(number, 8);
    }
    let more = (1..6).find(|more| number < 1 << (5 * more + 6)).unwrap_or(6);
    let lead = (0xff_u64 << (7 - more)) & 0xff;
    bits.put(lead | (number >> (6 * more)), 8);
    for byte in (0..more).rev() {
        bits.put(0x80 | ((number >> (6 * byte)) & 0x3f), 8);
    }
}

/// The block by the predictor that leaves the least.
fn subframe(bits: &mut Bits, block: &[i32]) {
    let mut residual = block.to_vec();
    let mut best = (0, Rice::of(&residual, 0), residual.clone());
    for order in 1..=4.min(block.len().saturating_sub(1)) {
        for at in (order..residual.len()).rev() {
            residual[at] -= residual[at - 1];
        }
        let rice = Rice::of(&residual, order);
        if rice.bits < best.1.bits {
            best = (order, rice, residual.clone());
        }
    }
    let (order, rice, residual) = best;
    if rice.bits + u64::from(BITS) * order as u64 >= u64::from(BITS) * block.len() as u64 {
        bits.put(0b0000_0010, 8);
        block.iter().for_each(|level| bits.put_signed(*level, BITS));
        return;
    }
    bits.put(0b0001_0000 | ((order as u64) << 1), 8);
    block[..order].iter().for_each(|level| bits.put_signed(*level, BITS));
    rice.put(bits, &residual, order);
}

/// How residuals are coded: partitions of equal length, each with its parameter.
struct Rice {
    order: u32,
    parameters: Vec<u32>,
    bits: u64,
}

impl Rice {
    /// The cheapest coding of what a predictor of `warm_up` samples leaves.
    fn of(residual: &[i32], warm_up: usize) -> Self {
        let fits = |order: &u32| {
            residual.len().is_multiple_of(1 << order) && residual.len() >> order > warm_up
        };
        let codings = (0..=MOST_PARTITION_ORDER).filter(fits).map(|order| {
            let chosen: Vec<(u32, u64)> =
                partitions(residual, warm_up, order).map(cheapest).collect();
            Self {
                order,
                bits: chosen.iter().map(|(_, bits)| bits + 4).sum::<u64>() + 6,
                parameters: chosen.into_iter().map(|(parameter, _)| parameter).collect(),
            }
        });
        codings.min_by_key(|coding| coding.bits).expect("one partition fits any block")
    }

    fn put(&self, bits: &mut Bits, residual: &[i32], warm_up: usize) {
        bits.put(0, 2);
        bits.put(u64::from(self.order), 4);
        let parts = partitions(residual, warm_up, self.order);
        for (part, &parameter) in parts.zip(&self.parameters) {
            bits.put(u64::from(parameter), 4);
            for value in part {
                let folded = folded(*value);
                bits.put_zeros(folded >> parameter);
                bits.put(1, 1);
                bits.put(u64::from(folded) & ((1 << parameter) - 1), parameter);
            }
        }
    }
}

/// The partitions of a block's residuals; the first lacks the warm-up.
fn partitions(residual: &[i32], warm_up: usize, order: u32) -> impl Iterator<Item = &[i32]> {
    let parts = residual.chunks((residual.len() >> order).max(1));
    parts.enumerate().map(move |(index, part)| if index == 0 { &part[warm_up..] } else { part })
}

/// The Rice parameter of a partition, and the bits it takes.
fn cheapest(part: &[i32]) -> (u32, u64) {
    let cost = |parameter: u32| {
        let each = part.iter().map(|value| u64::from(folded(*value) >> parameter) + 1);
        each.sum::<u64>() + u64::from(parameter) * part.len() as u64
    };
    // The best parameter is near the binary logarithm of the mean.
    let mean =
        part.iter().map(|value| u64::from(folded(*value))).sum::<u64>() / part.len().max(1) as u64;
    let near = mean.max(1).ilog2();
    let tried = near.saturating_sub(1).min(MOST_RICE)..=(near + 1).min(MOST_RICE);
    let costs = tried.map(|parameter| (parameter, cost(parameter)));
    costs.min_by_key(|(_, bits)| *bits).expect("at least one parameter is tried")
}

/// Signed values in an order of rising size: 0, -1, 1, -2, 2.
fn folded(value: i32) -> u32 {
    ((value << 1) ^ (value >> 31)).cast_unsigned()
}

/// Bytes filled bit by bit, the highest first.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    /// Bits that do not fill a byte yet, and their number.
    rest: u64,
    count: u32,
}

impl Bits {
    /// Appends the lowest `count` bits of a value.
    fn put(&mut self, value: u64, count: u32) {
        if count > 32 {
            self.put(value >> 32, count - 32);
            return self.put(value & 0xffff_ffff, 32);
        }
        self.rest = (self.rest << count) | value;
        self.count += count;
        while self.count >= 8 {
            self.count -= 8;
            self.bytes.push((self.rest >> self.count) as u8);
        }
        self.rest &= (1 << self.count) - 1;
    }

    fn put_signed(&mut self, value: i32, count: u32) {
        self.put(u64::from(value.cast_unsigned()) & ((1 << count) - 1), count);
    }

    fn put_zeros(&mut self, count: u32) {
        for _ in 0..count / 32 {
            self.put(0, 32);
        }
        self.put(0, count % 32);
    }

    fn fill_byte(&mut self) {
        if self.count > 0 {
            self.put(0, 8 - self.count);
        }
    }
}

/// A cyclic redundancy check of 8 or 16 bits.
fn crc(bytes: &[u8], width: u32, polynomial: u32) -> u32 {
    let top = 1 << (width - 1);
    let mut check = 0_u32;
    for byte in bytes {
        check ^= u32::from(*byte) << (width - 8);
        for _ in 0..8 {
            check = if check & top == 0 { check << 1 } else { (check << 1) ^ polynomial };
        }
        check &= (top << 1) - 1;
    }
    check
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
            assert!(flac == wav, "{count} samples");
        }
    }

    #[test]
    fn silence_steps_and_the_loudest_noise_survive() {
        let step = |at: usize| if at / 100 % 2 == 0 { 1.0 } else { -1.0 };
        for samples in [
            vec![0.0; 5000],
            (0..5000).map(step).collect(),
            sound(5000, 4.0),
            vec![f32::NAN, 7.0, -7.0, 0.5],
        ] {
            let [flac, wav] = read_again(&samples);
            assert!(flac == wav);
        }
    }

    #[test]
    fn a_hum_takes_less_than_its_wav() {
        let samples = sound(100_000, 0.02);
        let (flac, wav) = (encode_flac(&samples, 16_000), encode_wav(&samples, 16_000));
        assert!(4 * flac.len() < 3 * wav.len(), "{} against {} bytes", flac.len(), wav.len());
    }
}
