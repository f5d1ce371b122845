//! One self-contained HTML page from plain data: readable without network in ten years.

mod audio;
mod clips;
mod counts;
pub mod data;
mod figure;
mod figures;
mod html;
mod machines;
mod map;
mod picks;
mod relative;
mod scores;
mod tables;
mod threshold;
mod training;
mod trials;
mod verdict;
mod words;

pub use crate::chart::Picture;
pub use audio::wav;
pub use data::{
    AudioClip, ClipCard, Covariate, EmbeddingMap, MapPoint, Measured, MetricRow, MetricTable,
    NearestNormal, PageData, Role, SectionScores, TrainingRow, TrialRow,
};
pub use figures::{FigureTable, figure_tables};
pub use html::render;
pub use picks::{Pick, picks};
pub use tables::metric_tables;
