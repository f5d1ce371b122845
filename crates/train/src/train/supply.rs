//! Batches made ready on another thread while the network trains on the one before.

use std::{
    ops::Range,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread::Scope,
};

use ndarray::Array2;
use offkey_core::Seed;
use offkey_infer::{
    EncoderConfig,
    features::{self, BatchFeatures},
};

use super::{TrainError, TrainJob, batches, clip_set::ClipSet};
use crate::self_supervision::Exchange;

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
    pub(super) clips: &'a ClipSet<'a>,
    /// Ranges of an epoch's order, one per batch.
    pub(super) ranges: &'a [Range<usize>],
    /// Batches of the whole run.
    pub(super) steps: usize,
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
        let batches = self.ranges.len();
        for epoch in start.epoch..self.steps.div_ceil(batches) {
            let order = batches::order(self.clips.len(), self.job.seed.child("order").child(epoch));
            let first = if epoch == start.epoch { start.batch } else { 0 };
            for batch in first..batches.min(self.steps - epoch * batches) {
                let range = self.ranges[batch].clone();
                let made = self.make(Position { epoch, batch }, &order[range]);
                let failed = made.is_err();
                if sender.send(made).is_err() || failed {
                    return;
                }
            }
        }
    }

    fn make(self, at: Position, clips: &[usize]) -> Result<Batch, TrainError> {
        let TrainJob { encoder, train, seed, .. } = *self.job;
        let clip_seed = seed.child("clip").child(at.epoch);
        let mut waves = self.clips.waves(clips, encoder, clip_seed)?;
        let mixup_seed = seed.child("mixup").child(at.epoch).child(at.batch);
        let shares = batches::mixup_shares(clips.len(), train.mixup, mixup_seed);
        batches::mix(&mut waves, &shares);
        let mut soft = one_hot(self.clips, clips);
        batches::mix(&mut soft, &shares);
        let labels = matrix(soft, self.clips.classes());
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
    set: &ClipSet<'_>,
    encoder: &EncoderConfig,
    clips: &[usize],
    seed: Seed,
) -> Result<Batch, TrainError> {
    let waves = set.waves(clips, encoder, seed)?;
    Ok(Batch {
        features: features::of_batch(encoder, &waves),
        labels: matrix(one_hot(set, clips), set.classes()),
        exchange: None,
    })
}

fn one_hot(set: &ClipSet<'_>, clips: &[usize]) -> Vec<Vec<f32>> {
    let of_clips: Vec<u32> = clips.iter().map(|&clip| set.label(clip)).collect();
    batches::one_hot(&of_clips, set.classes())
}

fn matrix(rows: Vec<Vec<f32>>, classes: usize) -> Array2<f32> {
    let shape = (rows.len(), classes);
    Array2::from_shape_vec(shape, rows.concat()).expect("every row has a value for every class")
}
