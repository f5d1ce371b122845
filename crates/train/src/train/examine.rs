//! What the present weights do with unmixed clips: the statistics of the norms, and distances.

use std::ops::Range;

use burn::{
    module::Module,
    tensor::{Device, Tensor, TensorData},
};
use ndarray::Array2;
use offkey_infer::{Forward, normalised};

use super::{TrainError, TrainJob, batches, clip_set::ClipSet, measure, supply::plain_batch};
use crate::{
    Compactness,
    device::evaluator,
    loss::LossHead,
    network::{Moments, Network, Pass, into_inputs},
    tensors::{to_tensor, values_of},
};

/// Looks at the clips of a job with whatever weights it is given.
#[derive(Clone, Copy)]
pub(super) struct Examiner<'a> {
    pub(super) job: &'a TrainJob<'a>,
    pub(super) clips: &'a ClipSet<'a>,
    pub(super) held_out: &'a ClipSet<'a>,
    /// Ranges of an order of the training clips that make its batches.
    pub(super) ranges: &'a [Range<usize>],
    pub(super) device: &'a Device,
}

impl Examiner<'_> {
    /// The network with the statistics of the training clips under its own weights.
    pub(super) fn with_statistics(
        self,
        mut network: Network,
        purpose: &str,
    ) -> Result<Network, TrainError> {
        let moments = self.moments(&network, purpose)?;
        network.set_running(moments);
        Ok(network)
    }

    /// What every norm sees of the unmixed training clips under the present weights, in batches of
    /// a random order: clips of one class, which stand together in a source, would be told apart by
    /// their batch alone.
    fn moments(self, network: &Network, purpose: &str) -> Result<Moments, TrainError> {
        let device = self.device.clone().inner();
        let seed = self.job.seed.child(purpose);
        let order = batches::order(self.clips.len(), seed.child("order"));
        let mut moments = Moments::default();
        for range in self.ranges {
            let batch = plain_batch(self.clips, self.job.encoder, &order[range.clone()], seed)?;
            let clips = batch.features.clips;
            let mut pass = Pass::Train(Vec::new());
            network.forward(into_inputs(batch.features, self.job.encoder, &device), &mut pass);
            moments.add(pass, clips);
        }
        Ok(moments)
    }

    /// Distances and losses on training clips, and on held-out ones where there are some, with the
    /// statistics of the training clips, so that an embedding does not depend on the clips beside it.
    pub(super) fn measure(
        self,
        network: Network,
        head: &LossHead,
    ) -> Result<(Compactness, Option<Compactness>), TrainError> {
        let network = self.with_statistics(network, "measure")?;
        let network = evaluator(self.job.encoder, network, self.job.compute)?;
        let (unit, loss) = self.embed_all(&*network, head, self.clips)?;
        let labels = self.clips.labels();
        let means = measure::class_means(&unit, &labels, self.clips.classes());
        let centres = head.class_centres();
        let train = measure::compactness(&unit, &labels, &means, centres.as_ref(), loss);
        if self.held_out.len() == 0 {
            return Ok((train, None));
        }
        let (unit, loss) = self.embed_all(&*network, head, self.held_out)?;
        let labels = self.held_out.labels();
        let held_out = measure::compactness(&unit, &labels, &means, centres.as_ref(), loss);
        Ok((train, Some(held_out)))
    }

    /// Unit embeddings of all clips of a set and their mean loss.
    fn embed_all(
        self,
        network: &dyn Forward,
        head: &LossHead,
        set: &ClipSet<'_>,
    ) -> Result<(Array2<f32>, f64), TrainError> {
        let head = head.valid();
        let seed = self.job.seed.child("measure");
        let device = self.device.clone().inner();
        let dims = self.job.encoder.dims();
        let (mut values, mut loss_sum) = (Vec::new(), 0.0);
        let indices: Vec<usize> = (0..set.len()).collect();
        for clips in indices.chunks(self.job.train.batch_clips) {
            let batch = plain_batch(set, self.job.encoder, clips, seed)?;
            let embeddings = network.forward(batch.features);
            let tensor = TensorData::new(embeddings.clone(), [clips.len(), dims]);
            let tensor = Tensor::from_data(tensor, &device);
            let loss = head.loss(tensor, to_tensor(&batch.labels, &device));
            loss_sum += f64::from(values_of(loss)[0]) * clips.len() as f64;
            values.extend(embeddings);
        }
        let all = Array2::from_shape_vec((set.len(), dims), values).expect("one row per clip");
        Ok((normalised(all), loss_sum / set.len() as f64))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first thing that goes wrong")]
mod tests {
    use offkey_infer::{Compute, weights::NamedTensors};

    use super::*;
    use crate::{
        TrainLength,
        device::device,
        hums::{Hums, Recorder, Setting, tiny},
        loss::LossRegistry,
        tensors::restore,
    };

    const CLIPS: usize = 60;
    const BATCH: usize = 20;

    /// A setting whose clips never change, those of a class together or dealt in turn.
    fn setting(sorted: bool) -> Setting {
        let mut setting = Setting::new();
        setting.source = Hums { clips: CLIPS, broken: None, sorted: Some(sorted) };
        setting.labels = setting.source.labels();
        setting.train.batch_clips = BATCH;
        setting.train.mixup = 0.0;
        setting.train.learning_rate = 5e-3;
        setting.train.length = TrainLength::Steps(60);
        setting
    }

    /// Weights that tell the classes apart, so that a batch of one class looks unlike one of all.
    fn trained() -> NamedTensors {
        let folder = tempfile::tempdir().unwrap();
        setting(false).run(folder.path(), false, &mut Recorder::default()).unwrap();
        NamedTensors::read(&folder.path().join("weights.safetensors")).unwrap().0
    }

    #[test]
    fn what_is_measured_does_not_depend_on_the_order_of_the_source() {
        let weights = trained();
        let measured = |sorted: bool, batch: usize| {
            let setting = setting(sorted);
            let folder = tempfile::tempdir().unwrap();
            let job = TrainJob {
                source: &setting.source,
                labels: &setting.labels,
                encoder: &setting.encoder,
                loss: &setting.loss,
                losses: &LossRegistry::default(),
                train: &setting.train,
                seed: offkey_core::Seed::new(setting.seed),
                compute: Compute::default(),
                folder: folder.path(),
                resume: false,
            };
            let (clips, held_out) = ClipSet::parted(&job);
            let device = device(job.compute).unwrap().autodiff();
            let (dims, classes) = (tiny().dims(), setting.labels.classes);
            let head = job.loss.head(job.losses, (dims, classes), job.seed, &device).unwrap();
            let network = Network::new(job.encoder, job.seed, &device, job.compute);
            let network = restore(network, weights.clone(), folder.path()).unwrap().valid();
            let ranges = batches::ranges(CLIPS, batch);
            let examiner = Examiner {
                job: &job,
                clips: &clips,
                held_out: &held_out,
                ranges: &ranges,
                device: &device,
            };
            examiner.measure(network, &head).unwrap().0
        };
        let truth = measured(false, CLIPS);
        for sorted in [true, false] {
            let found = measured(sorted, BATCH);
            let pairs = [
                ("own class", found.intra, truth.intra),
                ("nearest other class", found.inter.unwrap(), truth.inter.unwrap()),
                ("between classes", found.between.unwrap(), truth.between.unwrap()),
            ];
            for (what, found, truth) in pairs {
                let ratio = found / truth;
                assert!(
                    (0.8..1.25).contains(&ratio),
                    "sorted {sorted}, {what}: {found} and {truth}"
                );
            }
        }
    }
}
