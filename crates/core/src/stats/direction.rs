//! The directions along which points differ most.

use ndarray::{Array1, Array2};
use rand::RngExt;

use crate::Seed;

/// Steps of the power iteration at most.
const MOST_STEPS: usize = 300;
/// A direction that turns by less than this is found.
const STILL: f64 = 1e-12;

/// The direction of largest variance, at right angles to `other`, by power iteration. `covariance` may be any multiple
/// of the covariance. Where nothing varies, all its parts are zero.
pub fn main_direction(
    covariance: &Array2<f64>,
    other: Option<&Array1<f64>>,
    seed: Seed,
) -> Array1<f64> {
    let mut rng = seed.rng();
    let mut direction = Array1::from_shape_fn(covariance.nrows(), |_| rng.random_range(-1.0..1.0));
    for _ in 0..MOST_STEPS {
        let mut next = covariance.dot(&direction);
        if let Some(other) = other {
            next = &next - &(other * other.dot(&next));
        }
        let length = next.dot(&next).sqrt();
        if length <= f64::MIN_POSITIVE {
            return Array1::zeros(direction.len());
        }
        next /= length;
        let still = (1.0 - next.dot(&direction).abs()) < STILL;
        direction = next;
        if still {
            break;
        }
    }
    let peak =
        direction.iter().copied().fold(0.0_f64, |a, b| if b.abs() > a.abs() { b } else { a });
    direction * peak.signum()
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn directions_are_those_of_largest_variance_and_stand_at_right_angles() {
        let covariance = array![[9.0, 0.0, 0.0], [0.0, 4.0, 0.0], [0.0, 0.0, 1.0]];
        let first = main_direction(&covariance, None, Seed::new(1));
        let second = main_direction(&covariance, Some(&first), Seed::new(2));
        for (found, expected) in [(&first, [1.0, 0.0, 0.0]), (&second, [0.0, 1.0, 0.0])] {
            for (a, b) in found.iter().zip(expected) {
                // The turn that ends the iteration is 1e-12 in the cosine, so 1e-6 in the parts.
                assert!((a - b).abs() < 1e-5, "{found}");
            }
        }
        assert!(first.dot(&second).abs() < 1e-9);
        let nothing = main_direction(&Array2::zeros((3, 3)), None, Seed::new(1));
        assert_eq!(nothing, Array1::<f64>::zeros(3));
    }
}
