//! Time: the wall clock for people, a steady clock for durations. Injected, so that tests decide what time it is.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// A moment, on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds since 1970 as the wall clock says. It may jump, both ways.
    pub unix_ms: i64,
    /// Milliseconds of a clock that only moves forward; its zero means nothing.
    pub steady_ms: u64,
}

impl Now {
    /// Seconds since 1970 as the wall clock says.
    pub fn unix_s(self) -> f64 {
        self.unix_ms as f64 / 1000.0
    }

    /// Time that passed since an earlier moment, by the steady clock.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.steady_ms.saturating_sub(earlier.steady_ms))
    }
}

/// Where the time comes from.
pub trait Clock: Send + Sync {
    /// The time.
    fn now(&self) -> Now;
}

/// The system's clocks.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    start: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { start: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Now {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let unix_ms = since.map_or(0, |since| since.as_millis() as i64);
        Now { unix_ms, steady_ms: self.start.elapsed().as_millis() as u64 }
    }
}

/// A clock that moves when it is told to.
#[derive(Debug)]
pub struct ManualClock {
    now: Mutex<Now>,
}

impl ManualClock {
    /// A clock that stands at a wall time.
    pub fn new(unix_ms: i64) -> Self {
        Self { now: Mutex::new(Now { unix_ms, steady_ms: 0 }) }
    }

    /// Time passes on both clocks.
    pub fn pass(&self, ms: u64) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        now.unix_ms += ms.cast_signed();
        now.steady_ms += ms;
    }

    /// The wall clock jumps; no time passes.
    pub fn jump(&self, ms: i64) {
        self.now.lock().unwrap_or_else(PoisonError::into_inner).unix_ms += ms;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Now {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner)
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
