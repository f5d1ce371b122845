//! The alarm of one machine, after ISA-18.2, as a pure state machine: windows, ticks and commands go
//! in, notices come out. It knows no clock: the caller says how much time has passed.

mod operating;
mod past;
mod schedule;

use offkey_monitor::{Change, EventRule, EventState, Verdict};
use serde::{Deserialize, Serialize};

pub use operating::{Operating, OperatingRule, OperatingState};
pub use schedule::{Schedule, ScheduleError};

/// How an alarm behaves.
#[derive(Debug, Clone, PartialEq)]
pub struct AlarmRule {
    /// When windows become an alarm and when they end it: the rule of `watch`.
    pub condition: EventRule,
    /// Whether an alarm stays after its cause is gone, until a person resets it.
    pub latch: bool,
    /// After an alarm is over, a new one within this time is the same one again: nobody is called twice.
    pub cooldown_ms: u64,
    /// Times without acknowledgement, counted from the beginning, after which the next people are called.
    pub escalate_after_ms: Vec<u64>,
}

/// Where an alarm stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// No alarm.
    Normal,
    /// The machine sounds wrong and nobody has said that they know.
    ActiveUnacknowledged,
    /// The machine sounds wrong and somebody knows.
    ActiveAcknowledged,
    /// The machine sounds normal again, and nobody has said that they know.
    ReturnedUnacknowledged,
    /// As `ReturnedUnacknowledged`; it takes a reset as well to clear.
    LatchedUnacknowledged,
    /// The machine sounds normal again, somebody knows; it takes a reset to clear.
    LatchedAcknowledged,
}

/// Why an alarm is not shown, where that is so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hidden {
    /// A person shelved it for a time.
    Shelved,
    /// The schedule suppresses it.
    Suppressed,
}

/// What a person or the schedule asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Somebody knows.
    Acknowledge,
    /// A latched alarm may clear.
    Reset,
    /// No alarm for so long.
    Shelve {
        /// How long.
        for_ms: u64,
    },
    /// Alarms again.
    Unshelve,
    /// The schedule begins or ends to suppress.
    Suppress(bool),
    /// The machine was switched off, so nothing can be wrong with its sound.
    SwitchedOff,
}

/// What happened to an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Happening {
    /// An alarm began.
    Began,
    /// The same alarm came again within its cooldown.
    Again,
    /// Nobody acknowledged it in time.
    Escalated,
    /// A person acknowledged it.
    Acknowledged,
    /// The machine sounds normal again.
    Returned,
    /// The alarm is over: returned, acknowledged, and reset where it was latched.
    Cleared,
    /// Shelved.
    Shelved,
    /// No longer shelved.
    Unshelved,
    /// Suppressed by the schedule.
    Suppressed,
    /// No longer suppressed.
    Unsuppressed,
}

/// One thing that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notice {
    /// Number of the alarm it is about, counted per machine from 1; 0 before the first.
    pub alarm: u64,
    /// What.
    pub what: Happening,
    /// Windows back to the first odd one, where an alarm began.
    pub windows_back: u64,
    /// Step of an escalation, from 1.
    pub step: usize,
}

/// The alarm of one machine. Everything in it survives a restart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alarm {
    number: u64,
    phase: Phase,
    #[serde(deserialize_with = "past::condition")]
    condition: EventState,
    shelved_left_ms: Option<u64>,
    suppressed: bool,
    cooldown_left_ms: u64,
    unacknowledged_ms: u64,
    escalated: usize,
}

impl Phase {
    /// Whether the machine sounds wrong.
    pub fn is_active(self) -> bool {
        matches!(self, Self::ActiveUnacknowledged | Self::ActiveAcknowledged)
    }

    /// Whether somebody still has to say that they know.
    pub fn is_unacknowledged(self) -> bool {
        matches!(
            self,
            Self::ActiveUnacknowledged | Self::ReturnedUnacknowledged | Self::LatchedUnacknowledged
        )
    }
}

impl Default for Alarm {
    fn default() -> Self {
        Self {
            number: 0,
            phase: Phase::Normal,
            condition: EventState::new(EventRule::default()),
            shelved_left_ms: None,
            suppressed: false,
            cooldown_left_ms: 0,
            unacknowledged_ms: 0,
            escalated: 0,
        }
    }
}

impl Alarm {
    /// Where the alarm stands, hidden or not.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Number of the latest alarm; 0 before the first.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Why the alarm is hidden, where it is. A person's wish goes before the schedule.
    pub fn hidden(&self) -> Option<Hidden> {
        match (self.shelved_left_ms, self.suppressed) {
            (Some(_), _) => Some(Hidden::Shelved),
            (None, true) => Some(Hidden::Suppressed),
            (None, false) => None,
        }
    }

    /// Time left on the shelf.
    pub fn shelved_left_ms(&self) -> Option<u64> {
        self.shelved_left_ms
    }

    /// Whether the sound is wrong at the moment, hidden or not.
    pub fn sounds_wrong(&self) -> bool {
        self.condition.is_open()
    }

    /// Takes in a window's verdict and score.
    pub fn window(
        &mut self,
        rule: &AlarmRule,
        verdict: Verdict,
        score: Option<f64>,
    ) -> Vec<Notice> {
        self.condition.obey(rule.condition);
        let change = self.condition.take(verdict, score);
        if self.hidden().is_some() {
            return Vec::new();
        }
        match change {
            Some(Change::Opened { windows_back }) => self.begin(windows_back),
            Some(Change::Closed) => self.end(rule),
            None => Vec::new(),
        }
    }

    /// Time passes. However late a tick comes, nothing is left out.
    pub fn tick(&mut self, rule: &AlarmRule, passed_ms: u64) -> Vec<Notice> {
        let mut notices = Vec::new();
        self.cooldown_left_ms = self.cooldown_left_ms.saturating_sub(passed_ms);
        let mut waited_ms = passed_ms;
        if let Some(left) = self.shelved_left_ms {
            self.shelved_left_ms = left.checked_sub(passed_ms).filter(|left| *left > 0);
            if self.shelved_left_ms.is_none() {
                waited_ms -= left;
                notices.push(self.notice(Happening::Unshelved));
                notices.extend(self.begin_if_wrong());
            }
        }
        if self.phase.is_unacknowledged() {
            self.unacknowledged_ms = self.unacknowledged_ms.saturating_add(waited_ms);
            while let Some(&after) = rule.escalate_after_ms.get(self.escalated)
                && self.unacknowledged_ms >= after
            {
                self.escalated += 1;
                let step = self.escalated;
                notices.push(Notice { step, ..self.notice(Happening::Escalated) });
            }
        }
        notices
    }

    /// Does what a person or the schedule asks for; what changes nothing tells nothing.
    pub fn command(&mut self, rule: &AlarmRule, command: &Command) -> Vec<Notice> {
        match command {
            Command::Acknowledge => self.acknowledge(rule),
            Command::Reset => self.reset(rule),
            Command::Shelve { for_ms } => {
                let was_shelved = self.shelved_left_ms.replace((*for_ms).max(1)).is_some();
                self.put_away();
                if was_shelved { Vec::new() } else { vec![self.notice(Happening::Shelved)] }
            }
            Command::Unshelve => {
                if self.shelved_left_ms.take().is_none() {
                    return Vec::new();
                }
                let mut notices = vec![self.notice(Happening::Unshelved)];
                notices.extend(self.begin_if_wrong());
                notices
            }
            Command::Suppress(on) => self.suppress(*on),
            Command::SwitchedOff => {
                let was_active = self.condition.is_open();
                self.condition = EventState::new(rule.condition);
                if was_active && self.phase.is_active() { self.end(rule) } else { Vec::new() }
            }
        }
    }

    fn notice(&self, what: Happening) -> Notice {
        Notice { alarm: self.number, what, windows_back: 0, step: 0 }
    }

    fn begin(&mut self, windows_back: u64) -> Vec<Notice> {
        if self.phase != Phase::Normal || self.cooldown_left_ms > 0 {
            // The same alarm again. Within the cooldown somebody has acknowledged it already.
            if self.phase == Phase::LatchedAcknowledged {
                self.unacknowledged_ms = 0;
                self.escalated = 0;
            }
            self.phase = match self.phase {
                Phase::Normal => Phase::ActiveAcknowledged,
                _ => Phase::ActiveUnacknowledged,
            };
            return vec![Notice { windows_back, ..self.notice(Happening::Again) }];
        }
        self.number += 1;
        self.phase = Phase::ActiveUnacknowledged;
        self.unacknowledged_ms = 0;
        self.escalated = 0;
        vec![Notice { windows_back, ..self.notice(Happening::Began) }]
    }

    fn begin_if_wrong(&mut self) -> Vec<Notice> {
        let begins = self.hidden().is_none() && self.condition.is_open();
        if begins { self.begin(0) } else { Vec::new() }
    }

    fn end(&mut self, rule: &AlarmRule) -> Vec<Notice> {
        let mut notices = vec![self.notice(Happening::Returned)];
        let acknowledged = self.phase == Phase::ActiveAcknowledged;
        self.phase = match (acknowledged, rule.latch) {
            (false, false) => Phase::ReturnedUnacknowledged,
            (false, true) => Phase::LatchedUnacknowledged,
            (true, true) => Phase::LatchedAcknowledged,
            (true, false) => {
                notices.push(self.notice(Happening::Cleared));
                Phase::Normal
            }
        };
        if self.phase == Phase::Normal {
            self.cooldown_left_ms = rule.cooldown_ms;
        }
        notices
    }

    fn acknowledge(&mut self, rule: &AlarmRule) -> Vec<Notice> {
        let next = match self.phase {
            Phase::ActiveUnacknowledged => Phase::ActiveAcknowledged,
            Phase::ReturnedUnacknowledged => Phase::Normal,
            Phase::LatchedUnacknowledged => Phase::LatchedAcknowledged,
            Phase::Normal | Phase::ActiveAcknowledged | Phase::LatchedAcknowledged => {
                return Vec::new();
            }
        };
        self.phase = next;
        let mut notices = vec![self.notice(Happening::Acknowledged)];
        if next == Phase::Normal {
            notices.push(self.notice(Happening::Cleared));
            self.cooldown_left_ms = rule.cooldown_ms;
        }
        notices
    }

    fn reset(&mut self, rule: &AlarmRule) -> Vec<Notice> {
        if self.phase != Phase::LatchedAcknowledged {
            return Vec::new();
        }
        self.phase = Phase::Normal;
        self.cooldown_left_ms = rule.cooldown_ms;
        vec![self.notice(Happening::Cleared)]
    }

    fn suppress(&mut self, on: bool) -> Vec<Notice> {
        if self.suppressed == on {
            return Vec::new();
        }
        self.suppressed = on;
        if on {
            self.put_away();
            return vec![self.notice(Happening::Suppressed)];
        }
        let mut notices = vec![self.notice(Happening::Unsuppressed)];
        notices.extend(self.begin_if_wrong());
        notices
    }

    /// A hidden alarm calls nobody: it is over for people, and begins anew if the sound is still wrong
    /// when it is no longer hidden.
    fn put_away(&mut self) {
        self.phase = Phase::Normal;
        self.cooldown_left_ms = 0;
    }
}

#[cfg(test)]
mod tests;
