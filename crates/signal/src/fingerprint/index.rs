//! Which of many known sounds a sound shares a stretch with.

use super::{BITS, Fingerprint, Frame, OVERLAP, SparseFingerprint};

/// Most of the bits of one stretch that may differ in a copy. Copies differ in 0 to 22 %; the most alike stretches of
/// two seconds in different recordings of one real machine, at any offset, in 33 %.
const MOST_DIFFERING: f64 = 0.25;
/// By so much more its bits differ from every other place, or a sound repeats itself and nothing can be said.
const APART: f64 = 0.1;
/// Shortest stretch that is found, in seconds, unless a sound is no longer than that...
const LEAST_S: f64 = 2.0;
/// ...then it is this share of the shorter sound...
const LEAST_SHARE: f64 = 0.9;
/// ...and never fewer than so many frames.
const LEAST_FRAMES: usize = 8;
/// What both hold is measured by stretches of so many frames, of whose bits at most this share differs.
const CLOSE: (usize, f64) = (4, 0.3);
/// So many frames longer is the sound that a number of frames is made of.
const REACH: usize = 2 * OVERLAP - 1;
/// Most frames that are compared with every other place.
const MOST_ELSEWHERE: usize = 32;
/// Of bits that stand at more places than this the first are looked at: copies are joined through them.
const MOST_PLACES: usize = 64;
/// Most candidates that are collected for a sound, and compared for each known sound.
const MOST_VOTES: usize = 1 << 20;
const MOST_COMPARED: usize = 32;

/// A stretch of sound that a known sound holds as well.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shared {
    /// The number of the known sound.
    pub known: usize,
    /// Seconds that both hold.
    pub shared_s: f64,
    /// Seconds of the sound, and of the known one, as far as their fingerprints reach.
    pub lengths_s: (f64, f64),
    /// Share of the bits that differ within what both hold, 0 to 1.
    pub differing: f64,
}

/// Known sounds, by the bits of their frames.
pub struct FingerprintIndex<'a> {
    known: Vec<&'a SparseFingerprint>,
    /// Bits, number of the known sound and number of the frame within it, in this order.
    places: Vec<(u32, u32, u32)>,
    /// For each value of the upper half of the bits where its places begin.
    begins: Vec<u32>,
}

impl<'a> FingerprintIndex<'a> {
    /// An index of sounds, which are numbered in their order. All are of one rate.
    pub fn new(known: Vec<&'a SparseFingerprint>) -> Self {
        let mut places = Vec::new();
        for (number, print) in (0_u32..).zip(&known) {
            let frames = (0_u32..).zip(&print.bits).filter(|(_, bits)| **bits != 0);
            places.extend(frames.map(|(frame, &bits)| (bits, number, frame)));
        }
        places.sort_unstable();
        let mut begins = vec![0_u32; (1 << 16) + 1];
        for (bits, _, _) in &places {
            begins[(bits >> 16) as usize + 1] += 1;
        }
        for value in 1..begins.len() {
            begins[value] += begins[value - 1];
        }
        Self { known, places, begins }
    }

    /// The known sounds with numbers below `below` that share a stretch with a sound, in their order.
    pub fn shared(&self, sound: &Fingerprint, below: usize) -> Vec<Shared> {
        let mut votes = self.votes(sound, below);
        votes.sort_unstable();
        // Per known sound its offsets, the most frequent first.
        let mut offsets: Vec<(u32, std::cmp::Reverse<usize>, i64)> = votes
            .chunk_by(|a, b| a == b)
            .map(|same| (same[0].0, std::cmp::Reverse(same.len()), same[0].1))
            .collect();
        offsets.sort_unstable();
        let of_each = offsets.chunk_by(|a, b| a.0 == b.0);
        let found = of_each.filter_map(|offsets| {
            let number = offsets[0].0 as usize;
            let pair = Pair { sound: &sound.frames, known: self.known[number] };
            let best =
                offsets.iter().take(MOST_COMPARED).find_map(|(_, _, at)| pair.aligned(*at))?;
            let known = self.known[number];
            // A frame reaches to the end of itself, and back to the beginning of the one it is compared with.
            let lasts = |frames: usize| (frames + REACH) as f64 * known.hop_s();
            // How long the known sound lasted is known but for one stride.
            let least_s = lasts(known.bits.len().saturating_sub(1) * known.stride);
            let (own_s, stride_s) =
                (lasts(sound.frames.len()), known.stride as f64 * known.hop_s());
            let is_as_long = (least_s..=least_s + stride_s).contains(&own_s);
            let lengths_s = (own_s, if is_as_long { own_s } else { least_s + stride_s / 2.0 });
            let shared_s = lasts(best.frames * known.stride).min(lengths_s.0).min(lengths_s.1);
            Some(Shared { known: number, shared_s, lengths_s, differing: best.differing })
        });
        found.collect()
    }

    /// Known sounds and offsets at which the bits of a frame are the same, but for weak ones.
    fn votes(&self, sound: &Fingerprint, below: usize) -> Vec<(u32, i64)> {
        let mut votes = Vec::new();
        for (at, frame) in (0_i64..).zip(&sound.frames).filter(|(_, frame)| frame.bits != 0) {
            let mut changed = frame.weak;
            loop {
                for &(_, number, kept) in self.places_of(frame.bits ^ changed) {
                    if (number as usize) < below {
                        let stride = signed(self.known[number as usize].stride);
                        votes.push((number, at - i64::from(kept) * stride));
                    }
                }
                if changed == 0 {
                    break;
                }
                changed = (changed - 1) & frame.weak;
            }
            if votes.len() > MOST_VOTES {
                break;
            }
        }
        votes
    }

    /// Where bits stand, the first places of many.
    fn places_of(&self, bits: u32) -> &[(u32, u32, u32)] {
        let upper = (bits >> 16) as usize;
        let alike = &self.places[self.begins[upper] as usize..self.begins[upper + 1] as usize];
        if alike.is_empty() {
            return alike;
        }
        let from = alike.partition_point(|place| place.0 < bits);
        let count = alike[from..].iter().take(MOST_PLACES).take_while(|p| p.0 == bits).count();
        &alike[from..from + count]
    }
}

/// A sound and a known one.
struct Pair<'a> {
    sound: &'a [Frame],
    known: &'a SparseFingerprint,
}

/// What both hold at one offset.
struct Aligned {
    /// Frames of the known sound that are kept, within it.
    frames: usize,
    differing: f64,
}

impl Pair<'_> {
    /// What both hold, where the known sound begins about at this frame of the other; nothing, if they hold different
    /// sound or one that repeats itself.
    fn aligned(&self, about: i64) -> Option<Aligned> {
        let looked = (about - 1..=about + 1).filter_map(|offset| self.best_window(offset));
        let (differing, offset, window) = looked.min_by(|a, b| a.0.total_cmp(&b.0))?;
        if differing > MOST_DIFFERING || self.repeats(offset, &window, differing) {
            return None;
        }
        let errors = self.errors(offset);
        let held = alike(&errors, window.len(), MOST_DIFFERING);
        // Longer stretches reach beyond what both hold.
        let close = alike(&errors, CLOSE.0.min(errors.len()), CLOSE.1);
        let held: Vec<u32> = errors
            .iter()
            .zip(held.into_iter().zip(close))
            .filter_map(|((_, errors), (held, close))| (held && close).then_some(*errors))
            .collect();
        let frames = held.len();
        (frames > 0).then(|| Aligned { frames, differing: share(held.iter().sum(), frames) })
    }

    /// Of the frames of the known sound that both hold at an offset, the number and how many bits differ.
    fn errors(&self, offset: i64) -> Vec<(usize, u32)> {
        let frames = self.known.bits.iter().enumerate();
        frames.filter_map(|(kept, &bits)| Some((kept, self.differ(kept, bits, offset)?))).collect()
    }

    fn differ(&self, kept: usize, bits: u32, offset: i64) -> Option<u32> {
        let at = usize::try_from(signed(kept * self.known.stride) + offset).ok()?;
        let own = self.sound.get(at)?.bits;
        (own != 0 && bits != 0).then(|| (own ^ bits).count_ones())
    }

    /// The stretch at an offset whose bits differ least: their share, the offset, and the frames of the known sound.
    fn best_window(&self, offset: i64) -> Option<(f64, i64, Vec<usize>)> {
        let errors = self.errors(offset);
        let stride_s = self.known.stride as f64 * self.known.hop_s();
        let reach_s = REACH as f64 * self.known.hop_s();
        let usual = (((LEAST_S - reach_s) / stride_s) as usize).max(LEAST_FRAMES);
        let length = if errors.len() >= usual {
            usual
        } else {
            let own = self.sound.iter().step_by(self.known.stride).filter(|f| f.bits != 0).count();
            let shorter = own.min(self.known.bits.iter().filter(|bits| **bits != 0).count());
            let least = (LEAST_SHARE * shorter as f64).ceil() as usize;
            if errors.len() < least.max(LEAST_FRAMES) {
                return None;
            }
            errors.len()
        };
        let windows = errors.windows(length).map(|window| {
            let sum: u32 = window.iter().map(|(_, errors)| errors).sum();
            (sum, window)
        });
        let (sum, window) = windows.min_by_key(|(sum, _)| *sum)?;
        Some((share(sum, length), offset, window.iter().map(|(kept, _)| *kept).collect()))
    }

    /// Whether the bits of a stretch differ hardly more at another place of either sound.
    fn repeats(&self, offset: i64, window: &[usize], differing: f64) -> bool {
        let stride = signed(self.known.stride);
        let step = window.len().div_ceil(MOST_ELSEWHERE);
        let looked: Vec<usize> = window.iter().copied().step_by(step).collect();
        let (Some(&first), Some(&last)) = (looked.first(), looked.last()) else { return true };
        let least = looked.len().div_ceil(2);
        let far = |shift: &i64| shift.unsigned_abs() as usize >= 2 * OVERLAP;
        let is_alike = |errors: &mut dyn Iterator<Item = u32>| {
            let (count, sum) =
                errors.fold((0, 0), |(count, sum), errors| (count + 1, sum + errors));
            count >= least && share(sum, count) < differing + APART
        };
        // The stretch of the known sound at other places of the sound.
        let begin = -(signed(last) * stride + offset);
        let end = signed(self.sound.len()) - signed(first) * stride - offset;
        let in_sound = (begin..end).filter(far).any(|shift| {
            let there = |&kept: &usize| self.differ(kept, self.known.bits[kept], offset + shift);
            is_alike(&mut looked.iter().filter_map(there))
        });
        // The stretch of the sound at other places of the known one.
        let places = -signed(last)..signed(self.known.bits.len()) - signed(first);
        let mut far_places = places.filter(|shift| far(&(shift * stride)));
        in_sound
            || far_places.any(|shift| {
                let there = |&kept: &usize| {
                    let other = usize::try_from(signed(kept) + shift).ok()?;
                    self.differ(kept, *self.known.bits.get(other)?, offset)
                };
                is_alike(&mut looked.iter().filter_map(there))
            })
    }
}

/// Which frames lie within a stretch of so many of them whose bits differ no more than this.
fn alike(errors: &[(usize, u32)], length: usize, most: f64) -> Vec<bool> {
    let mut within = vec![false; errors.len()];
    for (begin, stretch) in errors.windows(length).enumerate() {
        if share(stretch.iter().map(|(_, errors)| errors).sum(), length) <= most {
            within[begin..begin + length].fill(true);
        }
    }
    within
}

/// A number of frames, which no sound has too many of.
fn signed(frames: usize) -> i64 {
    i64::try_from(frames).unwrap_or(i64::MAX)
}

/// Share of the bits of so many frames.
fn share(differing: u32, frames: usize) -> f64 {
    f64::from(differing) / (frames * BITS) as f64
}
