//! Detectors whose references are their calibration: the promise, held against simulated sound.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use ndarray::{Array2, ArrayView1, Axis, concatenate};
use offkey_core::Seed;
use offkey_score::{
    BackendConfig, Detector, Fusion, Guarantee, Judgement, KnnConfig, KnownFaultsConfig,
    MOST_COMPARED, Member, References, Rule, Scales, ScoreError, jackknife_plus_bound,
};
use rand::RngExt;

/// Windows of recordings: `width` is what differs between recordings, `within` between windows.
struct Sound {
    windows: Array2<f32>,
    groups: Vec<String>,
}

impl Sound {
    /// Recording `i` has `1 + i % longest` windows.
    fn new(seed: Seed, recordings: usize, longest: usize) -> Self {
        let mut windows = Array2::zeros((0, 3));
        let mut groups = Vec::new();
        for recording in 0..recordings {
            let seed = seed.child(recording);
            let next = recording_of(seed, 1 + recording % longest);
            groups.extend(vec![format!("recording {recording}"); next.nrows()]);
            windows = concatenate![Axis(0), windows, next];
        }
        Self { windows, groups }
    }

    fn detector(&self) -> Detector {
        Detector::fit(&self.members(&UNKNOWN), Rule::Max).unwrap()
    }

    fn members(&self, domains: &'static [Option<offkey_core::Domain>]) -> Vec<Member<'_>> {
        let windows = self.windows.nrows();
        let references =
            References::new(self.windows.view(), &domains[..windows], &self.groups, Seed::new(1))
                .unwrap();
        let member = |name: &str, backend: BackendConfig| Member {
            name: name.to_owned(),
            backend,
            references,
        };
        let nearest = KnnConfig { distance: offkey_score::Distance::Euclidean, neighbors: 1 };
        vec![
            member("gauss", BackendConfig::from_name("shrunk-mahalanobis").unwrap()),
            member("nearest", BackendConfig::Knn(nearest)),
        ]
    }
}

#[test]
fn a_detector_is_restored_from_its_scales_to_the_bit_and_only_for_its_own_references() {
    for recordings in [3, 7, 12, MOST_COMPARED + 10] {
        let sound = Sound::new(Seed::new(8), recordings, 4);
        let members = sound.members(&UNKNOWN);
        let fitted = sound.detector();
        let (table, held_out) = fitted.scales().to_tables();
        let backends: Vec<&BackendConfig> = members.iter().map(|member| &member.backend).collect();
        let read = |table: &Array2<f64>| {
            let held_out = held_out.as_slice().unwrap();
            Scales::of_tables(table.view(), held_out, &members[0].references, &backends).unwrap()
        };
        let scales = read(&table).unwrap();
        assert_eq!(scales.guarantee(), fitted.guarantee());
        assert_eq!(scales.held_out(), fitted.fusion().held_out());
        let restored = Detector::restored(&members, Rule::Max, &scales).unwrap();
        let window = recording_of(Seed::new(99), 1);
        let judge = |detector: &Detector| detector.judge(&[window.row(0), window.row(0)]).unwrap();
        assert_eq!(judge(&restored), judge(&fitted));
        // The scales are used, not found again.
        let mut other = table.clone();
        other.column_mut(table.ncols() - 1).mapv_inplace(|farthest| farthest + 3.0);
        let other = Detector::restored(&members, Rule::Max, &read(&other).unwrap()).unwrap();
        assert!((judge(&other).score - judge(&fitted).score + 3.0).abs() < 1e-9);
        // What cannot be a scale is none.
        for (place, number) in
            [([1, 0], f64::NAN), ([0, 1], 0.0), ([1, 1], -1.0), ([1, 4], f64::INFINITY)]
        {
            let mut wrong = table.clone();
            wrong[place] = number;
            assert_eq!(read(&wrong), None, "{place:?} {number}");
        }
        assert_eq!(read(&table.slice(ndarray::s![1.., ..]).to_owned()), None);
        let fewer = Sound::new(Seed::new(8), recordings - 1, 4);
        assert!(Detector::restored(&fewer.members(&UNKNOWN), Rule::Max, &scales).is_err());
    }
}

const UNKNOWN: [Option<offkey_core::Domain>; 600] = [None; 600];

/// A recording with heavy tails: its own centre, and windows around it.
fn recording_of(seed: Seed, windows: usize) -> Array2<f32> {
    let mut rng = seed.rng();
    let mut heavy = |width: f32| {
        let u: f32 = rng.random_range(-0.999..0.999_f32);
        width * u / (1.0 - u.abs()).sqrt()
    };
    let centre = [heavy(1.0), heavy(1.0), heavy(1.0)];
    Array2::from_shape_fn((windows, 3), |(_, dim)| centre[dim] + heavy(0.3))
}

/// Recordings of one window each.
fn recordings_of(seed: Seed, recordings: usize) -> Array2<f32> {
    let rows: Vec<_> = (0..recordings).map(|index| recording_of(seed.child(index), 1)).collect();
    ndarray::concatenate(Axis(0), &rows.iter().map(|row| row.view()).collect::<Vec<_>>()).unwrap()
}

/// Whether a window is among the worst tenth, as exchangeable recordings would be.
fn alarms_at_a_tenth(judgement: &Judgement, sound: &Sound) -> bool {
    10 * (judgement.lost + 1) <= sound.groups.len() + 1
}

fn alarms(detector: &Detector, windows: &Array2<f32>) -> usize {
    let judgements = detector.judge_all(&[windows.view(), windows.view()]).unwrap();
    judgements.iter().filter(|judgement| judgement.alarm()).count()
}

/// Share of new normal recordings with an alarm in any window, for each number of losses allowed.
fn measured(recordings: usize, draws: usize, allowed: &[usize]) -> Vec<f64> {
    let mut counts = vec![0; allowed.len()];
    for draw in 0..draws {
        let seed = Seed::new(7).child(recordings).child(draw);
        // Lengths are exchangeable too: the new one is as long as one of those learned from.
        let sound = Sound::new(seed, recordings, 4);
        let new = recording_of(seed.child("new"), 1 + draw % 4);
        let detector = Detector::fit(&sound.members(&UNKNOWN), Rule::Max).unwrap();
        let judgements = detector.judge_all(&[new.view(), new.view()]).unwrap();
        let least = judgements.iter().map(|judgement| judgement.lost).min().unwrap();
        for (count, &allowed) in counts.iter_mut().zip(allowed) {
            *count += usize::from(least <= allowed);
        }
    }
    counts.into_iter().map(|count| count as f64 / draws as f64).collect()
}

#[test]
fn normal_recordings_of_any_length_alarm_at_most_as_often_as_bounded() {
    let (recordings, draws) = (12, 400);
    let allowed = [0, 1, 2, 3];
    for (allowed, share) in allowed.into_iter().zip(measured(recordings, draws, &allowed)) {
        let bound = jackknife_plus_bound(allowed, recordings);
        // Three deviations of a share measured on so many draws.
        let slack = 3.0 * (bound * (1.0 - bound) / draws as f64).sqrt();
        assert!(share <= bound + slack, "{allowed}: {share} above {bound}");
        let nominal = (allowed + 1) as f64 / (recordings + 1) as f64;
        assert!(share >= 0.4 * nominal, "{allowed}: {share} says nothing, nominal {nominal}");
    }
}

#[test]
fn recordings_added_because_they_sounded_normal_void_the_promise() {
    // Additions by verdict keep the quiet half, and what is normal becomes what is quiet.
    let draws = 120;
    let share = |by_verdict: bool| {
        let alarmed = (0..draws).filter(|&draw| {
            let seed = Seed::new(8).child(draw);
            let mut sound = Sound::new(seed, 9, 1);
            for round in 0..3 {
                let seed = seed.child("round").child(round);
                let detector = sound.detector();
                let candidates = recordings_of(seed, 30);
                let judged = detector.judge_all(&[candidates.view(), candidates.view()]).unwrap();
                let kept = judged
                    .iter()
                    .enumerate()
                    .filter(|(_, judgement)| !by_verdict || !alarms_at_a_tenth(judgement, &sound));
                let kept: Vec<usize> = kept.map(|(index, _)| index).take(10).collect();
                sound.windows =
                    concatenate![Axis(0), sound.windows, candidates.select(Axis(0), &kept)];
                sound.groups.extend(kept.iter().map(|index| format!("added {round} {index}")));
            }
            let new = recordings_of(seed.child("new"), 1);
            let judged = sound.detector().judge_all(&[new.view(), new.view()]).unwrap();
            alarms_at_a_tenth(&judged[0], &sound)
        });
        alarmed.count() as f64 / f64::from(draws)
    };
    let (all, by_verdict) = (share(false), share(true));
    // A deviation of a share of a tenth is 0.027 here.
    assert!(all <= 0.1 + 3.0 * 0.027, "{all}");
    assert!(by_verdict >= 0.1 + 3.0 * 0.027, "{by_verdict}, unfiltered {all}");
}

#[test]
fn alarm_score_losses_and_p_value_say_the_same() {
    let sound = Sound::new(Seed::new(2), 20, 3);
    let members = sound.members(&UNKNOWN);
    let queries = concatenate![
        Axis(0),
        recording_of(Seed::new(3), 20),
        recording_of(Seed::new(4), 20) + 60.0
    ];
    let mut last = None;
    for allowed in [0, 2, 5] {
        let detector =
            Detector::fit(&members, Rule::Max).unwrap().with_allowed_losses(allowed).unwrap();
        let judgements = detector.judge_all(&[queries.view(), queries.view()]).unwrap();
        for judgement in &judgements {
            assert_eq!(judgement.alarm(), judgement.lost <= allowed);
            let bound = jackknife_plus_bound(judgement.lost, 20);
            assert!((judgement.p_value.value() - bound).abs() < 1e-12);
            assert!(judgement.p_value.is_bound());
            let loudest = judgement.loudest().unwrap();
            assert!((judgement.members[loudest].z.unwrap() - judgement.z).abs() < 1e-12);
        }
        let scores: Vec<f64> = judgements.iter().map(|judgement| judgement.score).collect();
        if let Some(last) = last.replace(scores.clone()) {
            assert!(scores.iter().zip(&last).all(|(now, before)| now >= before));
        }
        assert!(judgements.iter().any(Judgement::alarm));
        assert!(judgements.iter().any(|judgement| !judgement.alarm()));
    }
}

#[test]
fn a_window_is_judged_alone_as_among_others_and_on_any_number_of_threads() {
    let sound = Sound::new(Seed::new(4), 8, 3);
    let queries = recording_of(Seed::new(5), 9);
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let detector = Detector::fit(&sound.members(&UNKNOWN), Rule::Mean).unwrap();
            let all = detector.judge_all(&[queries.view(), queries.view()]).unwrap();
            let rows: [ArrayView1<f32>; 2] = [queries.row(4), queries.row(4)];
            assert_eq!(detector.judge(&rows).unwrap(), all[4]);
            all
        })
    };
    assert_eq!(on(1), on(3));
}

#[test]
fn few_recordings_give_blocks_in_time_and_no_guarantee() {
    for (recordings, windows) in [(1, 40), (4, 10)] {
        let mut sound = Sound { windows: Array2::zeros((0, 3)), groups: Vec::new() };
        for recording in 0..recordings {
            let next = recording_of(Seed::new(6).child(recording), windows);
            sound.groups.extend(vec![recording.to_string(); windows]);
            sound.windows = concatenate![Axis(0), sound.windows, next];
        }
        let detector = Detector::fit(&sound.members(&UNKNOWN), Rule::Max).unwrap();
        let Guarantee::Measured { blocks } = detector.guarantee() else { panic!("a guarantee") };
        assert!((10..=12).contains(&blocks), "{blocks}");
        assert!(!detector.false_alarms().is_bound());
        let far = Array2::from_elem((1, 3), 90.0);
        assert_eq!(alarms(&detector, &far), 1);
    }
}

#[test]
fn more_recordings_never_weaken_the_bound() {
    let bound = |recordings: usize| {
        let sound = Sound::new(Seed::new(9), recordings, 1);
        let detector = Detector::fit(&sound.members(&UNKNOWN)[..1], Rule::Max).unwrap();
        assert_eq!(detector.guarantee().comparisons(), recordings.min(MOST_COMPARED));
        detector.false_alarms().value()
    };
    let bounds = [19, 99, 100, 101, 203].map(bound);
    assert!(bounds.is_sorted_by(|few, many| few >= many), "{bounds:?}");
    assert!((bounds[4] - 1.0 / 101.0).abs() < 1e-12);
}

#[test]
fn normal_recordings_alarm_as_rarely_as_bounded_where_not_all_are_compared_with() {
    // 120 recordings, 100 of them compared with: at most 5 of 101 normal ones alarm with two
    // losses. 60 draws of 40 new recordings have a deviation of about 0.01 around what is true.
    let draws = 60;
    let alarms: usize = (0..draws)
        .map(|draw| {
            let seed = Seed::new(21).child(draw);
            let sound = Sound::new(seed.child("learned"), 120, 1);
            let detector = Detector::fit(&sound.members(&UNKNOWN)[..1], Rule::Max)
                .unwrap()
                .with_allowed_losses(2)
                .unwrap();
            let new = Sound::new(seed.child("new"), 40, 1).windows;
            let judged = detector.judge_all(&[new.view()]).unwrap();
            judged.iter().filter(|judgement| judgement.alarm()).count()
        })
        .sum();
    let share = alarms as f64 / (40 * draws) as f64;
    assert!(share <= 5.0 / 101.0 + 0.02 && share > 0.005, "{share}");
}

/// Members without and with a bank of known faults: windows that lie off along the second dimension.
fn with_known_faults(sound: &Sound) -> Vec<Member<'_>> {
    let mut members = sound.members(&UNKNOWN);
    let references = members[0].references;
    members.truncate(1);
    let mut rng = Seed::new(31).rng();
    let faults = (0..8).map(|_| vec![0.0, 6.0 + rng.random_range(-0.5..0.5_f32), 0.0]).collect();
    let known = KnownFaultsConfig { faults, ..KnownFaultsConfig::default() };
    let backend = BackendConfig::KnownFaults(known);
    members.push(Member { name: "known faults".to_owned(), backend, references });
    members
}

#[test]
fn known_faults_are_found_at_lower_levels_and_normals_alarm_no_more_often_than_bounded() {
    let (draws, recordings, new) = (60, 30, 40);
    let (mut alarms, mut found, mut found_without) = (0, 0, 0);
    for draw in 0..draws {
        let seed = Seed::new(22).child(draw);
        let sound = Sound::new(seed.child("learned"), recordings, 1);
        let members = with_known_faults(&sound);
        let fit = |members: &[Member]| {
            Detector::fit(members, Rule::Max).unwrap().with_allowed_losses(1).unwrap()
        };
        let (with, without) = (fit(&members), fit(&members[..1]));
        let normal = Sound::new(seed.child("new"), new, 1).windows;
        // Weaker than the faults of the bank, in their direction.
        let mut faulty = Sound::new(seed.child("faulty"), new, 1).windows;
        faulty.column_mut(1).mapv_inplace(|value| value + 4.0);
        let count = |detector: &Detector, windows: &Array2<f32>| {
            let views = vec![windows.view(); detector.fusion().names().count()];
            detector.judge_all(&views).unwrap().iter().filter(|judged| judged.alarm()).count()
        };
        alarms += count(&with, &normal);
        found += count(&with, &faulty);
        found_without += count(&without, &faulty);
    }
    let share = |count: usize| count as f64 / (new * draws) as f64;
    // Three of 31 at most; 2400 windows, 40 of a detector, deviate by about 0.01.
    assert!(share(alarms) <= 3.0 / 31.0 + 0.02, "{}", share(alarms));
    assert!(share(found) > share(found_without) + 0.05, "{found} {found_without}");
}

#[test]
fn a_bank_of_other_vectors_than_the_references_is_refused() {
    let sound = Sound::new(Seed::new(3), 8, 1);
    let mut members = with_known_faults(&sound);
    for faults in [vec![vec![0.0; 2]], vec![vec![f32::NAN; 3]], vec![vec![0.0; 3]; 1001]] {
        let known = KnownFaultsConfig { faults, ..KnownFaultsConfig::default() };
        members[1].backend = BackendConfig::KnownFaults(known);
        let refused = Detector::fit(&members, Rule::Max);
        assert!(matches!(refused, Err(ScoreError::Setting { .. })), "{refused:?}");
    }
}

#[test]
fn bounds_are_those_of_the_paper() {
    for (allowed, recordings, expected) in
        [(0, 4, 0.2), (0, 19, 0.05), (1, 19, 0.15), (2, 99, 0.05), (50, 4, 1.0)]
    {
        assert!((jackknife_plus_bound(allowed, recordings) - expected).abs() < 1e-12);
    }
    let guarantee = Guarantee::JackknifePlus { recordings: 99 };
    assert_eq!(guarantee.most_losses(0.05), Some(2));
    assert_eq!(guarantee.most_losses(0.049), Some(1));
    assert_eq!(guarantee.most_losses(0.009), None);
}

#[test]
fn a_constant_member_is_left_out_and_changes_nothing() {
    let sound = Sound::new(Seed::new(10), 12, 2);
    let constant = Array2::<f32>::ones(sound.windows.raw_dim());
    let mut members = sound.members(&UNKNOWN);
    let alone = Detector::fit(&members[..1], Rule::Max).unwrap();
    members[1].references = References::new(
        constant.view(),
        &UNKNOWN[..sound.groups.len()],
        &sound.groups,
        Seed::new(1),
    )
    .unwrap();
    let both = Detector::fit(&members, Rule::Max).unwrap();
    assert_eq!(both.fusion().left_out().collect::<Vec<_>>(), ["nearest"]);
    let queries = recording_of(Seed::new(11), 6);
    let ones = Array2::<f32>::ones(queries.raw_dim());
    let with = both.judge_all(&[queries.view(), ones.view()]).unwrap();
    let without = alone.judge_all(&[queries.view()]).unwrap();
    for (with, without) in with.iter().zip(&without) {
        assert_eq!(with.score.to_bits(), without.score.to_bits());
        assert_eq!(with.members[1].z, None);
    }
    members.remove(0);
    assert_eq!(Fusion::fit(&members, Rule::Max).map(|_| ()), Err(ScoreError::Constant));
}

#[test]
fn members_that_do_not_go_together_are_refused() {
    let (sound, other) = (Sound::new(Seed::new(12), 8, 2), Sound::new(Seed::new(12), 9, 2));
    let refused = |members: &[Member]| Detector::fit(members, Rule::Max).map(|_| ()).unwrap_err();
    assert_eq!(refused(&[]), ScoreError::NoMembers);
    let mut members = sound.members(&UNKNOWN);
    members.extend(other.members(&UNKNOWN).pop());
    assert_eq!(refused(&members), ScoreError::Members { name: "nearest".to_owned() });
    let two = Sound::new(Seed::new(12), 2, 1);
    let few = ScoreError::TooFewReferences { found: 2, expected: 3 };
    assert_eq!(refused(&two.members(&UNKNOWN)), few);
    let detector = Detector::fit(&sound.members(&UNKNOWN), Rule::Max).unwrap();
    let one = recording_of(Seed::new(1), 1);
    let count = ScoreError::MemberCount { found: 1, expected: 2 };
    assert_eq!(detector.judge_all(&[one.view()]).unwrap_err(), count);
    let nan = &one * f32::NAN;
    let judged = detector.judge_all(&[one.view(), nan.view()]);
    assert!(matches!(judged, Err(ScoreError::NonFinite { .. })));
    assert!(detector.with_allowed_losses(8).is_err());
}

#[test]
fn bystanders_are_compared_with_and_never_left_out() {
    let (own, beside) = (Sound::new(Seed::new(13), 9, 3), Sound::new(Seed::new(14), 6, 3));
    let groups: Vec<String> = own
        .groups
        .iter()
        .cloned()
        .chain(beside.groups.iter().map(|g| format!("beside {g}")))
        .collect();
    let windows = concatenate![Axis(0), own.windows, beside.windows];
    let marks: Vec<bool> = (0..groups.len()).map(|row| row >= own.groups.len()).collect();
    let fit = |marks: &[bool]| {
        let references =
            References::new(windows.view(), &UNKNOWN[..groups.len()], &groups, Seed::new(1))
                .unwrap();
        let references = references.with_bystanders(marks)?;
        let backend = BackendConfig::from_name("shrunk-mahalanobis").unwrap();
        Detector::fit(&[Member { name: "gauss".to_owned(), backend, references }], Rule::Max)
    };
    let detector = fit(&marks).unwrap();
    assert_eq!(detector.guarantee(), Guarantee::JackknifePlus { recordings: 9 });
    // What stands beside counts as normal: alone, the others are less so.
    let near: Array2<f32> = beside.windows.slice(ndarray::s![..4, ..]).to_owned();
    let alone = Detector::fit(&own.members(&UNKNOWN)[..1], Rule::Max).unwrap();
    let mean =
        |detector: &Detector| detector.fusion().score(&[near.view()]).unwrap().iter().sum::<f64>();
    assert!(mean(&detector) < mean(&alone));
    assert!(fit(&vec![true; groups.len()]).is_err());
    assert!(matches!(fit(&marks[1..]).map(|_| ()), Err(ScoreError::Length { .. })));
}
