//! What the present weights do with unmixed clips: the statistics of the norms, and distances.

use std::ops::Range;

use burn::{
    module::Module,
    tensor::{Device, Tensor, TensorData},
};
use ndarray::Array2;
use offkey_core::Seed;
use offkey_infer::{Forward, normalised};

use super::{TrainError, TrainJob, batches, clip_set::ClipSet, measure, supply::plain_batch};
use crate::{
    Compactness,
    loss::LossHead,
    network::{Moments, Network, Pass, into_inputs},
    placement::evaluator,
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
        let seed = self.job.seed.child(purpose);
        let order = batches::order(self.clips.len(), seed.child("order"));
        let moments = self.moments(&network, &order, seed)?;
        network.set_running(moments);
        Ok(network)
    }

    /// What every norm sees of the unmixed training clips under the present weights, in batches of an
    /// order. It has to be a random one: clips of one class, which stand together in a source, would be
    /// told apart by their batch alone.
    fn moments(
        self,
        network: &Network,
        order: &[usize],
        seed: Seed,
    ) -> Result<Moments, TrainError> {
        let device = self.device.clone().inner();
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
        self.measure_with(self.with_statistics(network, "measure")?, head)
    }

    /// As [`Self::measure`], with the statistics that the network has.
    fn measure_with(
        self,
        network: Network,
        head: &LossHead,
    ) -> Result<(Compactness, Option<Compactness>), TrainError> {
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

#[expect(clippy::unwrap_used, reason = "a test stops at the first thing that goes wrong")]
#[cfg(test)]
mod tests {
    use offkey_infer::{Compute, weights::NamedTensors};

    use super::*;
    use crate::{
        TrainLength,
        device::device,
        hums::{Hums, Recorder, Setting, tiny},
        loss::LossRegistry,
        tensors::{collect, restore},
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

    /// How the statistics and the distances are made.
    #[derive(Clone, Copy, PartialEq)]
    enum Way {
        /// As training does.
        Ours,
        /// Statistics from batches in the order of the source.
        SourceOrder,
        /// Every batch in the order of the source, normalised by itself.
        OwnBatch,
    }

    /// Distances by these weights (own class, nearest other class, between classes), and the network.
    fn measured(
        weights: &NamedTensors,
        sorted: bool,
        batch: usize,
        way: Way,
    ) -> ([f64; 3], NamedTensors) {
        let setting = setting(sorted);
        let folder = tempfile::tempdir().unwrap();
        let job = TrainJob {
            source: &setting.source,
            labels: &setting.labels,
            encoder: &setting.encoder,
            loss: &setting.loss,
            losses: &LossRegistry::default(),
            train: &setting.train,
            seed: Seed::new(setting.seed),
            compute: Compute::default(),
            folder: folder.path(),
            resume: false,
        };
        let (clips, held_out) = ClipSet::parted(&job);
        let device = device(job.compute).unwrap().autodiff();
        let (dims, classes) = (tiny().dims(), setting.labels.classes);
        let head = job.loss.head(job.losses, (dims, classes), job.seed, &device).unwrap();
        let network = Network::new(job.encoder, job.seed, &device, job.compute);
        let mut network = restore(network, weights.clone(), folder.path()).unwrap().valid();
        let ranges = batches::ranges(CLIPS, batch);
        let examiner = Examiner {
            job: &job,
            clips: &clips,
            held_out: &held_out,
            ranges: &ranges,
            device: &device,
        };
        let order: Vec<usize> = (0..CLIPS).collect();
        if way == Way::Ours {
            network = examiner.with_statistics(network, "measure").unwrap();
        } else {
            network.set_running(examiner.moments(&network, &order, job.seed).unwrap());
        }
        let found = if way == Way::OwnBatch {
            let inner = device.clone().inner();
            let mut rows = Vec::new();
            for range in &ranges {
                let batch =
                    plain_batch(&clips, job.encoder, &order[range.clone()], job.seed).unwrap();
                let inputs = into_inputs(batch.features, job.encoder, &inner);
                rows.extend(values_of(network.forward(inputs, &mut Pass::Train(Vec::new()))));
            }
            let unit = normalised(Array2::from_shape_vec((CLIPS, dims), rows).unwrap());
            let means = measure::class_means(&unit, &clips.labels(), classes);
            measure::compactness(&unit, &clips.labels(), &means, None, 0.0)
        } else {
            examiner.measure_with(network.clone(), &head).unwrap().0
        };
        ([found.intra, found.inter.unwrap(), found.between.unwrap()], collect(&network))
    }

    /// The largest factor between two measurements.
    fn factor(found: [f64; 3], truth: [f64; 3]) -> f64 {
        let factors =
            found.iter().zip(truth).map(|(found, truth)| (found / truth).ln().abs().exp());
        factors.fold(1.0, f64::max)
    }

    /// How far variances of the deepest norm are off, as a share, mean over its features.
    fn off(found: &NamedTensors, truth: &NamedTensors) -> f64 {
        let name = "branches.1.head_norm.running_variance";
        let (found, truth) = (&found.0[name].values, &truth.0[name].values);
        let shares = found
            .iter()
            .zip(truth)
            .map(|(found, truth)| f64::from(((found + 1e-3) / (truth + 1e-3) - 1.0).abs()));
        shares.sum::<f64>() / truth.len() as f64
    }

    #[test]
    fn what_is_measured_does_not_depend_on_the_order_of_the_source() {
        let weights = trained();
        let (truth, statistics) = measured(&weights, false, CLIPS, Way::Ours);
        for sorted in [true, false] {
            let (found, own) = measured(&weights, sorted, BATCH, Way::Ours);
            let (distances, norms) = (factor(found, truth), off(&own, &statistics));
            assert!(distances < 1.1 && norms < 0.1, "sorted {sorted}: {distances}, {norms}");
        }
        // The test can fail: batches in the order of a sorted source are of one class each.
        let (found, _) = measured(&weights, true, BATCH, Way::OwnBatch);
        let (_, own) = measured(&weights, true, BATCH, Way::SourceOrder);
        let (distances, norms) = (factor(found, truth), off(&own, &statistics));
        assert!(distances > 1.5 && norms > 0.1, "batches of one class: {distances}, {norms}");
    }
}
