//! What is asked of learning, and a recording that was listened to for it.

use std::path::PathBuf;

use offkey_core::Clip;
use offkey_infer::Compute;
use offkey_monitor::{FalseAlarmRate, RecordingCard};
use offkey_recipe::Recipe;

/// Everything asked of learning.
///
/// ```
/// use offkey_learn::LearnRequest;
///
/// let request = LearnRequest {
///     false_alarms: Some("1 per week".parse().expect("a rate")),
///     window_s: Some(2.0),
///     ..LearnRequest::new(vec!["recordings".into()], "pump")
/// };
/// assert_eq!(request.seed, 0);
/// ```
#[derive(Debug, Clone)]
pub struct LearnRequest {
    /// Folders or manifests of normal recordings.
    pub data: Vec<PathBuf>,
    /// Recordings of known faults, or folders of them: what comes near to them scores higher.
    pub faults: Vec<PathBuf>,
    /// What the machine is called.
    pub name: String,
    /// How often false alarms may come; none: as rarely as the recordings support.
    pub false_alarms: Option<FalseAlarmRate>,
    /// Seconds of a window; none: as the recipe says, or 10; less where recordings are shorter and the model takes
    /// windows of any length.
    pub window_s: Option<f64>,
    /// Seconds between the starts of windows; none: 10, or the length of a shorter window.
    pub every_s: Option<f64>,
    /// The recipe; none: the fusion of pooled spectra.
    pub recipe: Option<Recipe>,
    /// Seed of everything random.
    pub seed: u64,
    /// Where to compute.
    pub compute: Compute,
}

impl LearnRequest {
    /// Learning with the defaults of `offkey learn`, on the processor, with seed 0.
    pub fn new(data: Vec<PathBuf>, name: impl Into<String>) -> Self {
        Self {
            data,
            faults: Vec::new(),
            name: name.into(),
            false_alarms: None,
            window_s: None,
            every_s: None,
            recipe: None,
            seed: 0,
            compute: Compute::default(),
        }
    }
}

/// A recording that was listened to.
pub(crate) struct Prepared {
    pub(crate) clip: Clip,
    pub(crate) rate_hz: u32,
    pub(crate) card: RecordingCard,
}
