//! Laws of RISE: flat for a constant, pointing at a planted region, faithful, reproducible.

use ndarray::{Array2, s};
use offkey_core::Seed;
use offkey_report::rise::{
    Extent, FaithfulnessConfig, Importance, Mask, Masks, Region, RiseConfig, RiseError,
    ScoreFailure, explain, explain_spectrum, faithfulness, findings,
};

const SHAPE: (usize, usize) = (80, 128);

fn region() -> Region {
    Region { frames: 30..40, bins: 60..76 }
}

/// Score that rises with what is left of the planted region, on a background that also counts.
#[expect(clippy::unnecessary_wraps, reason = "the shape that `explain` expects of a scorer")]
fn planted(masks: &[Mask]) -> Result<Vec<f64>, ScoreFailure> {
    let Region { frames, bins } = region();
    let score = |mask: &Mask| {
        let mask = mask.values();
        let inside = mask.slice(s![frames.clone(), bins.clone()]).mean().expect("not empty");
        let all = mask.mean().expect("not empty");
        f64::from(inside + 0.2 * all)
    };
    Ok(masks.iter().map(score).collect())
}

fn explained(config: &RiseConfig, seed: u64) -> Importance {
    explain(SHAPE, config, Seed::new(seed), planted).expect("a valid configuration")
}

#[test]
fn a_constant_score_has_no_important_part() {
    let config = RiseConfig { masks: 64, ..RiseConfig::default() };
    let flat = explain(SHAPE, &config, Seed::new(0), |masks| Ok(vec![0.7; masks.len()]))
        .expect("a valid configuration");
    assert!(flat.values.iter().all(|value| *value == 0.0));
    assert_eq!(flat.masks, 64);
    assert!((flat.mean_score - 0.7).abs() < 1e-12);
}

#[test]
fn importance_gathers_in_the_planted_region() {
    let importance = explained(&RiseConfig::default(), 7);
    let (share, chance) = (importance.share_inside(&region()), importance.area_share(&region()));
    assert!(share > 5.0 * chance, "share {share:.3}, chance {chance:.3}");
    let (peak, _) =
        importance.values.indexed_iter().max_by(|a, b| a.1.total_cmp(b.1)).expect("not empty");
    assert!(region().frames.contains(&peak.0) && region().bins.contains(&peak.1), "{peak:?}");
}

/// The product of what is left in two places, beside a sum over the grid: what no estimate of single
/// places explains.
#[expect(clippy::unnecessary_wraps, reason = "the shape that `explain` expects of a scorer")]
fn entangled(masks: &[Mask]) -> Result<Vec<f64>, ScoreFailure> {
    let score = |mask: &Mask| {
        let mask = mask.values();
        let at = |frames, bins| f64::from(mask.slice(s![frames, bins]).mean().expect("not empty"));
        let product = at(0..10, 0..16) * at(40..50, 80..96);
        let sum: f64 =
            (0..8).map(|i| i as f64 * at(10 * i..10 * i + 10, 16 * i..16 * i + 16)).sum();
        product + 0.2 * sum
    };
    Ok(masks.iter().map(score).collect())
}

/// Distance of two estimates, relative to the second's own spread.
fn distance(a: &Array2<f32>, b: &Array2<f32>) -> f32 {
    let mean = b.mean().expect("not empty");
    ((a - b).mapv(|x| x * x).sum() / b.mapv(|x| (x - mean).powi(2)).sum()).sqrt()
}

#[test]
fn balanced_groups_need_fewer_masks_for_the_same_estimate() {
    let of = |keep: f64, masks: usize, seed: u64| {
        let config = RiseConfig { keep, masks, reliability: 1.0, ..RiseConfig::default() };
        explain(SHAPE, &config, Seed::new(seed), entangled).expect("a valid configuration")
    };
    let truth = of(0.5, 30_000, 100);
    // A probability that is not one half, by a hair, draws every cell by itself.
    let alone = of(0.500_001, 2048, 1);
    let balanced = of(0.5, 512, 1);
    let [alone, balanced] = [alone, balanced].map(|found| distance(&found.values, &truth.values));
    assert!(balanced < 0.7 * alone, "balanced {balanced}, alone with four times the masks {alone}");
}

#[test]
fn reliability_is_the_share_that_more_masks_would_not_change() {
    let of = |masks: usize, seed: u64| {
        let config = RiseConfig { keep: 0.4, masks, reliability: 1.0, ..RiseConfig::default() };
        explain(SHAPE, &config, Seed::new(seed), entangled).expect("a valid configuration")
    };
    let truth = of(30_000, 100);
    for masks in [256, 1024] {
        let (mut noise, mut claimed) = (0.0, 0.0);
        for seed in 0..8 {
            let found = of(masks, seed);
            noise += f64::from(distance(&truth.values, &found.values).powi(2)) / 8.0;
            claimed += found.reliability / 8.0;
        }
        assert!((1.0 - noise - claimed).abs() < 0.12, "{masks}: {} and {claimed}", 1.0 - noise);
    }
}

#[test]
fn the_estimate_stops_once_its_groups_agree() {
    let config = RiseConfig { masks: 20_000, reliability: 0.9, ..RiseConfig::default() };
    let importance = explained(&config, 3);
    assert!(importance.masks < 20_000);
    assert!(importance.reliability >= 0.9);
    let all = explained(&RiseConfig { masks: 100, reliability: 1.0, ..config }, 3);
    assert_eq!(all.masks, 100);
}

#[test]
fn the_same_seed_gives_the_same_importance_whatever_the_batch() {
    let config = RiseConfig { masks: 96, reliability: 1.0, ..RiseConfig::default() };
    let other = RiseConfig { batch: 7, ..config.clone() };
    assert_eq!(explained(&config, 5), explained(&other, 5));
    assert_ne!(explained(&config, 5), explained(&config, 6));
}

#[test]
fn a_mask_multiplies_what_it_is_applied_to() {
    let mask = &Masks::new(SHAPE, &RiseConfig::default(), Seed::new(3)).group(1)[5];
    let input: Vec<f32> = (0..SHAPE.0 * SHAPE.1).map(|i| i as f32).collect();
    let mut values = vec![0.0; input.len()];
    mask.apply(&input, &mut values);
    for (i, (value, mask)) in values.iter().zip(&mask.values()).enumerate() {
        assert!((value - i as f32 * mask).abs() <= 1e-6 * i as f32);
    }
}

#[test]
fn shifting_all_scores_changes_nothing() {
    let config = RiseConfig { masks: 200, reliability: 1.0, ..RiseConfig::default() };
    let shifted = explain(SHAPE, &config, Seed::new(5), |masks| {
        Ok(planted(masks)?.into_iter().map(|score| score + 1000.0).collect())
    })
    .expect("a valid configuration");
    for (a, b) in shifted.values.iter().zip(&explained(&config, 5).values) {
        // Scores near 1000 in double precision keep about 1e-13 of their differences.
        assert!((a - b).abs() < 1e-6);
    }
}

#[test]
fn a_spectrum_is_explained_by_its_band() {
    let score = |masks: &[Mask]| {
        let inside = |mask: &Mask| {
            f64::from(mask.values().slice(s![0, 300..320]).mean().expect("not empty"))
        };
        Ok(masks.iter().map(inside).collect())
    };
    let importance = explain_spectrum(800, &RiseConfig::spectrum(), Seed::new(2), score)
        .expect("a valid configuration");
    assert_eq!(importance.values.dim(), (1, 800));
    let band = Region { frames: 0..1, bins: 275..345 };
    assert!(importance.share_inside(&band) > 0.5, "{}", importance.share_inside(&band));
    let extent = Extent { duration_s: 10.0, low_hz: 0.0, high_hz: 8000.0 };
    let found = findings(&importance, extent, None, 3);
    assert!(found[0].throughout && found[0].low_hz >= 2700.0 && found[0].high_hz <= 3500.0);
}

#[test]
fn faithful_explanations_beat_random_orders() {
    let importance = explained(&RiseConfig::default(), 11);
    let curves = faithfulness(&importance, &FaithfulnessConfig::default(), Seed::new(1), planted)
        .expect("a valid configuration");
    assert!(curves.deletion_gain() > 0.2, "{}", curves.deletion_gain());
    assert!(curves.insertion_gain() > 0.2, "{}", curves.insertion_gain());
    let upside_down = Importance { values: -&importance.values, ..importance };
    let curves = faithfulness(&upside_down, &FaithfulnessConfig::default(), Seed::new(1), planted)
        .expect("a valid configuration");
    assert!(curves.deletion_gain() < 0.0 && curves.insertion_gain() < 0.0);
}

#[test]
fn words_name_time_band_and_level() {
    let mut values = Array2::zeros((100, 80));
    values.slice_mut(s![32..41, 24..31]).fill(1.0);
    values.slice_mut(s![80..90, 2..4]).fill(0.7);
    values[(5, 70)] = 0.9;
    let importance = Importance { values, masks: 1, reliability: 1.0, mean_score: 0.0 };
    let extent = Extent { duration_s: 10.0, low_hz: 0.0, high_hz: 8000.0 };
    let mut levels = Array2::from_elem((100, 80), 0.0);
    levels.slice_mut(s![32..41, 24..31]).fill(9.2);
    levels.slice_mut(s![80..90, 2..4]).fill(-3.0);
    let found = findings(&importance, extent, Some(levels.view()), 3);
    let words: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(
        words,
        ["3.2-4.1 s, 2400-3100 Hz: 9 dB above normal", "8.0-9.0 s, 200-400 Hz: 3 dB below normal"]
    );
}

#[test]
fn words_name_the_frequency_that_stands_out() {
    let mut values = Array2::zeros((100, 80));
    values.slice_mut(s![32..41, 24..31]).fill(1.0);
    let importance = Importance { values, masks: 1, reliability: 1.0, mean_score: 0.0 };
    let extent = Extent { duration_s: 10.0, low_hz: 0.0, high_hz: 8000.0 };
    let mut levels = Array2::from_elem((100, 80), 0.0);
    // Louder elsewhere, and quieter there at other times: neither counts.
    levels.slice_mut(s![.., 26]).fill(-40.0);
    levels.slice_mut(s![32..41, 26]).fill(21.0);
    levels.slice_mut(s![0..20, 50]).fill(60.0);
    let found = findings(&importance, extent, Some(levels.view()), 3);
    assert_eq!(
        found[0].to_string(),
        "3.2-4.1 s, 2400-3100 Hz: 3 dB above normal, 21 dB above at 2650 Hz"
    );
    let unknown = findings(&importance, extent, None, 3);
    assert_eq!(unknown[0].to_string(), "3.2-4.1 s, 2400-3100 Hz");
}

#[test]
fn wrong_use_is_an_error_that_says_what_was_expected() {
    let with = |change: fn(&mut RiseConfig)| {
        let mut config = RiseConfig { masks: 8, ..RiseConfig::default() };
        change(&mut config);
        explain(SHAPE, &config, Seed::new(0), planted)
    };
    assert!(matches!(with(|c| c.time_cells = 0), Err(RiseError::Cells { .. })));
    assert!(matches!(with(|c| c.frequency_cells = 500), Err(RiseError::Cells { .. })));
    assert!(matches!(with(|c| c.keep = 1.0), Err(RiseError::Keep { .. })));
    assert!(matches!(with(|c| c.keep = f64::NAN), Err(RiseError::Keep { .. })));
    assert!(matches!(with(|c| c.batch = 0), Err(RiseError::NoMasks { .. })));
    let config = RiseConfig::default();
    let answer = |scores: Result<Vec<f64>, ScoreFailure>| {
        let mut scores = Some(scores);
        explain(SHAPE, &config, Seed::new(0), |_| {
            scores.take().expect("stopped at the first batch")
        })
    };
    assert!(matches!(answer(Ok(vec![])), Err(RiseError::Scores { masks: 32, scores: 0 })));
    assert!(matches!(answer(Ok(vec![f64::NAN; 32])), Err(RiseError::NotFinite { mask: 0 })));
    assert!(matches!(answer(Err("no model".into())), Err(RiseError::Score { .. })));
}
