//! Affinities: how strongly two points attract each other, from their distances.

use rayon::prelude::*;

use super::{barnes_hut::Tree, config::Point, neighbors::Neighbors};

/// Symmetric affinities that sum to one, as sparse rows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Affinities {
    /// Where each row starts; one entry more than rows.
    starts: Vec<usize>,
    entries: Vec<(u32, f32)>,
}

/// Conditional affinities: each point's own view of its neighbours, summing to one per point.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Conditional<'a> {
    pub(crate) neighbors: &'a Neighbors,
    /// `[points * neighbours]`.
    pub(crate) shares: Vec<f64>,
}

/// Calibrates each point's kernel width so that its affinities have the given perplexity.
pub(crate) fn conditional(neighbors: &Neighbors, perplexity: f64) -> Conditional<'_> {
    let shares = neighbors
        .distances
        .par_chunks(neighbors.count)
        .flat_map_iter(|distances| calibrate(distances, perplexity))
        .collect();
    Conditional { neighbors, shares }
}

/// Shares proportional to `exp(-beta d^2)` with the `beta` at which their perplexity (the
/// exponential of their entropy) is as asked for, found by bisection.
///
/// Equal distances have equal shares at every `beta`; a perplexity above the number of distances
/// gives equal shares.
pub(crate) fn calibrate(distances: &[f64], perplexity: f64) -> Vec<f64> {
    let squares: Vec<f64> = distances.iter().map(|d| d * d).collect();
    let least = squares.iter().copied().fold(f64::INFINITY, f64::min);
    let spread = squares.iter().map(|square| square - least).sum::<f64>() / squares.len() as f64;
    let wanted = perplexity.ln();
    let (mut low, mut high) = (0.0, f64::INFINITY);
    let mut beta = if spread > 0.0 { spread.recip() } else { 1.0 };
    let mut shares = vec![0.0; squares.len()];
    // Each step halves the bracket: 100 steps reach the limit of double precision from anywhere.
    for _ in 0..100 {
        let entropy = fill_shares(&squares, least, beta, &mut shares);
        if (entropy - wanted).abs() < 1e-9 {
            break;
        }
        if entropy > wanted {
            low = beta;
            beta = if high.is_finite() { f64::midpoint(low, high) } else { beta * 2.0 };
        } else {
            high = beta;
            beta = f64::midpoint(low, high);
        }
        if !beta.is_finite() {
            break;
        }
    }
    shares
}

/// Fills in the shares for one `beta` and returns their entropy in nats.
fn fill_shares(squares: &[f64], least: f64, beta: f64, shares: &mut [f64]) -> f64 {
    let (mut sum, mut weighted) = (0.0, 0.0);
    for (share, square) in shares.iter_mut().zip(squares) {
        let excess = square - least;
        *share = (-beta * excess).exp();
        sum += *share;
        weighted += excess * *share;
    }
    for share in shares.iter_mut() {
        *share /= sum;
    }
    f64::ln(sum) + beta * weighted / sum
}

impl Affinities {
    /// The mean of both views of each pair, over the number of points.
    pub(crate) fn symmetric(conditional: &Conditional) -> Self {
        let count = conditional.neighbors.count;
        let points = conditional.shares.len() / count;
        let mut rows: Vec<Vec<(u32, f64)>> = vec![Vec::with_capacity(2 * count); points];
        for point in 0..points {
            let (indices, _) = conditional.neighbors.of(point);
            for (&index, &share) in indices.iter().zip(&conditional.shares[point * count..]) {
                let half = share / (2.0 * points as f64);
                rows[point].push((index, half));
                rows[index as usize].push((point as u32, half));
            }
        }
        rows.par_iter_mut().for_each(|row| {
            row.sort_unstable_by_key(|entry| entry.0);
            row.dedup_by(|next, kept| {
                let same = next.0 == kept.0;
                if same {
                    kept.1 += next.1;
                }
                same
            });
        });
        let mut starts = vec![0];
        for row in &rows {
            starts.push(starts[starts.len() - 1] + row.len());
        }
        let entries = rows.into_iter().flatten().map(|(index, p)| (index, p as f32)).collect();
        Self { starts, entries }
    }

    fn row(&self, point: usize) -> &[(u32, f32)] {
        &self.entries[self.starts[point]..self.starts[point + 1]]
    }

    /// Gradient of the divergence (without its factor 4), attractions scaled by `exaggeration`.
    pub(crate) fn gradient(
        &self,
        positions: &[Point],
        exaggeration: f32,
        tree: &Tree,
        theta: f32,
    ) -> Vec<Point> {
        let (repulsion, normaliser) = tree.repulsion(theta);
        let per_unit = normaliser.recip() as f32;
        (0..positions.len())
            .into_par_iter()
            .with_min_len(256)
            .map(|point| {
                let [x, y] = positions[point];
                let (mut pull_x, mut pull_y) = (0.0_f32, 0.0_f32);
                for &(other, p) in self.row(point) {
                    let [other_x, other_y] = positions[other as usize];
                    let (dx, dy) = (x - other_x, y - other_y);
                    let weight = p / (1.0 + dx * dx + dy * dy);
                    pull_x += weight * dx;
                    pull_y += weight * dy;
                }
                let [push_x, push_y] = repulsion[point];
                [
                    exaggeration * pull_x - per_unit * push_x,
                    exaggeration * pull_y - per_unit * push_y,
                ]
            })
            .collect()
    }

    /// Divergence of the map's similarities from the affinities, in nats; `normaliser` is the sum
    /// of `1 / (1 + d^2)` over all ordered pairs.
    pub(crate) fn kl(&self, positions: &[Point], normaliser: f64) -> f64 {
        let of_point = |point: usize| -> f64 {
            let [x, y] = positions[point].map(f64::from);
            let entries = self.row(point).iter().filter(|entry| entry.1 > 0.0);
            entries
                .map(|&(other, p)| {
                    let [other_x, other_y] = positions[other as usize].map(f64::from);
                    let square = (x - other_x).powi(2) + (y - other_y).powi(2);
                    let p = f64::from(p);
                    p * (p * normaliser * (1.0 + square)).ln()
                })
                .sum()
        };
        let parts: Vec<f64> = (0..positions.len()).into_par_iter().map(of_point).collect();
        parts.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calibrated_shares_have_the_perplexity_asked_for() {
        let distances: Vec<f64> = (1..=90).map(|i| 0.01 * f64::from(i).powf(1.3)).collect();
        for perplexity in [1.5, 5.0, 30.0, 80.0] {
            let shares = calibrate(&distances, perplexity);
            let entropy: f64 = shares.iter().filter(|p| **p > 0.0).map(|p| -p * f64::ln(*p)).sum();
            assert!((entropy.exp() - perplexity).abs() < 1e-5 * perplexity, "{perplexity}");
            assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn equal_distances_have_equal_shares_even_at_zero() {
        for distance in [0.0, 3.0] {
            assert!(calibrate(&[distance; 4], 2.0).iter().all(|p| (p - 0.25).abs() < 1e-12));
        }
    }
}
