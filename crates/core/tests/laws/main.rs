//! What must always hold of names, data sets, truth, scores, tables, splits, labels and seeds.

#![expect(clippy::print_stderr, reason = "a skipped test says so")]

mod common;
mod dataset;
mod fingerprint;
mod labels;
mod names;
mod real_data;
mod score_files;
mod splits;
mod tables;
mod truth;
mod walk;
