//! What is wrong with a recording from some frame on, while the sound before it is whole.

use std::fmt;

/// Damage within a recording. All sound before `frame` has been read and is right.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Damage {
    /// The file ends before its header says: a power cut, an interrupted copy.
    CutShort {
        /// Frames present.
        frame: u64,
        /// Frames announced.
        expected: u64,
    },
    /// A coded block that cannot be decoded, or is missing.
    BadBlock {
        /// The first frame that is lost.
        frame: u64,
        /// What the decoder found.
        what: String,
    },
    /// A sample that is infinite or undefined.
    NotFinite {
        /// Its frame.
        frame: u64,
    },
    /// A sample far beyond anything that a recording can hold.
    Absurd {
        /// Its frame.
        frame: u64,
        /// Its value; full scale is 1.
        value: f32,
    },
    /// The header of another recording in the middle of the sound.
    AnotherRecording {
        /// The frame where it begins.
        frame: u64,
    },
}

impl Damage {
    /// What to do about it.
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::CutShort { .. } | Self::BadBlock { .. } => {
                "copy or record it again, or cut it before the damage: ffmpeg -i IN -t SECONDS OUT.wav"
            }
            Self::NotFinite { .. } | Self::Absurd { .. } => {
                "export it again as integer samples, or leave it out"
            }
            Self::AnotherRecording { .. } => "split it into its recordings",
        }
    }

    /// The first frame that is lost, at the recording's own rate.
    pub fn frame(&self) -> u64 {
        match self {
            Self::CutShort { frame, .. }
            | Self::BadBlock { frame, .. }
            | Self::NotFinite { frame }
            | Self::Absurd { frame, .. }
            | Self::AnotherRecording { frame } => *frame,
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CutShort { frame, expected } => {
                write!(f, "it is cut short: {frame} frames of the {expected} its header announces")
            }
            Self::BadBlock { frame, what } => write!(f, "{what} at frame {frame}"),
            Self::NotFinite { frame } => {
                write!(f, "a sample that is no finite number at frame {frame}")
            }
            Self::Absurd { frame, value } => {
                write!(f, "a sample of {value:e} times full scale at frame {frame}")
            }
            Self::AnotherRecording { frame } => {
                write!(f, "the header of another recording follows at frame {frame}")
            }
        }
    }
}
