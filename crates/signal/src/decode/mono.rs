//! Interleaved frames to mono samples that can be worked with: the one place where channels are
//! joined and values checked, for files and streams alike.

use super::config::{Cancelled, ChannelRule};
use crate::{
    Damage, Finding,
    cancel::{Relation, cancel, frame_len},
    level::power_db,
};

/// No recording holds a larger sample, and the sum of squares of many of them is still a number.
pub(super) const LARGEST: f32 = 1e6;
/// By how much the mean of all channels lies below the loudest of them where they cancel. Two
/// microphones that hear the same with noise of their own lose 3 dB, a dead one beside a live one 6,
/// the fault of one of eight 18.
const CANCELLED_DB: f64 = 30.0;

/// Length of the stretches over which a far channel is cancelled: they begin at whole multiples of it, whether a
/// recording is read from its beginning, from the middle, or as a stream.
const STRETCH_S: u64 = 10;

/// Two channels of which a stretch is being gathered.
#[derive(Debug, Clone)]
struct Gathering {
    near: Vec<f32>,
    far: Vec<f32>,
    /// Samples of a stretch, and of a frame.
    stretch: usize,
    frame: usize,
    relation: Option<Relation>,
    /// Mono samples before the first that was asked for.
    skip: usize,
}

/// Joins channels by a rule and keeps account of what it loses.
#[derive(Debug, Clone)]
pub(super) struct Mono {
    rule: ChannelRule,
    channels: usize,
    /// First frame, and the next.
    begin: u64,
    frame: u64,
    /// Sums of squares of every channel, and of their mean.
    energies: Vec<f64>,
    mean_energy: f64,
    /// Where a far channel is cancelled.
    gathering: Option<Gathering>,
}

impl Mono {
    /// Joins `channels` channels from frame `frame` on. The first frame it needs may lie before that, see
    /// [`Mono::frame`]; what it gives begins at `frame`.
    pub(super) fn new(rule: ChannelRule, channels: u16, rate_hz: u32, frame: u64) -> Self {
        let channels = usize::from(channels);
        let (mut begin, mut gathering) = (frame, None);
        if let ChannelRule::Cancel(_) = rule {
            let stretch = STRETCH_S * u64::from(rate_hz);
            // A last stretch too short to tell takes the relation of the one before it.
            begin = (frame - frame % stretch).saturating_sub(stretch);
            gathering = Some(Gathering {
                near: Vec::new(),
                far: Vec::new(),
                stretch: stretch as usize,
                frame: frame_len(rate_hz),
                relation: None,
                skip: (frame - begin) as usize,
            });
        }
        Self {
            rule,
            channels,
            begin,
            frame: begin,
            energies: vec![0.0; channels],
            mean_energy: 0.0,
            gathering,
        }
    }

    /// The next frame's position in the recording.
    pub(super) fn frame(&self) -> u64 {
        self.frame
    }

    /// Appends the mono samples of interleaved frames, up to the first that is no usable number. Where a far
    /// channel is cancelled they come stretch by stretch, the last with [`Mono::finish`].
    pub(super) fn push(&mut self, frames: &[f32], mono: &mut Vec<f32>) -> Option<Damage> {
        if let (Some(gathering), ChannelRule::Cancel(channels)) = (&mut self.gathering, self.rule) {
            let (good, damage) = gathering.push(channels, self.channels, frames, mono);
            let damage = damage.map(|value| damage_at(self.frame + good as u64, value));
            self.frame += good as u64;
            return damage;
        }
        let begin = mono.len();
        match self.rule {
            ChannelRule::Mix if self.channels == 1 => mono.extend_from_slice(frames),
            ChannelRule::Mix => {
                let scale = 1.0 / self.channels as f32;
                let frames = frames.chunks_exact(self.channels);
                mono.extend(frames.map(|frame| frame.iter().sum::<f32>() * scale));
            }
            ChannelRule::Pick(channel) => {
                let frames = frames.chunks_exact(self.channels);
                mono.extend(frames.map(|frame| frame[usize::from(channel)]));
            }
            ChannelRule::Cancel(_) => unreachable!("gathered above"),
        }
        let unusable = mono[begin..].iter().position(|sample| !is_usable(*sample));
        let good = unusable.unwrap_or(mono.len() - begin);
        let damage = unusable.map(|at| damage_at(self.frame + at as u64, mono[begin + at]));
        mono.truncate(begin + good);
        self.weigh(&frames[..good * self.channels], &mono[begin..]);
        self.frame += good as u64;
        damage
    }

    /// Appends what is still held back.
    pub(super) fn finish(&mut self, mono: &mut Vec<f32>) {
        if let Some(gathering) = &mut self.gathering {
            gathering.give(mono);
        }
    }

    fn weigh(&mut self, frames: &[f32], mono: &[f32]) {
        if self.rule != ChannelRule::Mix || self.channels == 1 {
            return;
        }
        for frame in frames.chunks_exact(self.channels) {
            for (energy, sample) in self.energies.iter_mut().zip(frame) {
                *energy += f64::from(*sample).powi(2);
            }
        }
        self.mean_energy += mono.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>();
    }

    /// That the channels cancel, where they do.
    pub(super) fn finding(&self) -> Option<Finding> {
        let loudest = self.energies.iter().copied().fold(0.0, f64::max);
        let count = (self.frame - self.begin).max(1) as f64;
        let (mean_db, loudest_db) = (power_db(self.mean_energy / count), power_db(loudest / count));
        (loudest > 0.0 && mean_db < loudest_db - CANCELLED_DB).then_some(Finding::ChannelsCancel {
            mean_db: mean_db as f32,
            loudest_db: loudest_db as f32,
        })
    }
}

impl Gathering {
    /// Takes frames up to the first unusable one; how many, and that one's value.
    fn push(
        &mut self,
        Cancelled { near, far }: Cancelled,
        channels: usize,
        frames: &[f32],
        mono: &mut Vec<f32>,
    ) -> (usize, Option<f32>) {
        let mut taken = 0;
        for frame in frames.chunks_exact(channels) {
            let (near, far) = (frame[usize::from(near)], frame[usize::from(far)]);
            if let Some(&bad) = [near, far].iter().find(|&&sample| !is_usable(sample)) {
                return (taken, Some(bad));
            }
            self.near.push(near);
            self.far.push(far);
            taken += 1;
            if self.near.len() == self.stretch {
                self.give(mono);
            }
        }
        (taken, None)
    }

    /// Cancels what was gathered and appends it.
    fn give(&mut self, mono: &mut Vec<f32>) {
        let (kept, found) = cancel(&self.near, &self.far, self.frame, self.relation.as_ref());
        self.relation = found.or(self.relation.take());
        self.near.clear();
        self.far.clear();
        let skipped = self.skip.min(kept.len());
        self.skip -= skipped;
        mono.extend(&kept[skipped..]);
    }
}

fn is_usable(sample: f32) -> bool {
    // Comparison with a number that is none is false.
    sample.abs() <= LARGEST
}

fn damage_at(frame: u64, value: f32) -> Damage {
    if value.is_finite() { Damage::Absurd { frame, value } } else { Damage::NotFinite { frame } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_before_an_unusable_sample_is_kept() {
        for (bad, damage) in [
            ([f32::NAN, 0.0], Damage::NotFinite { frame: 12 }),
            ([f32::INFINITY, f32::NEG_INFINITY], Damage::NotFinite { frame: 12 }),
            ([3.4e38, 3.4e38], Damage::NotFinite { frame: 12 }),
            ([3e6, 3e6], Damage::Absurd { frame: 12, value: 3e6 }),
        ] {
            let mut mono = Vec::new();
            let mut mix = Mono::new(ChannelRule::Mix, 2, 16_000, 10);
            let frames = [&[0.5, 0.25, 1e6, 1e6][..], &bad, &[0.1, 0.1]].concat();
            assert_eq!(mix.push(&frames, &mut mono), Some(damage));
            assert_eq!(mono, [0.375, 1e6]);
        }
    }

    #[test]
    fn a_channel_that_is_not_heard_may_hold_anything() {
        let mut mono = Vec::new();
        let damage =
            Mono::new(ChannelRule::Pick(1), 2, 16_000, 0).push(&[f32::NAN, 0.5], &mut mono);
        assert_eq!((damage, mono), (None, vec![0.5]));
    }

    #[test]
    fn a_cancelled_far_channel_is_the_same_in_any_pieces_and_from_any_beginning() {
        let rate_hz = 1000;
        let rule = ChannelRule::Cancel(Cancelled::default());
        // The last stretch, of half a second, is too short to tell a relation.
        let frames: Vec<f32> =
            (0..41_000_u64).map(|n| ((n * n) % 997) as f32 / 997.0 - 0.5).collect();
        let read = |from: usize, piece: usize| {
            let mut mono = Mono::new(rule, 2, rate_hz, from as u64);
            let mut out = Vec::new();
            for part in frames[2 * mono.frame() as usize..].chunks(2 * piece) {
                assert_eq!(mono.push(part, &mut out), None);
            }
            mono.finish(&mut out);
            out
        };
        let whole = read(0, 25_000);
        assert_eq!(whole.len(), 20_500);
        assert_eq!(whole, read(0, 7));
        for from in [12_345, 20_000, 20_100] {
            assert_eq!(whole[from..], read(from, 999));
        }
    }

    #[test]
    fn inverted_channels_cancel_and_a_dead_one_does_not() {
        let wave: Vec<f32> = (0..1000).map(|n| 0.5 * (n as f32 * 0.1).sin()).collect();
        let finding = |rule, channel: &dyn Fn(f32) -> [f32; 2]| {
            let frames: Vec<f32> = wave.iter().flat_map(|sample| channel(*sample)).collect();
            let mut mono = Mono::new(rule, 2, 16_000, 0);
            mono.push(&frames, &mut Vec::new());
            mono.finding()
        };
        assert!(matches!(
            finding(ChannelRule::Mix, &|x| [x, -x]),
            Some(Finding::ChannelsCancel { .. })
        ));
        assert_eq!(finding(ChannelRule::Mix, &|x| [x, x]), None);
        assert_eq!(finding(ChannelRule::Mix, &|x| [x, 0.0]), None);
        assert_eq!(finding(ChannelRule::Mix, &|_| [0.0, 0.0]), None);
        assert_eq!(finding(ChannelRule::Pick(0), &|x| [x, -x]), None);
    }
}
