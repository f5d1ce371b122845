//! How often a detector may cry wolf, and how much of that wish calibration data can support.
//!
//! A window's conformal p-value is the share of calibration windows (and itself) that look at least
//! as bad. If the window is normal and exchangeable with them, p falls to `a` or below with
//! probability at most `a`. With `n` calibration windows the smallest p is `1/(n+1)`, so nothing
//! rarer can be promised, however the model was trained.
//!
//! Windows of one recording resemble each other, and are then not exchangeable with those of
//! another. What holds if only whole *recordings* are exchangeable is [`Promise::at_most`]: a window
//! of a new recording, of which at most `c` of `n` windows of `r` recordings look as bad, is as rare
//! as `(1 + c r/n) / (r + 1)`: every recording weighs the same, and its windows share its weight
//! (Lee, Barber and Willett, "Distribution-free inference with hierarchical data", 2023).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A wish such as `1 per week`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct FalseAlarmRate {
    count: f64,
    period: Period,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Period {
    Window,
    Hour,
    Day,
    Week,
    Month,
    Year,
}

/// A wish that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "cannot read false-alarm rate `{found}`, expected a number per window, hour, day, week, month or year, as in `1 per week`"
)]
pub struct RateError {
    /// As written.
    pub found: String,
}

/// What a model promises about false alarms.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Promise {
    /// What was asked for; none: the strictest that calibration supports.
    pub wished: Option<FalseAlarmRate>,
    /// Probability that a normal window is called an alarm, at most; none: nothing can be promised.
    pub per_window: Option<f64>,
    /// Seconds between windows, which turns the probability into a rate.
    pub every_s: f64,
    /// Windows the promise rests on.
    pub calibration_windows: usize,
    /// Recordings those windows were cut from.
    pub calibration_recordings: usize,
}

impl Period {
    const ALL: [(Self, &'static str, f64); 6] = [
        (Self::Window, "window", 0.0),
        (Self::Hour, "hour", 3600.0),
        (Self::Day, "day", 86_400.0),
        (Self::Week, "week", 604_800.0),
        (Self::Month, "month", 2_629_800.0),
        (Self::Year, "year", 31_557_600.0),
    ];

    fn entry(self) -> (Self, &'static str, f64) {
        Self::ALL[self as usize]
    }
}

impl FromStr for FalseAlarmRate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, RateError> {
        let error = || RateError { found: text.to_owned() };
        let (count, period) = text.split_once("per").ok_or_else(error)?;
        let count: f64 = count.trim().parse().map_err(|_| error())?;
        let period = period.trim().trim_end_matches('s');
        let (period, _, _) =
            Period::ALL.into_iter().find(|(_, name, _)| *name == period).ok_or_else(error)?;
        if count > 0.0 && count.is_finite() { Ok(Self { count, period }) } else { Err(error()) }
    }
}

impl fmt::Display for FalseAlarmRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} per {}", self.count, self.period.entry().1)
    }
}

impl From<FalseAlarmRate> for String {
    fn from(rate: FalseAlarmRate) -> Self {
        rate.to_string()
    }
}

impl TryFrom<String> for FalseAlarmRate {
    type Error = RateError;

    fn try_from(text: String) -> Result<Self, RateError> {
        text.parse()
    }
}

impl FalseAlarmRate {
    /// The wish as a probability per window, where a window starts every `every_s` seconds.
    pub fn per_window(self, every_s: f64) -> f64 {
        match self.period {
            Period::Window => self.count.min(1.0),
            other => (self.count * every_s / other.entry().2).min(1.0),
        }
    }
}

impl Promise {
    /// The strictest promise that fits both the wish and the calibration data.
    ///
    /// Recordings are those that the model did not learn from. One of them alone supports no
    /// promise: its windows say nothing about how recordings differ.
    pub fn new(
        wished: Option<FalseAlarmRate>,
        every_s: f64,
        calibration_windows: usize,
        calibration_recordings: usize,
    ) -> Self {
        let strictest = 1.0 / (calibration_windows as f64 + 1.0);
        let wish = wished.map_or(strictest, |rate| rate.per_window(every_s));
        let per_window = (calibration_recordings > 1).then(|| wish.max(strictest));
        Self { wished, per_window, every_s, calibration_windows, calibration_recordings }
    }

    /// The p-value at or below which a window is called an alarm. Where nothing can be promised
    /// the strictest possible one is used, without a promise.
    pub fn alarm_p(&self) -> f64 {
        self.per_window.unwrap_or(1.0 / (self.calibration_windows as f64 + 1.0))
    }

    /// What is true of normal windows of new recordings, however alike the windows of one recording
    /// are: at most this share of them alarms. Recordings are taken as equally long.
    ///
    /// As high as [`Promise::per_window`] where every recording gave one window, else higher.
    pub fn at_most(&self) -> Option<f64> {
        let (windows, recordings) =
            (self.calibration_windows as f64, self.calibration_recordings as f64);
        self.per_window.map(|per_window| {
            // Calibration windows that may look as bad as a window that alarms; the slack absorbs
            // rounding, as in `Verdict::of`.
            let as_bad = (per_window * (windows + 1.0) + 1e-6).floor() - 1.0;
            ((1.0 + as_bad * recordings / windows) / (recordings + 1.0)).clamp(per_window, 1.0)
        })
    }

    fn per_day(&self, share: f64) -> String {
        let per_day = share * Period::Day.entry().2 / self.every_s;
        if per_day < 10.0 { format!("{per_day:.2}") } else { format!("{per_day:.0}") }
    }

    /// Whether the wish was stricter than what can be promised.
    pub fn was_lowered(&self) -> bool {
        let wish = self.wished.map(|rate| rate.per_window(self.every_s));
        matches!((wish, self.per_window), (Some(wish), Some(promised)) if wish < promised)
    }
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { calibration_windows: windows, calibration_recordings: recordings, .. } = self;
        let (Some(per_window), Some(at_most)) = (self.per_window, self.at_most()) else {
            let whence = match recordings {
                0 => "the recordings it learned from",
                _ => "one recording",
            };
            return write!(
                f,
                "no false-alarm rate can be promised: all calibration windows ({windows}) come from {whence}; record \
                 the machine again, five times or more"
            );
        };
        let every = format!("at one window every {} s", self.every_s);
        write!(
            f,
            "at most {} of normal windows alarm ({} a day {every}), from {windows} calibration windows of \
             {recordings} recordings",
            percent(at_most),
            self.per_day(at_most)
        )?;
        if at_most > per_window {
            write!(
                f,
                "; down to {} ({} a day) if windows of one recording differ as much as windows of several: more \
                 recordings help, longer ones do not",
                percent(per_window),
                self.per_day(per_window)
            )?;
        }
        match self.wished {
            Some(wish) if self.was_lowered() => {
                let needed = (1.0 / wish.per_window(self.every_s) - 1.0).ceil();
                write!(
                    f,
                    "; the wish of `{wish}` was lowered to that: it would need {needed:.0} calibration windows, each \
                     of another recording"
                )
            }
            _ => Ok(()),
        }
    }
}

fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(text: &str) -> FalseAlarmRate {
        text.parse().expect("a valid rate")
    }

    #[test]
    fn a_rate_is_read_and_written_alike() {
        for text in ["1 per week", "0.5 per day", "2 per hour", "0.01 per window"] {
            assert_eq!(rate(text).to_string(), text);
        }
        for text in ["", "per week", "-1 per day", "1 per fortnight", "1 a week", "nan per day"] {
            assert!(text.parse::<FalseAlarmRate>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_rate_becomes_a_probability_by_the_time_between_windows() {
        assert!((rate("1 per day").per_window(10.0) - 10.0 / 86_400.0).abs() < 1e-15);
        assert_eq!(rate("0.25 per window").per_window(10.0).to_bits(), 0.25_f64.to_bits());
    }

    #[test]
    fn no_promise_is_stricter_than_one_over_windows_plus_one() {
        let promise = Promise::new(Some(rate("1 per week")), 10.0, 99, 5);
        assert_eq!(promise.per_window, Some(0.01));
        assert!(promise.was_lowered());
        assert!(promise.to_string().contains("would need 60479 calibration windows"), "{promise}");
    }

    #[test]
    fn a_wish_that_can_be_kept_is_kept() {
        let promise = Promise::new(Some(rate("0.1 per window")), 10.0, 99, 5);
        assert_eq!((promise.per_window, promise.was_lowered()), (Some(0.1), false));
    }

    #[test]
    fn windows_that_sound_alike_are_worth_no_more_than_their_recordings() {
        let promise = Promise::new(None, 10.0, 10, 2);
        assert_eq!(promise.at_most(), Some(1.0 / 3.0));
        let text = promise.to_string();
        assert!(text.contains("at most 33.33 %") && text.contains("down to 9.09 %"), "{text}");
        let each_another = Promise::new(None, 10.0, 10, 10);
        assert_eq!(each_another.at_most(), each_another.per_window);
        assert!(!each_another.to_string().contains("down to"));
    }

    #[test]
    fn what_is_true_of_new_recordings_lies_between_the_promise_and_all() {
        for (windows, recordings) in [(10, 10), (40, 4), (100, 7), (1000, 2)] {
            for wish in ["0.0001 per window", "0.03 per window", "0.2 per window", "1 per window"] {
                let promise = Promise::new(Some(rate(wish)), 10.0, windows, recordings);
                let (promised, at_most) = (promise.per_window, promise.at_most());
                assert!(promised <= at_most && at_most <= Some(1.0), "{promise:?}");
            }
        }
    }

    #[test]
    fn one_recording_supports_no_promise() {
        let promise = Promise::new(None, 10.0, 99, 1);
        assert_eq!((promise.per_window, promise.at_most()), (None, None));
        assert_eq!(promise.alarm_p().to_bits(), 0.01_f64.to_bits());
        assert!(promise.to_string().contains("one recording"), "{promise}");
        assert!(Promise::new(None, 10.0, 9, 0).to_string().contains("learned from"));
    }
}
