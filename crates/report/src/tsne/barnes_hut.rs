//! Repulsion between all points, far points taken together cell by cell.
//!
//! Points are sorted along a Z-shaped curve, so that every cell of the quadtree is a range. The
//! points of one leaf walk the tree together: a cell counts as one point when it is small as seen
//! from the nearest place of the leaf. Results do not depend on the thread count, because each
//! leaf is summed alone.

use rayon::prelude::*;

use super::config::Point;

/// Points in a leaf, and points whose forces are summed side by side.
const LANES: usize = 8;
/// Bits of the curve per axis.
const LEVELS: u32 = 16;

/// A quadtree over points on the plane.
pub(crate) struct Tree {
    /// Point indices in curve order.
    order: Vec<u32>,
    /// Positions in curve order.
    sorted: Vec<Point>,
    /// Cells, each followed by its children.
    cells: Vec<Cell>,
    /// Cells without children.
    leaves: Vec<u32>,
}

struct Cell {
    center: Point,
    points: f32,
    width: f32,
    low: Point,
    high: Point,
    /// Its points in curve order.
    first: u32,
    last: u32,
    /// The next cell that is not inside this one.
    next: u32,
    is_leaf: bool,
}

/// A cell or point that acts on a leaf: position and number of points.
type Source = (f32, f32, f32);

impl Tree {
    pub(crate) fn new(positions: &[Point]) -> Self {
        let (low, high) = bounds(positions);
        let span = (high[0] - low[0]).max(high[1] - low[1]).max(f32::MIN_POSITIVE);
        let per_unit = ((1 << LEVELS) - 1) as f32 / span;
        let mut keyed: Vec<(u32, u32)> = positions
            .iter()
            .enumerate()
            .map(|(index, at)| {
                let [x, y] = [0, 1].map(|axis| ((at[axis] - low[axis]) * per_unit) as u32);
                (spread_bits(x) << 1 | spread_bits(y), index as u32)
            })
            .collect();
        keyed.sort_unstable();
        let order: Vec<u32> = keyed.iter().map(|key| key.1).collect();
        let sorted: Vec<Point> = order.iter().map(|&index| positions[index as usize]).collect();
        let mut tree = Self { order, sorted, cells: Vec::new(), leaves: Vec::new() };
        tree.add_cell(&keyed, 0, LEVELS);
        tree
    }

    /// Adds the cell of a range of keys, whose bits above `level` are the same, and its children.
    fn add_cell(&mut self, keyed: &[(u32, u32)], first: usize, level: u32) {
        let last = first + keyed.len();
        let inside = &self.sorted[first..last];
        let (low, high) = bounds(inside);
        let mean = |axis: usize| {
            (inside.iter().map(|at| f64::from(at[axis])).sum::<f64>() / inside.len() as f64) as f32
        };
        let is_leaf = keyed.len() <= LANES || level == 0;
        let own = self.cells.len();
        self.cells.push(Cell {
            center: [mean(0), mean(1)],
            points: inside.len() as f32,
            width: (high[0] - low[0]).max(high[1] - low[1]),
            low,
            high,
            first: first as u32,
            last: last as u32,
            next: 0,
            is_leaf,
        });
        if is_leaf {
            self.leaves.push(own as u32);
        } else {
            let shift = 2 * (level - 1);
            let mut rest = keyed;
            let mut start = first;
            for quadrant in 0..4 {
                let inside = rest.partition_point(|key| key.0 >> shift & 3 <= quadrant);
                if inside > 0 {
                    self.add_cell(&rest[..inside], start, level - 1);
                }
                rest = &rest[inside..];
                start += inside;
            }
        }
        self.cells[own].next = self.cells.len() as u32;
    }

    /// Per point the sum of `(y_i - y_j) / (1 + d_ij^2)^2` over all other points, and the sum of
    /// `1 / (1 + d_ij^2)` over all ordered pairs.
    pub(crate) fn repulsion(&self, theta: f32) -> (Vec<Point>, f64) {
        let per_leaf: Vec<(Vec<Point>, f64)> = self
            .leaves
            .par_iter()
            .with_min_len(16)
            .map_init(Vec::new, |sources, &leaf| {
                let leaf = &self.cells[leaf as usize];
                sources.clear();
                self.gather(leaf.low, leaf.high, theta, sources);
                let inside = &self.sorted[leaf.first as usize..leaf.last as usize];
                let mut forces = Vec::with_capacity(inside.len());
                let mut weight = 0.0;
                for lanes in inside.chunks(LANES) {
                    weight += push(lanes, sources, &mut forces);
                }
                // Every point met itself once, at distance zero, with weight one.
                (forces, weight - inside.len() as f64)
            })
            .collect();
        let mut forces = vec![[0.0; 2]; self.order.len()];
        let in_order = per_leaf.iter().flat_map(|(forces, _)| forces);
        for (&index, force) in self.order.iter().zip(in_order) {
            forces[index as usize] = *force;
        }
        (forces, per_leaf.iter().map(|(_, weight)| weight).sum())
    }

    /// Force on one place that need not be a point: see [`Tree::repulsion`].
    pub(crate) fn repulsion_at(
        &self,
        at: Point,
        theta: f32,
        sources: &mut Vec<Source>,
    ) -> (Point, f64) {
        sources.clear();
        self.gather(at, at, theta, sources);
        let mut force = Vec::with_capacity(1);
        let weight = push(&[at], sources, &mut force);
        (force[0], weight)
    }

    /// Lists what acts on the box from `low` to `high`.
    fn gather(&self, low: Point, high: Point, theta: f32, sources: &mut Vec<Source>) {
        let gap = |axis: usize, center: Point| {
            (low[axis] - center[axis]).max(center[axis] - high[axis]).max(0.0)
        };
        let mut at = 0;
        while at < self.cells.len() {
            let cell = &self.cells[at];
            let (dx, dy) = (gap(0, cell.center), gap(1, cell.center));
            if cell.width * cell.width < theta * theta * (dx * dx + dy * dy) {
                sources.push((cell.center[0], cell.center[1], cell.points));
                at = cell.next as usize;
            } else if cell.is_leaf {
                let inside = &self.sorted[cell.first as usize..cell.last as usize];
                sources.extend(inside.iter().map(|&[x, y]| (x, y, 1.0)));
                at = cell.next as usize;
            } else {
                at += 1;
            }
        }
    }
}

/// Appends the force of all sources on each of up to [`LANES`] points; returns the summed weight.
fn push(points: &[Point], sources: &[Source], forces: &mut Vec<Point>) -> f64 {
    let lane = |axis: usize| {
        let mut lane = [0.0_f32; LANES];
        lane.iter_mut().zip(points).for_each(|(value, point)| *value = point[axis]);
        lane
    };
    let (x, y) = (lane(0), lane(1));
    let (mut force_x, mut force_y, mut weight) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
    for &(source_x, source_y, count) in sources {
        for i in 0..LANES {
            let (dx, dy) = (x[i] - source_x, y[i] - source_y);
            let near = 1.0 / (1.0 + dx * dx + dy * dy);
            let share = count * near;
            weight[i] += share;
            force_x[i] += share * near * dx;
            force_y[i] += share * near * dy;
        }
    }
    forces.extend((0..points.len()).map(|i| [force_x[i], force_y[i]]));
    weight[..points.len()].iter().map(|&w| f64::from(w)).sum()
}

fn bounds(points: &[Point]) -> (Point, Point) {
    let start = ([f32::INFINITY; 2], [f32::NEG_INFINITY; 2]);
    points.iter().fold(start, |(low, high), at| {
        ([low[0].min(at[0]), low[1].min(at[1])], [high[0].max(at[0]), high[1].max(at[1])])
    })
}

/// Puts a zero before each of the lower 16 bits.
fn spread_bits(value: u32) -> u32 {
    let value = (value | value << 8) & 0x00ff_00ff;
    let value = (value | value << 4) & 0x0f0f_0f0f;
    let value = (value | value << 2) & 0x3333_3333;
    (value | value << 1) & 0x5555_5555
}

#[cfg(test)]
mod tests {
    use offkey_core::Seed;
    use rand::RngExt;

    use super::*;

    fn cloud(points: usize, span: f32) -> Vec<Point> {
        let mut rng = Seed::new(3).rng();
        (0..points).map(|_| [0, 1].map(|_| rng.random_range(-span..span).powi(3))).collect()
    }

    fn all_pairs(points: &[Point]) -> (Vec<[f64; 2]>, f64) {
        let mut total = 0.0;
        let forces = points.iter().map(|a| {
            let mut force = [0.0; 2];
            for b in points {
                let d = [0, 1].map(|axis| f64::from(a[axis]) - f64::from(b[axis]));
                let near = 1.0 / (1.0 + d[0] * d[0] + d[1] * d[1]);
                total += near;
                force = [force[0] + near * near * d[0], force[1] + near * near * d[1]];
            }
            force
        });
        let forces = forces.collect();
        (forces, total - points.len() as f64)
    }

    #[test]
    fn theta_zero_is_the_sum_over_all_pairs() {
        let points = cloud(300, 3.0);
        let (forces, weight) = Tree::new(&points).repulsion(0.0);
        let (expected, expected_weight) = all_pairs(&points);
        // Single-precision sums of 300 terms.
        assert!((weight / expected_weight - 1.0).abs() < 1e-5);
        for (force, expected) in forces.iter().zip(&expected) {
            for axis in [0, 1] {
                assert!((f64::from(force[axis]) - expected[axis]).abs() < 1e-4);
            }
        }
    }

    #[test]
    fn default_theta_is_within_a_percent_of_all_pairs() {
        let points = cloud(2000, 4.0);
        let (forces, weight) = Tree::new(&points).repulsion(0.5);
        let (expected, expected_weight) = all_pairs(&points);
        let length = |f: [f64; 2]| f[0].hypot(f[1]);
        let error: f64 = forces
            .iter()
            .zip(&expected)
            .map(|(f, e)| length([f64::from(f[0]) - e[0], f64::from(f[1]) - e[1]]))
            .sum();
        let scale: f64 = expected.iter().map(|&e| length(e)).sum();
        assert!(error / scale < 0.01, "{}", error / scale);
        assert!((weight / expected_weight - 1.0).abs() < 0.01);
    }

    #[test]
    fn coinciding_points_do_not_push_each_other() {
        let (forces, weight) = Tree::new(&[[2.0, 1.0]; 50]).repulsion(0.5);
        assert!(forces.iter().all(|force| *force == [0.0, 0.0]));
        assert!((weight - 50.0 * 49.0).abs() < 1e-9);
    }
}
