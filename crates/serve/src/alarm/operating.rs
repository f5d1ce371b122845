//! Whether the machine runs: a machine that is off cannot sound wrong, and one that has just been
//! started sounds different for a while.

use serde::{Deserialize, Serialize};

/// How to know whether the machine runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OperatingRule {
    /// Below this level, in decibels relative to full scale, the machine is off.
    pub off_below_db: Option<f64>,
    /// Windows in a row that have to agree before the machine counts as off or as running.
    pub windows: usize,
    /// Time after a start that is not judged.
    pub grace_ms: u64,
}

/// Whether the machine runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operating {
    /// It runs and is judged.
    Running,
    /// It was just started and is not judged yet.
    Starting,
    /// It is off and is not judged.
    Off,
}

/// Whether a machine runs, with what the rule needs of the past.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperatingState {
    off: bool,
    /// Windows in a row that disagree with `off`.
    against: usize,
    grace_left_ms: u64,
    /// What somebody outside said last: the sound then decides nothing.
    told: Option<bool>,
}

impl OperatingState {
    /// Whether the machine runs.
    pub fn operating(&self) -> Operating {
        if self.off {
            Operating::Off
        } else if self.grace_left_ms > 0 {
            Operating::Starting
        } else {
            Operating::Running
        }
    }

    /// Takes in a window: its level, and whether it sounds like the machine at rest, where there is a
    /// model of that. True when the machine was switched on or off.
    pub fn window(&mut self, rule: &OperatingRule, level_db: f64, idle: Option<bool>) -> bool {
        if self.told.is_some() {
            return false;
        }
        let quiet = rule.off_below_db.map(|least| level_db < least);
        let Some(off) = quiet.into_iter().chain(idle).reduce(|quiet, idle| quiet || idle) else {
            return false;
        };
        if off == self.off {
            self.against = 0;
            return false;
        }
        self.against += 1;
        if self.against < rule.windows.max(1) {
            return false;
        }
        self.switch(rule, off);
        true
    }

    /// Somebody outside says whether the machine runs (`None`: the sound decides again). True when that
    /// switched it.
    pub fn tell(&mut self, rule: &OperatingRule, running: Option<bool>) -> bool {
        self.told = running;
        let Some(running) = running else { return false };
        if self.off != running {
            return false;
        }
        self.switch(rule, !running);
        true
    }

    /// Time passes.
    pub fn tick(&mut self, passed_ms: u64) {
        self.grace_left_ms = self.grace_left_ms.saturating_sub(passed_ms);
    }

    fn switch(&mut self, rule: &OperatingRule, off: bool) {
        self.off = off;
        self.against = 0;
        self.grace_left_ms = if off { 0 } else { rule.grace_ms };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: OperatingRule =
        OperatingRule { off_below_db: Some(-60.0), windows: 2, grace_ms: 3000 };

    #[test]
    fn one_quiet_window_does_not_switch_the_machine_off() {
        let mut state = OperatingState::default();
        assert!(!state.window(&RULE, -80.0, None));
        assert!(!state.window(&RULE, -20.0, None));
        assert!(!state.window(&RULE, -80.0, None));
        assert_eq!(state.operating(), Operating::Running);
        assert!(state.window(&RULE, -80.0, None));
        assert_eq!(state.operating(), Operating::Off);
    }

    #[test]
    fn a_start_has_a_time_of_grace() {
        let mut state = OperatingState::default();
        assert!(state.tell(&RULE, Some(false)));
        assert!(state.tell(&RULE, Some(true)));
        assert_eq!(state.operating(), Operating::Starting);
        state.tick(2999);
        assert_eq!(state.operating(), Operating::Starting);
        state.tick(1);
        assert_eq!(state.operating(), Operating::Running);
    }

    #[test]
    fn what_is_told_goes_before_what_is_heard() {
        let mut state = OperatingState::default();
        state.tell(&RULE, Some(true));
        for _ in 0..5 {
            state.window(&RULE, -90.0, None);
        }
        assert_eq!(state.operating(), Operating::Running);
        state.tell(&RULE, None);
        state.window(&RULE, -90.0, None);
        state.window(&RULE, -90.0, None);
        assert_eq!(state.operating(), Operating::Off);
    }

    #[test]
    fn an_idle_sound_switches_it_off_at_any_level() {
        let rule = OperatingRule { off_below_db: None, ..RULE };
        let mut state = OperatingState::default();
        state.window(&rule, -20.0, Some(true));
        state.window(&rule, -20.0, Some(true));
        assert_eq!(state.operating(), Operating::Off);
    }
}
