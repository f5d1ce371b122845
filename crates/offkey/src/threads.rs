//! How many CPU threads the process uses.

use crate::OffkeyError;

/// The most threads: more than any machine has cores for, and few enough to be started and stopped at once.
const MOST: usize = 1024;

/// Bounds the CPU threads of everything that follows; `None` takes one per core. Results do not
/// depend on it.
///
/// # Errors
/// [`OffkeyError::Threads`] when the number is zero or above 1024, or threads were started before.
pub fn set_threads(threads: Option<usize>) -> Result<(), OffkeyError> {
    let Some(threads) = threads else { return Ok(()) };
    let refused = || OffkeyError::Threads { found: threads, most: MOST };
    if !(1..=MOST).contains(&threads) {
        return Err(refused());
    }
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().map_err(|_| refused())
}
