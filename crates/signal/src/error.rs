//! Why a file could not be heard, or a feature not be computed.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::Damage;

/// Why a recording could not be read. The sentence names the file and what was found;
/// [`AudioError::hint`] says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AudioError {
    /// The file system refused.
    #[error("cannot read `{}`", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Nothing that is known.
    #[error("`{}` is no audio file known here: it begins with {found}", path.display())]
    UnknownFormat {
        /// The file.
        path: PathBuf,
        /// Its first bytes, readable.
        found: String,
    },
    /// A stream of no known form that cannot be raw samples either.
    #[error("`{}` is not heard as raw samples: {what}", path.display())]
    NotRaw {
        /// The stream.
        path: PathBuf,
        /// What it seems to be.
        what: String,
    },
    /// A form that is known and not decoded.
    #[error("`{}` is {name}, which is not decoded here", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The form's name.
        name: &'static str,
        /// Whether there is sound in it.
        is_sound: bool,
    },
    /// A format that is known but not decoded.
    #[error("`{}` has {what} {found}, expected {expected}", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// Which property.
        what: &'static str,
        /// Its value.
        found: String,
        /// The values understood.
        expected: &'static str,
    },
    /// Several tracks of sound: a fault in one that is not heard would stay unheard.
    #[error("`{}` has {tracks} tracks of sound, and one can be heard", path.display())]
    SeveralTracks {
        /// The file.
        path: PathBuf,
        /// How many.
        tracks: usize,
    },
    /// A header or a coded block contradicts its format.
    #[error("`{}` is damaged: {what}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        what: String,
    },
    /// The recording is damaged from some frame on; all sound before it has been given.
    #[error("`{}` is damaged: {damage}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        damage: Damage,
    },
    /// Compressed sound from a stream that goes on and on.
    #[error("`{}` is compressed and has not ended after {most_bytes} bytes", path.display())]
    Endless {
        /// The stream.
        path: PathBuf,
        /// Bytes kept until now.
        most_bytes: usize,
    },
    /// A file without a single sample.
    #[error("`{}` holds no samples", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The channel asked for does not exist.
    #[error("`{}` has {found} channels, no channel {wanted} (counted from 0)", path.display())]
    Channel {
        /// The file.
        path: PathBuf,
        /// Its channels.
        found: u16,
        /// The channel asked for.
        wanted: u16,
    },
    /// The rates cannot be converted.
    #[error("cannot bring `{}` from {from_hz} Hz to {to_hz} Hz", path.display())]
    Rate {
        /// The file.
        path: PathBuf,
        /// Its rate.
        from_hz: u32,
        /// The rate asked for.
        to_hz: u32,
    },
}

impl AudioError {
    /// The file.
    pub fn path(&self) -> &Path {
        match self {
            Self::Io { path, .. }
            | Self::UnknownFormat { path, .. }
            | Self::NotRaw { path, .. }
            | Self::Unsupported { path, .. }
            | Self::SeveralTracks { path, .. }
            | Self::Malformed { path, .. }
            | Self::Foreign { path, .. }
            | Self::Damaged { path, .. }
            | Self::Endless { path, .. }
            | Self::Empty { path }
            | Self::Channel { path, .. }
            | Self::Rate { path, .. } => path,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Io { .. } => "check that the file exists and may be read",
            Self::UnknownFormat { .. } => "leave it out, if it is no recording",
            Self::Foreign { is_sound: true, .. } | Self::Unsupported { .. } => {
                "convert it: ffmpeg -i IN -c:a pcm_s16le OUT.wav"
            }
            Self::SeveralTracks { .. } => {
                "take one out: ffmpeg -i IN -map 0:a:0 -c:a pcm_s16le OUT.wav"
            }
            Self::Foreign { is_sound: false, .. } => "leave it out",
            Self::NotRaw { .. } | Self::Malformed { .. } | Self::Empty { .. } => {
                "copy or record it again, or leave it out"
            }
            Self::Damaged { damage, .. } => damage.hint(),
            Self::Endless { .. } => {
                "convert a live source on its way: ... | ffmpeg -i - -c:a pcm_s16le -f wav - | ..."
            }
            Self::Channel { .. } => "pick a channel that exists, or mix all channels",
            Self::Rate { .. } => "choose a rate between 1 Hz and 1 MHz",
        }
    }
}

/// Why a feature could not be computed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FeatureError {
    /// Fewer samples than one frame needs.
    #[error("clip has {found} samples, expected at least {expected}")]
    TooShort {
        /// Samples of the clip.
        found: usize,
        /// Samples needed.
        expected: usize,
    },
    /// A setting that describes no transform.
    #[error("feature setting `{name}` is {found}, expected {expected}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// Its value.
        found: String,
        /// What would do.
        expected: &'static str,
    },
    /// The caller's buffer does not fit the result.
    #[error("buffer has {found} places, expected {expected}")]
    BufferLength {
        /// Places given.
        found: usize,
        /// Places needed.
        expected: usize,
    },
}
