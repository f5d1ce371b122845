//! The branch laid out once: which layers there are, the shapes between them, and the order in
//! which parameters and batch norms are given and returned.

use crate::simd::{LANES, Level};
use crate::spectrogram::config::{STEM_KERNEL, SpectrogramConfig, SpectrogramError};
use crate::spectrogram::geometry::{ConvPlan, Shape, same_padding};

/// One parameter, in the order of [`SpectrogramPlan::parameters`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParameterSpec {
    /// Dotted name, such as `block3a.conv1.weight` or `stem_norm.gamma`.
    pub name: String,
    /// `[outputs, inputs, kernel over frames, kernel over bins]`, or `[channels]` of a norm.
    pub shape: Vec<usize>,
}

impl ParameterSpec {
    /// Number of values.
    pub fn count(&self) -> usize {
        self.shape.iter().product()
    }
}

/// One batch norm, in the order of [`SpectrogramPlan::batch_norms`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchNormSpec {
    /// Dotted name, such as `block2b.input_norm`.
    pub name: String,
    /// Features that are normalised each on its own.
    pub features: usize,
    /// Values per feature in one clip; a batch's statistics are over this times its clips.
    pub count_per_clip: usize,
}

/// Where a batch norm finds its parameters and puts its statistics.
#[derive(Clone, Debug)]
pub(crate) struct NormPlan {
    /// Place in the list of norms.
    pub(crate) index: usize,
    /// Places of gamma and beta among the parameters, where the norm has them.
    pub(crate) affine: Option<[usize; 2]>,
    /// Values per feature in one clip.
    pub(crate) count_per_clip: usize,
}

impl NormPlan {
    /// Gamma and beta, where the norm has them.
    pub(crate) fn affine<'a>(&self, params: &[&'a [f32]]) -> Option<[&'a [f32]; 2]> {
        self.affine.map(|places| places.map(|place| params[place]))
    }
}

/// The 7x7 convolution over one channel, its norm, and the pooling behind it.
#[derive(Clone, Debug)]
pub(crate) struct StemPlan {
    pub(crate) bin_norm: NormPlan,
    pub(crate) weight: usize,
    pub(crate) norm: NormPlan,
    pub(crate) stride: [usize; 2],
    /// Zero rows above and columns left of the spectrogram.
    pub(crate) pad: [usize; 2],
    pub(crate) conv: Shape,
    pub(crate) pooled: Shape,
}

/// Where a block's inner norm stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InnerOrder {
    /// Convolution, norm, ReLU, convolution.
    NormThenRelu,
    /// Convolution, ReLU, norm, convolution: block 2b alone.
    ReluThenNorm,
}

/// One residual block.
#[derive(Clone, Debug)]
pub(crate) struct BlockPlan {
    /// The norm of the input; none in block 2a, which reads the stem's norm and ReLU.
    pub(crate) input_norm: Option<NormPlan>,
    pub(crate) conv1: ConvPlan,
    pub(crate) norm: NormPlan,
    pub(crate) order: InnerOrder,
    pub(crate) conv2: ConvPlan,
    /// The 1x1 convolution behind the 2x2 pooling, in blocks that halve.
    pub(crate) skip: Option<ConvPlan>,
}

/// The branch for one size of spectrogram and one instruction set.
#[derive(Clone, Debug)]
pub struct SpectrogramPlan {
    pub(crate) config: SpectrogramConfig,
    pub(crate) level: Level,
    pub(crate) stem: StemPlan,
    pub(crate) blocks: Vec<BlockPlan>,
    parameters: Vec<ParameterSpec>,
    norms: Vec<BatchNormSpec>,
}

impl SpectrogramPlan {
    /// Lays the branch out for the best instruction set of this processor.
    ///
    /// # Errors
    /// Whatever in `config` the engine cannot compute; a caller then takes plain layers.
    pub fn new(config: SpectrogramConfig) -> Result<Self, SpectrogramError> {
        Builder::default().build(config)
    }

    /// The same branch on the instruction set `level`.
    ///
    /// # Errors
    /// [`SpectrogramError::Level`] when this processor lacks it.
    pub fn on(mut self, level: Level) -> Result<Self, SpectrogramError> {
        if !level.is_available() {
            return Err(SpectrogramError::Level { level });
        }
        self.level = level;
        Ok(self)
    }

    /// What the plan was made for.
    pub fn config(&self) -> &SpectrogramConfig {
        &self.config
    }

    /// The instruction set that is used.
    pub fn level(&self) -> Level {
        self.level
    }

    /// Parameters in the order in which slices are taken and gradients returned: `bin_norm`,
    /// `stem`, `stem_norm`, then per block `input_norm` (not in `block2a`), `conv1`, `norm`,
    /// `conv2` and, in blocks that halve, `skip`. A norm is `gamma`, `beta`, or nothing without
    /// affine norms.
    pub fn parameters(&self) -> &[ParameterSpec] {
        &self.parameters
    }

    /// Batch norms in the order in which statistics are returned and running ones taken.
    pub fn batch_norms(&self) -> &[BatchNormSpec] {
        &self.norms
    }

    /// Values per clip on input: frames times bins.
    pub fn input_len(&self) -> usize {
        self.config.frames * self.config.bins
    }

    /// `[channels, bins]` of one clip's output, pooled over all time.
    pub fn output_shape(&self) -> [usize; 2] {
        let last = self.last();
        [last.blocks * LANES, last.cols]
    }

    /// Values per clip on output.
    pub fn output_len(&self) -> usize {
        self.output_shape().iter().product()
    }

    /// The shape before the pooling over time.
    pub(crate) fn last(&self) -> Shape {
        self.blocks.last().map_or(self.stem.pooled, |block| block.conv2.output)
    }

    pub(crate) fn check_parameters(&self, params: &[&[f32]]) -> Result<(), SpectrogramError> {
        if params.len() != self.parameters.len() {
            return Err(SpectrogramError::Count {
                what: "parameters",
                found: params.len(),
                expected: self.parameters.len(),
            });
        }
        for (values, spec) in params.iter().zip(&self.parameters) {
            check_len(&spec.name, values.len(), spec.count())?;
        }
        Ok(())
    }
}

pub(crate) fn check_len(what: &str, found: usize, expected: usize) -> Result<(), SpectrogramError> {
    if found == expected {
        Ok(())
    } else {
        Err(SpectrogramError::Length { what: what.to_owned(), found, expected })
    }
}

#[derive(Default)]
struct Builder {
    parameters: Vec<ParameterSpec>,
    norms: Vec<BatchNormSpec>,
    affine: bool,
}

impl Builder {
    fn build(mut self, config: SpectrogramConfig) -> Result<SpectrogramPlan, SpectrogramError> {
        check_config(&config)?;
        self.affine = config.norm_affine;
        let stem = self.stem(&config)?;
        let mut blocks = vec![
            self.block("block2a", stem.pooled, stem.pooled.blocks, InnerOrder::NormThenRelu),
            self.block("block2b", stem.pooled, stem.pooled.blocks, InnerOrder::ReluThenNorm),
        ];
        let mut shape = stem.pooled;
        for (stage, channels) in config.stage_channels.iter().enumerate().skip(1) {
            for part in ["a", "b"] {
                let name = format!("block{}{part}", stage + 2);
                let block = self.block(&name, shape, channels / LANES, InnerOrder::NormThenRelu);
                shape = block.conv2.output;
                blocks.push(block);
            }
        }
        Ok(SpectrogramPlan {
            config,
            level: Level::best(),
            stem,
            blocks,
            parameters: self.parameters,
            norms: self.norms,
        })
    }

    fn stem(&mut self, config: &SpectrogramConfig) -> Result<StemPlan, SpectrogramError> {
        let (frames, bins) = (config.frames, config.bins);
        let [over_frames, over_bins] = config.stem_stride;
        let (rows, pad_top) = same_padding(frames, STEM_KERNEL, over_frames);
        let (cols, pad_left) = same_padding(bins, STEM_KERNEL, over_bins);
        if rows < 3 || cols < 3 {
            return Err(SpectrogramError::TooSmall { frames, bins });
        }
        let blocks = config.stem_channels / LANES;
        let conv = Shape { blocks, rows, cols };
        Ok(StemPlan {
            bin_norm: self.norm("bin_norm", bins, frames),
            weight: self.weight("stem", config.stem_channels, 1, STEM_KERNEL),
            norm: self.norm("stem_norm", config.stem_channels, rows * cols),
            stride: config.stem_stride,
            pad: [pad_top, pad_left],
            conv,
            pooled: Shape { blocks, rows: (rows - 3) / 2 + 1, cols: (cols - 3) / 2 + 1 },
        })
    }

    /// A block that halves when it widens beyond what it reads or is the first of its stage.
    fn block(&mut self, name: &str, input: Shape, blocks: usize, order: InnerOrder) -> BlockPlan {
        let halves = name.ends_with('a') && name != "block2a";
        let stride = if halves { 2 } else { 1 };
        let has_input_norm = name != "block2a";
        let channels = blocks * LANES;
        let input_channels = input.blocks * LANES;
        let input_norm = has_input_norm.then(|| {
            self.norm(&format!("{name}.input_norm"), input_channels, input.rows * input.cols)
        });
        let weight = self.weight(&format!("{name}.conv1"), channels, input_channels, 3);
        let conv1 = ConvPlan::new(weight, input, blocks, 3, stride);
        let inner = conv1.output;
        let norm = self.norm(&format!("{name}.norm"), channels, inner.rows * inner.cols);
        let weight = self.weight(&format!("{name}.conv2"), channels, channels, 3);
        let conv2 = ConvPlan::new(weight, inner, blocks, 3, 1);
        let skip = halves.then(|| {
            let weight = self.weight(&format!("{name}.skip"), channels, input_channels, 1);
            ConvPlan::new(weight, Shape { blocks: input.blocks, ..inner }, blocks, 1, 1)
        });
        BlockPlan { input_norm, conv1, norm, order, conv2, skip }
    }

    fn weight(&mut self, layer: &str, outputs: usize, inputs: usize, kernel: usize) -> usize {
        self.push(format!("{layer}.weight"), vec![outputs, inputs, kernel, kernel])
    }

    fn norm(&mut self, name: &str, features: usize, count_per_clip: usize) -> NormPlan {
        let affine = self.affine.then(|| {
            ["gamma", "beta"].map(|kind| self.push(format!("{name}.{kind}"), vec![features]))
        });
        let index = self.norms.len();
        self.norms.push(BatchNormSpec { name: name.to_owned(), features, count_per_clip });
        NormPlan { index, affine, count_per_clip }
    }

    fn push(&mut self, name: String, shape: Vec<usize>) -> usize {
        self.parameters.push(ParameterSpec { name, shape });
        self.parameters.len() - 1
    }
}

fn check_config(config: &SpectrogramConfig) -> Result<(), SpectrogramError> {
    let check_channels = |layer: String, found: usize| {
        if found == 0 || !found.is_multiple_of(LANES) {
            return Err(SpectrogramError::Channels { layer, found });
        }
        Ok(())
    };
    check_channels("the stem".to_owned(), config.stem_channels)?;
    for (stage, &channels) in config.stage_channels.iter().enumerate() {
        check_channels(format!("stage {}", stage + 2), channels)?;
    }
    let first = *config.stage_channels.first().ok_or(SpectrogramError::NoStage)?;
    if first != config.stem_channels {
        let expected = config.stem_channels;
        return Err(SpectrogramError::FirstStage { found: first, expected });
    }
    if config.stem_stride.iter().any(|stride| !(1..=4).contains(stride)) {
        return Err(SpectrogramError::StemStride { found: config.stem_stride });
    }
    if config.frames == 0 || config.bins == 0 {
        return Err(SpectrogramError::TooSmall { frames: config.frames, bins: config.bins });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_papers_shapes_and_parameters() {
        let plan =
            SpectrogramPlan::new(SpectrogramConfig::default()).expect("the default is valid");
        assert_eq!(plan.stem.conv, Shape { blocks: 1, rows: 156, cols: 257 });
        let outputs: Vec<_> = plan.blocks.iter().map(|block| block.conv2.output).collect();
        let stages = [(1, 77, 128), (2, 39, 64), (4, 20, 32), (8, 10, 16)];
        for (stage, (blocks, rows, cols)) in stages.into_iter().enumerate() {
            let expected = Shape { blocks, rows, cols };
            assert_eq!(outputs[2 * stage..2 * stage + 2], [expected; 2]);
        }
        assert_eq!(plan.output_shape(), [128, 16]);
        let weights: usize = plan.parameters().iter().map(ParameterSpec::count).sum();
        // The encoder's 2,540,978 less the spectrum branch, the last norm and the dense layer.
        assert_eq!(weights, 2_540_978 - 1_573_888 - 2 * 2048 - 128 * 2048);
    }

    #[test]
    fn what_cannot_be_computed_is_refused() {
        let check = |change: fn(&mut SpectrogramConfig), expected: &str| {
            let mut config = SpectrogramConfig::default();
            change(&mut config);
            let error = SpectrogramPlan::new(config).expect_err("the configuration is wrong");
            assert_eq!(error.to_string(), expected);
        };
        check(
            |config| config.stage_channels[2] = 40,
            "stage 4 has 40 channels, expected a positive multiple of 16",
        );
        check(
            |config| config.stem_channels = 32,
            "the first stage has 16 channels, expected the stem's 32",
        );
        check(|config| config.stage_channels.clear(), "no stage was given, expected at least one");
        check(
            |config| config.stem_stride = [2, 5],
            "stem stride [2, 5], expected 1 to 4 in both directions",
        );
        check(|config| config.frames = 4, "4 frames of 513 bins leave nothing after the stem");
    }
}
