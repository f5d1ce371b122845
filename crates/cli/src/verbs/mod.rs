//! One file per verb: its arguments, and what it does with them.

pub(crate) mod check;
pub(crate) mod choose;
pub(crate) mod compare;
pub(crate) mod completions;
pub(crate) mod data;
pub(crate) mod demo;
pub(crate) mod embed;
pub(crate) mod evaluate;
pub(crate) mod explain;
pub(crate) mod export;
pub(crate) mod info;
pub(crate) mod learn;
pub(crate) mod recipes;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod score;
pub(crate) mod selftest;
pub(crate) mod serve;
mod shared;
pub(crate) mod study;
pub(crate) mod train;
pub(crate) mod tsne;
pub(crate) mod update;
pub(crate) mod watch;
