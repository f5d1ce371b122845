//! One axis of a mask: where each position lies between the nodes of a coarse grid.

use std::ops::Range;

/// Positions of one axis, and the nodes of the grid whose values they take or lie between.
#[derive(Debug)]
pub(super) struct Axis {
    nodes: usize,
    /// Runs of positions between the same two nodes: the node below, and the positions.
    runs: Vec<(usize, Range<usize>)>,
    /// Share of the node above, per position.
    shares: Vec<f32>,
}

impl Axis {
    /// `length` positions over `cells` cells, moved by `shift`, which is 0 to 1 cells.
    ///
    /// A single cell covers the whole axis and is not shifted.
    pub(super) fn soft(length: usize, cells: usize, shift: f64) -> Self {
        if cells == 1 {
            return Self::of(1, (0..length).map(|_| (0, 0.0)));
        }
        let per_position = cells as f64 / length as f64;
        let place = |position: usize| {
            let at = position as f64 * per_position + shift;
            ((at as usize).min(cells), at.fract() as f32)
        };
        Self::of(Self::nodes_of(cells), (0..length).map(place))
    }

    /// `length` positions that take the value of their patch, of `patches` as equal as can be.
    pub(super) fn hard(length: usize, patches: usize) -> Self {
        let places = (0..patches).flat_map(|patch| {
            (patch * length / patches..(patch + 1) * length / patches).map(move |_| (patch, 0.0))
        });
        Self::of(patches, places)
    }

    /// Nodes of a soft axis of so many cells: one at each edge, as many as a shift of one cell reaches.
    pub(super) fn nodes_of(cells: usize) -> usize {
        if cells == 1 { 1 } else { cells + 2 }
    }

    fn of(nodes: usize, places: impl Iterator<Item = (usize, f32)>) -> Self {
        let (mut runs, mut shares) = (Vec::<(usize, Range<usize>)>::new(), Vec::new());
        for (position, (node, share)) in places.enumerate() {
            shares.push(share);
            match runs.last_mut() {
                Some((last, run)) if *last == node => run.end = position + 1,
                _ => runs.push((node, position..position + 1)),
            }
        }
        Self { nodes, runs, shares }
    }

    pub(super) fn len(&self) -> usize {
        self.shares.len()
    }

    pub(super) fn nodes(&self) -> usize {
        self.nodes
    }

    /// Every position in order: the nodes below and above it, and the share of the one above.
    pub(super) fn places(&self) -> impl Iterator<Item = (usize, usize, f32)> {
        let runs = self.runs.iter();
        runs.flat_map(|(node, run)| {
            run.clone().map(|at| (*node, self.above(*node), self.shares[at]))
        })
    }

    /// Calls `write` for each run of positions between the same nodes: their number, the value at the
    /// first node, how far the second lies above it, and the shares of the second.
    pub(super) fn each_run(
        &self,
        line: &[f32],
        mut write: impl FnMut(Range<usize>, f32, f32, &[f32]),
    ) {
        for (node, run) in &self.runs {
            let low = line[*node];
            write(run.clone(), low, line[self.above(*node)] - low, &self.shares[run.clone()]);
        }
    }

    /// The variance of a position, on average, where every node has a variance of one.
    pub(super) fn noise(&self) -> f64 {
        let squares = self.places().map(|(below, above, share)| {
            let share = f64::from(share);
            if below == above { 1.0 } else { share * share + (1.0 - share) * (1.0 - share) }
        });
        squares.sum::<f64>() / self.len() as f64
    }

    fn above(&self, node: usize) -> usize {
        (node + 1).min(self.nodes - 1)
    }
}
