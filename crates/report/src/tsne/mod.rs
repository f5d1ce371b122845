//! t-SNE: a map on which clips that lie close in embedding space lie close on paper.
//!
//! # Source
//! L. van der Maaten and G. Hinton, "Visualizing Data using t-SNE", JMLR 9, 2008; Barnes-Hut
//! repulsion: L. van der Maaten, JMLR 15, 2014; step sizes and exaggeration: A. Belkina et al.,
//! Nature Communications 10, 2019; initialisation: D. Kobak and P. Berens, ibid. Golden:
//! `testdata/golden/tsne.json`.

mod affinity;
mod barnes_hut;
mod config;
mod descent;
mod exact;
mod map;
mod neighbors;
mod pca;
mod place;

pub use config::{Distance, Method, TsneConfig, TsneError};
pub use map::TsneMap;
pub use neighbors::{Neighbors, nearest};
