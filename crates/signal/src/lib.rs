//! Sound to features: decoding, resampling, spectra.
//!
//! This crate turns files into mono [`Waveform`]s and waveforms into [`Stft`] magnitudes, whole-clip
//! [`spectrum()`]s and [`LogMel`] spectrograms, in one piece or as they arrive. It never knows years,
//! machines or labels.
//!
//! Start reading at [`decode`](mod@decode), then [`stft`].

pub mod decode;
mod encode;
mod error;
mod fft;
mod flac;
pub mod inspect;
pub mod length;
pub mod mel;
pub mod resample;
mod scratch;
pub mod spectrum;
pub mod stft;
pub mod waveform;

pub use decode::{
    AudioFormat, AudioInfo, ChannelRule, ClipReader, DecodeConfig, decode, decode_bytes,
    decode_fit, decode_range, probe,
};
pub use encode::encode_wav;
pub use error::{AudioError, FeatureError};
pub use flac::encode_flac;
pub use inspect::{Finding, InspectConfig, inspect_samples};
pub use length::{LengthPolicy, Window};
pub use mel::{FramePadding, LogMel, LogMelStream, LogScale};
pub use resample::{Resampler, resample, resampled_len};
pub use spectrum::{spectrum, spectrum_batch, spectrum_into};
pub use stft::{Stft, StftStream, subtract_temporal_mean};
pub use waveform::Waveform;
