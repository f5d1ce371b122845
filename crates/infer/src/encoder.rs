//! A trained encoder: waveforms in, embeddings out.

use std::path::Path;

use ndarray::{Array2, Axis, concatenate};

use crate::{
    BranchRegistry, ClipFeatures, Compute, DeviceKind, EncoderConfig, Forward, ModelCard,
    ModelError, Network, card,
    features::{self, BatchFeatures},
    weights::NamedTensors,
};

/// Clips that go through the network together; more are cut into chunks.
const CHUNK_CLIPS: usize = 32;

/// A trained encoder, ready to embed clips.
///
/// An embedding does not depend on the clips it was computed with.
#[derive(Debug)]
pub struct Encoder {
    pub(crate) card: ModelCard,
    pub(crate) weights: NamedTensors,
    pub(crate) network: Box<dyn Forward>,
}

impl Encoder {
    /// Loads the model folder that training wrote, to compute on the processor.
    ///
    /// # Errors
    /// [`ModelError`] when a file is absent, damaged, or does not fit the others, or the device is
    /// not the processor.
    pub fn load(folder: &Path, compute: Compute) -> Result<Self, ModelError> {
        Self::load_with(folder, &BranchRegistry::default(), compute)
    }

    /// As [`Encoder::load`], of a model that may have branches of other crates.
    ///
    /// # Errors
    /// As [`Encoder::load`], and for a branch that is not registered.
    pub fn load_with(
        folder: &Path,
        branches: &BranchRegistry,
        compute: Compute,
    ) -> Result<Self, ModelError> {
        let card = ModelCard::read(folder, branches)?;
        let (path, weights) = card::read_weights(folder)?;
        Self::on_processor(card, weights, &path, compute)
    }

    /// Whether a folder holds an encoder whose training came to its end.
    pub fn is_in(folder: &Path) -> bool {
        card::is_whole(folder)
    }

    /// The encoder of a card and its weights; `path` stands for them in errors.
    ///
    /// # Errors
    /// [`ModelError`] when the weights do not fit the card, or the device is not the processor.
    pub fn on_processor(
        card: ModelCard,
        weights: NamedTensors,
        path: &Path,
        compute: Compute,
    ) -> Result<Self, ModelError> {
        if compute.device != DeviceKind::Cpu {
            let problem = "an encoder is loaded for the processor here".to_owned();
            return Err(ModelError::Device { device: compute.device, problem });
        }
        weights.check(&card.encoder.tensors(), path)?;
        let network = Box::new(Network::new(&card.encoder, &weights, compute.kernels));
        Ok(Self { card, weights, network })
    }

    /// The same encoder, computed by another network of the same weights.
    #[must_use]
    pub fn computed_by(self, network: Box<dyn Forward>) -> Self {
        Self { network, ..self }
    }

    /// The weights, by the names of [`EncoderConfig::tensors`].
    pub fn weights(&self) -> &NamedTensors {
        &self.weights
    }

    /// The architecture.
    pub fn config(&self) -> &EncoderConfig {
        &self.card.encoder
    }

    /// What the model's folder says about it.
    pub fn card(&self) -> &ModelCard {
        &self.card
    }

    /// The kernels that compute each branch.
    pub fn kernels(&self) -> Vec<String> {
        self.network.kernels()
    }

    /// Embeddings of length one, `[clips, dims]`, of mono waveforms of exactly
    /// [`EncoderConfig::clip_samples`] samples.
    ///
    /// # Errors
    /// [`ModelError::Shape`] when a waveform has another length.
    pub fn embed(&self, waves: &[Vec<f32>]) -> Result<Array2<f32>, ModelError> {
        self.embed_raw(waves).map(normalised)
    }

    /// As [`Encoder::embed`], but with the length the network gave them.
    ///
    /// # Errors
    /// [`ModelError::Shape`] when a waveform has another length.
    pub fn embed_raw(&self, waves: &[Vec<f32>]) -> Result<Array2<f32>, ModelError> {
        for (clip, wave) in waves.iter().enumerate() {
            self.check_wave(clip, wave)?;
        }
        let chunks = waves.chunks(CHUNK_CLIPS);
        Ok(self.stacked(chunks.map(|chunk| features::of_batch(self.config(), chunk))))
    }

    /// The features of one clip, to be changed and given to [`Encoder::embed_features`].
    ///
    /// # Errors
    /// [`ModelError::Shape`] when the waveform has another length.
    pub fn features(&self, wave: &[f32]) -> Result<ClipFeatures, ModelError> {
        self.check_wave(0, wave)?;
        Ok(features::of_clip(self.config(), wave))
    }

    /// Embeddings from features, `[clips, dims]`, not normalised.
    ///
    /// # Errors
    /// [`ModelError::Shape`] when features do not have the encoder's shapes.
    pub fn embed_features(&self, clips: &[ClipFeatures]) -> Result<Array2<f32>, ModelError> {
        for (clip, features) in clips.iter().enumerate() {
            self.check_features(clip, features)?;
        }
        let chunks = clips.chunks(CHUNK_CLIPS);
        Ok(self.stacked(chunks.map(|chunk| features::gather(self.config(), chunk))))
    }

    /// Runs batches through the network and stacks the results.
    fn stacked(&self, batches: impl Iterator<Item = BatchFeatures>) -> Array2<f32> {
        let mut values = Vec::new();
        for batch in batches {
            values.extend(self.network.forward(batch));
        }
        let dims = self.config().dims();
        Array2::from_shape_vec((values.len() / dims, dims), values)
            .expect("the network gives `dims` values a clip")
    }

    fn check_wave(&self, clip: usize, wave: &[f32]) -> Result<(), ModelError> {
        let expected = self.config().clip_samples();
        if wave.len() == expected {
            return Ok(());
        }
        Err(ModelError::Shape {
            clip,
            what: "samples",
            found: wave.len().to_string(),
            expected: expected.to_string(),
        })
    }

    fn check_features(&self, clip: usize, features: &ClipFeatures) -> Result<(), ModelError> {
        let samples = self.config().clip_samples();
        let expected: Vec<_> = self.config().branches.iter().map(|b| b.shape(samples)).collect();
        let found: Vec<_> = features.branches.iter().map(Array2::dim).collect();
        if found == expected {
            return Ok(());
        }
        Err(ModelError::Shape {
            clip,
            what: "features of shapes",
            found: format!("{found:?}"),
            expected: format!("{expected:?}"),
        })
    }
}

/// Embeddings by several networks, `[clips, dims]` each, as one of length one: the cosine distance of two rows is the mean of the
/// networks' distances. Those of a single network stay as they are.
///
/// # Panics
/// When networks embedded different numbers of clips.
pub fn side_by_side(mut embeddings: Vec<Array2<f32>>) -> Array2<f32> {
    if embeddings.len() == 1 {
        return embeddings.remove(0);
    }
    let views: Vec<_> = embeddings.iter().map(|of_one| of_one.view()).collect();
    normalised(concatenate(Axis(1), &views).expect("every network embeds every clip"))
}

/// Rows scaled to length one; a row of zeros stays.
pub fn normalised(mut embeddings: Array2<f32>) -> Array2<f32> {
    for mut row in embeddings.rows_mut() {
        let length = row.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt();
        if length > 0.0 {
            row.mapv_inplace(|x| (f64::from(x) / length) as f32);
        }
    }
    embeddings
}
