//! How a file becomes a mono waveform.

use std::{fmt, path::Path};

use serde::{Deserialize, Serialize};

use crate::AudioError;

/// How a file becomes a mono waveform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DecodeConfig {
    /// Which channel is heard.
    pub channel: ChannelRule,
    /// The rate to convert to; the file's own where absent.
    pub rate_hz: Option<u32>,
}

/// How several channels become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChannelRule {
    /// The mean of all channels.
    #[default]
    Mix,
    /// One channel, counted from 0.
    Pick(u16),
    /// A near channel less what a far one hears of the same, over stretches of ten seconds.
    Cancel(Cancelled),
}

/// The channels of a near and a far microphone, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cancelled {
    /// The microphone at the machine.
    pub near: u16,
    /// The microphone away from it.
    pub far: u16,
}

impl Default for Cancelled {
    /// As in the challenge's sets of 2026.
    fn default() -> Self {
        Self { near: 0, far: 1 }
    }
}

impl fmt::Display for ChannelRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mix => f.write_str("the mean of all channels"),
            Self::Pick(channel) => write!(f, "channel {channel} (counted from 0)"),
            Self::Cancel(Cancelled { near, far }) => {
                write!(f, "channel {near} less what channel {far} hears (counted from 0)")
            }
        }
    }
}

impl ChannelRule {
    /// Refuses a rule that recordings of so many channels cannot follow.
    pub(super) fn check(self, path: &Path, found: u16) -> Result<(), AudioError> {
        match self {
            Self::Pick(wanted) if wanted >= found => {
                Err(AudioError::Channel { path: path.to_owned(), found, wanted })
            }
            Self::Cancel(Cancelled { near, far }) if near.max(far) >= found => {
                let wanted = near.max(far);
                Err(AudioError::Channel { path: path.to_owned(), found, wanted })
            }
            Self::Pick(_) | Self::Mix | Self::Cancel(_) => Ok(()),
        }
    }
}
