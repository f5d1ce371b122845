//! How many CPU threads the process uses.

/// The most threads: more than any machine has cores for, and few enough to be started and stopped at once.
const MOST: usize = 1024;

/// A number of threads that cannot be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cannot use {found} threads, expected 1 to {MOST}, set before any work")]
pub struct ThreadsError {
    /// The number asked for.
    pub found: usize,
}

/// Bounds the CPU threads of everything that follows; `None` takes one per core. Results do not
/// depend on it.
///
/// # Errors
/// [`ThreadsError`] when the number is zero or above 1024, or threads were started before.
pub fn set_threads(threads: Option<usize>) -> Result<(), ThreadsError> {
    let Some(threads) = threads else { return Ok(()) };
    let refused = ThreadsError { found: threads };
    if !(1..=MOST).contains(&threads) {
        return Err(refused);
    }
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().map_err(|_| refused)
}
