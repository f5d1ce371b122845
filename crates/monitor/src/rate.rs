//! How often false alarms may come, as people write it.

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
    "cannot read false-alarm rate `{found}`, expected a number per window, hour, day, week, month or year, as in `1 per week`, `1 a day` or `5%`"
)]
pub struct RateError {
    /// As written.
    pub found: String,
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
        let number = |text: &str| text.trim().replace(',', ".").parse::<f64>().map_err(|_| error());
        let lower = text.to_lowercase();
        let (count, period) = if let Some(share) = lower.trim().strip_suffix('%') {
            (number(share)? / 100.0, Period::Window)
        } else {
            let parts =
                [" per ", " a ", " an ", "/"].iter().find_map(|word| lower.split_once(word));
            let (count, period) = parts.ok_or_else(error)?;
            let period = period.trim().trim_end_matches('s');
            let known = Period::ALL.into_iter().find(|(_, name, _)| *name == period);
            (number(count)?, known.ok_or_else(error)?.0)
        };
        let possible = period != Period::Window || count <= 1.0;
        if count > 0.0 && count.is_finite() && possible {
            Ok(Self { count, period })
        } else {
            Err(error())
        }
    }
}

impl fmt::Display for FalseAlarmRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { count, period } = *self;
        if period == Period::Window {
            // As it is typed: 0.07 is no 7.000000000000001 %.
            let percent = (100.0 * count * 1e9).round() / 1e9;
            if (percent / 100.0).to_bits() == count.to_bits() {
                return write!(f, "{percent} %");
            }
        }
        write!(f, "{count} per {}", period.entry().1)
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
    /// The wish as a number per week, where it names a time.
    pub fn per_week(self) -> Option<f64> {
        match self.period {
            Period::Window => None,
            other => Some(self.count * Period::Week.entry().2 / other.entry().2),
        }
    }

    /// The wish as a probability per window, where a window starts every `every_s` seconds.
    pub fn per_window(self, every_s: f64) -> f64 {
        match self.period {
            Period::Window => self.count.min(1.0),
            other => (self.count * every_s / other.entry().2).min(1.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_as_people_write_them() {
        for (text, read) in [
            ("1 per week", "1 per week"),
            ("0.5 per day", "0.5 per day"),
            ("1 a day", "1 per day"),
            ("2 an hour", "2 per hour"),
            ("3 per weeks", "3 per week"),
            ("1/month", "1 per month"),
            ("5%", "5 %"),
            ("2,5 %", "2.5 %"),
            ("0.5%", "0.5 %"),
            ("0.07 per window", "7 %"),
            ("0.05 per window", "5 %"),
            ("0.3333333333333333 per window", "0.3333333333333333 per window"),
        ] {
            let rate: FalseAlarmRate = text.parse().expect(text);
            assert_eq!(rate.to_string(), read);
            assert_eq!(read.parse(), Ok(rate), "it is read as it is written");
        }
        for text in
            ["", "per week", "-1 per day", "1 per fortnight", "nan per day", "0 %", "5", "120 %"]
        {
            assert!(text.parse::<FalseAlarmRate>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_rate_becomes_a_probability_by_the_time_between_windows() {
        let rate = |text: &str| text.parse::<FalseAlarmRate>().expect(text);
        assert!((rate("1 per day").per_window(10.0) - 10.0 / 86_400.0).abs() < 1e-15);
        assert_eq!(rate("0.25 per window").per_window(10.0).to_bits(), 0.25_f64.to_bits());
        assert_eq!(rate("1 per day").per_week(), Some(7.0));
        assert_eq!(rate("5%").per_week(), None);
    }
}
