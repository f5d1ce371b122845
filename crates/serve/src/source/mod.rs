//! Where sound comes from: folders, growing files, streams of bytes. A source gives samples at the model's
//! rate, in stretches: windows never reach from one stretch into the next.

mod file;
mod folder;
mod stream;

use std::time::Duration;

use offkey_monitor::WindowRule;

pub use file::FileSource;
pub use folder::{FolderSource, HEARD};
pub use stream::{Opened, Opener, StreamSource, command_opener, microphone_opener};

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
    /// The next piece; waits for it no longer than `wait`. `rates_hz` are the rates that can be judged;
    /// empty: any.
    fn next(&mut self, form: &WindowRule, rates_hz: &[u32], wait: Duration) -> Next;

    /// What to remember when all windows before sample `next` of the stretch were judged.
    fn position(&self, next: u64) -> Position;

    /// The rate that its sound comes at, once that is known.
    fn rate_hz(&self) -> Option<u32> {
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

/// Why sound of a rate cannot be judged, where that is so.
fn wrong_rate(found: u32, rates_hz: &[u32]) -> Option<String> {
    let wrong = !rates_hz.is_empty() && !rates_hz.contains(&found);
    let expected: Vec<String> = rates_hz.iter().map(|rate| format!("{rate} Hz")).collect();
    wrong.then(|| {
        format!(
            "recorded at {found} Hz, and the normal recordings at {}: record alike, or learn again",
            expected.join(" or ")
        )
    })
}
