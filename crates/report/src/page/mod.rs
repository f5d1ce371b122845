//! One self-contained HTML page from plain data: readable without network in ten years.

mod audio;
mod clips;
pub mod data;
mod embed;
mod figures;
mod html;
mod map;
mod mistakes;
mod picks;
mod scores;
mod summary;
mod tables;
mod training;

pub use audio::wav;
pub use data::{
    AudioClip, ClipCard, Covariate, EmbeddingMap, MapPoint, Measured, MetricRow, MetricTable,
    NearestNormal, PageData, Picture, Role, SectionScores, TrainingRow,
};
pub(crate) use embed::{data_url, escape};
pub use figures::{FigureTable, figure_tables};
pub use html::render;
pub use picks::{Pick, picks};
pub use tables::metric_tables;
