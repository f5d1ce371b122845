//! Why a network's score of a clip is what it is: which part of its spectrogram, and of its spectrum, raises the
//! score, and what is missing in it. As numbers, pictures and sentences.

mod cause;
mod error;
mod explanation;
mod files;
mod gaps;
mod words;

pub use cause::{
    Cause, NORMAL_CLIPS, NormalLevels, PAGE_MASKS, Question, ScoreOf, SpectrumCause,
    can_be_explained, cause, levels_of,
};
pub use error::ExplainError;
pub use explanation::{Explanation, Judged};
pub use files::write;
pub use gaps::Gap;
pub use words::{bands, places};
