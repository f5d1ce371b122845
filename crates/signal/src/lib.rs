//! Sound to features: decoding, resampling, spectra.
//!
//! This crate turns files into mono [`Waveform`]s and waveforms into [`Stft`] magnitudes, whole-clip
//! [`spectrum()`]s and [`LogMel`] spectrograms, in one piece or as they arrive. It never knows years,
//! machines or labels.
//!
//! Start reading at [`decode`](mod@decode), then [`stft`].

mod cancel;
mod damage;
pub mod decode;
mod encode;
mod error;
mod fft;
mod finding;
pub mod fingerprint;
mod flac;
pub mod inspect;
pub mod length;
pub mod level;
pub mod mel;
mod mel_scale;
mod pcm;
pub mod resample;
mod scratch;
pub mod spectrum;
pub mod statistics;
pub mod stft;
pub mod waveform;

pub use damage::Damage;
pub use decode::{
    AudioInfo, Cancelled, ChannelRule, ClipReader, Codec, Container, DecodeConfig, StreamReader,
    Unpacked, decode, decode_bytes, decode_fit, decode_range, probe,
};
pub use encode::encode_wav;
pub use error::{AudioError, FeatureError};
pub use fingerprint::{Fingerprint, FingerprintIndex, Fingerprinter, Shared, SparseFingerprint};
pub use flac::encode_flac;
pub use inspect::{Finding, InspectConfig, inspect_clip, inspect_samples};
pub use length::{LengthPolicy, Window};
pub use level::{peak_db, rms_db};
pub use mel::{FloorRule, FramePadding, LogMel, LogMelStream, LogScale};
pub use mel_scale::{MelScale, MelWeights, mel_edges_hz};
pub use pcm::{PcmFormat, SampleKind};
pub use resample::{Resampler, resample, resampled_len};
pub use spectrum::{spectrum, spectrum_batch, spectrum_into};
pub use statistics::{mean_and_deviation, time_statistics};
pub use stft::{Stft, StftStream, subtract_temporal_mean};
pub use waveform::Waveform;
