//! One machine as the recorder keeps it: its setup, its state, and its last seconds of sound.

use std::collections::VecDeque;

use super::{HeardWindow, MachineSetup};
use crate::{machine::Machine, store::Op};

/// Sound of one clip at most, in milliseconds.
const LONGEST_CLIP_MS: u64 = 120_000;

/// One machine.
pub(super) struct Entry {
    pub(super) setup: MachineSetup,
    pub(super) machine: Machine,
    pub(super) dirty: bool,
    roll: VecDeque<f32>,
    pub(super) roll_rate_hz: u32,
    roll_ends_ms: i64,
}

impl Entry {
    pub(super) fn new(setup: MachineSetup, machine: Machine) -> Self {
        let (roll, roll_rate_hz, roll_ends_ms) = (VecDeque::new(), 0, 0);
        Self { setup, machine, dirty: true, roll, roll_rate_hz, roll_ends_ms }
    }

    /// Remembers the sound of a window for the clip of an alarm to come.
    pub(super) fn remember(&mut self, heard: &HeardWindow) {
        let rate = u64::from(heard.rate_hz);
        let longest = self.setup.before_ms.min(LONGEST_CLIP_MS) + LONGEST_CLIP_MS / 2;
        let most = (rate * longest / 1000) as usize;
        self.roll.extend(&heard.sound);
        let excess = self.roll.len().saturating_sub(most);
        self.roll.drain(..excess);
        self.roll_rate_hz = heard.rate_hz;
        self.roll_ends_ms = heard.ends_ms;
    }

    /// Sound from a time on, as far back as it is remembered, and when it begins.
    pub(super) fn since(&self, from_ms: i64) -> (Vec<f32>, i64) {
        let rate = i64::from(self.roll_rate_hz);
        let wanted = ((self.roll_ends_ms - from_ms).max(0) * rate / 1000).unsigned_abs() as usize;
        let skip = self.roll.len().saturating_sub(wanted);
        let sound: Vec<f32> = self.roll.iter().skip(skip).copied().collect();
        let length_ms = 1000 * sound.len().cast_signed() as i64 / rate.max(1);
        (sound, self.roll_ends_ms - length_ms)
    }

    pub(super) fn state_op(&self, name: &str, saved_ms: i64) -> Op {
        let state = serde_json::to_string(&self.machine).expect("plain data has a JSON form");
        Op::State { machine: name.to_owned(), saved_ms, state }
    }
}
