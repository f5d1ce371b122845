//! An encoder in pieces: as text and bytes, to be kept inside another file; and one branch alone, to
//! be asked about changed features without computing what did not change.

use std::path::Path;

use ndarray::Array2;

use crate::{
    BranchFeatures, ClipFeatures, Compute, Encoder, EncoderConfig, ModelCard, ModelError, features,
    weights::NamedTensors,
};

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

    /// The encoder that [`Encoder::to_parts`] took apart.
    ///
    /// # Errors
    /// [`ModelError`] when a part is damaged, or they do not fit each other.
    pub fn from_parts(card: &str, weights: &[u8], compute: Compute) -> Result<Self, ModelError> {
        let name = Path::new(IN_MEMORY);
        let card = ModelCard::parse(name, card)?;
        let (weights, _) = NamedTensors::from_bytes(name, weights)?;
        Self::on_processor(card, weights, name, compute)
    }

    /// One branch's part of the embeddings, `[clips, branch dims]`, not normalised.
    ///
    /// # Errors
    /// [`ModelError::Shape`] when the features are not of that branch's kind and shape.
    pub fn embed_branch(
        &self,
        branch: usize,
        clips: &[BranchFeatures],
    ) -> Result<Array2<f32>, ModelError> {
        let config = self.config();
        let only =
            EncoderConfig { branches: vec![config.branches[branch].clone()], ..config.clone() };
        let expected = features::shape(&only.branches[0], config.clip_samples());
        for (clip, features) in clips.iter().enumerate() {
            if features.shape() != expected {
                return Err(ModelError::Shape {
                    clip,
                    what: "features of shape",
                    found: format!("{:?}", features.shape()),
                    expected: format!("{expected:?}"),
                });
            }
        }
        let clips: Vec<ClipFeatures> =
            clips.iter().map(|f| ClipFeatures { branches: vec![f.clone()] }).collect();
        let input = features::gather(&only, &clips).branches.remove(0);
        let values = self.network.forward_branch(branch, clips.len(), input);
        let dims = only.dims();
        Ok(Array2::from_shape_vec((clips.len(), dims), values)
            .expect("a branch gives `dims` values a clip"))
    }
}
