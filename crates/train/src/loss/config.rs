//! Which loss a model is trained with, and its settings: one closed enum, as recipes write it.

use serde::{Deserialize, Serialize};

use super::LossError;

/// Whether the centres, or the columns of a linear layer, learn along with the encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Centres {
    /// Drawn once from the seed and never changed.
    Fixed,
    /// Drawn from the seed and trained.
    Trainable,
}

/// How an AdaCos-like loss chooses the factor in front of its cosines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScaleRule {
    /// `sqrt(2) ln(centres - 1)`, at least [`MINIMUM_SCALE`](super::MINIMUM_SCALE).
    Fixed,
    /// Recomputed from every training batch, kept within
    /// [`MINIMUM_SCALE`](super::MINIMUM_SCALE) and [`MAXIMUM_SCALE`](super::MAXIMUM_SCALE).
    Dynamic,
}

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
/// Wilkinghoff and Kurth, "Why do Angular Margin Losses work well for Semi-Supervised Anomalous
/// Sound Detection?", 2024; the sources of the single losses stand in their files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LossConfig {
    /// All clips near one centre, as in Deep SVDD; no classes.
    Compactness(CompactnessConfig),
    /// Every clip near the centre of its class.
    IntraClassCompactness(IntraClassCompactnessConfig),
    /// The same, plus the cross-entropy of a linear layer.
    IntraClassCompactnessCrossEntropy(IntraClassCompactnessCrossEntropyConfig),
    /// Cross-entropy of a linear layer.
    CrossEntropy(CrossEntropyConfig),
    /// Additive angular margin (ArcFace): cos(theta + m) for the true class.
    Aam(AamConfig),
    /// One angular margin a mixed clip, on its main class.
    NoisyArcmix(NoisyArcMixConfig),
    /// Additive cosine margin (CosFace): cos(theta) - m for the true class.
    Cosface(CosFaceConfig),
    /// Softmax over scaled cosines, one centre a class.
    Adacos(AdaCosConfig),
    /// Softmax over scaled cosines, several centres a class.
    SubClusterAdacos(SubClusterAdaCosConfig),
    /// Softmax over the cosine between the embedding and its projection on each class's subspace.
    Adaproj(AdaProjConfig),
}

impl Default for LossConfig {
    /// The paper's system: sub-cluster AdaCos with its defaults.
    fn default() -> Self {
        Self::SubClusterAdacos(SubClusterAdaCosConfig::default())
    }
}

/// Settings of the compactness loss.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CompactnessConfig {
    /// Measure the distance on the unit sphere. Default true: what the backend compares.
    pub normalized: bool,
    /// Let the centre learn. Default false: Deep SVDD fixes it, since a free centre can follow
    /// the embeddings into collapse.
    pub trainable_centre: bool,
}

impl Default for CompactnessConfig {
    fn default() -> Self {
        Self { normalized: true, trainable_centre: false }
    }
}

/// Settings of the intra-class compactness loss.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IntraClassCompactnessConfig {
    /// Measure the distance on the unit sphere. Default true: what the backend compares.
    pub normalized: bool,
    /// Whether the class centres learn. Default fixed, as the paper has them.
    pub centres: Centres,
}

impl Default for IntraClassCompactnessConfig {
    fn default() -> Self {
        Self { normalized: true, centres: Centres::Fixed }
    }
}

/// Settings of the intra-class compactness loss with cross-entropy.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IntraClassCompactnessCrossEntropyConfig {
    /// Measure the distance on the unit sphere. Default true: what the backend compares.
    pub normalized: bool,
    /// Whether the class centres learn. Default fixed, as the paper has them.
    pub centres: Centres,
    /// Factor of the cross-entropy. Default 1: our choice, the paper names no weight.
    pub cross_entropy_weight: f64,
}

impl Default for IntraClassCompactnessCrossEntropyConfig {
    fn default() -> Self {
        Self { normalized: true, centres: Centres::Fixed, cross_entropy_weight: 1.0 }
    }
}

/// Settings of the cross-entropy loss: none, the linear layer is always trained.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CrossEntropyConfig {}

/// Settings of the additive angular margin loss.
///
/// # Source
/// Deng et al., "ArcFace: Additive Angular Margin Loss for Deep Face Recognition", 2019.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AamConfig {
    /// Factor of the cosines. Default 64, as in the ArcFace paper.
    pub scale: f64,
    /// Angle in radians added to the true class's. Default 0.5, as in the ArcFace paper.
    pub margin: f64,
    /// Whether the class centres learn. Default trainable, as in the ArcFace paper.
    pub centres: Centres,
}

impl Default for AamConfig {
    fn default() -> Self {
        Self { scale: 64.0, margin: 0.5, centres: Centres::Trainable }
    }
}

/// Settings of the Noisy-ArcMix loss.
///
/// # Source
/// Choi and Choi, "Noisy-ArcMix: Additive Noisy Angular Margin Loss Combined With Mixup Anomalous
/// Sound Detection", 2024.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NoisyArcMixConfig {
    /// Factor of the cosines. Default 30, as in the authors' published system.
    pub scale: f64,
    /// Angle in radians added to the main class's. Default 0.7, as in the authors' published
    /// system.
    pub margin: f64,
    /// Whether the class centres learn. Default trainable, as in the authors' published system.
    pub centres: Centres,
}

impl Default for NoisyArcMixConfig {
    fn default() -> Self {
        Self { scale: 30.0, margin: 0.7, centres: Centres::Trainable }
    }
}

/// Settings of the additive cosine margin loss.
///
/// # Source
/// Wang et al., "CosFace: Large Margin Cosine Loss for Deep Face Recognition", 2018.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CosFaceConfig {
    /// Factor of the cosines. Default 64, as in the CosFace paper.
    pub scale: f64,
    /// What is taken off the true class's cosine. Default 0.35, as in the CosFace paper.
    pub margin: f64,
    /// Whether the class centres learn. Default trainable, as in the CosFace paper.
    pub centres: Centres,
}

impl Default for CosFaceConfig {
    fn default() -> Self {
        Self { scale: 64.0, margin: 0.35, centres: Centres::Trainable }
    }
}

/// Settings of the AdaCos loss.
///
/// # Source
/// Zhang et al., "AdaCos: Adaptively Scaling Cosine Logits for Effectively Learning Deep Face
/// Representations", 2019.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdaCosConfig {
    /// How the factor of the cosines is chosen. Default fixed: it cannot diverge.
    pub scale: ScaleRule,
    /// Whether the class centres learn. Default trainable, as in the AdaCos paper.
    pub centres: Centres,
}

impl Default for AdaCosConfig {
    fn default() -> Self {
        Self { scale: ScaleRule::Fixed, centres: Centres::Trainable }
    }
}

/// Settings of the sub-cluster AdaCos loss.
///
/// # Source
/// Wilkinghoff, "Sub-Cluster AdaCos: Learning Representations for Anomalous Sound Detection",
/// 2021.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SubClusterAdaCosConfig {
    /// Centres per class. Default 16, as in the paper's system.
    pub sub_clusters: usize,
    /// How the factor of the cosines is chosen. Default fixed: it cannot diverge.
    pub scale: ScaleRule,
    /// Whether the centres learn. Default fixed, as the paper's theory has them.
    pub centres: Centres,
}

impl Default for SubClusterAdaCosConfig {
    fn default() -> Self {
        Self { sub_clusters: 16, scale: ScaleRule::Fixed, centres: Centres::Fixed }
    }
}

/// Settings of the AdaProj loss.
///
/// # Source
/// Wilkinghoff, "AdaProj: Adaptively Scaled Angular Margin Subspace Projections for Anomalous
/// Sound Detection with Auxiliary Classification Tasks", 2024.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdaProjConfig {
    /// Vectors that span each class's subspace. Default 16: our choice, that of the paper's
    /// sub-clusters.
    pub sub_clusters: usize,
    /// How the factor of the cosines is chosen. Default fixed: it cannot diverge.
    pub scale: ScaleRule,
    /// Whether the vectors learn. Default fixed: our choice, that of sub-cluster AdaCos.
    pub centres: Centres,
}

impl Default for AdaProjConfig {
    fn default() -> Self {
        Self { sub_clusters: 16, scale: ScaleRule::Fixed, centres: Centres::Fixed }
    }
}

impl LossConfig {
    /// The loss's name, as recipes write it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Compactness(_) => "compactness",
            Self::IntraClassCompactness(_) => "intra-class-compactness",
            Self::IntraClassCompactnessCrossEntropy(_) => "intra-class-compactness-cross-entropy",
            Self::CrossEntropy(_) => "cross-entropy",
            Self::Aam(_) => "aam",
            Self::NoisyArcmix(_) => "noisy-arcmix",
            Self::Cosface(_) => "cosface",
            Self::Adacos(_) => "adacos",
            Self::SubClusterAdacos(_) => "sub-cluster-adacos",
            Self::Adaproj(_) => "adaproj",
        }
    }

    /// The settings as a recipe writes them.
    pub(crate) fn to_table(&self) -> toml::Table {
        toml::Table::try_from(self).expect("a loss is a table of settings by its name")
    }

    /// Whether the loss tells classes apart, so that with fewer than two it is constant and
    /// nothing could be learnt.
    pub fn needs_classes(&self) -> bool {
        match self {
            Self::Compactness(_) | Self::IntraClassCompactness(_) => false,
            Self::IntraClassCompactnessCrossEntropy(_)
            | Self::CrossEntropy(_)
            | Self::Aam(_)
            | Self::NoisyArcmix(_)
            | Self::Cosface(_)
            | Self::Adacos(_)
            | Self::SubClusterAdacos(_)
            | Self::Adaproj(_) => true,
        }
    }

    /// The same loss with trainable centres, as the additional head of the exchanges of
    /// [`SelfSupervision`](crate::SelfSupervision) wants it.
    #[must_use]
    pub fn with_trainable_centres(&self) -> Self {
        let mut config = self.clone();
        match &mut config {
            Self::Compactness(own) => own.trainable_centre = true,
            Self::IntraClassCompactness(own) => own.centres = Centres::Trainable,
            Self::IntraClassCompactnessCrossEntropy(own) => own.centres = Centres::Trainable,
            Self::CrossEntropy(_) => {}
            Self::Aam(own) => own.centres = Centres::Trainable,
            Self::NoisyArcmix(own) => own.centres = Centres::Trainable,
            Self::Cosface(own) => own.centres = Centres::Trainable,
            Self::Adacos(own) => own.centres = Centres::Trainable,
            Self::SubClusterAdacos(own) => own.centres = Centres::Trainable,
            Self::Adaproj(own) => own.centres = Centres::Trainable,
        }
        config
    }

    /// Whether this loss can be built for so many classes and dimensions.
    ///
    /// # Errors
    /// [`LossError`] names the setting that is out of its range.
    pub fn check(&self, dims: usize, classes: usize) -> Result<(), LossError> {
        let loss = self.name();
        if dims == 0 || classes == 0 {
            return Err(LossError::Empty { loss, dims, classes });
        }
        if self.needs_classes() && classes < 2 {
            return Err(LossError::OneClass { loss });
        }
        for (setting, value, least, most) in self.bounded_settings() {
            if !(least..=most).contains(&value) {
                return Err(LossError::OutOfRange { loss, setting, found: value, least, most });
            }
        }
        Ok(())
    }

    /// Name, value, least and largest sensible value of every numeric setting.
    fn bounded_settings(&self) -> Vec<(&'static str, f64, f64, f64)> {
        let sub_clusters = |count: usize| vec![("sub_clusters", count as f64, 1.0, 4096.0)];
        let margin_and_scale = |margin: f64, largest: f64, scale: f64| {
            vec![("margin", margin, 0.0, largest), ("scale", scale, f64::MIN_POSITIVE, 1000.0)]
        };
        match self {
            Self::Compactness(_)
            | Self::IntraClassCompactness(_)
            | Self::CrossEntropy(_)
            | Self::Adacos(_) => Vec::new(),
            Self::IntraClassCompactnessCrossEntropy(own) => {
                vec![("cross_entropy_weight", own.cross_entropy_weight, 0.0, f64::MAX)]
            }
            Self::Aam(own) => margin_and_scale(own.margin, std::f64::consts::FRAC_PI_2, own.scale),
            Self::NoisyArcmix(own) => {
                margin_and_scale(own.margin, std::f64::consts::FRAC_PI_2, own.scale)
            }
            Self::Cosface(own) => margin_and_scale(own.margin, 2.0, own.scale),
            Self::SubClusterAdacos(own) => sub_clusters(own.sub_clusters),
            Self::Adaproj(own) => sub_clusters(own.sub_clusters),
        }
    }
}
