//! What several verbs have in common.

use std::path::Path;

use offkey_infer::Compute;
use offkey_monitor::{Monitor, MonitorError, model_bytes};

/// The monitor of a model file.
pub(crate) fn load_monitor(path: &Path) -> Result<Monitor, MonitorError> {
    Monitor::load(path, Compute::default())
}

/// As [`load_monitor`], for what asks for no verdict: that costs a tenth of the time.
pub(crate) fn describe_monitor(path: &Path) -> Result<Monitor, MonitorError> {
    Monitor::describe(path, &model_bytes(path)?, Compute::default())
}

/// At least one recording, window or event is an alarm.
pub(crate) const EXIT_ALARM: u8 = 3;
/// No alarm, but something could not be judged or read.
pub(crate) const EXIT_UNJUDGED: u8 = 4;

/// Longest time that is taken for meant, in seconds: a year.
const LONGEST_S: f64 = 3.2e7;

/// Parses a time in seconds, as `10s` or `0.5`.
pub(crate) fn seconds(text: &str) -> Result<f64, String> {
    match text.trim_end_matches('s').trim().parse::<f64>() {
        Ok(value) if value > 0.0 && value <= LONGEST_S => Ok(value),
        _ => Err(format!("expected a time in seconds as in 10s, found `{text}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        assert_eq!(seconds("10s"), Ok(10.0));
        assert_eq!(seconds("0.5"), Ok(0.5));
        for text in ["-1s", "soon", "0", "inf", "nan", "1e300"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
