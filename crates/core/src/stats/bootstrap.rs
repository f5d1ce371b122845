//! Bootstrap resamples that draw whole groups.

use std::collections::{BTreeMap, BTreeSet};

use rand::RngExt;

use crate::Seed;

/// Draws items with replacement, whole groups at a time, apart in each stratum.
///
/// Items that are not independent, as the clips of one recording, form a group. Groups whose items
/// have the same kinds form a stratum, so that every resample holds as many groups of each kind.
#[derive(Debug, Clone)]
pub struct GroupBootstrap {
    items: usize,
    strata: Vec<Vec<Vec<usize>>>,
}

impl GroupBootstrap {
    /// Sorts items into groups and strata, given each item's group and kind.
    pub fn new<G: Ord, K: Ord>(items: impl IntoIterator<Item = (G, K)>) -> Self {
        let mut groups: BTreeMap<G, (BTreeSet<K>, Vec<usize>)> = BTreeMap::new();
        let mut count = 0;
        for (index, (group, kind)) in items.into_iter().enumerate() {
            let (kinds, members) = groups.entry(group).or_default();
            kinds.insert(kind);
            members.push(index);
            count = index + 1;
        }
        let mut strata: BTreeMap<BTreeSet<K>, Vec<Vec<usize>>> = BTreeMap::new();
        for (kinds, members) in groups.into_values() {
            strata.entry(kinds).or_default().push(members);
        }
        Self { items: count, strata: strata.into_values().collect() }
    }

    /// Groups of the smallest stratum, which does not vary if there is one; 0 without items.
    pub fn fewest_groups(&self) -> usize {
        self.strata.iter().map(Vec::len).min().unwrap_or(0)
    }

    /// How often each item occurs in one resample.
    pub fn draw(&self, seed: Seed) -> Vec<f64> {
        let mut rng = seed.rng();
        let mut weights = vec![0.0; self.items];
        for groups in &self.strata {
            for _ in groups {
                for &item in &groups[rng.random_range(0..groups.len())] {
                    weights[item] += 1.0;
                }
            }
        }
        weights
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_drawn_whole_and_strata_keep_their_size() {
        let items =
            [("a", 0), ("a", 0), ("b", 0), ("c", 1), ("d", 1), ("d", 1), ("e", 1), ("f", 0)];
        let bootstrap = GroupBootstrap::new(items);
        assert_eq!(bootstrap.fewest_groups(), 3);
        for draw in 0..50 {
            let weights = bootstrap.draw(Seed::new(draw));
            assert!(weights[0].to_bits() == weights[1].to_bits(), "both items of group a");
            assert!(weights[4].to_bits() == weights[5].to_bits(), "both items of group d");
            let groups =
                |members: [usize; 3]| members.map(|item| weights[item]).iter().sum::<f64>();
            assert!(
                (groups([0, 2, 7]) - 3.0).abs() < 1e-12 && (groups([3, 4, 6]) - 3.0).abs() < 1e-12
            );
        }
    }
}
