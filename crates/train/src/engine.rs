//! The fast processor kernels as operations of the framework: the one place where the two meet.
//!
//! A branch's convolutions, with their norms, are a single operation. Its parameters enter as one
//! flat tensor, so that any number of layers is one node of the gradient graph; they stay ordinary
//! parameters of the module. Where the kernels do not cover an architecture, there is no engine
//! and the branch takes the plain layers.

use std::{
    mem,
    sync::{Arc, Mutex, PoisonError},
};

use burn::{
    backend::{
        Autodiff, Flex,
        autodiff::{
            checkpoint::{base::Checkpointer, strategy::NoCheckpointing},
            grads::Gradients,
            ops::{Backward, Ops, OpsKind},
        },
        flex::FlexTensor,
        tensor::FloatTensor,
    },
    tensor::{Tensor, TensorData},
};
use ndarray::{Array2, ArrayView2};
use offkey_infer::{
    Compute, CustomBranch, DeviceKind, EncoderConfig, Kernels, SpectrumConfig, StftConfig,
    spectrum_plan, stft_plan,
};
use offkey_kernels::{
    spectrogram::{self, Buffers, ParameterSpec, SpectrogramPlan},
    spectrum::{SpectrumPlan, SpectrumWorkspace},
};
use rayon::prelude::*;

/// Kernels planned for one branch, and the memory they work in.
#[derive(Debug, Clone)]
pub(crate) struct Engine {
    plan: Arc<Plan>,
    memory: Idle<Memory>,
    buffers: Idle<Buffers>,
}

/// Memory that nobody is using, shared by the clones of this: a pass takes one and gives it back.
#[derive(Debug)]
pub(crate) struct Idle<T>(Arc<Mutex<Vec<T>>>);

#[derive(Debug)]
enum Plan {
    Spectrum(SpectrumPlan),
    Stft(SpectrogramPlan),
    Custom(CustomPlan),
}

/// A branch of another crate, and the sizes of what it takes.
#[derive(Debug)]
struct CustomPlan {
    branch: Arc<dyn CustomBranch>,
    /// Rows and columns of a clip's features.
    shape: (usize, usize),
    /// Rows and columns of each matrix.
    matrices: Vec<(usize, usize)>,
}

#[derive(Debug, Default)]
struct Memory {
    spectrum: SpectrumWorkspace,
    spectrogram: spectrogram::Workspace,
}

/// Mean and variance of every norm of a training pass, in the order of the plan.
type Statistics = Vec<(Vec<f32>, Vec<f32>)>;

impl Engine {
    /// An engine for the convolutions of a spectrum branch, where the kernels cover it.
    pub(crate) fn spectrum(
        branch: &SpectrumConfig,
        config: &EncoderConfig,
        compute: Compute,
    ) -> Option<Self> {
        let plan = is_covered(config, compute)
            .then(|| spectrum_plan(branch, config.clip_samples()))
            .flatten()?;
        Some(Self::new(Plan::Spectrum(plan), &Idle::default()))
    }

    /// An engine for a spectrogram branch up to its pooling over time, where the kernels cover it.
    /// Branches that are given the same `buffers` work in them in turn.
    pub(crate) fn stft(
        branch: &StftConfig,
        shape: (usize, usize),
        config: &EncoderConfig,
        compute: Compute,
        buffers: &Idle<Buffers>,
    ) -> Option<Self> {
        let plan = is_covered(config, compute)
            .then(|| stft_plan(branch, shape, config.batch_norm_affine))
            .flatten()?;
        Some(Self::new(Plan::Stft(plan), buffers))
    }

    /// An engine for a branch of another crate, which computes by itself.
    pub(crate) fn custom(
        branch: Arc<dyn CustomBranch>,
        shape: (usize, usize),
        matrices: Vec<(usize, usize)>,
    ) -> Self {
        Self::new(Plan::Custom(CustomPlan { branch, shape, matrices }), &Idle::default())
    }

    fn new(plan: Plan, buffers: &Idle<Buffers>) -> Self {
        Self { plan: Arc::new(plan), memory: Idle::default(), buffers: buffers.clone() }
    }

    /// What computes, as in `fast (avx512)`.
    pub(crate) fn kernels(&self) -> String {
        let level = match &*self.plan {
            Plan::Spectrum(plan) => plan.level(),
            Plan::Stft(plan) => plan.level(),
            Plan::Custom(_) => return "from outside".to_owned(),
        };
        format!("fast ({})", level.name())
    }

    /// Runs a training batch.
    ///
    /// # Shapes
    /// `parameters`: all of the plan's, flat, one after the other; `input`: `[clips, ..]`, flat,
    /// on the processor. Returns `[clips, features]` and the batch statistics of the norms.
    pub(crate) fn train(
        &self,
        parameters: Tensor<1>,
        input: Tensor<1>,
        clips: usize,
    ) -> (Tensor<2>, Vec<(Tensor<1>, Tensor<1>)>) {
        let input = primitive(input.inner());
        let is_autodiff = parameters.is_autodiff();
        let (output, statistics) = if is_autodiff {
            let parameters = parameters
                .try_into_primitive::<Autodiff<Flex>>()
                .expect("the engine is made for the processor, without checkpointing");
            let (output, statistics) = self.train_tracked(parameters, input, clips);
            (Tensor::from_primitive::<Autodiff<Flex>>(output), statistics)
        } else {
            let parameters = primitive(parameters);
            let mut memory = self.memory.take();
            let (output, statistics) = self.with_buffers(&mut memory, |memory| {
                self.plan.forward(values(&parameters), values(&input), clips, memory)
            });
            self.memory.give_back(memory);
            (Tensor::from_primitive::<Flex>(from_values(output)), statistics)
        };
        let tensor = |values: Vec<f32>| {
            let plain: Tensor<1> = Tensor::from_primitive::<Flex>(from_values(values));
            if is_autodiff { plain.autodiff() } else { plain }
        };
        let statistics =
            statistics.into_iter().map(|(mean, variance)| (tensor(mean), tensor(variance)));
        let output: Tensor<1> = output;
        let features = output.dims()[0] / clips;
        (output.reshape([clips, features]), statistics.collect())
    }

    fn train_tracked(
        &self,
        parameters: FloatTensor<Autodiff<Flex>>,
        input: FlexTensor,
        clips: usize,
    ) -> (FloatTensor<Autodiff<Flex>>, Statistics) {
        let prepared = EngineBackward
            .prepare::<NoCheckpointing>([parameters.node()])
            .compute_bound()
            .stateful();
        let parameters = contiguous(parameters.into_primitive());
        let mut memory = self.memory.take();
        let (output, statistics) = self.with_buffers(&mut memory, |memory| {
            self.plan.forward(values(&parameters), values(&input), clips, memory)
        });
        let output = from_values(output);
        let output = match prepared {
            OpsKind::Tracked(prepared) => {
                let memory = Arc::new(Mutex::new(Some(memory)));
                prepared.finish(Saved { engine: self.clone(), parameters, input, memory }, output)
            }
            OpsKind::UnTracked(prepared) => {
                self.memory.give_back(memory);
                prepared.finish(output)
            }
        };
        (output, statistics)
    }

    /// Lends the network's buffers to a pass over this branch.
    fn with_buffers<R>(&self, memory: &mut Memory, pass: impl FnOnce(&mut Memory) -> R) -> R {
        memory.spectrogram.buffers = self.buffers.take();
        let result = pass(memory);
        self.buffers.give_back(mem::take(&mut memory.spectrogram.buffers));
        result
    }
}

impl<T: Default> Idle<T> {
    fn take(&self) -> T {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    fn give_back(&self, memory: T) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
    }
}

impl<T> Default for Idle<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> Clone for Idle<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// The kernels run on the processor, and have what most encoders have.
fn is_covered(config: &EncoderConfig, compute: Compute) -> bool {
    compute.device == DeviceKind::Cpu && compute.kernels == Kernels::Auto && config.suits_kernels()
}

impl Plan {
    /// Cuts the flat parameters into the slices of the layers.
    fn split<'a>(&self, mut flat: &'a [f32]) -> Vec<&'a [f32]> {
        let counts: Vec<usize> = match self {
            Self::Spectrum(plan) => {
                plan.parameters().iter().map(|shape| shape.iter().product()).collect()
            }
            Self::Stft(plan) => plan.parameters().iter().map(ParameterSpec::count).collect(),
            Self::Custom(plan) => {
                plan.matrices.iter().map(|(rows, columns)| rows * columns).collect()
            }
        };
        let slices = counts.into_iter().map(|count| {
            let (slice, rest) = flat.split_at(count);
            flat = rest;
            slice
        });
        slices.collect()
    }

    fn forward(
        &self,
        parameters: &[f32],
        input: &[f32],
        clips: usize,
        memory: &mut Memory,
    ) -> (Vec<f32>, Statistics) {
        let parameters = self.split(parameters);
        match self {
            Self::Spectrum(plan) => {
                let mut output = vec![0.0; clips * plan.output_len()];
                plan.forward(&parameters, input, &mut memory.spectrum, &mut output)
                    .expect("module and plan are made from one configuration");
                (output, Vec::new())
            }
            Self::Stft(plan) => {
                let output = plan
                    .forward(&parameters, input, clips, &mut memory.spectrogram)
                    .expect("module and plan are made from one configuration");
                let statistics = output.statistics.into_iter().map(|s| (s.mean, s.variance));
                (output.features, statistics.collect())
            }
            Self::Custom(plan) => (plan.forward(&parameters, input), Vec::new()),
        }
    }

    fn backward(
        &self,
        parameters: &[f32],
        input: &[f32],
        gradient: &[f32],
        memory: &mut Memory,
    ) -> Vec<f32> {
        let parameters = self.split(parameters);
        let gradients = match self {
            Self::Spectrum(plan) => plan
                .backward(&parameters, gradient, &mut memory.spectrum)
                .expect("the memory holds the forward pass of this batch"),
            Self::Stft(plan) => plan
                .backward(&parameters, input, gradient, &mut memory.spectrogram)
                .expect("the memory holds the forward pass of this batch"),
            Self::Custom(plan) => return plan.backward(&parameters, input, gradient),
        };
        gradients.concat()
    }
}

impl CustomPlan {
    fn views<'a>(&self, parameters: &[&'a [f32]]) -> Vec<ArrayView2<'a, f32>> {
        let shapes = self.matrices.iter().zip(parameters);
        shapes.map(|(&shape, values)| view(shape, values)).collect()
    }

    /// The clips of a batch, each a view of its features.
    fn clips<'a>(&self, input: &'a [f32]) -> rayon::slice::ChunksExact<'a, f32> {
        input.par_chunks_exact(self.shape.0 * self.shape.1)
    }

    fn forward(&self, parameters: &[&[f32]], input: &[f32]) -> Vec<f32> {
        let matrices = self.views(parameters);
        let of_clip = |clip: &[f32]| self.branch.embed(&matrices, view(self.shape, clip));
        self.clips(input).flat_map_iter(of_clip).collect()
    }

    /// The gradients of the clips, added up in their order.
    fn backward(&self, parameters: &[&[f32]], input: &[f32], gradient: &[f32]) -> Vec<f32> {
        let matrices = self.views(parameters);
        let by_embedding = gradient.par_chunks_exact(self.branch.dims().max(1));
        let of_clip = |(clip, by_embedding): (&[f32], &[f32])| {
            self.branch.gradients(&matrices, view(self.shape, clip), by_embedding)
        };
        let of_clips: Vec<_> = self.clips(input).zip(by_embedding).map(of_clip).collect();
        let mut sums: Vec<Array2<f32>> =
            self.matrices.iter().map(|&shape| Array2::zeros(shape)).collect();
        for of_clip in of_clips {
            sums.iter_mut().zip(of_clip).for_each(|(sum, gradient)| *sum += &gradient);
        }
        sums.into_iter().flatten().collect()
    }
}

fn view(shape: (usize, usize), values: &[f32]) -> ArrayView2<'_, f32> {
    ArrayView2::from_shape(shape, values).expect("rows x columns values")
}

/// The operation's backward pass.
#[derive(Debug)]
struct EngineBackward;

/// What the forward pass leaves for the backward pass.
#[derive(Debug, Clone)]
struct Saved {
    engine: Engine,
    parameters: FlexTensor,
    input: FlexTensor,
    /// Taken by the one backward pass there is.
    memory: Arc<Mutex<Option<Memory>>>,
}

impl Backward<Flex, 1> for EngineBackward {
    type State = Saved;

    fn backward(self, ops: Ops<Saved, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = contiguous(gradients.consume::<Flex>(&ops.node));
        let Saved { engine, parameters, input, memory } = ops.state;
        let memory = memory.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (Some(parent), Some(mut memory)) = (&ops.parents[0], memory) else { return };
        let of_parameters = engine.with_buffers(&mut memory, |memory| {
            let plan = &engine.plan;
            plan.backward(values(&parameters), values(&input), values(&gradient), memory)
        });
        engine.memory.give_back(memory);
        gradients.register::<Flex>(parent.id, from_values(of_parameters));
    }
}

fn primitive(tensor: Tensor<1>) -> FlexTensor {
    let primitive = tensor.try_into_primitive::<Flex>();
    contiguous(primitive.expect("the engine is made for the processor"))
}

fn contiguous(tensor: FlexTensor) -> FlexTensor {
    if tensor.as_slice::<f32>().is_some() { tensor } else { tensor.to_contiguous() }
}

fn values(tensor: &FlexTensor) -> &[f32] {
    tensor.as_slice().expect("the tensor is contiguous")
}

fn from_values(values: Vec<f32>) -> FlexTensor {
    let count = values.len();
    FlexTensor::from_data(TensorData::new(values, [count]))
}
