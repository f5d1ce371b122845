//! The recorder: the one thread that decides. It keeps the state of every machine, writes to the store, and
//! tells pages and sinks once that is done.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc, PoisonError,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::Duration,
};

use offkey_core::with_causes;
use offkey_monitor::watch::{Clock, Now};

use super::{
    Ask, HeardWindow, Live, MachineSetup, Message, PictureColumn, Shared,
    entry::{Entry, beside_op, position_ops},
    room::make_room,
};
use crate::{
    liveness::SoundStats,
    machine::{Call, Machine, MachineView, Moment, News},
    source::{HEARD, Position},
    store::{ClipRow, Op, OutboxRow, Retention, ScoreRow},
};

/// The recorder.
pub struct Recorder {
    shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
    machines: BTreeMap<String, Entry>,
    commit_every_ms: u64,
    retention: Retention,
    ticked: Now,
    committed_ms: u64,
    tidied_ms: Option<u64>,
    /// Whether something waits that must be on disk at once.
    urgent: bool,
    /// Files to remove once the store has taken in that they were heard.
    remove: Vec<PathBuf>,
    trouble: Option<String>,
    /// What pages are told once it is on disk, so that they find it there.
    untold: Vec<Live>,
}

/// How often time passes.
const TICK: Duration = Duration::from_millis(200);
/// How often old things are removed.
const TIDY_EVERY_MS: u64 = 60_000;

impl Recorder {
    /// A recorder without machines.
    pub fn new(
        shared: Arc<Shared>,
        clock: Arc<dyn Clock>,
        commit_every_ms: u64,
        retention: Retention,
    ) -> Self {
        let ticked = clock.now();
        Self {
            shared,
            clock,
            machines: BTreeMap::new(),
            commit_every_ms,
            retention,
            ticked,
            committed_ms: ticked.steady_ms,
            tidied_ms: None,
            urgent: false,
            remove: Vec::new(),
            trouble: None,
            untold: Vec::new(),
        }
    }

    /// Works until it is told to stop, or nobody is left to tell it anything.
    pub fn run(mut self, messages: &Receiver<Message>) {
        let watchdog = crate::system::watchdog();
        let mut fed = self.clock.now().steady_ms;
        loop {
            match messages.recv_timeout(TICK) {
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => break,
                Ok(message) => self.take(message),
                Err(RecvTimeoutError::Timeout) => {}
            }
            self.tick();
            if let Some(every_ms) = watchdog
                && self.clock.now().steady_ms >= fed + every_ms / 2
            {
                fed = self.clock.now().steady_ms;
                crate::system::alive();
            }
        }
        self.commit();
    }

    /// Takes one message.
    pub fn take(&mut self, message: Message) {
        let now = self.clock.now();
        match message {
            Message::Window { machine, heard } => self.window(&machine, *heard, now),
            Message::Sound { machine, stats, picture } => {
                self.sound(&machine, &stats, picture, now);
            }
            Message::Position { machine, position } => self.position(&machine, position),
            Message::Source { machine, ended } => {
                self.with(&machine, |entry| {
                    entry.machine.source(&entry.setup.rule, ended.as_deref(), now.unix_ms)
                });
            }
            Message::LeftOut { machine, reason } => {
                self.with(&machine, |entry| {
                    let rule = &entry.setup.rule;
                    vec![entry.machine.note(rule, "source.left_out", &reason, None, now.unix_ms)]
                });
            }
            Message::Differs { machine, reason } => {
                self.with(&machine, |entry| {
                    let rule = &entry.setup.rule;
                    vec![entry.machine.note(rule, "source.differs", &reason, None, now.unix_ms)]
                });
            }
            Message::Ask { machine, ask, who, answer } => {
                let changed = self.ask(&machine, ask, &who, now);
                if self.urgent {
                    self.commit();
                }
                if let Some(answer) = answer {
                    // Who asked may have gone away.
                    let _ = answer.send(changed);
                }
            }
            Message::Delivered { sink, id, outcome } => {
                self.shared.metrics.delivered(&sink, outcome);
                let count = Op::Count { name: format!("{outcome}/{sink}"), by: 1 };
                self.put(vec![Op::Delivered { sink, id }, count]);
                self.urgent = true;
            }
            Message::Machines(setups) => self.set_up(setups, now),
            Message::Stop => {}
        }
    }

    /// Lets time pass, and writes what is due.
    pub fn tick(&mut self) {
        let now = self.clock.now();
        let passed_ms = now.steady_ms - self.ticked.steady_ms;
        if passed_ms >= TICK.as_millis() as u64 {
            self.ticked = now;
            let names: Vec<String> = self.machines.keys().cloned().collect();
            for name in names {
                self.with(&name, |entry| {
                    entry.machine.tick(&entry.setup.rule, passed_ms, now.unix_ms)
                });
            }
        }
        let due = now.steady_ms - self.committed_ms >= self.commit_every_ms;
        if self.urgent || due {
            self.commit();
        }
        if self.tidied_ms.is_none_or(|tidied| now.steady_ms - tidied >= TIDY_EVERY_MS) {
            self.tidied_ms = Some(now.steady_ms);
            self.tidy(now);
        }
    }

    fn set_up(&mut self, setups: BTreeMap<String, MachineSetup>, now: Now) {
        self.commit();
        self.machines.retain(|name, _| setups.contains_key(name));
        for (name, setup) in setups {
            if let Some(entry) = self.machines.get_mut(&name) {
                entry.setup = setup;
            } else {
                let machine = self.restore(&name, now);
                let entry = Entry::new(setup, machine);
                self.machines.insert(name, entry);
            }
        }
        let views =
            self.machines.iter().map(|(name, entry)| (name.clone(), entry.machine.view(name)));
        *self.shared.views.write().unwrap_or_else(PoisonError::into_inner) = views.collect();
    }

    /// The machine as it was when the service stopped; what it missed has passed for it, by the wall clock.
    fn restore(&mut self, name: &str, now: Now) -> Machine {
        let store = self.shared.store.lock().unwrap_or_else(PoisonError::into_inner);
        let found = store.state_of(name);
        drop(store);
        match found {
            Ok(Some((saved_ms, state))) => match serde_json::from_str::<Machine>(&state) {
                Ok(mut machine) => {
                    machine.slept(now.unix_ms.saturating_sub(saved_ms).max(0).unsigned_abs());
                    machine
                }
                Err(error) => {
                    tracing::error!(
                        "the state of `{name}` cannot be read, it begins anew: {error}"
                    );
                    Machine::new(now.unix_ms)
                }
            },
            Ok(None) => Machine::new(now.unix_ms),
            Err(error) => {
                tracing::error!("the state of `{name}` begins anew: {}", with_causes(&error));
                Machine::new(now.unix_ms)
            }
        }
    }

    /// Changes a machine, and does what follows from it.
    fn with(&mut self, name: &str, change: impl FnOnce(&mut Entry) -> Vec<News>) {
        let Some(entry) = self.machines.get_mut(name) else { return };
        let news = change(entry);
        if news.is_empty() {
            return;
        }
        self.tell(name, news, Vec::new());
        self.show(name);
    }

    fn window(&mut self, name: &str, heard: HeardWindow, now: Now) {
        let Some(entry) = self.machines.get_mut(name) else { return };
        let HeardWindow { judged, at_ms, ends_ms, level_db, idle, position, .. } = &heard;
        entry.remember(&heard);
        let moment =
            Moment { at_ms: *at_ms, now_ms: now.unix_ms, level_db: *level_db, idle: *idle };
        let (answer, news) = entry.machine.window(&entry.setup.rule, judged, moment);
        entry.dirty = true;
        let clip_start = |back: u64| {
            ends_ms - back.saturating_mul(heard.hop_ms).cast_signed() - (ends_ms - at_ms)
        };
        let starts: Vec<i64> = news.iter().map(|news| clip_start(news.windows_back)).collect();
        let mut ops = vec![Op::Score(ScoreRow {
            machine: name.to_owned(),
            at_ms: *at_ms,
            score: judged.score,
            p_value: judged.p_value,
            level_db: Some(*level_db),
            verdict: answer,
        })];
        ops.extend(beside_op(name, &heard, answer));
        ops.extend(position_ops(name, position.clone()));
        self.shared.metrics.window(name, judged, answer, now.unix_ms - ends_ms);
        let news = news
            .into_iter()
            .zip(starts)
            .map(|(news, start_ms)| self.keep_sound(name, news, start_ms, &mut ops))
            .collect();
        self.tell(name, news, ops);
        self.show(name);
    }

    fn sound(&mut self, name: &str, stats: &SoundStats, picture: Option<PictureColumn>, now: Now) {
        self.with(name, |entry| entry.machine.sound(&entry.setup.rule, stats, now.unix_ms));
        self.shared.metrics.level(name, stats.level_db);
        // Nobody may be looking.
        let _ = self
            .shared
            .live
            .send(Live::Level { machine: name.to_owned(), level_db: stats.level_db });
        let Some(column) = picture else { return };
        if let Some(entry) = self.machines.get_mut(name) {
            entry.remember_picture(&column);
        }
        let (machine, bands) = (name.to_owned(), column.bands.to_vec());
        let high_hz = column.rate_hz as f32 / 2.0;
        let _ = self.shared.live.send(Live::Spectrum { machine, high_hz, bands });
    }

    fn position(&mut self, name: &str, position: Position) {
        if let Some(folder) = self.machines.get(name).and_then(|entry| entry.setup.uploads.as_ref())
        {
            let heard = position.iter().filter(|(_, value)| value.is_some());
            let files = heard.filter_map(|(key, _)| Some(folder.join(key.strip_prefix(HEARD)?)));
            self.remove.extend(files);
        }
        if let Some(entry) = self.machines.get_mut(name) {
            entry.dirty = true;
        }
        self.put(position_ops(name, position).collect());
    }

    fn ask(&mut self, name: &str, ask: Ask, who: &str, now: Now) -> bool {
        let now_ms = now.unix_ms;
        let before = self.machines.get(name).map(|entry| entry.machine.view(name));
        if before.is_none() {
            return false;
        }
        match ask {
            Ask::Alarm(command) => self.with(name, |entry| {
                entry.machine.command(&entry.setup.rule, &command, who, now_ms)
            }),
            Ask::Running(running) => {
                self.with(name, |entry| entry.machine.operate(&entry.setup.rule, running, now_ms));
            }
            Ask::Feedback(row) => {
                let reason = match &row.name {
                    Some(fault) => format!("{}: {fault}", row.event),
                    None => row.event.clone(),
                };
                let kind = format!("feedback.{}", row.kind);
                self.put(vec![Op::Feedback(row)]);
                self.with(name, |entry| {
                    vec![entry.machine.note(&entry.setup.rule, &kind, &reason, Some(who), now_ms)]
                });
                return true;
            }
            Ask::Undo { feedback } => {
                self.put(vec![Op::Undone { id: feedback.clone(), at_ms: now_ms }]);
                self.with(name, |entry| {
                    let rule = &entry.setup.rule;
                    vec![entry.machine.note(rule, "feedback.undone", &feedback, Some(who), now_ms)]
                });
                return true;
            }
            Ask::Model { kind, reason } => {
                self.with(name, |entry| {
                    vec![entry.machine.note(&entry.setup.rule, kind, &reason, Some(who), now_ms)]
                });
                return true;
            }
            Ask::Forget => return self.forget(name),
        }
        before != self.machines.get(name).map(|entry| entry.machine.view(name))
    }

    fn forget(&mut self, name: &str) -> bool {
        let mut store = self.shared.store.lock().unwrap_or_else(PoisonError::into_inner);
        let clips = store.reader().and_then(|reader| reader.clips(Some(name))).unwrap_or_default();
        let forgotten = store.forget_machine(name);
        drop(store);
        match forgotten {
            Ok(()) => {
                for clip in clips {
                    if let Err(error) = self.shared.clips.remove(&clip.name) {
                        tracing::error!("{}", with_causes(&error));
                    }
                }
                true
            }
            Err(error) => {
                tracing::error!("cannot forget `{name}`: {}", with_causes(&error));
                false
            }
        }
    }

    /// Stores what happened with the state it led to, and has it delivered.
    fn tell(&mut self, name: &str, news: Vec<News>, mut ops: Vec<Op>) {
        let Some(entry) = self.machines.get_mut(name) else { return };
        if !news.is_empty() {
            self.urgent = true;
            ops.push(entry.state_op(name, self.ticked.unix_ms));
        }
        let mut told = Vec::new();
        for News { event, call, .. } in news {
            let sinks = match call {
                Call::Nobody => &[][..],
                Call::Sinks => &entry.setup.sinks,
                Call::Escalation => &entry.setup.escalate_to,
            };
            let message = crate::sink::message(&event, &entry.setup.title);
            ops.extend(sinks.iter().map(|sink| {
                Op::Outbox(OutboxRow {
                    id: event.id.clone(),
                    sink: sink.clone(),
                    made_ms: event.at_ms,
                    message: message.clone(),
                })
            }));
            ops.push(Op::Event(event.clone()));
            told.push(event);
        }
        self.put(ops);
        for event in told {
            self.shared.metrics.event(name, &event.kind);
            self.untold.push(Live::Event(Box::new(event)));
        }
    }

    fn show(&mut self, name: &str) {
        let Some(entry) = self.machines.get(name) else { return };
        let view = entry.machine.view(name);
        self.shared.metrics.machine(&view);
        self.untold.push(Live::Machine(Box::new(view)));
        if !self.urgent {
            self.publish();
        }
    }

    /// Tells pages what happened.
    fn publish(&mut self) {
        for live in self.untold.drain(..) {
            if let Live::Machine(view) = &live {
                let mut views = self.shared.views.write().unwrap_or_else(PoisonError::into_inner);
                views.insert(view.name.clone(), MachineView::clone(view));
            }
            let _ = self.shared.live.send(live);
        }
    }

    /// Keeps the sound of an alarm that begins.
    fn keep_sound(&mut self, name: &str, mut news: News, start_ms: i64, ops: &mut Vec<Op>) -> News {
        if news.event.kind != "alarm.began" {
            return news;
        }
        let Some(entry) = self.machines.get(name) else { return news };
        let from_ms = start_ms - entry.setup.before_ms.cast_signed();
        let Some((kept, end, begins_ms)) = entry.keepsake(from_ms) else { return news };
        let stem = format!("{}-{}", news.event.at_ms, news.event.alarm.unwrap_or(0));
        let (quota, bytes) = (entry.setup.quota, kept.len() as u64);
        let kept = make_room(&self.shared, name, bytes, &quota, ops)
            .and_then(|()| self.shared.clips.write(name, &format!("{stem}.{end}"), &kept));
        match kept {
            Ok(clip) => {
                let score = news.event.score;
                let machine = name.to_owned();
                ops.push(Op::Clip(ClipRow {
                    name: clip.clone(),
                    machine,
                    at_ms: begins_ms,
                    bytes,
                    score,
                }));
                news.event.clip = Some(clip);
            }
            Err(error) => {
                tracing::error!("sound of `{name}` is not kept: {}", with_causes(&error));
            }
        }
        news
    }

    fn put(&self, ops: Vec<Op>) {
        self.shared.store.lock().unwrap_or_else(PoisonError::into_inner).put(ops);
    }

    /// Writes everything that waits, with the state of every machine that changed.
    fn commit(&mut self) {
        let now = self.clock.now();
        self.urgent = false;
        self.committed_ms = now.steady_ms;
        let mut ops = Vec::new();
        for (name, entry) in &mut self.machines {
            if std::mem::take(&mut entry.dirty) {
                ops.push(entry.state_op(name, now.unix_ms));
            }
        }
        let mut store = self.shared.store.lock().unwrap_or_else(PoisonError::into_inner);
        store.put(ops);
        let written = store.commit();
        let health = store.health().clone();
        drop(store);
        self.shared.metrics.store(&health);
        self.publish();
        if written {
            for path in self.remove.drain(..) {
                // What stays is passed over as heard.
                let _ = std::fs::remove_file(path);
            }
        }
        if self.trouble != health.trouble {
            if let Some(why) = &health.trouble {
                tracing::error!("the store cannot be written, alarms go on: {why}");
            } else {
                tracing::info!("the store can be written again");
            }
            self.trouble.clone_from(&health.trouble);
            let _ = self.shared.live.send(Live::Store { trouble: health.trouble });
        }
    }

    fn tidy(&mut self, now: Now) {
        let mut store = self.shared.store.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = store.forget(&self.retention, now.unix_ms) {
            tracing::warn!("old rows stay: {}", with_causes(&error));
        }
        let rows = store.reader().and_then(|reader| reader.clips(None)).unwrap_or_default();
        drop(store);
        let mut ops = Vec::new();
        for row in rows {
            let Some(entry) = self.machines.get(&row.machine) else { continue };
            let kept_ms = i64::from(entry.setup.sound_days) * 86_400_000;
            if row.at_ms < now.unix_ms - kept_ms && self.shared.clips.remove(&row.name).is_ok() {
                ops.push(Op::ClipGone { name: row.name });
            }
        }
        self.put(ops);
    }
}

#[cfg(test)]
mod tests;
