//! The verbs that learn, train, study and write pages: those that a small computer beside a machine does without.

pub(crate) mod choose;
pub(crate) mod compare;
pub(crate) mod completions;
pub(crate) mod data;
pub(crate) mod demo;
pub(crate) mod embed;
mod error;
pub(crate) mod evaluate;
pub(crate) mod explain;
pub(crate) mod export;
pub(crate) mod learn;
pub(crate) mod recipes;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod score;
pub(crate) mod selftest;
mod shared;
pub(crate) mod study;
mod tables;
pub(crate) mod train;
pub(crate) mod tsne;

pub(crate) use error::WorkbenchError;
