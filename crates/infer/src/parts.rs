//! An encoder in pieces: as text and bytes, to be kept inside another file; and one branch alone, to
//! be asked about changed features without computing what did not change.

use std::path::Path;

use ndarray::Array2;
use rayon::prelude::*;

use crate::{BranchRegistry, Compute, Encoder, ModelCard, ModelError, weights::NamedTensors};

/// What stands for the file in errors.
const IN_MEMORY: &str = "encoder";

impl Encoder {
    /// The card as TOML and the weights as safetensors, as a model folder holds them.
    ///
    /// # Errors
    /// [`ModelError::Damaged`] when they cannot be written in these forms.
    pub fn to_parts(&self) -> Result<(String, Vec<u8>), ModelError> {
        let name = Path::new(IN_MEMORY);
        let weights = self.weights.to_bytes(name, None)?;
        Ok((self.card.to_toml(name)?, weights))
    }

    /// The encoder that [`Encoder::to_parts`] took apart. It has no branches of other crates.
    ///
    /// # Errors
    /// [`ModelError`] when a part is damaged, or they do not fit each other.
    pub fn from_parts(card: &str, weights: &[u8], compute: Compute) -> Result<Self, ModelError> {
        let name = Path::new(IN_MEMORY);
        let card = ModelCard::parse(name, card, &BranchRegistry::default())?;
        let (weights, _) = NamedTensors::from_bytes(name, weights)?;
        Self::on_processor(card, weights, name, compute)
    }

    /// One branch's part of the embeddings of changed copies of one clip's features,
    /// `[copies, branch dims]`, not normalised.
    ///
    /// `change` gets the number of a copy, the original's values, row-major, and the place of the
    /// copy's; `room` keeps its memory from call to call.
    ///
    /// # Errors
    /// [`ModelError::Shape`] when the features are not of that branch's kind and shape.
    pub fn embed_copies(
        &self,
        branch: usize,
        features: &Array2<f32>,
        copies: usize,
        room: &mut Vec<f32>,
        change: impl Fn(usize, &[f32], &mut [f32]) + Sync,
    ) -> Result<Array2<f32>, ModelError> {
        let config = &self.config().branches[branch];
        let shape = config.shape(self.config().clip_samples());
        if features.dim() != shape {
            return Err(ModelError::Shape {
                clip: 0,
                what: "features of shape",
                found: format!("{:?}", features.dim()),
                expected: format!("{shape:?}"),
            });
        }
        let original = features.as_standard_layout();
        let original = original.as_slice().expect("standard layout is one slice");
        room.resize(copies * original.len(), 0.0);
        room.par_chunks_exact_mut(original.len()).enumerate().for_each(|(copy, values)| {
            change(copy, original, values);
            config.kind().condition(values, shape);
        });
        let values = self.network.forward_branch(branch, copies, room);
        let dims = config.dims();
        Ok(Array2::from_shape_vec((copies, dims), values)
            .expect("a branch gives `dims` values a clip"))
    }
}
