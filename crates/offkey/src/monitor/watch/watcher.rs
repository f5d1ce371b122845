//! One source being watched: windows to verdicts, verdicts to events, events to the log.

use std::{
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use super::{
    WatchObserver, WatchRequest,
    clips::{PreRoll, keep},
    journal::{Event, EventKind, EventLog, Position},
};
use crate::{
    OffkeyError,
    monitor::{
        events::{Change, EventState},
        model::{Monitor, WindowVerdict},
        verdict::Verdict,
        windows::Windower,
    },
};

/// Windows between two records of where the source stands.
const WINDOWS_PER_RECORD: u64 = 8;

/// The state of one watched source.
pub(super) struct Watcher<'a> {
    pub(super) monitor: &'a Monitor,
    pub(super) request: &'a WatchRequest,
    pub(super) position: Position,
    log: EventLog,
    pre_roll: PreRoll,
    peak: Option<(f64, f64)>,
    open_id: String,
    windows: u64,
    /// Events begun.
    pub(super) begun: usize,
}

impl<'a> Watcher<'a> {
    pub(super) fn new(
        monitor: &'a Monitor,
        request: &'a WatchRequest,
    ) -> Result<Self, OffkeyError> {
        let position = match &request.state {
            Some(path) => Position::read(path)?,
            None => None,
        };
        let rule = monitor.card().windows;
        let pre_roll_s = request.keep.as_ref().map_or(0.0, |keep| keep.pre_roll_s);
        let kept = (pre_roll_s * f64::from(rule.rate_hz)) as usize + rule.samples;
        Ok(Self {
            monitor,
            request,
            position: position.unwrap_or_else(|| Position {
                next_sample: 0,
                events: EventState::new(request.rule),
                heard: std::collections::BTreeSet::new(),
            }),
            log: EventLog::open(request.log.as_deref())?,
            pre_roll: PreRoll::new(kept),
            peak: None,
            open_id: String::new(),
            windows: 0,
            begun: 0,
        })
    }

    /// Takes samples at the model's rate; `origin` names the stretch of sound they belong to.
    pub(super) fn hear(
        &mut self,
        windower: &mut Windower,
        samples: &[f32],
        origin: &str,
        observer: &mut dyn WatchObserver,
    ) -> Result<(), OffkeyError> {
        self.pre_roll.push(samples);
        let mut judged = Vec::new();
        windower.push(samples, |start, window| {
            judged.push(self.monitor.judge(start, window)?);
            Ok::<(), OffkeyError>(())
        })?;
        let hop = self.monitor.card().windows.hop as u64;
        for verdict in judged {
            self.take(&verdict, origin, observer);
            self.position.next_sample = verdict.start + hop;
            self.windows += 1;
            if self.windows.is_multiple_of(WINDOWS_PER_RECORD) {
                self.record(observer);
            }
        }
        Ok(())
    }

    fn take(&mut self, verdict: &WindowVerdict, origin: &str, observer: &mut dyn WatchObserver) {
        let rule = self.monitor.card().windows;
        let at_s = rule.seconds(verdict.start);
        observer.window(at_s, verdict);
        if let (Some(score), Some(p_value)) = (verdict.score, verdict.p_value)
            && verdict.verdict == Verdict::Alarm
        {
            let (peak, least) = self.peak.unwrap_or((score, p_value));
            self.peak = Some((peak.max(score), least.min(p_value)));
        }
        let change = self.position.events.take(verdict.verdict);
        match change {
            Some(Change::Opened { windows_back }) => {
                let start = verdict.start.saturating_sub((windows_back * rule.hop) as u64);
                self.open_id = format!("{origin}@{start}");
                let clip = self.keep_clip(&self.open_id.clone(), observer);
                self.begun += 1;
                let id = format!("{}:start", self.open_id);
                let at_s = rule.seconds(start);
                self.tell(id, EventKind::Start, at_s, &verdict.reason, clip, observer);
            }
            Some(Change::Closed) => {
                let id = format!("{}:end", self.open_id);
                let reason = "windows sound normal again";
                self.tell(id, EventKind::End, at_s, reason, None, observer);
                self.peak = None;
            }
            None if !self.position.events.is_open() && verdict.verdict == Verdict::Normal => {
                self.peak = None;
            }
            None => {}
        }
    }

    /// Tells that the source was lost, or is back.
    pub(super) fn tell_source(
        &mut self,
        kind: EventKind,
        reason: &str,
        observer: &mut dyn WatchObserver,
    ) {
        let at_s = self.monitor.card().windows.seconds(self.position.next_sample);
        let id =
            format!("{}@{}:{kind:?}:{}", self.request.name, self.position.next_sample, unix_s());
        self.tell(id, kind, at_s, reason, None, observer);
    }

    fn tell(
        &mut self,
        id: String,
        kind: EventKind,
        at_s: f64,
        reason: &str,
        clip: Option<std::path::PathBuf>,
        observer: &mut dyn WatchObserver,
    ) {
        let event = Event {
            id,
            event: kind,
            source: self.request.name.clone(),
            at_s,
            unix_s: unix_s(),
            peak_score: self.peak.map(|(score, _)| score),
            p_value: self.peak.map(|(_, p_value)| p_value),
            reason: reason.to_owned(),
            clip,
        };
        let (new, written) = self.log.tell(&event);
        if new {
            observer.event(&event);
        }
        if let Err(error) = written {
            observer.trouble(&format!("the event is kept until it can be written: {error}"));
        }
    }

    fn keep_clip(
        &self,
        name: &str,
        observer: &mut dyn WatchObserver,
    ) -> Option<std::path::PathBuf> {
        let rule = self.request.keep.as_ref()?;
        let safe: String =
            name.chars().map(|c| if c.is_alphanumeric() || c == '-' { c } else { '_' }).collect();
        let rate_hz = self.monitor.card().windows.rate_hz;
        match keep(rule, &safe, &self.pre_roll.to_vec(), rate_hz) {
            Ok(path) => Some(path),
            Err(error) => {
                observer.trouble(&format!("the event's sound is not kept: {error}"));
                None
            }
        }
    }

    /// Records where the source stands, but never ahead of what the log has on disk: after a crash
    /// the windows since then are judged again, and events told before are told apart by name.
    pub(super) fn record(&mut self, observer: &mut dyn WatchObserver) {
        if let Err(error) = self.log.flush() {
            observer.trouble(&format!("events wait to be written: {error}"));
        }
        let Some(path) = self.request.state.as_deref() else { return };
        if self.log.is_written() {
            self.write_position(path, observer);
        }
    }

    fn write_position(&self, path: &Path, observer: &mut dyn WatchObserver) {
        if let Err(error) = self.position.write(path) {
            observer.trouble(&format!("the position is not recorded: {error}"));
        }
    }
}

fn unix_s() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64())
}
