//! What the members of a run's detector make of its clips, as files.

use std::path::Path;

use ndarray::{Array2, Axis, concatenate, s};
use offkey_core::{EmbeddingTable, npy};
use offkey_infer::pooled::PooledConfig;

use crate::{FolderError, OffkeyError, Recipe, files};

/// Beside the model's `embeddings.npy`: the pooled spectra of the same clips, one after the other in a row.
const POOLED: &str = "pooled.npy";

/// Embeddings of clips by every member of a detector: the model, and the pooled spectra beside it.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use offkey::{Embedded, Recipe, RunFolder, RunRequest, Silent, SynthConfig, run, synthesize};
///
/// # let folder = tempfile::tempdir()?;
/// # let (data, out) = (folder.path().join("data"), folder.path().join("run"));
/// # let config = SynthConfig { machines: 1, clips: 12, clip_s: 2.0, ..SynthConfig::default() };
/// # synthesize(&config, &data, &Silent)?;
/// # let recipe = Recipe::load("fusion", &["model.pooled.clip_s=2.0".to_owned()])?;
/// # run(&RunRequest::new(vec![data.clone()], recipe, out.clone()), &Silent)?;
/// let run = RunFolder::open_to_read(&out)?;
/// let embedded = Embedded::read(&run.embeddings(), &Recipe::read(&run.recipe())?)?;
/// assert_eq!(embedded.table.embeddings.nrows(), embedded.table.clips.len());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Embedded {
    /// Clips, and their embeddings by the model.
    pub table: EmbeddingTable,
    /// Pooled spectra of the same clips, `[clips, dims]` each; none where a recipe has no fusion.
    pub pooled: Vec<Array2<f32>>,
}

impl From<EmbeddingTable> for Embedded {
    fn from(table: EmbeddingTable) -> Self {
        Self { table, pooled: Vec::new() }
    }
}

impl Embedded {
    /// Embeddings of some clips, one array per member.
    pub(crate) fn select(&self, rows: &[usize]) -> Vec<Array2<f32>> {
        let all = std::iter::once(&self.table.embeddings).chain(&self.pooled);
        all.map(|member| member.select(Axis(0), rows)).collect()
    }

    /// Writes the folder of embeddings; `rows.csv`, which says that it is whole, comes last.
    ///
    /// # Errors
    /// [`OffkeyError`] when it cannot be written.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), OffkeyError> {
        if !self.pooled.is_empty() {
            let views: Vec<_> = self.pooled.iter().map(|member| member.view()).collect();
            let joined = concatenate(Axis(1), &views).expect("every member has every clip");
            files::write_atomically(&folder.join(POOLED), &npy::to_bytes(joined.view()))?;
        }
        Ok(self.table.write(folder)?)
    }

    /// Reads what the run of a recipe wrote.
    ///
    /// # Errors
    /// [`OffkeyError`] when a file is absent, damaged, or does not fit the recipe.
    pub fn read(folder: &Path, recipe: &Recipe) -> Result<Self, OffkeyError> {
        let table = EmbeddingTable::read(folder)?;
        let Some(fusion) = &recipe.fusion else { return Ok(table.into()) };
        let path = folder.join(POOLED);
        let joined = EmbeddingTable::read_parts(&path, &folder.join("rows.csv"))?.embeddings;
        let (rate_hz, _) = recipe.clip_shape();
        let dims: Vec<usize> = fusion.pooled(rate_hz).iter().map(PooledConfig::dims).collect();
        let (found, expected) = (joined.ncols(), dims.iter().sum());
        if found != expected {
            return Err(FolderError::Columns { path, found, expected }.into());
        }
        let mut begin = 0;
        let pooled = dims.into_iter().map(|dims| {
            begin += dims;
            joined.slice(s![.., begin - dims..begin]).to_owned()
        });
        Ok(Self { pooled: pooled.collect(), table })
    }
}
