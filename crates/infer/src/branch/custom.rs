//! Branches of other crates: plain arrays in, embeddings and gradients out.

use std::{fmt, sync::Arc};

use ndarray::{Array2, ArrayView2};
use offkey_core::{Registry, Seed};
use serde::{Deserialize, Serialize};

use super::kind::{Axes, Branch, BranchNetwork, Build, clip_by_clip};
use crate::{
    ConfigError,
    layers::{Cost, TensorList},
};

/// A branch of another crate. It is trained with the encoder: it says how its output changes with
/// its matrices, and the optimiser does the rest.
///
/// # Shapes
/// Features of one clip are `[rows, columns]` of [`CustomBranch::shape`], its part of the embedding
/// has [`CustomBranch::dims`] numbers. Clips are given one at a time, many at once.
pub trait CustomBranch: fmt::Debug + Send + Sync {
    /// Length of its part of the embedding.
    fn dims(&self) -> usize;

    /// Rows and columns of the features of a clip of so many samples.
    fn shape(&self, clip_samples: usize) -> (usize, usize);

    /// What they stand for. A spectrogram can be masked in training, and explained.
    fn axes(&self) -> Axes {
        Axes::Other
    }

    /// Writes the features of one clip, row-major, as its matrices take them.
    fn features(&self, wave: &[f32], out: &mut [f32]);

    /// Its matrices as they begin; all that is drawn at random comes from `seed`. Their shapes
    /// follow from the features' alone.
    fn matrices(&self, shape: (usize, usize), seed: Seed) -> Vec<Array2<f32>>;

    /// The part of the embedding of one clip.
    fn embed(&self, matrices: &[ArrayView2<'_, f32>], features: ArrayView2<'_, f32>) -> Vec<f32>;

    /// The derivatives by each matrix, of their shapes, for one clip: those of
    /// `sum(by_embedding * embed(matrices, features))`.
    fn gradients(
        &self,
        matrices: &[ArrayView2<'_, f32>],
        features: ArrayView2<'_, f32>,
        by_embedding: &[f32],
    ) -> Vec<Array2<f32>>;

    /// Multiply-adds for one clip, forward only. Zero where nobody counted.
    fn multiply_adds(&self, shape: (usize, usize)) -> usize {
        let _ = shape;
        0
    }
}

/// Branches of other crates by the name that recipes give them, as in `custom = "NAME"`.
pub type BranchRegistry = Registry<dyn CustomBranch>;

/// A branch of another crate, by its name. It can be used once it has been looked up, by
/// [`EncoderConfig::resolved`](crate::EncoderConfig::resolved).
#[derive(Clone, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct NamedBranch {
    name: String,
    found: Option<Arc<dyn CustomBranch>>,
}

impl NamedBranch {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The branch itself, once it was looked up; [`EncoderConfig::validate`](crate::EncoderConfig::validate) refuses an encoder
    /// where it was not.
    pub fn branch(&self) -> Option<&Arc<dyn CustomBranch>> {
        self.found.as_ref()
    }

    fn known(&self) -> &Arc<dyn CustomBranch> {
        self.found.as_ref().expect("an encoder is validated before it is built")
    }

    pub(crate) fn look_up(&mut self, registry: &BranchRegistry) -> Result<(), ConfigError> {
        let known = || registry.names().map(|name| format!("`{name}`")).collect();
        let unknown = || ConfigError::UnknownBranch { name: self.name.clone(), known: known() };
        self.found = Some(registry.get(&self.name).ok_or_else(unknown)?);
        Ok(())
    }
}

impl fmt::Debug for NamedBranch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NamedBranch").field(&self.name).finish()
    }
}

impl PartialEq for NamedBranch {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl From<String> for NamedBranch {
    fn from(name: String) -> Self {
        Self { name, found: None }
    }
}

impl From<NamedBranch> for String {
    fn from(branch: NamedBranch) -> Self {
        branch.name
    }
}

/// Name of a matrix among the tensors of its branch.
fn matrix_name(index: usize) -> String {
    format!("matrices.{index}")
}

impl Branch for NamedBranch {
    fn dims(&self) -> usize {
        self.found.as_ref().map_or(0, |branch| branch.dims())
    }

    fn shape(&self, clip_samples: usize) -> (usize, usize) {
        self.found.as_ref().map_or((0, 0), |branch| branch.shape(clip_samples))
    }

    fn axes(&self) -> Axes {
        self.found.as_ref().map_or(Axes::Other, |branch| branch.axes())
    }

    fn check(&self, place: usize, clip_samples: usize) -> Result<(), ConfigError> {
        let Some(branch) = &self.found else {
            return Err(ConfigError::UnknownBranch { name: self.name.clone(), known: Vec::new() });
        };
        if branch.dims() == 0 {
            let (found, expected) = ("0".to_owned(), "a branch that gives at least one number");
            return Err(ConfigError::Branch { branch: place, field: "dims", found, expected });
        }
        let (rows, columns) = branch.shape(clip_samples);
        if rows * columns == 0 {
            return Err(ConfigError::TooShort { branch: place, clip_samples, layer: "features" });
        }
        Ok(())
    }

    fn features(&self, wave: &[f32], out: &mut [f32]) {
        self.known().features(wave, out);
    }

    fn condition(&self, _: &mut [f32], _: (usize, usize)) {}

    fn tensors(&self, list: &mut TensorList, shape: (usize, usize)) {
        for (index, matrix) in self.known().matrices(shape, Seed::new(0)).iter().enumerate() {
            list.add(&matrix_name(index), &[matrix.nrows(), matrix.ncols()]);
        }
    }

    fn cost(&self, cost: &mut Cost, shape: (usize, usize)) {
        cost.kernel(1, 1, 1, self.known().multiply_adds(shape));
    }

    fn network(&self, build: &Build<'_>) -> Box<dyn BranchNetwork> {
        let names = (0..).map(matrix_name);
        let matrices = names.map_while(|name| build.layers.get(&name)).map(|tensor| {
            Array2::from_shape_vec((tensor.shape[0], tensor.shape[1]), tensor.values.clone())
                .expect("the weights are all of the architecture's")
        });
        let matrices = matrices.collect();
        let branch = Arc::clone(self.known());
        Box::new(CustomNetwork { shape: branch.shape(build.clip_samples), branch, matrices })
    }
}

/// A branch of another crate with its trained matrices.
#[derive(Debug)]
struct CustomNetwork {
    branch: Arc<dyn CustomBranch>,
    shape: (usize, usize),
    matrices: Vec<Array2<f32>>,
}

impl BranchNetwork for CustomNetwork {
    fn embed(&self, _: usize, features: &[f32]) -> Vec<f32> {
        let views: Vec<_> = self.matrices.iter().map(|matrix| matrix.view()).collect();
        clip_by_clip(self.shape.0 * self.shape.1, features, |clip| {
            let clip = ArrayView2::from_shape(self.shape, clip).expect("rows x columns values");
            self.branch.embed(&views, clip)
        })
    }

    fn kernels(&self) -> String {
        "from outside".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BranchConfig, Compute, Encoder, EncoderConfig, ModelCard, weights::NamedTensor};

    /// The mean of each half of a clip, times a matrix of so many rows.
    #[derive(Debug)]
    struct Halves(usize);

    impl CustomBranch for Halves {
        fn dims(&self) -> usize {
            self.0
        }

        fn shape(&self, clip_samples: usize) -> (usize, usize) {
            (2, clip_samples / 2)
        }

        fn features(&self, wave: &[f32], out: &mut [f32]) {
            out.copy_from_slice(wave);
        }

        fn matrices(&self, (rows, _): (usize, usize), seed: Seed) -> Vec<Array2<f32>> {
            vec![Array2::from_elem((self.0, rows), (seed.value() % 7) as f32)]
        }

        fn embed(
            &self,
            matrices: &[ArrayView2<'_, f32>],
            features: ArrayView2<'_, f32>,
        ) -> Vec<f32> {
            let means = features.mean_axis(ndarray::Axis(1)).expect("columns");
            matrices[0].dot(&means).to_vec()
        }

        fn gradients(
            &self,
            matrices: &[ArrayView2<'_, f32>],
            _: ArrayView2<'_, f32>,
            _: &[f32],
        ) -> Vec<Array2<f32>> {
            vec![Array2::zeros(matrices[0].dim())]
        }
    }

    fn encoder() -> EncoderConfig {
        let branches = vec![BranchConfig::Custom("halves".to_owned().into())];
        EncoderConfig { rate_hz: 4, clip_s: 1.0, branches, ..EncoderConfig::default() }
    }

    #[test]
    fn a_name_that_nobody_registered_is_refused_with_those_that_are() {
        let error = encoder().validate().expect_err("nobody registered it").to_string();
        assert!(error.contains("`halves`") && error.contains("no branch"), "{error}");
        let others = BranchRegistry::default().with("thirds", Arc::new(Halves(3)));
        let error = encoder().resolved(&others).expect_err("another is registered").to_string();
        assert!(error.contains("`halves`") && error.contains("`thirds`"), "{error}");
    }

    #[test]
    fn a_branch_that_gives_nothing_is_refused() {
        let nothing = BranchRegistry::default().with("halves", Arc::new(Halves(0)));
        let config = encoder().resolved(&nothing).expect("registered");
        let error = config.validate().expect_err("no numbers").to_string();
        assert!(error.contains("branch 0: `dims` is 0"), "{error}");
    }

    #[test]
    fn an_encoder_of_such_a_branch_embeds_and_is_loaded_by_its_name() {
        let registry = BranchRegistry::default().with("halves", Arc::new(Halves(3)));
        let config = encoder().resolved(&registry).expect("registered");
        config.validate().expect("a valid encoder");
        assert_eq!(config.tensors(), [("branches.0.matrices.0".to_owned(), vec![3, 2])]);
        assert_eq!(config.outside().names().collect::<Vec<_>>(), ["halves"]);
        let mut weights = crate::weights::NamedTensors::default();
        let values = vec![1.0, 0.0, 0.0, 1.0, 1.0, 1.0];
        let matrix = NamedTensor { shape: vec![3, 2], values };
        weights.0.insert("branches.0.matrices.0".to_owned(), matrix);
        let card = ModelCard::new(&config, toml::Table::new(), 2, Seed::new(1), 1);
        let folder = tempfile::tempdir().expect("a folder");
        crate::write_model(folder.path(), &card, &weights).expect("room");
        let error = Encoder::load(folder.path(), Compute::default()).expect_err("not registered");
        assert!(format!("{error:?}").contains("halves"), "{error:?}");
        let encoder =
            Encoder::load_with(folder.path(), &registry, Compute::default()).expect("registered");
        let waves = [vec![1.0, 3.0, 5.0, 7.0], vec![0.0; 4]];
        let embedded = encoder.embed_raw(&waves).expect("whole clips");
        assert_eq!(embedded, ndarray::array![[2.0, 6.0, 8.0], [0.0, 0.0, 0.0]]);
    }
}
