//! Which clips make a batch, and how clips and labels of a batch are mixed.

use std::ops::Range;

use offkey_core::Seed;
use rand::{RngExt, seq::SliceRandom};

/// Ranges of an epoch's order that make its batches. A last batch of one clip joins the batch
/// before it, because batch norm needs two.
pub(super) fn ranges(clips: usize, batch_clips: usize) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = (0..clips)
        .step_by(batch_clips)
        .map(|start| start..(start + batch_clips).min(clips))
        .collect();
    if ranges.len() > 1 && ranges.last().is_some_and(|last| last.len() < 2) {
        ranges.pop();
        if let Some(last) = ranges.last_mut() {
            last.end = clips;
        }
    }
    ranges
}

/// The order in which an epoch visits the clips.
pub(super) fn order(clips: usize, seed: Seed) -> Vec<usize> {
    let mut order: Vec<usize> = (0..clips).collect();
    order.shuffle(&mut seed.rng());
    order
}

/// Share of each clip of a batch in its own mixture; the rest is its partner's. With probability
/// `mixup` drawn from U(0, 1), else 1.
pub(super) fn mixup_shares(clips: usize, mixup: f64, seed: Seed) -> Vec<f32> {
    let mut rng = seed.rng();
    let mut share = || {
        let (mixed, share): (f64, f32) = (rng.random(), rng.random());
        if mixed < mixup { share } else { 1.0 }
    };
    (0..clips).map(|_| share()).collect()
}

/// Mixes every row with the row at the mirrored position, by the shares. The middle row of an odd
/// batch is its own partner and stays.
pub(super) fn mix(rows: &mut [Vec<f32>], shares: &[f32]) {
    let clips = rows.len();
    let (front, back) = rows.split_at_mut(clips / 2);
    for (index, (row, partner)) in front.iter_mut().zip(back.iter_mut().rev()).enumerate() {
        let (share, partner_share) = (shares[index], shares[clips - 1 - index]);
        for (x, y) in row.iter_mut().zip(partner) {
            let (a, b) = (*x, *y);
            *x = share * a + (1.0 - share) * b;
            *y = partner_share * b + (1.0 - partner_share) * a;
        }
    }
}

/// Labels of a batch as rows with a one at the class.
pub(super) fn one_hot(labels: &[u32], classes: usize) -> Vec<Vec<f32>> {
    let row = |&label: &u32| {
        let mut row = vec![0.0; classes];
        row[label as usize] = 1.0;
        row
    };
    labels.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_clip_is_in_one_batch_and_no_batch_has_one_clip() {
        for clips in 2..40 {
            for batch_clips in 2..12 {
                let ranges = ranges(clips, batch_clips);
                let visited: Vec<usize> = ranges.iter().cloned().flatten().collect();
                assert_eq!(visited, (0..clips).collect::<Vec<_>>());
                assert!(ranges.iter().all(|range| range.len() >= 2), "{clips} {batch_clips}");
            }
        }
    }

    #[test]
    fn mixing_follows_the_shares_and_keeps_the_middle_row() {
        let mut rows = vec![vec![1.0, 0.0], vec![5.0, 5.0], vec![0.0, 2.0]];
        mix(&mut rows, &[0.75, 0.1, 0.5]);
        assert_eq!(rows, [vec![0.75, 0.5], vec![5.0, 5.0], vec![0.5, 1.0]]);
    }

    #[test]
    fn without_mixup_every_clip_keeps_itself() {
        let seed = Seed::new(1);
        assert_eq!(mixup_shares(5, 0.0, seed), [1.0; 5]);
        assert!(mixup_shares(5, 1.0, seed).iter().all(|&share| share < 1.0));
    }

    #[test]
    fn an_order_is_a_permutation_and_differs_between_epochs() {
        let seed = Seed::new(3).child("order");
        let mut first = order(50, seed.child(0));
        assert_ne!(first, order(50, seed.child(1)));
        first.sort_unstable();
        assert_eq!(first, (0..50).collect::<Vec<_>>());
    }
}
