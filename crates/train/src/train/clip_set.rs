//! The clips of a job, parted into those that teach and those kept out for measuring.

use std::collections::BTreeMap;

use offkey_core::Seed;
use offkey_infer::{ClipSource, EncoderConfig};
use rand::seq::SliceRandom;
use rayon::prelude::*;

use super::{TrainError, TrainJob};
use crate::Labels;

/// Some clips of a source, with their classes.
pub(super) struct ClipSet<'a> {
    source: &'a dyn ClipSource,
    labels: &'a Labels,
    /// Positions in the source.
    clips: Vec<usize>,
}

impl<'a> ClipSet<'a> {
    /// The clips that teach, and those held out.
    pub(super) fn parted(job: &TrainJob<'a>) -> (Self, Self) {
        let recording = |clip| job.source.recording(clip);
        let seed = job.seed.child("held out");
        let is_out = held_out(job.labels, &recording, job.train.held_out, seed);
        let of = |out: bool| Self {
            source: job.source,
            labels: job.labels,
            clips: (0..is_out.len()).filter(|&clip| is_out[clip] == out).collect(),
        };
        (of(false), of(true))
    }

    pub(super) fn len(&self) -> usize {
        self.clips.len()
    }

    pub(super) fn classes(&self) -> usize {
        self.labels.classes
    }

    /// Entropy of the class frequencies, in nats.
    pub(super) fn entropy(&self) -> f64 {
        let mut counts = vec![0_usize; self.labels.classes];
        self.clips.iter().for_each(|&clip| counts[self.labels.of_clip[clip] as usize] += 1);
        let clips = self.len() as f64;
        let term = |count: usize| (count as f64 / clips) * (clips / count as f64).ln();
        counts.into_iter().filter(|&count| count > 0).map(term).sum()
    }

    /// Class of every clip.
    pub(super) fn labels(&self) -> Vec<u32> {
        self.clips.iter().map(|&clip| self.labels.of_clip[clip]).collect()
    }

    pub(super) fn label(&self, index: usize) -> u32 {
        self.labels.of_clip[self.clips[index]]
    }

    /// Waveforms of some of them, read in parallel. Of several failures the first clip's counts.
    pub(super) fn waves(
        &self,
        indices: &[usize],
        encoder: &EncoderConfig,
        seed: Seed,
    ) -> Result<Vec<Vec<f32>>, TrainError> {
        let expected = encoder.clip_samples();
        let read = |&index: &usize| {
            let clip = self.clips[index];
            let wave = self
                .source
                .wave(clip, seed.child(clip))
                .map_err(|source| TrainError::Source { clip, source })?;
            if wave.len() == expected {
                Ok(wave)
            } else {
                Err(TrainError::ClipLength { clip, found: wave.len(), expected })
            }
        };
        let read: Vec<_> = indices.par_iter().map(read).collect();
        read.into_iter().collect()
    }
}

/// Which clips are held out: of every class a random share of its recordings, whole, and never all
/// of a class. A recording counts for the class of its first clip.
fn held_out(
    labels: &Labels,
    recording: &dyn Fn(usize) -> usize,
    share: f64,
    seed: Seed,
) -> Vec<bool> {
    let mut clips_of: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let mut of_class: Vec<Vec<usize>> = vec![Vec::new(); labels.classes];
    let mut left = vec![0_usize; labels.classes];
    for (clip, &class) in labels.of_clip.iter().enumerate() {
        let recording = recording(clip);
        let clips = clips_of.entry(recording).or_default();
        if clips.is_empty() {
            of_class[class as usize].push(recording);
        }
        clips.push(clip);
        left[class as usize] += 1;
    }
    let mut is_out = vec![false; labels.of_clip.len()];
    for (class, mut recordings) in of_class.into_iter().enumerate() {
        let wanted = (share * recordings.len() as f64).round() as usize;
        recordings.shuffle(&mut seed.child(class).rng());
        for recording in recordings.into_iter().take(wanted) {
            let mut after = left.clone();
            for &clip in &clips_of[&recording] {
                after[labels.of_clip[clip] as usize] -= 1;
            }
            let empties = |(after, before): (&usize, &usize)| *after == 0 && *before > 0;
            if !after.iter().zip(&left).any(empties) {
                clips_of[&recording].iter().for_each(|&clip| is_out[clip] = true);
                left = after;
            }
        }
    }
    is_out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_every_class_is_held_out_and_never_all_of_it() {
        let of_clip: Vec<u32> = (0..40).map(|clip| u32::from(clip >= 30)).chain([2]).collect();
        let labels = Labels { classes: 3, of_clip };
        let counted = |share: f64, seed: u64| {
            let out = held_out(&labels, &|clip| clip, share, Seed::new(seed));
            let of_class = |class: u32| {
                out.iter().zip(&labels.of_clip).filter(|&(out, own)| *out && *own == class).count()
            };
            [0, 1, 2].map(of_class)
        };
        assert_eq!(counted(0.0, 1), [0, 0, 0]);
        assert_eq!(counted(0.1, 1), [3, 1, 0]);
        assert_eq!(counted(0.5, 1), [15, 5, 0]);
        let chosen = |seed| held_out(&labels, &|clip| clip, 0.1, Seed::new(seed));
        assert_eq!(chosen(4), chosen(4));
        assert!((5..20).any(|seed| chosen(seed) != chosen(4)));
    }

    #[test]
    fn a_recording_lies_on_one_side_and_no_class_is_emptied() {
        // Thirteen recordings of three clips; the last one alone has clips of class 2.
        let of_clip: Vec<u32> =
            (0..39).map(|clip| if clip > 36 { 2 } else { (clip / 3) % 2 }).collect();
        let labels = Labels { classes: 3, of_clip };
        for seed in 0..20 {
            let out = held_out(&labels, &|clip| clip / 3, 0.5, Seed::new(seed));
            assert!(out.chunks(3).all(|clips| clips[0] == clips[1] && clips[1] == clips[2]));
            assert_eq!(out[36..], [false; 3], "class 2 has no other recording");
            let of_first = (0..36).filter(|&clip| out[clip] && labels.of_clip[clip] == 0).count();
            assert!((6..=12).contains(&of_first), "{of_first} clips");
        }
    }
}
