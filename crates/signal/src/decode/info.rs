//! What is known of a recording beside its samples.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a file says of itself, checked against its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioInfo {
    /// Samples per second and channel.
    pub rate_hz: u32,
    /// Channels.
    pub channels: u16,
    /// Samples per channel; of a stream, those that have come so far.
    pub frames: u64,
    /// Form of the file.
    pub container: Container,
    /// Form of the samples in it.
    pub codec: Codec,
}

/// Form of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Container {
    /// RIFF, RIFX, RF64 and BW64.
    Wav,
    /// Sony Wave64.
    W64,
    /// AIFF and AIFF-C.
    Aiff,
    /// Native FLAC.
    Flac,
    /// Ogg.
    Ogg,
    /// MPEG audio frames, one behind the other.
    Mpeg,
    /// AAC frames, one behind the other (ADTS).
    Adts,
    /// ISO MP4: M4A, 3GP, MOV.
    Mp4,
    /// Matroska and `WebM`.
    Matroska,
    /// Apple's Core Audio Format.
    Caf,
    /// No container: raw samples.
    Raw,
}

/// Form of the samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Codec {
    /// Integers of so many bits.
    Integer(u16),
    /// Floating point of so many bits.
    Float(u16),
    /// FLAC of so many bits per sample.
    Flac(u16),
    /// Apple Lossless.
    Alac,
    /// Vorbis.
    Vorbis,
    /// MPEG layer III.
    Mp3,
    /// Advanced Audio Coding.
    Aac,
    /// Opus.
    Opus,
    /// A-law (G.711): eight bits with logarithmic steps.
    ALaw,
    /// mu-law (G.711).
    MuLaw,
    /// ADPCM of IMA or Microsoft: four bits for each difference.
    Adpcm,
}

impl AudioInfo {
    /// Length in seconds.
    pub fn duration_s(&self) -> f64 {
        self.frames as f64 / f64::from(self.rate_hz)
    }

    /// Whether the recording holds all frequencies that sound of `rate_hz` can: its own rate is at
    /// least as high. A recording of a higher rate is converted without loss within that band; one of
    /// a lower rate has nothing above half of its own.
    pub fn covers(&self, rate_hz: u32) -> bool {
        self.rate_hz >= rate_hz
    }

    /// Whether the coding threw sound away.
    pub fn is_lossy(&self) -> bool {
        self.codec.is_lossy()
    }
}

impl Codec {
    /// Whether the coding throws sound away, so that what is quiet beside something loud may be gone.
    pub fn is_lossy(self) -> bool {
        match self {
            Self::Integer(_) | Self::Float(_) | Self::Flac(_) | Self::Alac => false,
            Self::Vorbis
            | Self::Mp3
            | Self::Aac
            | Self::Opus
            | Self::ALaw
            | Self::MuLaw
            | Self::Adpcm => true,
        }
    }

    /// Whether the same sound comes out of both codings: they are one, or both keep all of it. Eight
    /// bits add a noise that can be heard beside quiet sound.
    pub fn is_like(self, other: Self) -> bool {
        self == other || (self.keeps_all() && other.keeps_all())
    }

    fn keeps_all(self) -> bool {
        let is_coarse = matches!(self, Self::Integer(..=8) | Self::Flac(..=8));
        !is_coarse && !self.is_lossy()
    }
}

impl fmt::Display for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Wav => "WAV",
            Self::W64 => "W64",
            Self::Aiff => "AIFF",
            Self::Flac => "FLAC",
            Self::Ogg => "Ogg",
            Self::Mpeg => "MPEG",
            Self::Adts => "ADTS",
            Self::Mp4 => "MP4",
            Self::Matroska => "Matroska",
            Self::Caf => "CAF",
            Self::Raw => "raw",
        })
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(bits) => write!(f, "{bits}-bit"),
            Self::Float(bits) => write!(f, "{bits}-bit float"),
            Self::Flac(bits) => write!(f, "FLAC {bits}-bit"),
            Self::Alac => f.write_str("ALAC"),
            Self::Vorbis => f.write_str("Vorbis"),
            Self::Mp3 => f.write_str("MP3"),
            Self::Aac => f.write_str("AAC"),
            Self::Opus => f.write_str("Opus"),
            Self::ALaw => f.write_str("A-law"),
            Self::MuLaw => f.write_str("mu-law"),
            Self::Adpcm => f.write_str("ADPCM"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codings_that_keep_all_are_alike_and_those_that_do_not_are_their_own() {
        use Codec::{ALaw, Aac, Adpcm, Integer, Mp3, MuLaw, Opus, Vorbis};
        let (wav, flac) = (Codec::Integer(16), Codec::Flac(24));
        assert!(wav.is_like(flac) && wav.is_like(Codec::Float(32)) && wav.is_like(Codec::Alac));
        for other in [Mp3, Aac, Vorbis, Opus, Integer(8), ALaw, MuLaw, Adpcm] {
            assert!(!wav.is_like(other) && !other.is_like(flac) && other.is_like(other), "{other}");
        }
    }
}
