//! Times of the week in which a machine calls nobody, in local time.

use jiff::{Timestamp, civil::Weekday, tz::TimeZone};

/// A weekly schedule.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    zone: TimeZone,
    spans: Vec<Span>,
}

/// Days, and a time of day; a span over midnight belongs to the day it begins on.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Span {
    /// Monday first.
    days: [bool; 7],
    from_min: u32,
    until_min: u32,
}

/// A schedule that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// Not days and times.
    #[error(
        "cannot read `{found}`, expected days and times as in `mon-fri 18:00-06:00` or `sat,sun`"
    )]
    Span {
        /// As written.
        found: String,
    },
    /// No such time zone on this system.
    #[error("no time zone `{found}`, expected a name such as `Europe/Berlin`, or `UTC`")]
    Zone {
        /// As written.
        found: String,
    },
}

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const DAY_MIN: u32 = 24 * 60;

impl Schedule {
    /// Reads spans as in `mon-fri 18:00-06:00`; without a zone the system's is used.
    ///
    /// # Errors
    /// [`ScheduleError`] for the first that cannot be read.
    pub fn new(spans: &[String], zone: Option<&str>) -> Result<Self, ScheduleError> {
        let zone = zone_of(zone)?;
        let spans = spans.iter().map(|text| Span::read(text)).collect::<Result<_, _>>()?;
        Ok(Self { zone, spans })
    }

    /// Everything that keeps spans and a zone from being a schedule.
    pub fn problems(spans: &[String], zone: Option<&str>) -> Vec<ScheduleError> {
        let spans = spans.iter().filter_map(|text| Span::read(text).err());
        spans.chain(zone_of(zone).err()).collect()
    }

    /// Whether alarms are suppressed at a wall time.
    pub fn suppresses(&self, unix_ms: i64) -> bool {
        let Ok(time) = Timestamp::from_millisecond(unix_ms) else { return false };
        let local = self.zone.to_datetime(time);
        let day = match local.weekday() {
            Weekday::Monday => 0,
            Weekday::Tuesday => 1,
            Weekday::Wednesday => 2,
            Weekday::Thursday => 3,
            Weekday::Friday => 4,
            Weekday::Saturday => 5,
            Weekday::Sunday => 6,
        };
        let minute = local.hour().unsigned_abs() as u32 * 60 + local.minute().unsigned_abs() as u32;
        self.spans.iter().any(|span| span.contains(day, minute))
    }
}

fn zone_of(name: Option<&str>) -> Result<TimeZone, ScheduleError> {
    let Some(name) = name else { return Ok(TimeZone::system()) };
    TimeZone::get(name).map_err(|_| ScheduleError::Zone { found: name.to_owned() })
}

impl Span {
    fn read(text: &str) -> Result<Self, ScheduleError> {
        let error = || ScheduleError::Span { found: text.to_owned() };
        let lower = text.trim().to_lowercase();
        let (days, times) = match lower.split_once(' ') {
            Some((days, times)) => (days, Some(times.trim())),
            None if lower.contains(':') => ("mon-sun", Some(lower.as_str())),
            None => (lower.as_str(), None),
        };
        let mut marked = [false; 7];
        for part in days.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let of = |name: &str| DAYS.iter().position(|day| *day == name).ok_or_else(error);
            let (first, last) = (of(first)?, of(last)?);
            for step in 0..=(last + 7 - first) % 7 {
                marked[(first + step) % 7] = true;
            }
        }
        let (from_min, until_min) = match times {
            None => (0, DAY_MIN),
            Some(times) => {
                let (from, until) = times.split_once('-').ok_or_else(error)?;
                (minutes(from).ok_or_else(error)?, minutes(until).ok_or_else(error)?)
            }
        };
        if from_min == until_min || from_min >= DAY_MIN {
            return Err(error());
        }
        Ok(Self { days: marked, from_min, until_min })
    }

    fn contains(&self, day: usize, minute: u32) -> bool {
        if self.from_min < self.until_min {
            return self.days[day] && (self.from_min..self.until_min).contains(&minute);
        }
        let yesterday = (day + 6) % 7;
        (self.days[day] && minute >= self.from_min)
            || (self.days[yesterday] && minute < self.until_min)
    }
}

fn minutes(text: &str) -> Option<u32> {
    let (hours, minutes) = text.trim().split_once(':')?;
    // A number may have a sign, a time of day has none.
    let number = |text: &str| {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u32>().ok().filter(|_| is_plain)
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    let total = hours * 60 + minutes;
    (minutes < 60 && total <= DAY_MIN).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suppresses(span: &str, zone: &str, time: &str) -> bool {
        let schedule = Schedule::new(&[span.to_owned()], Some(zone)).expect("a readable schedule");
        let time: Timestamp = time.parse().expect("a time");
        schedule.suppresses(time.as_millisecond())
    }

    #[test]
    fn a_night_belongs_to_the_day_it_begins_on() {
        // 2026-11-27 is a Friday.
        for (time, expected) in [
            ("2026-11-27T17:59:00Z", false),
            ("2026-11-27T18:00:00Z", true),
            ("2026-11-28T05:59:00Z", true),
            ("2026-11-28T06:00:00Z", false),
            ("2026-11-28T19:00:00Z", false),
        ] {
            assert_eq!(suppresses("mon-fri 18:00-06:00", "UTC", time), expected, "{time}");
        }
    }

    #[test]
    fn times_are_local_in_summer_and_winter() {
        let zone = "Europe/Berlin";
        assert!(suppresses("22:00-23:00", zone, "2026-07-01T20:30:00Z"));
        assert!(!suppresses("22:00-23:00", zone, "2026-12-01T20:30:00Z"));
        assert!(suppresses("22:00-23:00", zone, "2026-12-01T21:30:00Z"));
    }

    #[test]
    fn days_run_over_the_end_of_the_week() {
        assert!(suppresses("sat-mon", "UTC", "2026-11-29T12:00:00Z"));
        assert!(suppresses("sat,mon", "UTC", "2026-11-28T12:00:00Z"));
        assert!(!suppresses("sat,mon", "UTC", "2026-11-29T12:00:00Z"));
    }

    #[test]
    fn what_is_no_schedule_is_refused() {
        for text in [
            "",
            "weekend",
            "mon 25:00-26:00",
            "mon 10:00",
            "mon 10:00-10:00",
            "mon-",
            "+8:00-09:00",
            "08:+1-09:00",
        ] {
            assert!(Schedule::new(&[text.to_owned()], Some("UTC")).is_err(), "{text}");
        }
        assert!(Schedule::new(&[], Some("Mars/Base")).is_err());
    }
}
