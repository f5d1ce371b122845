//! Bootstrap resamples that draw whole groups.

use std::collections::{BTreeMap, BTreeSet};

use rand::RngExt;

use crate::Seed;

/// Draws groups of items with replacement, apart in each stratum.
///
/// Items that are not independent, as the clips of one recording, form a group. Groups whose items
/// have the same kinds form a stratum, so that every resample holds as many groups of each kind.
#[derive(Debug, Clone)]
pub struct GroupBootstrap {
    /// The group of each item. The groups of a stratum have adjacent numbers.
    group_of: Vec<u32>,
    /// Groups of each stratum.
    strata: Vec<usize>,
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
        let mut group_of = vec![0; count];
        for (number, members) in strata.values().flatten().enumerate() {
            for &item in members {
                group_of[item] = number as u32;
            }
        }
        Self { group_of, strata: strata.into_values().map(|groups| groups.len()).collect() }
    }

    /// The group of each item.
    pub fn groups(&self) -> &[u32] {
        &self.group_of
    }

    /// Groups of the smallest stratum, which does not vary if there is one; 0 without items.
    pub fn fewest_groups(&self) -> usize {
        self.strata.iter().copied().min().unwrap_or(0)
    }

    /// One resample: how often each group occurs, into `counts`, which is cleared before.
    pub fn draw(&self, seed: Seed, counts: &mut Vec<u32>) {
        let mut rng = seed.rng();
        counts.clear();
        counts.resize(self.strata.iter().sum(), 0);
        let mut first = 0;
        for &groups in &self.strata {
            for _ in 0..groups {
                counts[first + rng.random_range(0..groups)] += 1;
            }
            first += groups;
        }
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
        assert_eq!(bootstrap.groups(), [0, 0, 1, 3, 4, 4, 5, 2]);
        let mut counts = Vec::new();
        let mut seen = BTreeSet::new();
        for draw in 0..50 {
            bootstrap.draw(Seed::new(draw), &mut counts);
            let of = |groups: &[u32]| groups.iter().sum::<u32>();
            assert_eq!((of(&counts[..3]), of(&counts[3..])), (3, 3), "{counts:?}");
            seen.insert(counts.clone());
        }
        assert!(seen.len() > 20, "resamples differ");
    }
}
