//! What is found wrong with a recording, in words.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Something about a clip that its owner should know.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finding {
    /// No samples.
    Empty,
    /// Infinite or undefined samples.
    NonFinite {
        /// How many.
        samples: usize,
        /// The first.
        first: usize,
    },
    /// Nothing louder than the limit, apart from a constant offset.
    Silent {
        /// Level of the loudest sample (negative infinity for digital silence).
        peak_db: f32,
    },
    /// The mean of the channels is far quieter than the channels: they are each other's opposite, as of
    /// a balanced line that is wired to left and right.
    ChannelsCancel {
        /// Level of the mean of all channels.
        mean_db: f32,
        /// Level of the loudest channel.
        loudest_db: f32,
    },
    /// Many samples at full scale.
    Clipped {
        /// Their share, 0 to 1.
        share: f32,
    },
    /// The mean is far from zero.
    DcOffset {
        /// The mean.
        mean: f32,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "no samples"),
            Self::NonFinite { samples, first } => {
                write!(f, "{samples} samples are no finite number, the first at {first}")
            }
            Self::Silent { peak_db } => write!(f, "silent: peak {peak_db:.1} dB"),
            Self::ChannelsCancel { mean_db, loudest_db } => write!(
                f,
                "the channels cancel: one alone has {loudest_db:.1} dB, their mean {mean_db:.1} dB; pick one"
            ),
            Self::Clipped { share } => write!(f, "clipped: {:.2} % of samples", 100.0 * share),
            Self::DcOffset { mean } => write!(f, "constant offset of {mean:+.3}"),
        }
    }
}
