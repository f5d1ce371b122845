//! Time as a watch sees it: injected, so that a test needs no waiting and no wall clock.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A clock.
pub trait Clock: Sync {
    /// Seconds since 1970, for what people read. It may jump.
    fn unix_s(&self) -> f64;
    /// Time since some fixed moment, for measuring how long something lasts. It never goes back.
    fn elapsed(&self) -> Duration;
}

/// The system's clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    begun: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { begun: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn unix_s(&self) -> f64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
    }

    fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }
}

/// A moment in UTC as `2026-11-28T13:05:09Z`.
pub fn utc(unix_s: f64) -> String {
    let seconds = unix_s.max(0.0) as u64;
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days.cast_signed());
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

/// Year, month and day of a number of days since 1970 in the Gregorian calendar.
///
/// # Source
/// Howard Hinnant, "chrono-compatible low-level date algorithms": years begin in March, so that the
/// leap day is a year's last.
fn date(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_the_calendar_has_them() {
        for (unix_s, text) in [
            (0.0, "1970-01-01T00:00:00Z"),
            (951_782_399.9, "2000-02-28T23:59:59Z"),
            (951_782_400.0, "2000-02-29T00:00:00Z"),
            (1_735_689_599.0, "2024-12-31T23:59:59Z"),
            (4_107_542_400.0, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(utc(unix_s), text);
        }
    }
}
