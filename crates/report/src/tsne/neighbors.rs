//! Exact nearest neighbours by blocked matrix products.

use ndarray::{ArrayView1, ArrayView2, Axis, s};
use rayon::prelude::*;

use super::config::Distance;

/// Queries multiplied with one block of references at once: small enough to stay in cache.
const QUERY_ROWS: usize = 64;
/// References in one product.
const REFERENCE_ROWS: usize = 1024;
/// Candidates kept beyond the neighbours asked for, because products in single precision can
/// swap neighbours that are nearly as far.
const SPARE: usize = 8;

/// The nearest references of each query, nearest first; ties in order of index.
#[derive(Debug, Clone, PartialEq)]
pub struct Neighbors {
    /// Neighbours per query.
    pub count: usize,
    /// Reference indices, `[queries * count]`.
    pub indices: Vec<u32>,
    /// Distances, `[queries * count]`.
    pub distances: Vec<f64>,
}

impl Neighbors {
    /// The neighbours of one query: indices and distances.
    pub fn of(&self, query: usize) -> (&[u32], &[f64]) {
        let range = query * self.count..(query + 1) * self.count;
        (&self.indices[range.clone()], &self.distances[range])
    }
}

/// Exact nearest references of each query, found through blocked products and measured again in
/// double precision.
///
/// For [`Distance::Cosine`] all rows must have unit length or be zero. With `leave_out_self`,
/// queries and references are the same rows and no row is its own neighbour. At most as many
/// neighbours are returned as there are references.
///
/// # Shapes
/// `queries`: `[queries, dims]`; `references`: `[references, dims]`.
///
/// # Panics
/// When `count` is zero or the dimensions differ.
pub fn nearest(
    queries: ArrayView2<f32>,
    references: ArrayView2<f32>,
    distance: Distance,
    count: usize,
    leave_out_self: bool,
) -> Neighbors {
    assert_eq!(queries.ncols(), references.ncols(), "queries and references differ in dimensions");
    let count = count.min(references.nrows() - usize::from(leave_out_self));
    assert!(count > 0, "no neighbours asked for");
    let half_norms: Vec<f32> =
        references.rows().into_iter().map(|row| 0.5 * row.dot(&row)).collect();
    let chunks: Vec<_> = queries.axis_chunks_iter(Axis(0), QUERY_ROWS).collect();
    let blocks: Vec<Vec<(u32, f64)>> = chunks
        .into_par_iter()
        .enumerate()
        .map(|(block, rows)| {
            let first = block * QUERY_ROWS;
            let mut kept = vec![Candidates::new(count + SPARE); rows.nrows()];
            collect(rows, first, references, &half_norms, leave_out_self, &mut kept);
            let measured = kept.into_iter().zip(rows.rows());
            measured
                .flat_map(|(kept, query)| kept.measure(query, references, distance, count))
                .collect()
        })
        .collect();
    let (indices, distances) = blocks.into_iter().flatten().unzip();
    Neighbors { count, indices, distances }
}

/// Offers every reference to every query's candidates, ordered by `|r|^2 / 2 - <q, r>`, which
/// ranks like the distance.
fn collect(
    queries: ArrayView2<f32>,
    first_query: usize,
    references: ArrayView2<f32>,
    half_norms: &[f32],
    leave_out_self: bool,
    kept: &mut [Candidates],
) {
    for start in (0..references.nrows()).step_by(REFERENCE_ROWS) {
        let end = (start + REFERENCE_ROWS).min(references.nrows());
        let products = queries.dot(&references.slice(s![start..end, ..]).t());
        for (row, (products, kept)) in products.rows().into_iter().zip(kept.iter_mut()).enumerate()
        {
            let own = leave_out_self.then_some(first_query + row);
            for (index, (product, half)) in
                (start..end).zip(products.iter().zip(&half_norms[start..end]))
            {
                let rank = half - product;
                if rank < kept.worst && Some(index) != own {
                    kept.offer(rank, index as u32);
                }
            }
        }
    }
}

/// The best few of a stream, kept unsorted until twice as many are there.
#[derive(Clone)]
struct Candidates {
    keep: usize,
    worst: f32,
    found: Vec<(f32, u32)>,
}

impl Candidates {
    fn new(keep: usize) -> Self {
        Self { keep, worst: f32::INFINITY, found: Vec::with_capacity(2 * keep) }
    }

    fn offer(&mut self, rank: f32, index: u32) {
        self.found.push((rank, index));
        if self.found.len() == 2 * self.keep {
            self.shrink();
        }
    }

    fn shrink(&mut self) {
        let by_rank = |a: &(f32, u32), b: &(f32, u32)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
        let (_, last, _) = self.found.select_nth_unstable_by(self.keep - 1, by_rank);
        self.worst = last.0;
        self.found.truncate(self.keep);
    }

    /// The nearest `count` of the candidates, by their distance in double precision.
    fn measure(
        mut self,
        query: ArrayView1<f32>,
        references: ArrayView2<f32>,
        distance: Distance,
        count: usize,
    ) -> Vec<(u32, f64)> {
        if self.found.len() > self.keep {
            self.shrink();
        }
        let mut measured: Vec<(u32, f64)> = self
            .found
            .iter()
            .map(|&(_, index)| (index, apart(query, references.row(index as usize), distance)))
            .collect();
        measured.sort_unstable_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
        measured.truncate(count);
        measured
    }
}

/// Distance of two rows; for the cosine, of unit length or zero.
pub(crate) fn apart(a: ArrayView1<f32>, b: ArrayView1<f32>, distance: Distance) -> f64 {
    let pairs = || a.iter().zip(b.iter()).map(|(&a, &b)| (f64::from(a), f64::from(b)));
    match distance {
        Distance::Euclidean => pairs().map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt(),
        Distance::Cosine => (1.0 - pairs().map(|(a, b)| a * b).sum::<f64>()).max(0.0),
    }
}

/// Neighbours that carry all but a negligible share of the affinity.
pub(super) fn neighbor_count(perplexity: f64, others: usize) -> usize {
    ((3.0 * perplexity).ceil() as usize).clamp(1, others)
}
