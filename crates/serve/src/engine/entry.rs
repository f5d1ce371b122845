//! One machine as the recorder keeps it: its setup, its state, and its last seconds of sound.

use offkey_monitor::{EventRule, Verdict};

use super::{HeardWindow, MachineSetup, PictureColumn, roll::Roll};
use crate::{
    config::Keep,
    machine::Machine,
    source::Position,
    spectrum::Album,
    store::{BesideRow, Op, WindowAnswer},
};

/// Sound before the first odd window at most, in milliseconds; the configuration allows no more.
const LONGEST_BEFORE_MS: u64 = 120_000;
/// Sound from there on at most.
const LONGEST_ODD_MS: u64 = 60_000;

/// One machine.
pub(super) struct Entry {
    pub(super) setup: MachineSetup,
    pub(super) machine: Machine,
    pub(super) dirty: bool,
    pub(super) roll: Roll,
    pub(super) album: Album,
    reach_ms: u64,
}

impl Entry {
    pub(super) fn new(setup: MachineSetup, machine: Machine) -> Self {
        Self {
            setup,
            machine,
            dirty: true,
            roll: Roll::default(),
            album: Album::default(),
            reach_ms: 0,
        }
    }

    /// Remembers the sound of a window for the clip of an alarm to come.
    pub(super) fn remember(&mut self, heard: &HeardWindow) {
        self.reach_ms = self.reach_of(heard);
        let longest_ms = if self.setup.keep == Keep::Sound { self.reach_ms } else { 0 };
        self.roll.take(&heard.sound, heard.rate_hz, heard.ends_ms, longest_ms);
    }

    /// Remembers the picture of sound, where pictures are kept.
    pub(super) fn remember_picture(&mut self, column: &PictureColumn) {
        if self.setup.keep == Keep::Features {
            let PictureColumn { bands, rate_hz, ends_ms } = *column;
            self.album.take(bands, rate_hz, ends_ms, self.reach_ms);
        } else {
            self.album.clear();
        }
    }

    /// What is kept of an alarm that begins at a time: its bytes, its file's ending, and its beginning.
    pub(super) fn keepsake(&self, from_ms: i64) -> Option<(Vec<u8>, &'static str, i64)> {
        match self.setup.keep {
            Keep::Nothing => None,
            Keep::Sound => {
                let (sound, begins_ms) = self.roll.since(from_ms);
                Some((offkey_signal::encode_wav(&sound, self.roll.rate_hz()), "wav", begins_ms))
            }
            Keep::Features => {
                let picture = self.album.since(from_ms);
                let bytes = serde_json::to_vec(&picture).expect("plain data has a JSON form");
                Some((bytes, "json", picture.begins_ms))
            }
        }
    }

    /// How far back the clip of an alarm can begin: so long before the first odd window as the
    /// configuration says.
    fn reach_of(&self, heard: &HeardWindow) -> u64 {
        let window_ms = (heard.ends_ms - heard.at_ms).max(0).unsigned_abs();
        let odd_ms = match self.setup.rule.alarm.condition {
            EventRule::Count { windows, .. } => {
                (windows.max(1) as u64 - 1).saturating_mul(heard.hop_ms).saturating_add(window_ms)
            }
            // A sum may have begun to rise any time ago.
            EventRule::Cusum { .. } => LONGEST_ODD_MS,
        };
        self.setup.before_ms.min(LONGEST_BEFORE_MS) + odd_ms.min(LONGEST_ODD_MS)
    }

    pub(super) fn state_op(&self, name: &str, saved_ms: i64) -> Op {
        let state = serde_json::to_string(&self.machine).expect("plain data has a JSON form");
        Op::State { machine: name.to_owned(), saved_ms, state }
    }
}

/// What the store has to remember of a window that a second model judged, where both could.
pub(super) fn beside_op(name: &str, heard: &HeardWindow, answer: WindowAnswer) -> Option<Op> {
    let (model, judged) = heard.beside.as_ref()?;
    let cannot_tell = matches!(answer, WindowAnswer::CannotTell | WindowAnswer::NotJudged);
    (!cannot_tell && judged.verdict != Verdict::CannotTell).then(|| {
        Op::Beside(BesideRow {
            machine: name.to_owned(),
            model: model.clone(),
            at_ms: heard.at_ms,
            live: answer == WindowAnswer::Alarm,
            shadow: judged.verdict == Verdict::Alarm,
        })
    })
}

/// What the store has to remember of where a source stands.
pub(super) fn position_ops(name: &str, position: Position) -> impl Iterator<Item = Op> {
    position.into_iter().map(move |(key, value)| Op::Position {
        machine: name.to_owned(),
        key,
        value,
    })
}
