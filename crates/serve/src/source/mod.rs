//! Where sound comes from: folders, growing files, streams of bytes. A source gives samples at the model's
//! rate, in stretches: windows never reach from one stretch into the next.

mod file;
mod folder;
mod last_line;
mod stream;

use std::time::Duration;

use offkey_monitor::{Listening, WindowRule};
use offkey_signal::{AudioInfo, ChannelRule};

pub use file::FileSource;
pub(crate) use file::not_growing;
pub use folder::{FolderSource, HEARD};
pub use stream::{Opened, Opener, Process, StreamSource, command_opener, microphone_opener};

/// Rate of sound of which nothing is known.
const USUAL_RATE_HZ: u32 = 16_000;

/// How sound is taken while there is no model: as it comes.
pub fn usual_form(rate_hz: Option<u32>) -> WindowRule {
    let rate_hz = rate_hz.unwrap_or(USUAL_RATE_HZ);
    let samples = rate_hz as usize;
    WindowRule { channel: ChannelRule::Mix, rate_hz, samples, hop: samples }
}

/// Keys of a source's position and their new values; no value forgets the key.
pub type Position = Vec<(String, Option<String>)>;

/// What a source has to say.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// A stretch begins. What lies before sample `from` was judged before a restart.
    Begin {
        /// First sample to judge.
        from: u64,
        /// When the stretch began, where the source knows better than the clock.
        start_ms: Option<i64>,
    },
    /// Samples of the stretch.
    Sound(Vec<f32>),
    /// The stretch is over, and has been judged to its end.
    End {
        /// What to remember of that.
        position: Position,
    },
    /// Nothing yet.
    Nothing,
    /// The source ended or cannot be read, with the reason.
    Ended(String),
    /// The source can be read again.
    Back,
    /// Something of it cannot be heard, with the reason.
    LeftOut {
        /// The reason.
        reason: String,
        /// What to remember of that.
        position: Position,
    },
}

impl Next {
    /// Whether sound that comes after this does not follow on sound that came before it.
    pub fn is_break(&self) -> bool {
        match self {
            Self::Begin { .. } | Self::End { .. } | Self::Ended(_) | Self::LeftOut { .. } => true,
            Self::Sound(_) | Self::Nothing | Self::Back => false,
        }
    }
}

/// Where sound comes from.
pub trait Source: Send {
    /// The next piece, for whom it says; waits for it no longer than `wait`.
    fn next(&mut self, listening: &Listening, wait: Duration) -> Next;

    /// What to remember when all windows before sample `next` of the stretch were judged.
    fn position(&mut self, next: u64) -> Position;

    /// The rate that its sound comes at, once that is known.
    fn rate_hz(&self) -> Option<u32> {
        None
    }

    /// What the sound of the present stretch is before it is heard, once that is known.
    fn info(&self) -> Option<AudioInfo> {
        None
    }

    /// Whether its sound waits until there is a model to judge it.
    fn waits(&self) -> bool {
        false
    }

    /// Begins the stretch anew, as when another model takes over.
    fn reset(&mut self);

    /// Hearing broke down inside, which is a fault of ours: what to say, and to go on after it.
    fn broke(&mut self, why: &str) -> Next {
        self.reset();
        Next::Ended(format!("hearing broke down: {why}"))
    }
}

#[cfg(test)]
mod tests;
