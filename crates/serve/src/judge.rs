//! What the service needs of a model: windows of which form, and an answer for each.

use std::path::Path;

use offkey_monitor::{
    Listening, Map, Monitor, MonitorError, Promise, Verdict, WindowRule, WindowVerdict,
};

/// What is said of one window.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// Anomaly score; absent where it cannot be scored.
    pub score: Option<f64>,
    /// Probability that a normal window looks at least this bad.
    pub p_value: Option<f64>,
    /// The verdict.
    pub verdict: Verdict,
    /// Why, in a sentence.
    pub reason: String,
}

/// Judges windows of one machine.
pub trait Judge: Send + Sync {
    /// How sound becomes windows.
    fn windows(&self) -> WindowRule;

    /// What sound has to be, and was when it was learned from.
    fn listening(&self) -> Listening;

    /// What it promises about false alarms, where it promises something.
    fn promise(&self) -> Option<Promise>;

    /// Judges one window.
    ///
    /// # Errors
    /// [`MonitorError`] when the model refuses the window.
    fn judge(&self, start: u64, window: &[f32]) -> Result<Judged, MonitorError>;

    /// Where the windows of a recording lie among the normal ones; none where the model cannot say.
    ///
    /// # Errors
    /// [`MonitorError`] when the recording cannot be read, or the model refuses a window.
    fn map(&self, _recording: &Path) -> Result<Option<Map>, MonitorError> {
        Ok(None)
    }
}

/// Why the model of a machine at rest cannot be asked about windows of the machine's own model, where that is so.
/// How often windows come does not matter.
pub fn other_windows(idle: WindowRule, machine: WindowRule) -> Option<String> {
    let sound = |rule: WindowRule| (rule.rate_hz, rule.samples, rule.channel);
    let words = |rule: WindowRule| {
        let seconds = rule.seconds(rule.samples as u64);
        format!("windows of {seconds} s at {} Hz, {}", rule.rate_hz, rule.channel)
    };
    (sound(idle) != sound(machine)).then(|| {
        format!(
            "its `idle_model` judges {}, and its own model {}: learn one of them again with the windows of the other",
            words(idle),
            words(machine)
        )
    })
}

impl Judge for Monitor {
    fn windows(&self) -> WindowRule {
        self.card().windows
    }

    fn listening(&self) -> Listening {
        Monitor::listening(self)
    }

    fn promise(&self) -> Option<Promise> {
        Some(Monitor::promise(self))
    }

    fn judge(&self, start: u64, window: &[f32]) -> Result<Judged, MonitorError> {
        let WindowVerdict { score, p_value, verdict, reason, .. } =
            Monitor::judge(self, start, window)?;
        Ok(Judged { score, p_value, verdict, reason })
    }

    fn map(&self, recording: &Path) -> Result<Option<Map>, MonitorError> {
        Monitor::map(self, recording, &|| false)
    }
}
