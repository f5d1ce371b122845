//! Batches made ready on another thread while the network trains on the one before.

use std::{
    ops::Range,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread::Scope,
};

use ndarray::Array2;
use offkey_core::Seed;
use offkey_infer::{
    ClipSource, EncoderConfig,
    features::{self, BatchFeatures},
};
use rayon::prelude::*;

use super::{TrainError, TrainJob, batches};
use crate::{Labels, self_supervision::Exchange};

/// A batch ready to be trained on.
pub(super) struct Batch {
    pub(super) features: BatchFeatures,
    /// Soft labels, `[clips, classes]`.
    pub(super) labels: Array2<f32>,
    /// What was exchanged among the clips, where training has self-supervised classes.
    pub(super) exchange: Option<Exchange>,
}

/// Where in the run a batch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) epoch: usize,
    /// Batch of the epoch, from 0.
    pub(super) batch: usize,
}

/// What a supply of training batches is made from.
#[derive(Clone, Copy)]
pub(super) struct Supply<'a> {
    pub(super) job: &'a TrainJob<'a>,
    /// Ranges of an epoch's order, one a batch.
    pub(super) ranges: &'a [Range<usize>],
    pub(super) epochs: usize,
}

impl<'a> Supply<'a> {
    /// Starts to make batches from `start` on, in order. Making stops when the receiver is
    /// dropped, and after the first batch that fails.
    pub(super) fn start<'scope>(
        self,
        scope: &'scope Scope<'scope, 'a>,
        start: Position,
    ) -> Receiver<Result<Batch, TrainError>>
    where
        'a: 'scope,
    {
        let ahead = self.job.train.prefetch_batches.max(1) - 1;
        let (sender, receiver) = sync_channel(ahead);
        scope.spawn(move || self.make_all(start, &sender));
        receiver
    }

    fn make_all(self, start: Position, sender: &SyncSender<Result<Batch, TrainError>>) {
        for epoch in start.epoch..self.epochs {
            let order =
                batches::order(self.job.source.len(), self.job.seed.child("order").child(epoch));
            let first = if epoch == start.epoch { start.batch } else { 0 };
            for (batch, range) in self.ranges.iter().enumerate().skip(first) {
                let made = self.make(Position { epoch, batch }, &order[range.clone()]);
                let failed = made.is_err();
                if sender.send(made).is_err() || failed {
                    return;
                }
            }
        }
    }

    fn make(self, at: Position, clips: &[usize]) -> Result<Batch, TrainError> {
        let TrainJob { source, labels, encoder, train, seed, .. } = *self.job;
        let clip_seed = seed.child("clip").child(at.epoch);
        let mut waves = waves(source, encoder, clips, clip_seed)?;
        let mixup_seed = seed.child("mixup").child(at.epoch).child(at.batch);
        let shares = batches::mixup_shares(clips.len(), train.mixup, mixup_seed);
        batches::mix(&mut waves, &shares);
        let mut soft = one_hot(labels, clips);
        batches::mix(&mut soft, &shares);
        let soft = soft.into_iter().flatten().collect();
        let labels = Array2::from_shape_vec((clips.len(), labels.classes), soft)
            .expect("one row of classes a clip");
        let mut features = features::of_batch(encoder, &waves);
        let exchange_seed = seed.child("exchange").child(at.epoch).child(at.batch);
        let rule = train.self_supervision;
        let exchange = Exchange::draw(rule, encoder, &mut features, &labels, exchange_seed);
        let mask_seed = seed.child("mask").child(at.epoch).child(at.batch);
        train.masking.mask(encoder, &mut features, mask_seed);
        Ok(Batch { features, labels, exchange })
    }
}

/// A batch of unmixed clips, for measurement.
pub(super) fn plain_batch(
    (source, labels): (&dyn ClipSource, &Labels),
    encoder: &EncoderConfig,
    clips: &[usize],
    seed: Seed,
) -> Result<Batch, TrainError> {
    let waves = waves(source, encoder, clips, seed)?;
    let hard = one_hot(labels, clips).into_iter().flatten().collect();
    Ok(Batch {
        features: features::of_batch(encoder, &waves),
        labels: Array2::from_shape_vec((clips.len(), labels.classes), hard)
            .expect("one row of classes a clip"),
        exchange: None,
    })
}

fn one_hot(labels: &Labels, clips: &[usize]) -> Vec<Vec<f32>> {
    let of_clips: Vec<u32> = clips.iter().map(|&clip| labels.of_clip[clip]).collect();
    batches::one_hot(&of_clips, labels.classes)
}

/// The waveforms of some clips, read in parallel. Of several failures the first clip's counts.
fn waves(
    source: &dyn ClipSource,
    encoder: &EncoderConfig,
    clips: &[usize],
    seed: Seed,
) -> Result<Vec<Vec<f32>>, TrainError> {
    let expected = encoder.clip_samples();
    let read = |&clip: &usize| {
        let wave = source
            .wave(clip, seed.child(clip))
            .map_err(|source| TrainError::Source { clip, source })?;
        if wave.len() == expected {
            Ok(wave)
        } else {
            Err(TrainError::ClipLength { clip, found: wave.len(), expected })
        }
    };
    let read: Vec<_> = clips.par_iter().map(read).collect();
    read.into_iter().collect()
}
