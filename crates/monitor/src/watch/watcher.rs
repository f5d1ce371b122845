//! One source being watched: windows to verdicts, verdicts to events, events to the log.

use std::{
    error::Error,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use offkey_signal::AudioError;

use super::{
    WatchObserver, WatchRequest,
    clips::{PreRoll, keep},
    journal::{Event, EventKind, EventLog, Position},
};
use crate::{Change, Monitor, MonitorError, Verdict, WindowVerdict, Windower};

/// Windows between two records of where the source stands.
const WINDOWS_PER_RECORD: u64 = 8;
const EVENTS_WAIT: &str = "events wait until they can be written";

/// The state of one watched source.
pub(super) struct Watcher<'a> {
    pub(super) monitor: &'a Monitor,
    pub(super) request: &'a WatchRequest,
    pub(super) position: Position,
    /// The position as last recorded.
    recorded: Option<Position>,
    log: EventLog,
    pre_roll: PreRoll,
    windows: u64,
    /// The last trouble told, so that a full disk fills no log with its complaint.
    trouble: Option<String>,
    /// Events begun.
    begun: usize,
}

impl<'a> Watcher<'a> {
    pub(super) fn new(
        monitor: &'a Monitor,
        request: &'a WatchRequest,
    ) -> Result<Self, MonitorError> {
        let recorded = match &request.state {
            Some(path) => Position::read(path)?,
            None => None,
        };
        if let (Some(path), Some(position)) = (&request.state, &recorded)
            && position.source != request.name
        {
            return Err(MonitorError::OtherSource {
                path: path.clone(),
                found: position.source.clone(),
                expected: request.name.clone(),
            });
        }
        let rule = monitor.card().windows;
        let pre_roll_s = request.keep.as_ref().map_or(0.0, |keep| keep.pre_roll_s);
        let kept = (pre_roll_s * f64::from(rule.rate_hz)) as usize + rule.samples;
        Ok(Self {
            monitor,
            request,
            position: recorded
                .clone()
                .unwrap_or_else(|| Position::new(&request.name, request.rule)),
            recorded,
            log: EventLog::open(request.log.as_deref())?,
            pre_roll: PreRoll::new(kept),
            windows: 0,
            trouble: None,
            begun: 0,
        })
    }

    /// Remembers sound that was judged before a restart, for the clip of an event to come.
    pub(super) fn remember(&mut self, samples: &[f32]) {
        self.pre_roll.push(samples);
    }

    /// Takes samples at the model's rate; `origin` names the stretch of sound they belong to.
    pub(super) fn hear(
        &mut self,
        windower: &mut Windower,
        samples: &[f32],
        origin: &Origin<'_>,
        observer: &mut dyn WatchObserver,
    ) -> Result<(), MonitorError> {
        self.pre_roll.push(samples);
        let mut judged = Vec::new();
        windower.push(samples, |start, window| {
            judged.push(self.monitor.judge(start, window)?);
            Ok::<(), MonitorError>(())
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

    fn take(
        &mut self,
        verdict: &WindowVerdict,
        origin: &Origin<'_>,
        observer: &mut dyn WatchObserver,
    ) {
        let rule = self.monitor.card().windows;
        observer.window(origin.source, rule.seconds(verdict.start), verdict);
        self.listen_for_nothing(verdict, origin, observer);
        if let (Some(score), Some(p_value)) = (verdict.score, verdict.p_value)
            && verdict.verdict == Verdict::Alarm
        {
            let (peak, least) = self.position.peak.unwrap_or((score, p_value));
            self.position.peak = Some((peak.max(score), least.min(p_value)));
        }
        match self.position.events.take(verdict.verdict, verdict.score) {
            Some(Change::Opened { windows_back }) => {
                let start = verdict.start.saturating_sub(windows_back * rule.hop as u64);
                self.position.open_id = format!("{}@{start}", origin.id);
                let clip = self.keep_clip(observer);
                self.begun += 1;
                let id = format!("{}:start", self.position.open_id);
                let at_s = rule.seconds(start);
                let news = News { id, kind: EventKind::Start, at_s, reason: &verdict.reason, clip };
                self.tell(news, origin.source, observer);
            }
            Some(Change::Closed) => {
                let id = format!("{}:end", self.position.open_id);
                let at_s = rule.seconds(verdict.start);
                let reason = "windows sound normal again";
                let news = News { id, kind: EventKind::End, at_s, reason, clip: None };
                self.tell(news, origin.source, observer);
                self.position.peak = None;
            }
            None if !self.position.events.is_open() && verdict.verdict == Verdict::Normal => {
                self.position.peak = None;
            }
            None => {}
        }
    }

    /// A source of which nothing can be told for as long as an event takes is lost, though bytes
    /// still come.
    fn listen_for_nothing(
        &mut self,
        verdict: &WindowVerdict,
        origin: &Origin<'_>,
        observer: &mut dyn WatchObserver,
    ) {
        let patience = self.request.rule.windows().max(1);
        let untold = std::mem::take(&mut self.position.untold);
        let (kind, reason) = if verdict.verdict == Verdict::CannotTell {
            self.position.untold = untold + 1;
            if self.position.untold != patience {
                return;
            }
            (EventKind::Lost, verdict.reason.as_str())
        } else if untold >= patience {
            (EventKind::Back, "the source can be judged again")
        } else {
            return;
        };
        let id = format!("{}@{}:{kind:?}", origin.id, verdict.start);
        let at_s = self.monitor.card().windows.seconds(verdict.start);
        self.tell(News { id, kind, at_s, reason, clip: None }, origin.source, observer);
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
        let source = &self.request.name;
        self.tell(News { id, kind, at_s, reason, clip: None }, source, observer);
    }

    /// Damage ends a source as its own end does: what was heard stands, and the damage is told. Any
    /// other error is passed on.
    pub(super) fn end_heard(
        &mut self,
        heard: Result<(), MonitorError>,
        observer: &mut dyn WatchObserver,
    ) -> Result<(), MonitorError> {
        match heard {
            Err(MonitorError::Audio(error @ AudioError::Damaged { .. })) => {
                self.tell_source(EventKind::Lost, &error.to_string(), observer);
                Ok(())
            }
            heard => heard,
        }
    }

    fn tell(&mut self, news: News<'_>, source: &str, observer: &mut dyn WatchObserver) {
        let News { id, kind, at_s, reason, clip } = news;
        let peak = match kind {
            EventKind::Start | EventKind::End => self.position.peak,
            EventKind::Lost | EventKind::Back => None,
        };
        let event = Event {
            id,
            event: kind,
            source: source.to_owned(),
            at_s,
            unix_s: unix_s(),
            peak_score: peak.map(|(score, _)| score),
            p_value: peak.map(|(_, p_value)| p_value),
            reason: reason.to_owned(),
            clip,
        };
        let (new, written) = self.log.tell(&event);
        if new {
            observer.event(&event);
        }
        if let Err(error) = written {
            self.complain(EVENTS_WAIT, &error, observer);
        }
    }

    fn keep_clip(&mut self, observer: &mut dyn WatchObserver) -> Option<PathBuf> {
        let rule = self.request.keep.as_ref()?;
        let name = self.position.open_id.chars();
        let safe: String = name.map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
        let rate_hz = self.monitor.card().windows.rate_hz;
        match keep(rule, &safe, &self.pre_roll.to_vec(), rate_hz) {
            Ok(path) => Some(path),
            Err(error) => {
                self.complain("the event's sound is not kept", &error, observer);
                None
            }
        }
    }

    /// Records where the source stands, but never ahead of what the log has on disk: after a crash
    /// the windows since then are judged again, and events told before are told apart by name.
    pub(super) fn record(&mut self, observer: &mut dyn WatchObserver) {
        if let Err(error) = self.log.flush() {
            self.complain(EVENTS_WAIT, &error, observer);
        }
        let Some(path) = self.request.state.as_deref() else { return };
        if self.log.pending() == 0 && self.recorded.as_ref() != Some(&self.position) {
            self.write_position(path, observer);
        }
    }

    /// Records where the source stands at the end; the number of events begun.
    pub(super) fn finish(
        mut self,
        observer: &mut dyn WatchObserver,
    ) -> Result<usize, MonitorError> {
        self.record(observer);
        match (&self.request.log, self.log.pending()) {
            (Some(path), events @ 1..) => {
                Err(MonitorError::EventsNotWritten { path: path.clone(), events })
            }
            _ => Ok(self.begun),
        }
    }

    fn write_position(&mut self, path: &Path, observer: &mut dyn WatchObserver) {
        match self.position.write(path) {
            Ok(()) => {
                self.recorded = Some(self.position.clone());
                self.trouble = None;
            }
            Err(error) => self.complain("the position is not recorded", &error, observer),
        }
    }

    /// Tells of trouble, with its causes, once until something else happens.
    pub(super) fn complain(
        &mut self,
        what: &str,
        error: &dyn Error,
        observer: &mut dyn WatchObserver,
    ) {
        let trouble = format!("{what}: {error}");
        if self.trouble.as_ref() == Some(&trouble) {
            return;
        }
        let mut message = trouble.clone();
        let mut cause = error.source();
        while let Some(error) = cause {
            message += &format!(": {error}");
            cause = error.source();
        }
        observer.trouble(&message);
        self.trouble = Some(trouble);
    }
}

/// A stretch of sound that windows come from.
pub(super) struct Origin<'a> {
    /// As people know it.
    pub(super) source: &'a str,
    /// Tells its events apart from those of every other stretch.
    pub(super) id: String,
}

/// What an event says of itself.
struct News<'a> {
    id: String,
    kind: EventKind,
    at_s: f64,
    reason: &'a str,
    clip: Option<PathBuf>,
}

fn unix_s() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64())
}
