//! The power spectrum of real sound by matrix products, since runtimes lack a common transform.
//!
//! A transform of length `n = rows * columns` is two small ones with a rotation between (Cooley and
//! Tukey), so that a clip of 160,000 samples takes matrices of 400 x 400 and no larger.

use std::f64::consts::TAU;

use crate::{
    OnnxError,
    graph::{Graph, Setting, Value},
};

/// Larger factors would make matrices of more than 16 million numbers.
const MOST_COLUMNS: usize = 2048;

/// The two lengths of the small transforms; `rows` is the larger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Factors {
    rows: usize,
    columns: usize,
}

impl Factors {
    /// The factors nearest to each other.
    fn of(length: usize) -> Result<Self, OnnxError> {
        let root = length.isqrt();
        let columns = (1..=root).rev().find(|columns| length.is_multiple_of(*columns)).unwrap_or(1);
        let rows = length / columns.max(1);
        if rows > 2 * MOST_COLUMNS {
            return Err(OnnxError::Transform { length, factor: rows });
        }
        Ok(Self { rows, columns })
    }

    fn length(self) -> usize {
        self.rows * self.columns
    }

    /// Rows whose bins are computed: the others are the same numbers mirrored.
    fn kept_rows(self) -> usize {
        self.rows / 2 + 1
    }

    /// Where the first `bins` bins lie among what is computed, `[kept rows, columns]`.
    fn places(self, bins: usize) -> Vec<i64> {
        let place = |bin: usize| {
            let (row, column) = (bin % self.rows, bin / self.rows);
            let (row, column) = if row < self.kept_rows() {
                (row, column)
            } else {
                (self.rows - row, self.columns - 1 - column)
            };
            (row * self.columns + column) as i64
        };
        (0..bins).map(place).collect()
    }
}

/// Cosine and negative sine of `turns / of` turns.
fn rotation(turns: usize, of: usize) -> (f64, f64) {
    let angle = TAU * (turns % of) as f64 / of as f64;
    (angle.cos(), -angle.sin())
}

/// Squared magnitudes of the first `bins` bins of frames, `[batch, frames, length]` to
/// `[batch, frames, bins]`.
pub(crate) fn power(
    graph: &mut Graph,
    input: &Value,
    (frames, length): (usize, usize),
    bins: usize,
) -> Result<Value, OnnxError> {
    let factors = Factors::of(length)?;
    let Factors { rows, columns } = factors;
    let kept = factors.kept_rows();
    let grid = graph.reshape(input, &[rows, columns]);

    let along_rows = table(kept, rows, |bin, sample| rotation(bin * sample, rows));
    let real = graph.floats(&[kept, rows], &along_rows.0);
    let imaginary = graph.floats(&[kept, rows], &along_rows.1);
    let real = graph.node("MatMul", &[&real, &grid], &[]);
    let imaginary = graph.node("MatMul", &[&imaginary, &grid], &[]);

    let between = table(kept, columns, |bin, sample| rotation(bin * sample, factors.length()));
    let turned = rotate(graph, (&real, &imaginary), &[kept, columns], &between);

    let along_columns = both_parts(columns);
    let matrix = graph.floats(&[2 * columns, 2 * columns], &along_columns);
    let transformed = graph.node("MatMul", &[&turned, &matrix], &[]);
    let squared = graph.node("Mul", &[&transformed, &transformed], &[]);
    let parts = graph.reshape(&squared, &[kept, 2, columns]);
    let power = graph.sum(&parts, 2);

    let flat = graph.reshape(&power, &[kept * columns]);
    let places = graph.integers(&[bins], &factors.places(bins));
    let ordered = graph.node("Gather", &[&flat, &places], &[Setting::Integer("axis", 1)]);
    Ok(graph.reshape(&ordered, &[frames, bins]))
}

/// Real and imaginary parts of a matrix.
type Parts = (Vec<f32>, Vec<f32>);

fn table(rows: usize, columns: usize, at: impl Fn(usize, usize) -> (f64, f64)) -> Parts {
    let places = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
    places
        .map(|(row, column)| {
            let (real, imaginary) = at(row, column);
            (real as f32, imaginary as f32)
        })
        .unzip()
}

/// The product with complex numbers place by place: real parts, then imaginary ones, side by side.
fn rotate(
    graph: &mut Graph,
    (real, imaginary): (&Value, &Value),
    shape: &[usize],
    by: &Parts,
) -> Value {
    let (cosine, sine) = (graph.floats(shape, &by.0), graph.floats(shape, &by.1));
    let mut product = |a: &Value, b: &Value| graph.node("Mul", &[a, b], &[]);
    let (kept, taken) = (product(real, &cosine), product(imaginary, &sine));
    let (given, turned) = (product(real, &sine), product(imaginary, &cosine));
    let real = graph.node("Sub", &[&kept, &taken], &[]);
    let imaginary = graph.node("Add", &[&given, &turned], &[]);
    graph.node("Concat", &[&real, &imaginary], &[Setting::Integer("axis", 2)])
}

/// The transform of complex rows, real parts before imaginary ones, as one matrix.
fn both_parts(length: usize) -> Vec<f32> {
    let mut matrix = vec![0.0; 4 * length * length];
    for sample in 0..length {
        for bin in 0..length {
            let (real, imaginary) = rotation(sample * bin, length);
            let mut put = |row: usize, column: usize, value: f64| {
                matrix[row * 2 * length + column] = value as f32;
            };
            put(sample, bin, real);
            put(sample, length + bin, imaginary);
            put(length + sample, bin, -imaginary);
            put(length + sample, length + bin, real);
        }
    }
    matrix
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_lie_near_each_other() {
        let cases = [
            (160_000, (400, 400)),
            (4096, (64, 64)),
            (288_000, (576, 500)),
            (12, (4, 3)),
            (7, (7, 1)),
        ];
        for (length, (rows, columns)) in cases {
            assert_eq!(Factors::of(length).ok(), Some(Factors { rows, columns }), "{length}");
        }
        assert!(matches!(
            Factors::of(160_001),
            Err(OnnxError::Transform { length: 160_001, factor: 160_001 })
        ));
    }

    #[test]
    fn every_bin_has_a_place_that_is_computed() {
        for length in [12, 15, 16, 49, 60] {
            let factors = Factors::of(length).expect("a small length");
            let bins = length / 2 + 1;
            let places = factors.places(bins);
            assert_eq!(places.len(), bins);
            for (bin, place) in places.iter().enumerate() {
                let (row, column) =
                    (*place as usize / factors.columns, *place as usize % factors.columns);
                assert!(row < factors.kept_rows());
                let computed = row + factors.rows * column;
                // The bin itself, or its mirror image.
                assert!(computed == bin || computed == length - bin, "{length} {bin} {computed}");
            }
        }
    }
}
