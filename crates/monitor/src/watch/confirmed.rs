//! Events that a person confirmed as faults: how long each lasted, by the event log.

use std::{fs, path::Path};

use super::event::{Event, EventKind};
use crate::MonitorError;

/// How many events these names name, and how many hours they lasted together, from the log that a watch wrote. A name is that of any of its lines.
///
/// # Errors
/// [`MonitorError::File`] when the log cannot be read, [`MonitorError::NoEvent`] when it has no such event, or one that
/// has not ended.
pub fn hours_of_faults(log: &Path, names: &[String]) -> Result<(usize, f64), MonitorError> {
    let text = fs::read_to_string(log).map_err(MonitorError::io(log))?;
    let events: Vec<Event> =
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let mut distinct: Vec<&str> = names.iter().map(|name| name_of(name)).collect();
    distinct.sort_unstable();
    distinct.dedup();
    let hours = |name: &str| -> Result<f64, MonitorError> {
        let line = |kind: EventKind| {
            let is_it = |event: &&Event| event.event == kind && name_of(&event.id) == name;
            events.iter().find(is_it)
        };
        let no_event = |problem: &'static str| MonitorError::NoEvent {
            path: log.to_owned(),
            name: name.to_owned(),
            problem,
        };
        let start = line(EventKind::Start).ok_or_else(|| no_event("it has no such event"))?;
        let end = line(EventKind::End).ok_or_else(|| no_event("the event has not ended yet"))?;
        // Of a folder an event may end in another recording than it began in: then the clock tells.
        let by_clock = || end.unix_s - start.unix_s;
        let seconds = if end.source == start.source { end.at_s - start.at_s } else { by_clock() };
        Ok(seconds.max(0.0) / 3600.0)
    };
    let faults = distinct.len();
    Ok((faults, distinct.into_iter().map(hours).sum::<Result<f64, _>>()?))
}

/// The name of an event without what its line is about.
fn name_of(id: &str) -> &str {
    id.strip_suffix(":start").or_else(|| id.strip_suffix(":end")).unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::event::tests::event;

    #[test]
    fn a_fault_lasts_from_its_start_to_its_end_and_counts_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("events.jsonl");
        let line = |id: &str, kind: EventKind, source: &str, at_s: f64, unix_s: f64| {
            let event = Event { event: kind, source: source.to_owned(), at_s, unix_s, ..event(id) };
            serde_json::to_string(&event).expect("an event") + "\n"
        };
        let (start, end) = (EventKind::Start, EventKind::End);
        let text = [
            line("a@0:start", start, "pump", 100.0, 1e9),
            "not JSON\n".to_owned(),
            line("a@0:end", end, "pump", 3700.0, 1e9),
            line("b@7:start", start, "monday.wav", 9000.0, 1e9),
            line("b@7:end", end, "tuesday.wav", 10.0, 1e9 + 7200.0),
            line("c@9:start", start, "pump", 1.0, 1e9),
        ];
        fs::write(&log, text.concat()).expect("a log");
        let hours = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
            hours_of_faults(&log, &names)
        };
        assert_eq!(hours(&["a@0"]).expect("one"), (1, 1.0));
        assert_eq!(hours(&["a@0:start", "a@0", "b@7:end"]).expect("two"), (2, 3.0));
        let open = hours(&["c@9"]).expect_err("open").to_string();
        assert!(open.contains("has not ended yet"), "{open}");
        let other = hours(&["d"]).expect_err("unknown").to_string();
        assert!(other.contains("no such event"), "{other}");
    }
}
