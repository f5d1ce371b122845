//! Which cells are kept together: two-level designs in which every two cells are balanced.
//!
//! # Source
//! R. E. A. C. Paley, "On Orthogonal Matrices", Journal of Mathematics and Physics 12, 1933: for a prime
//! `q` of the form `4k + 3`, a matrix of signs of order `q + 1` whose columns are orthogonal. With every
//! row followed by its opposite ("fold-over"), no column is mixed up with a product of two others.

use rand::{RngExt, seq::SliceRandom};

/// Columns beyond those asked for: what they seem to do is noise, and measures it.
pub(super) const SPARE: usize = 8;

/// A matrix of signs with orthogonal columns.
#[derive(Debug, Clone)]
pub(super) struct Design {
    prime: usize,
    /// Whether a remainder by the prime is a square.
    squares: Vec<bool>,
}

impl Design {
    /// The smallest design with `factors` columns and some spare ones.
    pub(super) fn new(factors: usize) -> Self {
        let is_prime = |n: &usize| (2..=n.isqrt()).all(|d| !n.is_multiple_of(d));
        let mut candidates = (factors + SPARE..).filter(|n| n % 4 == 3).filter(is_prime);
        let prime = candidates.next().expect("there is no largest prime of this form");
        let mut squares = vec![false; prime];
        (0..prime).for_each(|n| squares[n * n % prime] = true);
        Self { prime, squares }
    }

    /// Rows of one group: each row of the matrix, and its opposite.
    pub(super) fn rows(&self) -> usize {
        2 * (self.prime + 1)
    }

    /// Columns of a row.
    pub(super) fn columns(&self) -> usize {
        self.prime
    }

    /// One group: rows in random order, each followed by its opposite; columns in random order and of
    /// random sign. So every row alone is a fair coin per column.
    pub(super) fn draw(&self, rng: &mut impl RngExt) -> Vec<Vec<bool>> {
        let mut rows: Vec<usize> = (0..=self.prime).collect();
        rows.shuffle(rng);
        let mut columns: Vec<usize> = (0..self.prime).collect();
        columns.shuffle(rng);
        let signs: Vec<bool> = columns.iter().map(|_| rng.random_bool(0.5)).collect();
        let row = |row: usize| -> Vec<bool> {
            let columns = columns.iter().zip(&signs);
            columns.map(|(&column, &sign)| self.at(row, column) == sign).collect()
        };
        let opposite = |row: &[bool]| row.iter().map(|kept| !kept).collect();
        rows.into_iter().map(row).flat_map(|row| [opposite(&row), row]).collect()
    }

    /// Row 0 is of ones; the others are shifts of each other.
    fn at(&self, row: usize, column: usize) -> bool {
        row == 0 || self.squares[(row - 1 + self.prime - column) % self.prime]
    }
}

#[cfg(test)]
mod tests {
    use offkey_core::Seed;

    use super::*;

    #[test]
    fn every_two_columns_agree_in_half_of_the_rows() {
        for factors in [1, 34, 100] {
            let design = Design::new(factors);
            assert!(design.columns() >= factors + SPARE);
            let rows = design.draw(&mut Seed::new(3).rng());
            assert_eq!(rows.len(), design.rows());
            for a in 0..design.columns() {
                for b in 0..a {
                    let agree = rows.iter().filter(|row| row[a] == row[b]).count();
                    assert_eq!(2 * agree, rows.len(), "columns {a} and {b}");
                }
            }
        }
    }

    #[test]
    fn a_row_is_followed_by_its_opposite() {
        let rows = Design::new(34).draw(&mut Seed::new(3).rng());
        assert!(rows.chunks(2).all(|pair| pair[0].iter().zip(&pair[1]).all(|(a, b)| a != b)));
    }
}
