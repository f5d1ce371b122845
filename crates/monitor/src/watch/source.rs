//! Where sound comes from: one trait, and what a source hands over.

use std::time::Duration;

use super::{mark::Mark, memory::Bookmarks};
use crate::{Listening, Problem};

/// Sound of one machine, piece by piece.
pub trait Source: Send {
    /// The next piece. Waits for it no longer than `wait`, so that a watch can be stopped.
    ///
    /// `bookmarks` tell how far every stretch was judged before: a source may begin a stretch there, or
    /// earlier.
    fn next(&mut self, bookmarks: &Bookmarks, wait: Duration) -> Piece;

    /// Goes on for another model; where that judges in other windows, the present stretch begins anew.
    fn listen(&mut self, listening: &Listening) {
        let _ = listening;
    }

    /// Begins the present stretch anew.
    fn reset(&mut self) {}

    /// Hearing broke down inside, which is a fault of ours: what to say, and to go on after it.
    fn broke(&mut self, why: &str) -> Piece {
        self.reset();
        let reason = format!("hearing broke down: {why}");
        Piece::Lost { problem: Problem::NotUnderstood, reason }
    }

    /// Whether its sound waits until there is a model to judge it.
    fn waits(&self) -> bool {
        false
    }

    /// The rate that its sound comes at, once that is known.
    fn rate_hz(&self) -> Option<u32> {
        None
    }

    /// When the present stretch began, in milliseconds since 1970, where the source knows better than the
    /// clock.
    fn begun_ms(&self) -> Option<i64> {
        None
    }
}

/// What a source hands over.
#[derive(Debug, Clone, PartialEq)]
pub enum Piece {
    /// The sound that follows belongs to this stretch, from this sample on at the model's rate.
    Begin {
        /// The stretch.
        stretch: Stretch,
        /// Position of the first sample to come.
        first_sample: u64,
    },
    /// Samples at the model's rate, one after the other.
    Sound(Vec<f32>),
    /// What sets the stretch apart from the normal recordings before it is heard, in a sentence.
    Differs(String),
    /// All of the stretch that there is was handed over. It goes on if it grows.
    Complete {
        /// How to recognise the recording when it is met again; none where a stretch has no file.
        mark: Option<Mark>,
    },
    /// Nothing new within the time.
    Nothing,
    /// The source cannot be listened to.
    Lost {
        /// What happened.
        problem: Problem,
        /// In a sentence.
        reason: String,
    },
    /// It can be listened to again.
    Back {
        /// In a sentence.
        reason: String,
    },
    /// A recording that cannot be heard; others can.
    Unread {
        /// Names the recording and what is wrong with it.
        message: String,
        /// Whether it may be heard later: it is tried again.
        again: bool,
    },
    /// Recordings that are no longer there: their names may be forgotten.
    Gone(Vec<String>),
    /// Everything was handed over and nothing more comes.
    End,
}

/// A stretch of sound with a time of its own: a recording, a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// Names its place: of a recording, its path inside the source; empty where it cannot be met again.
    pub place: String,
    /// Tells it apart from what was or will be at the same place.
    pub id: String,
    /// As people know it.
    pub name: String,
    /// The recording as it is when hearing it begins: another one that takes its place meanwhile is told apart by it.
    pub begun: Option<Mark>,
}
