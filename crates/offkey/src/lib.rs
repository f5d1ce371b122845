//! Anomalous sound detection for machines: from recordings to a scored test set, and to an alarm.
//!
//! Start at [`run()`](run::run): it takes a [`RunRequest`] and does everything. Each stage can be redone from the
//! files of the one before; [`Detector`] scores single clips with a finished run.

mod audio;
mod conditions;
mod demo;
mod detector;
mod error;
mod explain;
pub mod files;
mod holds;
mod inspect;
pub mod learn;
mod loaded;
mod manifest;
mod metrics;
mod noise;
mod open_run;
mod outside;
mod planted;
mod progress;
mod recipe;
mod recordings;
mod request;
mod run;
mod run_folder;
mod section;
mod stage;
pub mod stages;
mod threads;
mod trial;
mod wave_cache;
mod withheld;

pub use audio::{ClipAudio, Treatment};
pub use demo::{DemoReport, demo, synthesize};
pub use detector::{ClipScore, DetectError, Detector, SectionReferences};
pub use error::OffkeyError;
pub use explain::{ExplainError, ExplainRequest, Explanation, Gap, PAGE_MASKS, explain_clip};
pub use files::FileError;
pub use holds::{Holds, expect_monitor, holds};
pub use inspect::{ClipGroup, Finding, Inspection, check_official, inspect};
pub use loaded::Loaded;
pub use manifest::Manifest;
pub use metrics::{Baseline, RunMetrics};
pub use offkey_core::OfficialCheck;
pub use outside::{evaluate_scores, load_backend, score_embeddings};
pub use planted::{PlantReport, PlantRequest, plant_faults};
pub use progress::{Progress, Silent, steps};
pub use recipe::{
    AudioConfig, AutoencoderModel, BUILT_IN, BuiltIn, ModelConfig, NetworkConfig, NoiseConfig,
    NoiseKind, NoisyClips, PooledFusion, PooledModel, Recipe, RecipeError, StatisticsModel,
};
pub use recordings::{recordings, to_csv};
pub use request::{DEFAULT_CACHE_BYTES, Registries, RunRequest, Seeds, Watch};
pub use run::{embed, evaluate, map, redo, report, run, score, train};
pub use run_folder::{Existing, FolderError, RunFolder};
pub use section::SectionKey;
pub use stage::{
    AgainstColumn, ClipsError, CompactnessRow, Embedded, Scoring, SectionThreshold, score_table,
};
pub use stages::Stage;
pub use threads::set_threads;
pub use trial::Trial;
pub use wave_cache::WaveCache;

pub use offkey_monitor as monitor;

pub use offkey_core::paths::{printable, printable_lines};
pub use offkey_core::{
    Clip, Condition, Domain, ErrorKind, ScoreRow, Seed, Split, Year, counted, io_hint,
};
pub use offkey_eval::Metrics;
pub use offkey_infer::foreign::{ForeignConfig, ForeignError, FrontEnd};
pub use offkey_infer::{Compute, DeviceKind, Kernels};
pub use offkey_report::rise::{RiseConfig, RiseError};
pub use offkey_score as backends;
pub use offkey_score::{BackendConfig, ColumnConfig, ThresholdConfig};
pub use offkey_signal::ChannelRule;
pub use offkey_synth::SynthConfig;
pub use offkey_train::TrainLength;
pub use offkey_train::loss as losses;
