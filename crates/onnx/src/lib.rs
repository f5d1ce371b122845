//! Models as ONNX files, so that other programs can compute the same embeddings.
//!
//! Start at [`export()`]: it reads a run or a monitor, writes the ONNX file, and beside it an `.npz`
//! file with the references and with inputs and outputs to check a runtime by. [`model()`] writes the
//! file's bytes for models that are in memory.

#![expect(
    clippy::cast_possible_wrap,
    reason = "the form counts in i64, and no array has 2^63 numbers"
)]

mod check;
mod dft;
mod error;
mod export;
mod front;
mod graph;
mod member;
mod network;
mod npz;
mod pooled;
mod proto;

pub use check::{Check, Parity};
pub use error::OnnxError;
pub use export::{ExportRequest, Exported, export};
pub use front::Input;
pub use graph::{OPSET, Port};
pub use member::{Member, Written, model};
