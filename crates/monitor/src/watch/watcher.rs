//! One source being watched: pieces of sound to verdicts, verdicts to events, events to their sink.

use std::{collections::VecDeque, fs};

use super::{
    Observer, Settings,
    clip::{self, PreRoll},
    clock::{Clock, Now, utc},
    event::{Event, EventKind},
    held::{Hearing, News, Place},
    mark::Mark,
    memory::{Bookmark, Counted, KeptClip, Loudest, Memory, Store},
    report::{Complaints, WatchReport},
    sink::{LogFile, Outbox},
    source::{Piece, Stretch},
};
use crate::{Change, EventState, Monitor, MonitorError, Problem, Verdict, WindowVerdict, Windower};

/// Windows between two records of where a stretch stands.
const WINDOWS_PER_RECORD: u64 = 8;
/// Windows whose place is remembered, to say where an event began.
const MOST_PLACES: usize = 1000;
/// Samples that may come at once behind the window that opens an event.
const BLOCK_SAMPLES: usize = 1 << 17;
const EVENTS_WAIT: &str = "events wait until they can be delivered";

/// Takes the pieces of one source, in order.
pub struct Watcher<'a> {
    monitor: &'a Monitor,
    settings: &'a Settings,
    clock: &'a dyn Clock,
    memory: Memory,
    store: Option<Store>,
    outbox: Outbox,
    pre_roll: PreRoll,
    hearing: Option<Hearing>,
    /// Source, identity and position of the last windows.
    places: VecDeque<Place>,
    /// When something last came, by the clock.
    last_came: Now,
    /// What keeps the source itself from being heard, where that was told.
    lost: Option<Problem>,
    complaints: Complaints,
    report: WatchReport,
}

impl<'a> Watcher<'a> {
    /// A watcher of a source, with what it remembers of it.
    ///
    /// # Errors
    /// [`MonitorError`] when log or record cannot be read, or another watch uses them.
    pub fn new(
        monitor: &'a Monitor,
        settings: &'a Settings,
        clock: &'a dyn Clock,
        observer: &mut dyn Observer,
    ) -> Result<Self, MonitorError> {
        let mut memory = Memory::new(&settings.name, EventState::new(settings.rule));
        let store = match &settings.state {
            Some(path) => {
                let (store, damage) = Store::open(path, &mut memory)?;
                if let Some(damage) = damage {
                    observer.trouble(&damage);
                }
                Some(store)
            }
            None => None,
        };
        let another_rule = memory.now.events.rule() != settings.rule;
        let cut_off = another_rule && memory.now.events.is_open();
        if another_rule {
            memory.now.events = EventState::new(settings.rule);
            memory.now.counted = Counted::default();
        }
        memory.now.counted.by(&monitor.fingerprint());
        let outbox = match &settings.log {
            Some(path) => {
                let (log, told) = LogFile::open(path)?;
                Outbox::new(Some(Box::new(log)), told)
            }
            None => Outbox::new(None, Vec::new()),
        };
        if let Some(keep) = &settings.keep {
            fs::create_dir_all(&keep.folder).map_err(MonitorError::io(&keep.folder))?;
        }
        let rule = monitor.card().windows;
        let pre_roll_s = settings.keep.as_ref().map_or(0.0, |keep| keep.pre_roll_s);
        // An event's first alarm lies back as many windows as the rule looks at.
        let back = settings.rule.windows() * rule.hop + rule.samples;
        let kept = (pre_roll_s * f64::from(rule.rate_hz)) as usize + back + BLOCK_SAMPLES;
        let mut watcher = Self {
            monitor,
            settings,
            clock,
            memory,
            store,
            outbox,
            pre_roll: PreRoll::new(if settings.keep.is_some() { kept } else { 0 }),
            hearing: None,
            places: VecDeque::new(),
            last_came: clock.now(),
            lost: None,
            complaints: Complaints::default(),
            report: WatchReport::default(),
        };
        if cut_off {
            watcher.end_with_its_rule(observer);
        }
        Ok(watcher)
    }

    /// An event that another rule began ends with that rule.
    fn end_with_its_rule(&mut self, observer: &mut dyn Observer) {
        let id = format!("{}:end", self.memory.now.open_id);
        let (source, at_s) = match self.memory.now.loudest.as_deref() {
            Some(loudest) => (loudest.source.clone(), loudest.at_s),
            None => (self.settings.name.clone(), 0.0),
        };
        let reason = "the alarm rule was changed; by the new one no event has begun yet";
        let news = News { id, kind: EventKind::End, at_s, reason, problem: None };
        self.tell(news, &source, observer);
        self.memory.now.forget_peak();
        self.memory.now.clip = None;
    }

    /// What is remembered of the source: sources begin where it says.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Takes the next piece; false when no more comes.
    ///
    /// # Errors
    /// [`MonitorError`] when a model refuses a window.
    pub fn take(
        &mut self,
        piece: Piece,
        observer: &mut dyn Observer,
    ) -> Result<bool, MonitorError> {
        match piece {
            Piece::Begin { stretch, first_sample } => self.begin(stretch, first_sample, observer),
            Piece::Sound(samples) => {
                self.came(observer);
                self.hear(&samples, observer)?;
            }
            Piece::Differs(how) => {
                self.complaints.message(&format!("alarms may come from this: {how}"), observer);
                if let Some(hearing) = &mut self.hearing {
                    hearing.differs = Some(how);
                }
            }
            Piece::Complete { mark } => self.complete(mark, observer),
            Piece::Nothing => self.nothing_came(observer),
            Piece::Lost { problem, reason } => {
                self.lost = Some(problem);
                let kind = EventKind::Lost;
                self.tell_source(kind, problem, &reason, observer);
            }
            Piece::Back { reason } => {
                let problem = self.lost.take().unwrap_or(Problem::Vanished);
                self.tell_source(EventKind::Back, problem, &reason, observer);
            }
            Piece::Unread { message, again } => {
                self.report.unread += u64::from(!again);
                self.complaints.message(&message, observer);
            }
            Piece::Gone(places) => self.memory.forget(places),
            Piece::End => return Ok(false),
        }
        Ok(true)
    }

    /// Ends the watch: records where the source stands.
    ///
    /// # Errors
    /// [`MonitorError::EventsNotWritten`] when events could not be delivered.
    pub fn finish(mut self, observer: &mut dyn Observer) -> Result<WatchReport, MonitorError> {
        self.record(observer);
        if let (Some(path), events @ 1..) = (&self.settings.log, self.outbox.pending()) {
            return Err(MonitorError::EventsNotWritten { path: path.clone(), events });
        }
        self.report.lost = self.lost.is_some();
        self.report.open = self.memory.now.events.is_open();
        self.report.evidence = self.memory.now.counted.evidence(self.monitor.card().every_s());
        Ok(self.report)
    }

    fn begin(&mut self, stretch: Stretch, first_sample: u64, observer: &mut dyn Observer) {
        let rule = self.monitor.card().windows;
        let known =
            self.memory.bookmarks().get(&stretch.place).filter(|known| known.id == stretch.id);
        let next_sample = known.map_or(first_sample, |known| known.next_sample.max(first_sample));
        let mark = known.and_then(|known| known.mark);
        let begun = stretch.begun.or(known.and_then(|known| known.begun));
        let bookmark = Bookmark { id: stretch.id.clone(), next_sample, mark, begun };
        self.memory.set(&stretch.place, bookmark);
        self.hearing = Some(Hearing {
            windower: Windower::new(rule, next_sample),
            skip: next_sample - first_sample,
            at: first_sample,
            differs: None,
            stretch,
        });
        // Recorded before anything of it is told, so that its events keep their names.
        self.record(observer);
    }

    fn hear(&mut self, samples: &[f32], observer: &mut dyn Observer) -> Result<(), MonitorError> {
        let Some(mut hearing) = self.hearing.take() else { return Ok(()) };
        self.keep(&hearing, samples, observer);
        self.pre_roll.push(samples);
        hearing.at += samples.len() as u64;
        let passed = (samples.len() as u64).min(hearing.skip);
        hearing.skip -= passed;
        let mut judged = Vec::new();
        let heard = hearing.windower.push(&samples[passed as usize..], |start, window| {
            judged.push(self.monitor.judge(start, window)?);
            Ok::<(), MonitorError>(())
        });
        let hop = self.monitor.card().windows.hop as u64;
        for mut verdict in judged {
            if let Some(how) =
                hearing.differs.as_ref().filter(|_| verdict.verdict != Verdict::Normal)
            {
                verdict.reason += &format!("; {how}");
            }
            self.judge(&verdict, &hearing, observer);
            let (id, begun) = (hearing.stretch.id.clone(), hearing.stretch.begun);
            let mark =
                self.memory.bookmarks().get(&hearing.stretch.place).and_then(|known| known.mark);
            let bookmark = Bookmark { id, next_sample: verdict.start + hop, mark, begun };
            self.memory.set(&hearing.stretch.place, bookmark);
            if self.report.windows.is_multiple_of(WINDOWS_PER_RECORD) {
                self.record(observer);
            }
        }
        self.hearing = Some(hearing);
        heard
    }

    fn complete(&mut self, mark: Option<Mark>, observer: &mut dyn Observer) {
        let Some(hearing) = &self.hearing else { return };
        let place = hearing.stretch.place.clone();
        if let Some(known) = self.memory.bookmarks().get(&place).cloned() {
            self.memory.set(&place, Bookmark { mark: mark.or(known.mark), ..known });
        }
        self.record(observer);
    }

    fn judge(&mut self, verdict: &WindowVerdict, hearing: &Hearing, observer: &mut dyn Observer) {
        let rule = self.monitor.card().windows;
        let stretch = &hearing.stretch;
        self.report.windows += 1;
        self.report.alarms += u64::from(verdict.verdict == Verdict::Alarm);
        self.report.unjudged += u64::from(verdict.verdict == Verdict::CannotTell);
        self.memory.now.counted.windows += u64::from(verdict.verdict != Verdict::CannotTell);
        observer.window(
            &stretch.name,
            rule.seconds(verdict.start),
            self.clock.now().unix_s(),
            verdict,
        );
        let (name, id) = (stretch.name.clone(), stretch.id.clone());
        self.places.push_back(Place { name, id, start: verdict.start });
        if self.places.len() > MOST_PLACES {
            self.places.pop_front();
        }
        self.tell_unjudged(verdict, observer);
        if let (Some(score), Some(p_value)) = (verdict.score, verdict.p_value)
            && verdict.verdict == Verdict::Alarm
        {
            if self.memory.now.peak.is_none_or(|(peak, _)| score > peak) {
                self.memory.now.loudest = Some(Box::new(Loudest {
                    source: stretch.name.clone(),
                    at_s: rule.seconds(verdict.start),
                    reason: verdict.reason.clone(),
                }));
            }
            let (peak, least) = self.memory.now.peak.unwrap_or((score, p_value));
            self.memory.now.peak = Some((peak.max(score), least.min(p_value)));
        }
        match self.memory.now.events.take(verdict.verdict, verdict.score) {
            Some(Change::Opened { windows_back }) => {
                self.open(windows_back, verdict, hearing, observer);
            }
            Some(Change::Closed) => {
                let id = format!("{}:end", self.memory.now.open_id);
                let at_s = rule.seconds(verdict.start);
                let reason = "windows sound normal again";
                let news = News { id, kind: EventKind::End, at_s, reason, problem: None };
                self.tell(news, &stretch.name, observer);
                self.memory.now.forget_peak();
                self.memory.now.clip = None;
            }
            None if !self.memory.now.events.is_open() && verdict.verdict == Verdict::Normal => {
                self.memory.now.forget_peak();
            }
            None => {}
        }
    }

    fn open(
        &mut self,
        windows_back: u64,
        verdict: &WindowVerdict,
        hearing: &Hearing,
        observer: &mut dyn Observer,
    ) {
        let rule = self.monitor.card().windows;
        let back = usize::try_from(windows_back).unwrap_or(usize::MAX);
        let first = self.places.len().checked_sub(back.saturating_add(1));
        let known = first.and_then(|index| self.places.get(index)).cloned();
        // After a restart the places of earlier windows are not known: they lie a hop apart.
        let first = known.unwrap_or_else(|| Place {
            name: hearing.stretch.name.clone(),
            id: hearing.stretch.id.clone(),
            start: verdict.start.saturating_sub(windows_back.saturating_mul(rule.hop as u64)),
        });
        self.report.events += 1;
        self.memory.now.counted.events += 1;
        self.memory.now.open_id = format!("{}@{}", first.id, first.start);
        self.begin_clip(windows_back, hearing, observer);
        let id = format!("{}:start", self.memory.now.open_id);
        let at_s = rule.seconds(first.start);
        // The reason belongs to the window whose score is told; where the event begins elsewhere, it says where.
        let reason = match self.memory.now.loudest.as_deref() {
            Some(Loudest { source, at_s: at, reason }) if *source != first.name => {
                format!("{source} at {at:.0} s: {reason}")
            }
            Some(loudest) if (loudest.at_s - at_s).abs() > 0.5 => {
                format!("at {:.0} s: {}", loudest.at_s, loudest.reason)
            }
            Some(loudest) => loudest.reason.clone(),
            None => verdict.reason.clone(),
        };
        let news = News { id, kind: EventKind::Start, at_s, reason: &reason, problem: None };
        self.tell(news, &first.name, observer);
    }

    /// Sound that cannot be judged for as long as an event takes is told, and so is its end.
    fn tell_unjudged(&mut self, verdict: &WindowVerdict, observer: &mut dyn Observer) {
        let patience = self.settings.rule.windows().max(1);
        let Some(place) = self.places.back().cloned() else { return };
        let at_s = self.monitor.card().windows.seconds(verdict.start);
        let id = |kind: EventKind| format!("{}@{}:{kind:?}", place.id, verdict.start);
        if verdict.verdict == Verdict::CannotTell {
            self.memory.now.unjudged += 1;
            if self.memory.now.unjudged >= patience && self.memory.now.problem.is_none() {
                self.memory.now.problem = verdict.problem;
                let kind = EventKind::Lost;
                let news = News {
                    id: id(kind),
                    kind,
                    at_s,
                    reason: &verdict.reason,
                    problem: verdict.problem,
                };
                self.tell(news, &place.name, observer);
            }
            return;
        }
        self.memory.now.unjudged = 0;
        if let Some(problem) = self.memory.now.problem.take() {
            let (kind, reason) = (EventKind::Back, "the source can be judged again");
            let news = News { id: id(kind), kind, at_s, reason, problem: Some(problem) };
            self.tell(news, &place.name, observer);
        }
    }

    fn came(&mut self, observer: &mut dyn Observer) {
        self.last_came = self.clock.now();
        if self.lost == Some(Problem::Stalled) {
            self.lost = None;
            self.tell_source(EventKind::Back, Problem::Stalled, "sound comes again", observer);
        }
    }

    fn nothing_came(&mut self, observer: &mut dyn Observer) {
        self.record(observer);
        let Some(patience) = self.settings.stall else { return };
        let waited = self.clock.now().since(self.last_came);
        if waited >= patience && self.lost.is_none() {
            self.lost = Some(Problem::Stalled);
            let reason = format!("nothing has come for {:.0} s", waited.as_secs_f64());
            self.tell_source(EventKind::Lost, Problem::Stalled, &reason, observer);
        }
    }

    /// Tells what becomes of the source itself.
    fn tell_source(
        &mut self,
        kind: EventKind,
        problem: Problem,
        reason: &str,
        observer: &mut dyn Observer,
    ) {
        let (name, at) = match &self.hearing {
            Some(hearing) => (hearing.stretch.name.clone(), hearing.at),
            None => (self.settings.name.clone(), 0),
        };
        let id = format!("{}@{at}:{kind:?}:{}", self.settings.name, self.clock.now().unix_s());
        let at_s = self.monitor.card().windows.seconds(at);
        let news = News { id, kind, at_s, reason, problem: Some(problem) };
        self.tell(news, &name, observer);
    }

    fn tell(&mut self, news: News<'_>, source: &str, observer: &mut dyn Observer) {
        let News { id, kind, at_s, reason, problem } = news;
        let (peak, clip) = match kind {
            EventKind::Start | EventKind::End => {
                (self.memory.now.peak, self.memory.now.clip.as_ref().map(|clip| clip.path.clone()))
            }
            EventKind::Lost | EventKind::Back => (None, None),
        };
        let unix_s = self.clock.now().unix_s();
        let event = Event {
            id,
            event: kind,
            source: source.to_owned(),
            at_s,
            unix_s,
            utc: utc(unix_s),
            peak_score: peak.map(|(score, _)| score),
            p_value: peak.map(|(_, p_value)| p_value),
            problem,
            reason: reason.to_owned(),
            clip,
        };
        let (new, delivered) = self.outbox.tell(&event);
        if new {
            observer.event(&event);
        }
        if let Err(error) = delivered {
            self.complaints.error(EVENTS_WAIT, &error, observer);
        }
    }

    /// Begins to keep the sound of an event: from before its first alarm to what is heard now.
    fn begin_clip(&mut self, windows_back: u64, hearing: &Hearing, observer: &mut dyn Observer) {
        let Some(keep) = &self.settings.keep else { return };
        let rule = self.monitor.card().windows;
        // The windows of this block that follow the one judged were heard, too.
        let pre_roll = (keep.pre_roll_s * f64::from(rule.rate_hz)) as usize;
        let behind =
            usize::try_from(hearing.at.saturating_sub(self.places.back().map_or(0, |p| p.start)));
        let back = usize::try_from(windows_back).unwrap_or(usize::MAX).saturating_mul(rule.hop);
        let wanted = pre_roll.saturating_add(back).saturating_add(behind.unwrap_or(usize::MAX));
        let samples = self.pre_roll.last(wanted);
        match clip::begin(keep, &self.memory.now.open_id, &samples, rule.rate_hz) {
            Ok(path) => {
                let (stretch, next_sample) = (hearing.stretch.id.clone(), hearing.at);
                self.memory.now.clip = Some(KeptClip { path, stretch, next_sample });
            }
            Err(error) => self.complaints.error("the event's sound is not kept", &error, observer),
        }
    }

    /// Keeps further sound of an event that is going on; after a restart only what was not kept yet.
    fn keep(&mut self, hearing: &Hearing, samples: &[f32], observer: &mut dyn Observer) {
        let (Some(keep), Some(mut clip)) = (&self.settings.keep, self.memory.now.clip.take())
        else {
            return;
        };
        let known = if clip.stretch == hearing.stretch.id { clip.next_sample } else { hearing.at };
        let skip = usize::try_from(known.saturating_sub(hearing.at)).unwrap_or(usize::MAX);
        let new = samples.get(skip..).unwrap_or_default();
        if !new.is_empty() && hearing.skip < samples.len() as u64 {
            match clip::append(keep, &clip.path, new) {
                Ok(true) => {}
                // There is no room for more: what is kept by now stays.
                Ok(false) => return,
                Err(error) => {
                    self.complaints.error("the event's sound is not kept on", &error, observer);
                    return;
                }
            }
            clip.stretch.clone_from(&hearing.stretch.id);
            clip.next_sample = hearing.at + samples.len() as u64;
        }
        self.memory.now.clip = Some(clip);
    }

    /// Records where the source stands, but never ahead of what was delivered: after a crash the
    /// windows since then are judged again, and events told before are recognised by name.
    fn record(&mut self, observer: &mut dyn Observer) {
        if let Err(error) = self.outbox.flush() {
            self.complaints.error(EVENTS_WAIT, &error, observer);
            return;
        }
        let Some(store) = &mut self.store else { return };
        match store.record(&mut self.memory) {
            Ok(()) => {}
            Err(error) => self.complaints.error("the position is not recorded", &error, observer),
        }
    }
}
