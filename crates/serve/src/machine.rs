//! One machine as the service sees it: windows, sound, time and commands go in; what has to be stored,
//! sent and shown comes out. Pure, and whole in one value that survives restarts.

use offkey_monitor::Verdict;
use serde::{Deserialize, Serialize};

use crate::{
    alarm::{
        Alarm, AlarmRule, Command, Happening, Hidden, Notice, Operating, OperatingRule,
        OperatingState, Phase, Schedule,
    },
    judge::Judged,
    liveness::{Liveness, LivenessRule, SoundStats, Trouble, TroubleChange},
    store::{EventRow, WindowAnswer},
};

/// Everything the configuration says about how a machine is treated.
#[derive(Debug, Clone, PartialEq)]
pub struct MachineRule {
    /// Its name.
    pub name: String,
    /// When it alarms.
    pub alarm: AlarmRule,
    /// How to know that it runs.
    pub operating: OperatingRule,
    /// When it calls nobody.
    pub schedule: Schedule,
    /// When its source counts as dead.
    pub liveness: LivenessRule,
}

/// Who has to hear of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// Nobody: it is stored and shown.
    Nobody,
    /// The machine's sinks.
    Sinks,
    /// Those called when nobody acknowledges.
    Escalation,
}

/// An event, and who has to hear of it.
#[derive(Debug, Clone, PartialEq)]
pub struct News {
    /// The event.
    pub event: EventRow,
    /// Who has to hear of it.
    pub call: Call,
    /// Windows back to the first odd one, where an alarm began.
    pub windows_back: u64,
}

/// The machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// When this state began to exist: tells its events from those of a lost store.
    born_ms: i64,
    /// Events so far.
    events: u64,
    alarm: Alarm,
    operating: OperatingState,
    liveness: Liveness,
    /// When the present state of the alarm began.
    since_ms: i64,
    /// Largest score, smallest p-value and reason of the alarm so far.
    peak: Option<Peak>,
    last: Option<LastWindow>,
    /// Time that passed while the service was not running.
    #[serde(skip)]
    slept_ms: u64,
}

/// The oddest window of an alarm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Peak {
    score: Option<f64>,
    p_value: Option<f64>,
    reason: String,
}

/// The latest window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LastWindow {
    /// When it began.
    pub at_ms: i64,
    /// Anomaly score.
    pub score: Option<f64>,
    /// p-value.
    pub p_value: Option<f64>,
    /// Level in decibels relative to full scale.
    pub level_db: Option<f64>,
    /// Why, in a sentence.
    pub reason: String,
}

/// What a page shows of a machine.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MachineView {
    /// Its name.
    pub name: String,
    /// Where the alarm stands.
    pub phase: Phase,
    /// Why the alarm is hidden.
    pub hidden: Option<Hidden>,
    /// Time left on the shelf.
    pub shelved_left_ms: Option<u64>,
    /// Number of the latest alarm.
    pub alarm: u64,
    /// When the present state began.
    pub since_ms: i64,
    /// Whether the machine runs.
    pub operating: Operating,
    /// What is wrong with the source.
    pub troubles: Vec<(Trouble, String)>,
    /// The latest window.
    pub last: Option<LastWindow>,
    /// Why it alarms.
    pub reason: Option<String>,
}

impl Machine {
    /// A machine that was never heard.
    pub fn new(now_ms: i64) -> Self {
        Self {
            born_ms: now_ms,
            events: 0,
            alarm: Alarm::default(),
            operating: OperatingState::default(),
            liveness: Liveness::default(),
            since_ms: now_ms,
            peak: None,
            last: None,
            slept_ms: 0,
        }
    }

    /// The service did not run for so long: shelves, cooldowns and escalations go on, a stall does not.
    pub fn slept(&mut self, ms: u64) {
        self.slept_ms = ms;
    }

    /// What a page shows.
    pub fn view(&self, name: &str) -> MachineView {
        let troubles = self.liveness.troubles().iter();
        MachineView {
            name: name.to_owned(),
            phase: self.alarm.phase(),
            hidden: self.alarm.hidden(),
            shelved_left_ms: self.alarm.shelved_left_ms(),
            alarm: self.alarm.number(),
            since_ms: self.since_ms,
            operating: self.operating.operating(),
            troubles: troubles.map(|(trouble, why)| (*trouble, why.clone())).collect(),
            last: self.last.clone(),
            reason: self.peak.as_ref().map(|peak| peak.reason.clone()),
        }
    }

    /// Whether windows are judged at present.
    pub fn is_judged(&self) -> bool {
        self.operating.operating() == Operating::Running
    }

    /// Takes in a judged window; the answer as it is stored, and what happened.
    pub fn window(
        &mut self,
        rule: &MachineRule,
        judged: &Judged,
        at: Moment,
    ) -> (WindowAnswer, Vec<News>) {
        let mut news = Vec::new();
        if self.operating.window(&rule.operating, at.level_db, at.idle) {
            news.extend(self.switched(rule, at.now_ms));
        }
        self.last = Some(LastWindow {
            at_ms: at.at_ms,
            score: judged.score,
            p_value: judged.p_value,
            level_db: Some(at.level_db),
            reason: judged.reason.clone(),
        });
        if !self.is_judged() {
            return (WindowAnswer::NotJudged, news);
        }
        let unlike = (judged.verdict == Verdict::CannotTell).then_some(judged.reason.as_str());
        let changes = self.liveness.window(&rule.liveness, unlike);
        news.extend(self.tell_troubles(rule, changes, at.now_ms));
        self.remember_peak(judged);
        let notices = self.alarm.window(&rule.alarm, judged.verdict, judged.score);
        news.extend(self.tell(rule, notices, at.now_ms, None));
        if self.alarm.phase() == Phase::Normal
            && !self.alarm.sounds_wrong()
            && judged.verdict == Verdict::Normal
        {
            self.peak = None;
        }
        (judged.verdict.into(), news)
    }

    /// Sound came, judged or not.
    pub fn sound(&mut self, rule: &MachineRule, stats: &SoundStats, now_ms: i64) -> Vec<News> {
        let changes = self.liveness.sound(&rule.liveness, stats);
        self.tell_troubles(rule, changes, now_ms)
    }

    /// The source ended (with the reason), or is back.
    pub fn source(&mut self, rule: &MachineRule, ended: Option<&str>, now_ms: i64) -> Vec<News> {
        let changes = match ended {
            Some(why) => self.liveness.ended(why),
            None => self.liveness.back(),
        };
        self.tell_troubles(rule, changes, now_ms)
    }

    /// Time passes: `passed_ms` on the steady clock, whatever the wall clock says.
    pub fn tick(&mut self, rule: &MachineRule, passed_ms: u64, now_ms: i64) -> Vec<News> {
        let slept_ms = passed_ms.saturating_add(std::mem::take(&mut self.slept_ms));
        self.operating.tick(slept_ms);
        let changes = self.liveness.tick(&rule.liveness, passed_ms);
        let mut news = self.tell_troubles(rule, changes, now_ms);
        let suppress = Command::Suppress(rule.schedule.suppresses(now_ms));
        let mut notices = self.alarm.command(&rule.alarm, &suppress);
        notices.extend(self.alarm.tick(&rule.alarm, slept_ms));
        news.extend(self.tell(rule, notices, now_ms, None));
        news
    }

    /// Does what a person asks for.
    pub fn command(
        &mut self,
        rule: &MachineRule,
        command: &Command,
        who: &str,
        now_ms: i64,
    ) -> Vec<News> {
        let notices = self.alarm.command(&rule.alarm, command);
        self.tell(rule, notices, now_ms, Some(who))
    }

    /// Somebody outside says whether the machine runs; `None`: the sound decides.
    pub fn operate(&mut self, rule: &MachineRule, running: Option<bool>, now_ms: i64) -> Vec<News> {
        if self.operating.tell(&rule.operating, running) {
            self.switched(rule, now_ms)
        } else {
            Vec::new()
        }
    }

    /// An event that is not about the alarm or the source, as when a person gives feedback.
    pub fn note(
        &mut self,
        rule: &MachineRule,
        kind: &str,
        reason: &str,
        who: Option<&str>,
        now_ms: i64,
    ) -> News {
        self.news(rule, kind, reason.to_owned(), None, who, now_ms)
    }

    fn switched(&mut self, rule: &MachineRule, now_ms: i64) -> Vec<News> {
        if self.operating.operating() == Operating::Off {
            let notices = self.alarm.command(&rule.alarm, &Command::SwitchedOff);
            let mut news = self.tell(rule, notices, now_ms, None);
            let why = "the machine is off, and is not judged".to_owned();
            news.push(self.news(rule, "machine.off", why, None, None, now_ms));
            news
        } else {
            let why = "the machine runs".to_owned();
            vec![self.news(rule, "machine.running", why, None, None, now_ms)]
        }
    }

    fn remember_peak(&mut self, judged: &Judged) {
        if judged.verdict != Verdict::Alarm {
            return;
        }
        let before = self.peak.as_ref().and_then(|peak| peak.score);
        if self.peak.is_none() || judged.score > before {
            self.peak = Some(Peak {
                score: judged.score,
                p_value: judged.p_value,
                reason: judged.reason.clone(),
            });
        }
    }

    fn tell(
        &mut self,
        rule: &MachineRule,
        notices: Vec<Notice>,
        now_ms: i64,
        who: Option<&str>,
    ) -> Vec<News> {
        let mut news = Vec::new();
        for notice in notices {
            self.since_ms = now_ms;
            let peak = self.peak.clone();
            let why = || peak.as_ref().map_or_else(String::new, |peak| peak.reason.clone());
            let (kind, reason, call) = match notice.what {
                Happening::Began => ("alarm.began", why(), Call::Sinks),
                Happening::Again => ("alarm.again", why(), Call::Nobody),
                Happening::Escalated => {
                    ("alarm.escalated", format!("nobody acknowledged: {}", why()), Call::Escalation)
                }
                Happening::Acknowledged => ("alarm.acknowledged", String::new(), Call::Sinks),
                Happening::Returned => {
                    ("alarm.returned", "windows sound normal again".to_owned(), Call::Sinks)
                }
                Happening::Cleared => ("alarm.cleared", String::new(), Call::Sinks),
                Happening::Shelved => ("alarm.shelved", String::new(), Call::Sinks),
                Happening::Unshelved => ("alarm.unshelved", String::new(), Call::Sinks),
                Happening::Suppressed => {
                    ("alarm.suppressed", "by the schedule".to_owned(), Call::Nobody)
                }
                Happening::Unsuppressed => {
                    ("alarm.unsuppressed", "by the schedule".to_owned(), Call::Nobody)
                }
            };
            let mut told = self.news(rule, kind, reason, Some(notice.alarm), who, now_ms);
            told.call = call;
            told.windows_back = notice.windows_back;
            // A shelved or suppressed alarm may call again, and is then told with its reason.
            if notice.what == Happening::Cleared {
                self.peak = None;
            }
            news.push(told);
        }
        news
    }

    fn tell_troubles(
        &mut self,
        rule: &MachineRule,
        changes: Vec<TroubleChange>,
        now_ms: i64,
    ) -> Vec<News> {
        let mut news = Vec::new();
        for change in changes {
            let over = if change.begins { "" } else { ".over" };
            let kind = format!("source.{}{over}", change.trouble.name());
            let mut told = self.news(rule, &kind, change.reason, None, None, now_ms);
            told.call = Call::Sinks;
            news.push(told);
        }
        news
    }

    fn news(
        &mut self,
        rule: &MachineRule,
        kind: &str,
        reason: String,
        alarm: Option<u64>,
        who: Option<&str>,
        now_ms: i64,
    ) -> News {
        self.events += 1;
        let peak = alarm.and(self.peak.as_ref());
        let event = EventRow {
            id: format!("{}.{:x}.{}", rule.name, self.born_ms, self.events),
            machine: rule.name.clone(),
            at_ms: now_ms,
            kind: kind.to_owned(),
            alarm,
            reason,
            score: peak.and_then(|peak| peak.score),
            p_value: peak.and_then(|peak| peak.p_value),
            clip: None,
            who: who.map(str::to_owned),
        };
        News { event, call: Call::Nobody, windows_back: 0 }
    }
}

/// When and how a window was heard.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moment {
    /// When the window began, by the wall clock.
    pub at_ms: i64,
    /// The wall clock now.
    pub now_ms: i64,
    /// The window's level in decibels relative to full scale.
    pub level_db: f64,
    /// Whether it sounds like the machine at rest, where there is a model of that.
    pub idle: Option<bool>,
}

#[cfg(test)]
mod tests;
