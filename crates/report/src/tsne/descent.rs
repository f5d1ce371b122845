//! Gradient descent with momentum and per-coordinate gains.

use std::ops::ControlFlow;

use super::config::{Point, TsneError};

/// Momentum throughout (openTSNE; van der Maaten changes from 0.5 to 0.8 on the way).
const MOMENTUM: f32 = 0.8;
/// Least gain of a coordinate (van der Maaten and Hinton).
const LEAST_GAIN: f32 = 0.01;

/// A number of steps of one kind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Phase {
    pub(crate) steps: usize,
    pub(crate) exaggeration: f32,
    pub(crate) step_size: f32,
}

/// The phases of a descent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Descent {
    pub(crate) phases: [Phase; 2],
    /// Longest way that a point goes in one step, on the map.
    pub(crate) largest_step: f32,
}

impl Descent {
    /// Moves all points along `gradient(positions, exaggeration)`, phase after phase.
    pub(crate) fn run(
        &self,
        mut positions: Vec<Point>,
        mut gradient: impl FnMut(&[Point], f32) -> Vec<Point>,
        mut on_step: impl FnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<Vec<Point>, TsneError> {
        let steps = self.phases.iter().map(|phase| phase.steps).sum();
        let mut step = 0;
        for phase in self.phases {
            let mut movers = vec![Mover::default(); positions.len()];
            for _ in 0..phase.steps {
                let gradient = gradient(&positions, phase.exaggeration);
                for ((at, mover), slope) in positions.iter_mut().zip(&mut movers).zip(gradient) {
                    mover.step(at, slope, phase.step_size, self.largest_step);
                }
                center(&mut positions);
                step += 1;
                if on_step(step, steps).is_break() {
                    return Err(TsneError::Stopped { step, steps });
                }
            }
        }
        Ok(positions)
    }
}

/// One point's momentum and gains.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mover {
    velocity: Point,
    gain: Point,
}

impl Default for Mover {
    fn default() -> Self {
        Self { velocity: [0.0; 2], gain: [1.0; 2] }
    }
}

impl Mover {
    /// Moves one point against its gradient. A gain grows while velocity and descent agree.
    pub(crate) fn step(&mut self, at: &mut Point, slope: Point, size: f32, largest: f32) {
        for axis in [0, 1] {
            let agrees = slope[axis] * self.velocity[axis] < 0.0;
            let gain = if agrees { self.gain[axis] + 0.2 } else { self.gain[axis] * 0.8 };
            self.gain[axis] = gain.max(LEAST_GAIN);
            self.velocity[axis] =
                MOMENTUM * self.velocity[axis] - size * self.gain[axis] * slope[axis];
        }
        let length = self.velocity[0].hypot(self.velocity[1]);
        if length > largest {
            self.velocity = self.velocity.map(|v| v * largest / length);
        }
        at[0] += self.velocity[0];
        at[1] += self.velocity[1];
    }
}

/// Moves the points' mean to the origin.
fn center(positions: &mut [Point]) {
    for axis in [0, 1] {
        let sum: f64 = positions.iter().map(|at| f64::from(at[axis])).sum();
        let mean = (sum / positions.len() as f64) as f32;
        for at in positions.iter_mut() {
            at[axis] -= mean;
        }
    }
}
