//! The nouns of offkey: clips and what is known of them, data sets, labels, tables, seeds.
//!
//! This crate knows names and files of names; it never knows audio, tensors, clocks or networks.

pub mod clip;
pub mod seed;
pub mod table;

pub use clip::{Clip, Condition, Domain, Split, Year};
pub use seed::Seed;
pub use table::{EmbeddingTable, ScoreRow, TableError};
