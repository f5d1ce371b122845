//! Where sound comes from: folders, growing files, streams of bytes. A source gives samples at the model's
//! rate, in stretches: windows never reach from one stretch into the next.

mod file;
mod folder;
mod last_line;
mod stream;

use std::time::Duration;

use offkey_monitor::{Listening, WindowRule};
use offkey_signal::AudioInfo;

pub use file::FileSource;
pub(crate) use file::not_growing;
pub use folder::{FolderSource, HEARD};
pub use stream::{Opened, Opener, Process, StreamSource, command_opener, microphone_opener};

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

/// Whom a source gives its sound to.
#[derive(Debug, Clone, PartialEq)]
pub struct Hears {
    /// How sound becomes windows.
    pub windows: WindowRule,
    /// What the model listens to; none while there is no model, which any sound will do for.
    pub model: Option<Listening>,
}

impl Hears {
    /// Why sound of a rate cannot be judged, where it cannot: the monitor's own rule.
    pub fn refusal(&self, rate_hz: u32) -> Option<String> {
        self.model.as_ref()?.refusal(rate_hz)
    }

    /// How sound that can be judged differs from what was learned from, where it does: the monitor's own rule.
    pub fn difference(&self, info: &AudioInfo) -> Option<String> {
        self.model.as_ref()?.difference(info)
    }

    /// Rates that were learned from.
    pub fn rates_hz(&self) -> &[u32] {
        self.model.as_ref().map_or(&[], |model| &model.rates_hz)
    }
}

/// Where sound comes from.
pub trait Source: Send {
    /// The next piece; waits for it no longer than `wait`.
    fn next(&mut self, hears: &Hears, wait: Duration) -> Next;

    /// What to remember when all windows before sample `next` of the stretch were judged.
    fn position(&self, next: u64) -> Position;

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
