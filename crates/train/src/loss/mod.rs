//! Training losses: what pulls the embeddings of normal clips into place.
//!
//! A loss is a file here, in which its settings implement `Loss`, and a line in the list of
//! [`LossConfig`]. Losses from outside of this crate implement [`CustomLoss`] and are named in
//! [`LossRegistry`]; a recipe chooses one by `custom = "NAME"`. The built-in losses stay inside the
//! crate because they are built of tensors.

mod aam;
mod adacos;
mod adaproj;
mod compactness;
mod cosface;
mod cross_entropy;
mod custom;
mod error;
mod intra_class_compactness;
mod intra_class_compactness_cross_entropy;
mod kind;
mod margin;
mod noisy_arcmix;
mod scale;
mod sphere;
mod sub_cluster_adacos;

#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use burn::tensor::Device;
use offkey_core::Seed;
use serde::{Deserialize, Serialize};

pub use custom::{CustomLoss, LossRegistry, LossValue};
pub use error::LossError;
pub use kind::{Centres, ScaleRule};
pub use scale::{MAXIMUM_SCALE, MINIMUM_SCALE};

pub(crate) use kind::LossHead;
use kind::{Loss, Task};

/// Makes [`LossConfig`] of a list: a doc comment, the variant, the file with its settings, and the
/// name in recipes.
macro_rules! losses {
    ($($(#[$doc:meta])* $variant:ident($file:ident::$settings:ident) = $name:literal,)+) => {
        $(pub use $file::$settings;)+

        /// The training loss, with its settings.
        ///
        /// ```
        /// use offkey_train::loss::{LossConfig, SubClusterAdaCosConfig};
        /// assert_eq!(
        ///     LossConfig::default(),
        ///     LossConfig::SubClusterAdacos(SubClusterAdaCosConfig::default())
        /// );
        /// ```
        ///
        /// # Source
        /// Wilkinghoff and Kurth, "Why do Angular Margin Losses work well for Semi-Supervised
        /// Anomalous Sound Detection?", 2024; the sources of the single losses stand in their files.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        pub enum LossConfig {
            $($(#[$doc])* #[serde(rename = $name)] $variant($settings),)+
            /// A loss from outside, by its name in [`LossRegistry`].
            #[serde(rename = "custom")]
            Custom(String),
        }

        impl LossConfig {
            /// Names of the built-in losses, as recipes write them.
            pub const NAMES: &[&str] = &[$($name),+];

            /// The loss's name, as recipes write it; of one from outside its own.
            pub fn name(&self) -> &str {
                match self {
                    $(Self::$variant(_) => $name,)+
                    Self::Custom(name) => name,
                }
            }

            /// The loss itself; those from outside are looked up.
            fn resolved(&self, custom: &LossRegistry) -> Result<Arc<dyn Loss>, LossError> {
                match self {
                    $(Self::$variant(own) => Ok(Arc::new(own.clone())),)+
                    Self::Custom(name) => custom::find(custom, name),
                }
            }

            /// The settings of a built-in loss, to be changed.
            fn settings_mut(&mut self) -> Option<&mut dyn Loss> {
                match self {
                    $(Self::$variant(own) => Some(own),)+
                    Self::Custom(_) => None,
                }
            }
        }
    };
}

losses! {
    /// All clips near one centre, as in Deep SVDD; no classes.
    Compactness(compactness::CompactnessConfig) = "compactness",
    /// Every clip near the centre of its class.
    IntraClassCompactness(intra_class_compactness::IntraClassCompactnessConfig) = "intra-class-compactness",
    /// The same, plus the cross-entropy of a linear layer.
    IntraClassCompactnessCrossEntropy(intra_class_compactness_cross_entropy::IntraClassCompactnessCrossEntropyConfig) = "intra-class-compactness-cross-entropy",
    /// Cross-entropy of a linear layer.
    CrossEntropy(cross_entropy::CrossEntropyConfig) = "cross-entropy",
    /// Additive angular margin (ArcFace): cos(theta + m) for the true class.
    Aam(aam::AamConfig) = "aam",
    /// One angular margin per mixed clip, on its main class.
    NoisyArcmix(noisy_arcmix::NoisyArcMixConfig) = "noisy-arcmix",
    /// Additive cosine margin (CosFace): cos(theta) - m for the true class.
    Cosface(cosface::CosFaceConfig) = "cosface",
    /// Softmax over scaled cosines, one centre per class.
    Adacos(adacos::AdaCosConfig) = "adacos",
    /// Softmax over scaled cosines, several centres per class.
    SubClusterAdacos(sub_cluster_adacos::SubClusterAdaCosConfig) = "sub-cluster-adacos",
    /// Softmax over the cosine between the embedding and its projection on each class's subspace.
    Adaproj(adaproj::AdaProjConfig) = "adaproj",
}

impl Default for LossConfig {
    /// The paper's system: sub-cluster AdaCos with its defaults.
    fn default() -> Self {
        Self::SubClusterAdacos(SubClusterAdaCosConfig::default())
    }
}

impl LossConfig {
    /// The settings as a recipe writes them.
    pub(crate) fn to_table(&self) -> toml::Table {
        toml::Table::try_from(self).expect("a loss is a table of settings by its name")
    }

    /// Whether the loss tells classes apart, so that with fewer than two it is constant and
    /// nothing could be learnt.
    ///
    /// # Errors
    /// [`LossError::Unknown`] for a loss from outside that `custom` does not name.
    pub fn needs_classes(&self, custom: &LossRegistry) -> Result<bool, LossError> {
        Ok(self.resolved(custom)?.needs_classes())
    }

    /// The same loss with trainable centres, as the additional head of the exchanges of
    /// [`SelfSupervision`](crate::SelfSupervision) wants it. A loss from outside stays as it is.
    #[must_use]
    pub fn with_trainable_centres(&self) -> Self {
        let mut config = self.clone();
        if let Some(settings) = config.settings_mut() {
            settings.train_centres();
        }
        config
    }

    /// Whether this loss can be built for so many classes and dimensions.
    ///
    /// # Errors
    /// [`LossError`] names the setting that is out of its range.
    pub fn check(
        &self,
        custom: &LossRegistry,
        dims: usize,
        classes: usize,
    ) -> Result<(), LossError> {
        let own = self.resolved(custom)?;
        let loss = || self.name().to_owned();
        if dims == 0 || classes == 0 {
            return Err(LossError::Empty { loss: loss(), dims, classes });
        }
        if own.needs_classes() && classes < 2 {
            return Err(LossError::OneClass { loss: loss() });
        }
        for (setting, found, least, most) in own.settings() {
            if !(least..=most).contains(&found) {
                return Err(LossError::OutOfRange { loss: loss(), setting, found, least, most });
            }
        }
        Ok(())
    }

    /// The loss for `classes` classes of `dims`-dimensional embeddings; what it draws at random
    /// comes from `seed` alone.
    ///
    /// # Errors
    /// Those of [`LossConfig::check`].
    pub(crate) fn head(
        &self,
        custom: &LossRegistry,
        (dims, classes): (usize, usize),
        seed: Seed,
        device: &Device,
    ) -> Result<LossHead, LossError> {
        self.check(custom, dims, classes)?;
        let task = Task { dims, classes };
        Ok(LossHead::new(self.resolved(custom)?, task, seed, device))
    }
}
