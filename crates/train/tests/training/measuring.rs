//! What is measured while training, and the statistics of the norms, whatever the order of the clips.

use offkey_infer::{Compute, Encoder, weights::NamedTensors};
use offkey_train::TrainLength;

use super::hums::{Hums, Recorder, Setting, weights};

#[test]
fn compactness_is_measured_where_asked_for_and_held_out_clips_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut setting = Setting::new();
    setting.train.measure_compactness = true;
    setting.train.mixup = 0.0;
    setting.train.learning_rate = 5e-3;
    setting.train.length = TrainLength::Epochs(20);
    let epochs_with = |setting: &Setting| {
        let mut recorder = Recorder::default();
        setting.run(folder.path(), false, &mut recorder).unwrap();
        recorder.epochs
    };
    let all = epochs_with(&setting);
    assert!(all.iter().all(|epoch| epoch.held_out.is_none()));
    let (first, last) = (all[0].train.unwrap(), all[19].train.unwrap());
    assert!(last.intra < 0.5 * first.intra, "{first:?}, {last:?}");
    assert!(last.own_centre.unwrap() < first.own_centre.unwrap(), "{first:?}, {last:?}");
    assert!(last.loss < first.loss, "{first:?}, {last:?}");
    assert!(last.between.unwrap() > 0.5 && last.inter.unwrap() > last.intra, "{last:?}");
    assert_eq!(last.accuracy, Some(1.0));

    setting.train.held_out = 0.2;
    let some = epochs_with(&setting);
    let last = some[19].held_out.unwrap();
    assert!(last.accuracy.unwrap() > 0.5 && last.inter.unwrap() > last.intra, "{last:?}");
    assert_ne!(some[19].train, all[19].train, "clips that are held out teach nothing");
}

/// Sixty hums that never change, in one order or another, and a training that hardly moves: nothing
/// has been learnt that another order would have taught otherwise.
fn untaught(sorted: bool, batch_clips: usize) -> Setting {
    let mut setting = Setting::new();
    setting.source = Hums { clips: 60, broken: None, sorted: Some(sorted) };
    setting.labels = setting.source.labels();
    setting.train.learning_rate = 1e-9;
    setting.train.batch_clips = batch_clips;
    setting.train.length = TrainLength::Epochs(1);
    setting
}

#[test]
fn held_out_clips_are_measured_without_being_asked_for_and_change_nothing_else() {
    let epochs = |measure: bool, held_out: f64| {
        let folder = tempfile::tempdir().unwrap();
        let mut setting = Setting::new();
        setting.train.held_out = held_out;
        setting.train.measure_compactness = measure;
        let mut recorder = Recorder::default();
        setting.run(folder.path(), false, &mut recorder).unwrap();
        (weights(folder.path()), recorder.epochs)
    };
    let (bytes, measured) = epochs(false, 0.2);
    assert!(measured.iter().all(|epoch| epoch.held_out.unwrap().accuracy.is_some()));
    assert!(measured.iter().all(|epoch| epoch.train.is_some()));
    assert_eq!(bytes, epochs(true, 0.2).0);
    let (_, plain) = epochs(false, 0.0);
    assert!(plain.iter().all(|epoch| epoch.train.is_none() && epoch.held_out.is_none()));
}

#[test]
fn recomputed_statistics_are_those_of_all_clips_whatever_the_order_of_the_source() {
    let statistics = |sorted: bool, batch_clips: usize| {
        let folder = tempfile::tempdir().unwrap();
        let setting = untaught(sorted, batch_clips);
        setting.run(folder.path(), false, &mut Recorder::default()).unwrap();
        let encoder = Encoder::load(folder.path(), Compute::default()).unwrap();
        encoder.weights().clone()
    };
    let whole = statistics(false, 60);
    for sorted in [true, false] {
        let found = statistics(sorted, 20);
        for (name, truth) in whole.0.iter().filter(|(name, _)| name.ends_with("running_variance")) {
            let mean_name = name.replace("variance", "mean");
            let values = |from: &NamedTensors, name: &str| from.0[name].values.clone();
            let (variances, means) = (values(&found, name), values(&found, &mean_name));
            let floor = 1e-3;
            let features = truth.values.iter().zip(&variances).zip(&whole.0[&mean_name].values);
            let off = features.zip(&means).map(|(((&truth, &found), &true_mean), &mean)| {
                let of_variance = ((found + floor) / (truth + floor) - 1.0).abs();
                of_variance.max((true_mean - mean).abs() / (truth + floor).sqrt())
            });
            let off = off.sum::<f32>() / truth.values.len() as f32;
            // What a norm sees of the input itself is exact. Deeper norms see what a batch's own
            // statistics left, and that moves a little with the clips that meet in a batch.
            let is_first = name.ends_with("bin_norm.running_variance");
            let tolerance = if is_first { 1e-4 } else { 0.15 };
            assert!(off < tolerance, "sorted {sorted}: {name} is off by {off}");
        }
    }
}
