//! One self-contained HTML page from plain data.

pub mod data;
mod embed;
mod html;

pub use data::{
    AudioClip, ClipCard, Covariate, EmbeddingMap, MapPoint, Measured, MetricRow, MetricTable,
    NearestNormal, PageData, Picture, Role, SectionScores, TrainingRow,
};
pub use html::render;
