//! Exact nearest neighbours of many points, blocked for the cache and spread over threads.

use ndarray::{Array2, ArrayView1, ArrayView2, s};
use rayon::prelude::*;

/// Points searched for at once: enough to fill the multiplication's registers, few enough that
/// scoring one clip stays cheap. Blocks are always full, so that a clip's neighbours do not depend
/// on how many others are searched for with it.
const QUERIES: usize = 64;
/// References compared at once: a tile of products fits into the second-level cache.
const TILE: usize = 1024;
/// Candidates kept beyond those asked for, since products in single precision may swap near ties.
const SPARE: usize = 4;

/// A reference near a point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Neighbor {
    /// Row of the reference.
    pub(crate) reference: usize,
    /// What was minimised.
    pub(crate) key: f64,
    /// Squared Euclidean distance.
    pub(crate) squared: f64,
}

/// For each query the `wanted` references with the smallest key, smallest first; ties go to the
/// earlier reference.
///
/// `key(query, reference, squared distance)` must not fall as the distance rises; a reference of
/// infinite key is never returned. Candidates are found by matrix products in single precision and
/// then measured again in double.
pub(crate) fn smallest(
    queries: ArrayView2<f32>,
    references: ArrayView2<f32>,
    wanted: usize,
    key: impl Fn(usize, usize, f64) -> f64 + Sync,
) -> Vec<Vec<Neighbor>> {
    let references = references.as_standard_layout();
    let search =
        Search { norms: squared_norms(references.view()), references: references.view(), wanted };
    let starts: Vec<usize> = (0..queries.nrows()).step_by(QUERIES).collect();
    starts
        .into_par_iter()
        .flat_map_iter(|start| {
            let end = (start + QUERIES).min(queries.nrows());
            search.block(start, queries.slice(s![start..end, ..]), &key)
        })
        .collect()
}

struct Search<'a> {
    references: ArrayView2<'a, f32>,
    norms: Vec<f32>,
    wanted: usize,
}

impl Search<'_> {
    fn block(
        &self,
        start: usize,
        queries: ArrayView2<f32>,
        key: &impl Fn(usize, usize, f64) -> f64,
    ) -> Vec<Vec<Neighbor>> {
        let mut full = Array2::<f32>::zeros((QUERIES, queries.ncols()));
        full.slice_mut(s![..queries.nrows(), ..]).assign(&queries);
        let norms = squared_norms(queries);
        let mut candidates: Vec<Candidates> =
            (0..queries.nrows()).map(|_| Candidates::new(self.wanted + SPARE)).collect();
        for first in (0..self.references.nrows()).step_by(TILE) {
            let end = (first + TILE).min(self.references.nrows());
            let products = full.dot(&self.references.slice(s![first..end, ..]).t());
            for (query, candidates) in candidates.iter_mut().enumerate() {
                for (offset, &product) in products.row(query).iter().enumerate() {
                    let reference = first + offset;
                    let squared = norms[query] + self.norms[reference] - 2.0 * product;
                    let key = key(start + query, reference, f64::from(squared.max(0.0)));
                    candidates.offer(key, reference);
                }
            }
        }
        let measure = |(query, candidates): (usize, Candidates)| {
            self.measured(start + query, queries.row(query), &candidates, key)
        };
        candidates.into_iter().enumerate().map(measure).collect()
    }

    /// Candidates measured in double precision, the wanted ones kept.
    fn measured(
        &self,
        query_index: usize,
        query: ArrayView1<f32>,
        candidates: &Candidates,
        key: &impl Fn(usize, usize, f64) -> f64,
    ) -> Vec<Neighbor> {
        let measure = |&(_, reference): &(f64, usize)| {
            let squared = squared_distance(query, self.references.row(reference));
            Neighbor { reference, key: key(query_index, reference, squared), squared }
        };
        let mut neighbors: Vec<Neighbor> = candidates.kept.iter().map(measure).collect();
        neighbors.sort_by(|a, b| a.key.total_cmp(&b.key).then(a.reference.cmp(&b.reference)));
        neighbors.truncate(self.wanted);
        neighbors
    }
}

/// The smallest keys seen so far, in order.
struct Candidates {
    kept: Vec<(f64, usize)>,
    capacity: usize,
    worst: f64,
}

impl Candidates {
    fn new(capacity: usize) -> Self {
        Self { kept: Vec::with_capacity(capacity + 1), capacity, worst: f64::INFINITY }
    }

    fn offer(&mut self, key: f64, reference: usize) {
        if key >= self.worst {
            return;
        }
        let place = self.kept.partition_point(|&(kept, _)| kept <= key);
        self.kept.insert(place, (key, reference));
        self.kept.truncate(self.capacity);
        if self.kept.len() == self.capacity {
            self.worst = self.kept[self.capacity - 1].0;
        }
    }
}

fn squared_norms(points: ArrayView2<f32>) -> Vec<f32> {
    let norm = |point: ArrayView1<f32>| point.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>();
    points.rows().into_iter().map(|point| norm(point) as f32).collect()
}

/// Sums kept side by side, so that the processor adds several at once.
const LANES: usize = 8;

/// Squared Euclidean distance in double precision. Contiguous points are faster, to the same bits.
pub(crate) fn squared_distance(a: ArrayView1<f32>, b: ArrayView1<f32>) -> f64 {
    let mut sums = [0.0; LANES];
    let mut add = |lane: usize, a: f32, b: f32| {
        let difference = f64::from(a) - f64::from(b);
        sums[lane] += difference * difference;
    };
    if let (Some(a), Some(b)) = (a.as_slice(), b.as_slice()) {
        let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
        let rest = a_chunks.remainder().iter().zip(b_chunks.remainder());
        for (a, b) in a_chunks.zip(b_chunks) {
            (0..LANES).for_each(|lane| add(lane, a[lane], b[lane]));
        }
        rest.enumerate().for_each(|(lane, (&a, &b))| add(lane, a, b));
    } else {
        let pairs = a.iter().zip(b).enumerate();
        pairs.for_each(|(index, (&a, &b))| add(index % LANES, a, b));
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use offkey_core::Seed;
    use rand::RngExt;

    use super::*;

    fn cloud(points: usize, dims: usize, seed: u64) -> Array2<f32> {
        let mut rng = Seed::new(seed).rng();
        Array2::from_shape_simple_fn((points, dims), || rng.random_range(-1.0..1.0_f32))
    }

    #[test]
    fn blocked_search_finds_what_a_plain_loop_finds() {
        for (queries, references, dims, wanted) in
            [(1, 1, 1, 1), (3, 2, 5, 4), (65, 1025, 7, 3), (200, 2100, 33, 1)]
        {
            let (x, y) = (cloud(queries, dims, 1), cloud(references, dims, 2));
            let found = smallest(x.view(), y.view(), wanted, |_, _, squared| squared);
            for (query, neighbors) in found.iter().enumerate() {
                let mut all: Vec<(f64, usize)> = (0..references)
                    .map(|row| (squared_distance(x.row(query), y.row(row)), row))
                    .collect();
                all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
                all.truncate(wanted);
                let found: Vec<_> = neighbors.iter().map(|n| (n.squared, n.reference)).collect();
                assert_eq!(found, all);
            }
        }
    }

    #[test]
    fn strided_points_are_as_far_apart_as_contiguous_ones() {
        let points = cloud(2, 21, 6);
        let strided = points.t().as_standard_layout().into_owned();
        let contiguous = squared_distance(points.row(0), points.row(1));
        let of_columns = squared_distance(strided.column(0), strided.column(1));
        assert_eq!(contiguous.to_bits(), of_columns.to_bits());
        let plain = (&points.row(0) - &points.row(1)).mapv(|d| f64::from(d).powi(2)).sum();
        assert!((contiguous - plain).abs() < 1e-5, "{contiguous} {plain}");
    }

    #[test]
    fn excluded_references_are_never_found() {
        let x = cloud(20, 4, 3);
        let key = |query: usize, row: usize, squared: f64| {
            if query == row { f64::INFINITY } else { squared }
        };
        let found = smallest(x.view(), x.view(), 1, key);
        assert!(found.iter().enumerate().all(|(query, near)| near[0].reference != query));
        let alone = x.slice(s![..1, ..]);
        assert!(smallest(alone, alone, 1, key)[0].is_empty());
    }

    #[test]
    fn a_point_has_the_same_neighbours_alone_as_among_others() {
        let (x, y) = (cloud(100, 40, 4), cloud(3000, 40, 5));
        let together = smallest(x.view(), y.view(), 2, |_, _, squared| squared);
        for row in [0, 63, 64, 99] {
            let alone = smallest(x.slice(s![row..=row, ..]), y.view(), 2, |_, _, squared| squared);
            assert_eq!(alone[0], together[row]);
        }
    }
}
