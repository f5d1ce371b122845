//! Operating conditions that nobody wrote down, found by clustering what clips sound like.

use ndarray::{Array2, Axis, concatenate};
use offkey_core::Seed;
use offkey_infer::{ClipSource, StatisticsConfig};
use offkey_score::cluster;
use offkey_signal::LogMel;
use rayon::prelude::*;

use crate::{DetectError, OffkeyError};

/// The condition of each clip of a source, below `clusters`: k-means of the clips' log-mel
/// statistics over time.
///
/// # Errors
/// [`OffkeyError`] when there is no clip or one of them cannot be used.
pub(crate) fn conditions(
    source: &dyn ClipSource,
    rate_hz: u32,
    clusters: usize,
    seed: Seed,
) -> Result<Vec<usize>, OffkeyError> {
    let features = LogMel { rate_hz, mels: 64, ..LogMel::default() };
    let of_clip = seed.child("conditions");
    let statistics =
        StatisticsConfig::LogMel(features).fit(source, of_clip).map_err(OffkeyError::embed)?;
    let point = |clip: usize| {
        let wave = source.wave(clip, of_clip.child(clip)).map_err(OffkeyError::Embed)?;
        statistics.embed(&[wave]).map_err(OffkeyError::embed)
    };
    let points: Vec<Result<Array2<f32>, _>> =
        (0..source.len()).into_par_iter().map(point).collect();
    let points = points.into_iter().collect::<Result<Vec<_>, _>>()?;
    let views: Vec<_> = points.iter().map(|point| point.view()).collect();
    let points = concatenate(Axis(0), &views).expect("statistics of one kind have equal length");
    cluster(points.view(), clusters, seed.child("clusters")).map_err(|source| {
        DetectError::Score { machine: "conditions".to_owned(), section: "all".to_owned(), source }
            .into()
    })
}

#[cfg(test)]
mod tests {
    use offkey_infer::SourceError;

    use super::*;

    const RATE_HZ: u32 = 16_000;

    /// Hums, each with its pitch in hertz.
    struct Hums(Vec<f32>);

    impl ClipSource for Hums {
        fn len(&self) -> usize {
            self.0.len()
        }

        fn wave(&self, index: usize, _seed: Seed) -> Result<Vec<f32>, SourceError> {
            let angle = 2.0 * std::f32::consts::PI * self.0[index] / RATE_HZ as f32;
            Ok((0..RATE_HZ).map(|n| (angle * n as f32).sin()).collect())
        }
    }

    #[test]
    fn clips_of_one_speed_are_one_condition() {
        let hums = Hums(vec![300.0, 2000.0, 305.0, 2010.0, 295.0, 1990.0]);
        let found = conditions(&hums, RATE_HZ, 2, Seed::new(1)).expect("six clips");
        assert_ne!(found[0], found[1]);
        assert_eq!(found, [found[0], found[1]].repeat(3));
        let again = conditions(&hums, RATE_HZ, 2, Seed::new(1)).expect("six clips");
        assert_eq!(found, again);
    }
}
