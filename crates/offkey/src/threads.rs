//! How many CPU threads the process uses.

use crate::OffkeyError;

/// Bounds the CPU threads of everything that follows; `None` takes one per core. Results do not
/// depend on it.
///
/// # Errors
/// [`OffkeyError::Threads`] when the number is zero or threads were started before.
pub fn set_threads(threads: Option<usize>) -> Result<(), OffkeyError> {
    let Some(threads) = threads else { return Ok(()) };
    let refused = || OffkeyError::Threads { found: threads };
    if threads == 0 {
        return Err(refused());
    }
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().map_err(|_| refused())
}
