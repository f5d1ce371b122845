//! Anomalous sound detection for machines: from recordings to a scored test set, and to an alarm.
//!
//! # Map
//!
//! | you want | start at |
//! | --- | --- |
//! | a model of one machine, and verdicts on new sound | [`learn::learn`], then [`monitor::Monitor`] |
//! | a benchmark: train, score, evaluate, a page | [`RunRequest`], then [`run()`](run::run) |
//! | scores of single clips by a finished run | [`Detector`] |
//! | one stage of a run again | [`redo`], with [`Stage`] |
//! | a loss, a backend or a branch of your own | [`losses`], [`backends`], [`branches`], [`Registries`] |
//! | scores of embeddings that another model made | [`score_embeddings`] |
//!
//! Every long call takes a [`Progress`] and asks it whether to stop; [`Silent`] never stops. Errors have a kind and a
//! hint. Larger scores are more anomalous, everywhere.
//!
//! # A buffer of sound, judged by a monitor
//!
//! ```
//! use offkey::{Silent, SynthConfig, learn, monitor::Verdict, synthesize};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let sounds = folder.path().join("sounds");
//! let config = SynthConfig { machines: 1, clips: 12, clip_s: 2.0, ..SynthConfig::default() };
//! synthesize(&config, &sounds, &Silent)?;
//!
//! let request = learn::LearnRequest::new(vec![sounds.join("fan/train")], "fan");
//! let (monitor, report) = learn::learn(&request, &Silent)?;
//! assert_eq!(report.recordings, 12);
//!
//! let window = vec![0.0; monitor.card().windows.samples]; // from your sound card
//! let verdict = monitor.judge(0, &window)?;
//! assert_eq!(verdict.verdict, Verdict::CannotTell, "{}", verdict.reason); // silence
//! # Ok(())
//! # }
//! ```
//!
//! # A benchmark
//!
//! ```
//! use offkey::{Recipe, RunRequest, Silent, SynthConfig, run, synthesize};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let (data, out) = (folder.path().join("data"), folder.path().join("run"));
//! let config = SynthConfig { machines: 1, clips: 12, clip_s: 2.0, ..SynthConfig::default() };
//! synthesize(&config, &data, &Silent)?;
//!
//! let recipe = Recipe::load("fusion", &["model.pooled.clip_s=2.0".to_owned()])?;
//! let metrics = run(&RunRequest::new(vec![data], recipe, out.clone()), &Silent)?;
//! assert!(metrics.metrics.auc.is_some());
//! assert!(out.join("report.html").exists());
//! # Ok(())
//! # }
//! ```
//!
//! # A backend of your own
//!
//! ```
//! use std::sync::Arc;
//!
//! use ndarray::ArrayView2;
//! use offkey::{
//!     Recipe, Registries, RunRequest, Silent, SynthConfig,
//!     backends::{BackendKind, BackendRegistry, FittedBackend, Fitting, ScoreError},
//!     run, synthesize,
//! };
//!
//! /// The largest value of an embedding; nothing is fitted.
//! #[derive(Debug)]
//! struct Largest;
//!
//! impl BackendKind for Largest {
//!     fn fit(&self, _: &mut Fitting) -> Result<Box<dyn FittedBackend>, ScoreError> {
//!         Ok(Box::new(Largest))
//!     }
//! }
//!
//! impl FittedBackend for Largest {
//!     fn score(&self, embeddings: ArrayView2<f32>) -> Vec<f64> {
//!         let largest = |row: &[f32]| f64::from(row.iter().copied().fold(f32::MIN, f32::max));
//!         embeddings.rows().into_iter().map(|row| largest(&row.to_vec())).collect()
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let (data, out) = (folder.path().join("data"), folder.path().join("run"));
//! # let config = SynthConfig { machines: 1, clips: 12, clip_s: 2.0, ..SynthConfig::default() };
//! # synthesize(&config, &data, &Silent)?;
//! let backends = BackendRegistry::default().with("largest", Arc::new(Largest));
//! let registries = Registries { backends, ..Registries::default() };
//!
//! let changes = ["backend.custom='largest'".to_owned(), "model.statistics.clip_s=2.0".to_owned()];
//! let recipe = Recipe::load("log-mel-statistics", &changes)?;
//! let request = RunRequest { registries, ..RunRequest::new(vec![data], recipe, out) };
//! assert!(run(&request, &Silent)?.metrics.auc.is_some());
//! # Ok(())
//! # }
//! ```
//!
//! A loss of your own goes the same way: `crates/example-outside` has both.

mod audio;
mod conditions;
mod demo;
mod detector;
mod error;
mod explain;
mod holds;
mod inspect;
mod loaded;
mod manifest;
mod metrics;
mod noise;
mod open_run;
mod outside;
mod planted;
mod request;
mod run;
mod run_folder;
mod stage;
mod trial;
mod wave_cache;
mod withheld;

pub use audio::{ClipAudio, Treatment};
pub use demo::{DemoReport, demo, synthesize};
pub use detector::{ClipScore, DetectError, Detector, SectionReferences};
pub use error::OffkeyError;
pub use explain::{ExplainRequest, explain_clip};
pub use holds::{Holds, holds};
pub use inspect::{ClipGroup, Finding, Inspection, check_official, inspect};
pub use loaded::Loaded;
pub use manifest::Manifest;
pub use metrics::{Baseline, RunMetrics};
pub use outside::{evaluate_scores, load_backend, score_embeddings};
pub use planted::{PlantReport, PlantRequest, plant_faults};
pub use request::{DEFAULT_CACHE_BYTES, Registries, RunRequest, Seeds, Watch};
pub use run::{embed, evaluate, map, redo, report, run, score, train};
pub use run_folder::{Existing, FolderError, RunFolder};
pub use stage::{
    AgainstColumn, ClipsError, CompactnessRow, Embedded, SectionThreshold, score_table,
};
pub use trial::Trial;
pub use wave_cache::WaveCache;

pub use offkey_learn as learn;
pub use offkey_monitor as monitor;

pub use offkey_core::paths::{printable, printable_lines};
pub use offkey_core::{
    Clip, Condition, Domain, ErrorKind, FileError, OfficialCheck, Progress, ScoreRow, SectionKey,
    Seed, Silent, Split, Stage, Year, counted, files, in_words, io_hint, names::is_audio,
    progress::steps, recordings, recordings_and_left_out, set_threads, stages, table::to_csv,
    with_causes,
};
pub use offkey_eval::Metrics;
pub use offkey_explain::{ExplainError, Explanation, Gap, PAGE_MASKS};
pub use offkey_infer::foreign::{
    Blocks as ForeignBlocks, ForeignConfig, ForeignError, FrontEnd, Layout as ForeignLayout,
    Level as ForeignLevel,
};
pub use offkey_infer::{Compute, DeviceKind, Kernels};
pub use offkey_recipe::{
    AudioConfig, AutoencoderModel, BUILT_IN, BuiltIn, ModelConfig, NetworkConfig, NoiseConfig,
    NoiseKind, NoisyClips, PooledFusion, PooledModel, Recipe, RecipeError, Scoring,
    StatisticsModel,
};
pub use offkey_report::rise::{RiseConfig, RiseError};
pub use offkey_score as backends;
pub use offkey_score::{BackendConfig, ColumnConfig, ThresholdConfig};
pub use offkey_signal::ChannelRule;
pub use offkey_synth::SynthConfig;
pub use offkey_train::TrainLength;
pub use offkey_train::loss as losses;

/// Branches of other crates: what they implement, and the registry that names them.
pub mod branches {
    pub use offkey_infer::{Axes, BranchRegistry, CustomBranch};
}

/// The README's Rust compiles.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
