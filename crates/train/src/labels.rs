//! The auxiliary task that training works on.

/// The auxiliary task: a class for every clip of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labels {
    /// Number of classes.
    pub classes: usize,
    /// Class of each clip, in the source's order, each below `classes`.
    pub of_clip: Vec<u32>,
}
