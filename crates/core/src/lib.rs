//! The nouns of offkey: clips and what is known of them, data sets, labels, tables, seeds; what a long call
//! tells while it works; and the statistics that every crate needs.
//!
//! This crate knows names and files of names; it never knows audio, tensors, clocks or networks.

pub mod clip;
mod counted;
pub mod dataset;
pub mod digest;
pub mod error_kind;
pub mod files;
mod formulas;
pub mod labels;
pub mod lock;
pub mod names;
pub mod npy;
pub mod paths;
pub mod progress;
mod recordings;
mod registry;
pub mod score_files;
mod section;
pub mod seed;
mod sheet;
pub mod stages;
pub mod stats;
pub mod stems;
pub mod table;
mod threads;
pub mod truth;
pub mod walk;
pub mod whole;
pub mod words;
mod wrong_kind;

pub use clip::Clip;
pub use counted::counted;
pub use dataset::{
    DEFAULT_HOLDOUT, DataError, Dataset, Layout, OfficialCheck, PartCheck, Problem, recognise_year,
};
pub use digest::Digest;
pub use error_kind::{ErrorKind, about_it, cause_in_words, in_words, io_hint, with_causes};
pub use files::FileError;
pub use labels::{AuxiliaryTask, LabelError, Labels};
pub use lock::Lock;
pub use names::DcaseName;
pub use paths::printable;
pub use progress::{Progress, Silent};
pub use recordings::{recordings, recordings_and_left_out};
pub use registry::Registry;
pub use score_files::{ScoreFileError, ScoreFiles, Unused, read_score_files, score_rows};
pub use section::SectionKey;
pub use seed::Seed;
pub use stages::Stage;
pub use table::{EmbeddingTable, ScoreRow, TableError};
pub use threads::{ThreadsError, set_threads};
pub use truth::{Truth, TruthEntry, TruthError};
pub use whole::{remove_abandoned, write_whole};
pub use words::{Condition, Domain, Split, UnknownWord, Year};
pub use wrong_kind::wrong_kind;
