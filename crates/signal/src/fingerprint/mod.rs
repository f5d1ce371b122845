//! Fingerprints of sound: whether two recordings hold the same stretch of sound, though one is coded anew, louder, of
//! another rate, or begins elsewhere.
//!
//! What is compared is the fine structure of the noise that every microphone hears: which of two neighbouring bands
//! gained energy. It is never the same twice, however steadily a machine runs. Digital silence has none, and matches
//! nothing. A sound that repeats itself exactly cannot be told from its own repetition, and matches nothing either.
//!
//! # Source
//! Haitsma and Kalker, "A Highly Robust Audio Fingerprinting System", ISMIR 2002: signs of energy differences, a table
//! of exact sub-fingerprints, candidates settled by their share of differing bits. What differs is chosen for noise:
//! bands of equal width, frames of 0.13 s, and differences between frames that share no sample.

mod index;
mod sparse;

pub use index::{FingerprintIndex, Shared};
pub use sparse::SparseFingerprint;

use std::sync::Arc;

use crate::stft::{FrameCutter, FramePlan};

/// Bits of a frame: one between each two neighbouring bands.
const BITS: usize = 32;
/// Bands that are compared, and the lowest and highest frequency of all of them, where the rate has them.
const BANDS: usize = BITS + 1;
const LOWEST_HZ: f64 = 300.0;
const HIGHEST_HZ: f64 = 3400.0;
/// The same as shares of the rate, where it is lower than a telephone's.
const LOWEST_SHARE: f64 = LOWEST_HZ / 8000.0;
const HIGHEST_SHARE: f64 = HIGHEST_HZ / 8000.0;
/// Length of a frame that is aimed at; it is the nearest power of two in samples.
const FRAME_S: f64 = 0.128;
const LEAST_FRAME: usize = 128;
/// Frames that begin within one frame; so many back lies the frame that each is compared with.
const OVERLAP: usize = 8;
/// Root mean square of noise below which a frame counts as silent: far below one step of 16 bits.
const SILENT: f64 = 1e-6;
/// Bits of a frame that a copy may have changed most likely: they are looked up either way.
const WEAK_BITS: usize = 6;

/// One frame of a fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Frame {
    /// Which of two neighbouring bands gained energy; 0: nothing was heard.
    bits: u32,
    /// Marks the bits that hardly differ from their opposite.
    weak: u32,
}

/// The fingerprint of a sound, frame by frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    frames: Vec<Frame>,
    /// Samples from one frame to the next.
    hop: usize,
    rate_hz: u32,
}

impl Fingerprint {
    /// Its form for keeping: every eighth frame, fewer of very long sounds.
    pub fn sparse(&self) -> SparseFingerprint {
        let bits: Vec<u32> = self.frames.iter().map(|frame| frame.bits).collect();
        SparseFingerprint::of(&bits, self.hop, self.rate_hz)
    }
}

/// Takes the fingerprint of sound as it arrives. The pieces that it arrives in change nothing.
///
/// Fingerprints can be compared if they were taken at one rate: sound of another is converted before.
pub struct Fingerprinter {
    cutter: FrameCutter,
    plan: Arc<FramePlan>,
    /// Edges of the bands, as bins of the transform.
    edges: Vec<usize>,
    /// Energy of all bands together below which a frame is silent.
    silent: f32,
    /// Energies of the latest frames, in turns; silent ones are all zero.
    latest: Vec<[f32; BANDS]>,
    taken: usize,
    print: Fingerprint,
}

impl Fingerprinter {
    /// At the start of a sound of a rate.
    pub fn new(rate_hz: u32) -> Self {
        let rate = f64::from(rate_hz.max(1));
        let aim = frame_of(rate_hz);
        let hop = aim / OVERLAP;
        let low = LOWEST_HZ.min(LOWEST_SHARE * rate);
        let high = HIGHEST_HZ.min(HIGHEST_SHARE * rate);
        let bin = |band: usize| {
            let hz = low + (high - low) * band as f64 / BANDS as f64;
            (hz / rate * aim as f64).round() as usize
        };
        let edges: Vec<usize> = (0..=BANDS).map(bin).collect();
        let bins = (edges[BANDS] - edges[0]) as f64;
        // A periodic Hann window passes three eighths of the energy of noise.
        let silent = (bins * SILENT * SILENT * aim as f64 * 3.0 / 8.0) as f32;
        Self {
            cutter: FrameCutter::new(aim, hop),
            plan: FramePlan::shared(aim, aim),
            edges,
            silent,
            latest: vec![[0.0; BANDS]; OVERLAP],
            taken: 0,
            print: Fingerprint { frames: Vec::new(), hop, rate_hz },
        }
    }

    /// Takes the next samples.
    pub fn push(&mut self, samples: &[f32]) {
        let Self { cutter, plan, edges, silent, latest, taken, print } = self;
        cutter.push(samples, |frame| {
            let mut energies = [0.0; BANDS];
            plan.bins_of(frame, |bins| {
                for (energy, edge) in energies.iter_mut().zip(edges.windows(2)) {
                    let band = &bins[edge[0]..edge[1]];
                    *energy = band.iter().map(|bin| bin.re * bin.re + bin.im * bin.im).sum();
                }
            });
            let sum: f32 = energies.iter().sum();
            // Not heard: silence, or numbers beyond sense.
            if !(sum > *silent && sum.is_finite()) {
                energies = [0.0; BANDS];
            }
            let before = &mut latest[*taken % OVERLAP];
            *taken += 1;
            if *taken > OVERLAP {
                print.frames.push(compared(before, &energies));
            }
            *before = energies;
        });
    }

    /// The fingerprint of all that was taken; of less than a quarter of a second it is empty.
    pub fn finish(self) -> Fingerprint {
        self.print
    }
}

/// Samples of a frame at a rate.
fn frame_of(rate_hz: u32) -> usize {
    let aim = f64::from(rate_hz.max(1)) * FRAME_S;
    (aim.log2().round().exp2() as usize).max(LEAST_FRAME)
}

/// What two frames say of each other.
fn compared(before: &[f32; BANDS], now: &[f32; BANDS]) -> Frame {
    let is_silent = |energies: &[f32; BANDS]| energies.iter().all(|&energy| energy == 0.0);
    if is_silent(before) || is_silent(now) {
        return Frame::default();
    }
    let mut frame = Frame::default();
    let mut certain = [0.0_f32; BITS];
    for bit in 0..BITS {
        let gained = (now[bit] - now[bit + 1]) - (before[bit] - before[bit + 1]);
        frame.bits |= u32::from(gained > 0.0) << bit;
        let all = now[bit] + now[bit + 1] + before[bit] + before[bit + 1];
        certain[bit] = if all > 0.0 { gained.abs() / all } else { 0.0 };
    }
    let mut order: [usize; BITS] = std::array::from_fn(|bit| bit);
    order.select_nth_unstable_by(WEAK_BITS, |&a, &b| {
        certain[a].total_cmp(&certain[b]).then(a.cmp(&b))
    });
    frame.weak = order[..WEAK_BITS].iter().fold(0, |weak, bit| weak | 1 << bit);
    frame
}
