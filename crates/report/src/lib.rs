//! Numbers to pictures and pages: t-SNE, RISE, charts, one HTML page.
//!
//! This crate never knows how an embedding or a score was made: t-SNE takes a matrix, RISE takes a
//! closure, the page takes plain data.

pub mod chart;
mod markup;
pub mod page;
pub mod rise;
pub mod tsne;

pub use page::{PageData, render};
pub use tsne::{TsneConfig, TsneError, TsneMap};
