//! Why embeddings could not be scored.

/// Why a backend could not be fitted or could not score.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ScoreError {
    /// There is no reference.
    #[error("no reference embedding to fit on, expected at least one")]
    NoReferences,
    /// Embeddings without dimensions.
    #[error("the embeddings have no dimension, expected at least one")]
    NoDimensions,
    /// A list that goes with the references has another length.
    #[error("found {found} {what} for {clips} reference embeddings")]
    Length {
        /// Which list.
        what: &'static str,
        /// Its length.
        found: usize,
        /// References there are.
        clips: usize,
    },
    /// Embeddings to be scored do not have the references' dimensions.
    #[error("embeddings have {found} dimensions, expected the references' {expected}")]
    Dimensions {
        /// Dimensions found.
        found: usize,
        /// Dimensions of the references.
        expected: usize,
    },
    /// An embedding holds a number that cannot be compared.
    #[error(
        "embedding {clip_index} has {value} in dimension {dimension}, expected a finite number"
    )]
    NonFinite {
        /// Row of the embedding.
        clip_index: usize,
        /// Dimension of the number.
        dimension: usize,
        /// The number.
        value: f32,
    },
    /// A setting of a backend or threshold lies outside its range.
    #[error("{setting} is {found}, expected {expected}")]
    Setting {
        /// Which setting.
        setting: &'static str,
        /// Its value.
        found: f64,
        /// The range it may have.
        expected: &'static str,
    },
    /// A threshold or p-value needs scores, and there are none or one is not finite.
    #[error("found {found} finite scores of {scores}, expected all and at least one")]
    Scores {
        /// Finite scores.
        found: usize,
        /// All scores.
        scores: usize,
    },
    /// There are too few references to leave some out and hold out others of the rest.
    #[error("found {found} reference windows, expected at least {expected}")]
    TooFewReferences {
        /// Windows there are.
        found: usize,
        /// Windows needed.
        expected: usize,
    },
    /// A detector without members.
    #[error("the detector has no member, expected at least one")]
    NoMembers,
    /// A member has other windows than the first.
    #[error("member `{name}` has other windows than the first member, expected the same")]
    Members {
        /// Its name.
        name: String,
    },
    /// Embeddings are not given once per member.
    #[error("found embeddings of {found} members, expected {expected}")]
    MemberCount {
        /// Arrays given.
        found: usize,
        /// Members.
        expected: usize,
    },
    /// Held-out scores of normals do not vary, whatever the member.
    #[error(
        "held-out scores of the references do not vary, expected one member that tells them apart"
    )]
    Constant,
    /// A name that no backend has.
    #[error("unknown backend `{found}`, expected one of: {}", expected.join(", "))]
    UnknownBackend {
        /// The name.
        found: String,
        /// The names there are.
        expected: Vec<String>,
    },
}
