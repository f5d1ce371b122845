//! How a batch is cut into chunks of clips: always the same way, whatever the number of threads, so
//! that sums come out bit for bit the same.

use rayon::prelude::*;

/// Chunks that a batch is cut into at most; each has weight gradients of its own.
const CHUNKS: usize = 16;

/// Clips of each chunk, the last one perhaps fewer.
pub(crate) fn clips_per_chunk(clips: usize) -> usize {
    clips.div_ceil(CHUNKS).max(1)
}

/// Number of chunks.
pub(crate) fn chunk_count(clips: usize) -> usize {
    clips.div_ceil(clips_per_chunk(clips))
}

/// Sums of all clips, `[clip][value]`, clip after clip.
pub(crate) fn total(sums: &[f64], values: usize) -> Vec<f64> {
    let mut totals = vec![0.0; values];
    for clip in sums.chunks_exact(values) {
        for (total, sum) in totals.iter_mut().zip(clip) {
            *total += sum;
        }
    }
    totals
}

/// Runs `work` for every item on the threads of the current pool.
pub(crate) fn for_each<I: IndexedParallelIterator>(items: I, work: impl Fn(I::Item) + Sync + Send) {
    // One item at a time: items are milliseconds long and few.
    items.with_max_len(1).for_each(work);
}
