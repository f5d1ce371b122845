//! The clips of a job, parted into those that teach and those kept out for measuring.

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
        let is_out = held_out(job.labels, job.train.held_out, job.seed.child("held out"));
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

/// Which clips are held out: of every class a random share, and never all.
fn held_out(labels: &Labels, share: f64, seed: Seed) -> Vec<bool> {
    let mut of_class: Vec<Vec<usize>> = vec![Vec::new(); labels.classes];
    for (clip, &class) in labels.of_clip.iter().enumerate() {
        of_class[class as usize].push(clip);
    }
    let mut is_out = vec![false; labels.of_clip.len()];
    for (class, mut clips) in of_class.into_iter().enumerate() {
        let count = (share * clips.len() as f64).round() as usize;
        clips.shuffle(&mut seed.child(class).rng());
        let most = clips.len().saturating_sub(1);
        clips.iter().take(count.min(most)).for_each(|&clip| is_out[clip] = true);
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
            let out = held_out(&labels, share, Seed::new(seed));
            let of_class = |class: u32| {
                out.iter().zip(&labels.of_clip).filter(|&(out, own)| *out && *own == class).count()
            };
            [0, 1, 2].map(of_class)
        };
        assert_eq!(counted(0.0, 1), [0, 0, 0]);
        assert_eq!(counted(0.1, 1), [3, 1, 0]);
        assert_eq!(counted(0.5, 1), [15, 5, 0]);
        let chosen = |seed| held_out(&labels, 0.1, Seed::new(seed));
        assert_eq!(chosen(4), chosen(4));
        assert!((5..20).any(|seed| chosen(seed) != chosen(4)));
    }
}
