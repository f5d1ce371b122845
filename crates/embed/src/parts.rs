//! An encoder as text and bytes, to be kept inside another file.

use std::path::Path;

use burn::module::Module;
use offkey_core::Seed;

use crate::{
    Compute, Encoder, ModelCard, ModelError,
    compute::device,
    model,
    network::Network,
    weights::{NamedTensors, collect, restore},
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
        let weights = collect(&self.network).to_bytes(name, None)?;
        Ok((self.card.to_toml(name)?, weights))
    }

    /// The encoder that [`Encoder::to_parts`] took apart.
    ///
    /// # Errors
    /// [`ModelError`] when a part is damaged, or they do not fit each other.
    pub fn from_parts(card: &str, weights: &[u8], compute: Compute) -> Result<Self, ModelError> {
        let name = Path::new(IN_MEMORY);
        let device = device(compute)?;
        let card = ModelCard::parse(name, card)?;
        let (weights, _) = NamedTensors::from_bytes(name, weights)?;
        model::check_finite(name, &weights)?;
        let network = Network::new(&card.encoder, Seed::new(0), &device, compute);
        let network = restore(network, weights, name)?.valid();
        Ok(Self { card, network, device })
    }
}
