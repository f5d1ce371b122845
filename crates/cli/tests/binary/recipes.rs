//! Recipes checked before any work, changed from the command line, and built on each other.

use crate::common::Bench;

#[test]
fn a_value_out_of_range_is_refused_before_data_are_read_or_a_folder_is_made() {
    let bench = Bench::new();
    let cases = [
        ("default", "model.network.training.learning_rate=-1"),
        ("default", "model.network.training.batch_clips=0"),
        ("default", "model.network.training.masking.time_masks=1000000000"),
        ("default", "model.network.encoder.clip_s=inf"),
        ("default", "model.network.encoder.clip_s=1e300"),
        ("default", "model.network.encoder.rate_hz=2"),
        ("default", "model.network.encoder.branches.1.stft.dims=1000000000000"),
        ("default", "backend.knn.neighbors=0"),
        ("default", "backend.k-means.restarts=1000000000"),
        ("default", "threshold.percentile.q=3"),
        ("default", "threshold.held-out.share=0.9"),
        ("default", "audio.holdout=nan"),
        ("default", "audio.holdout=-1"),
        ("log-mel-statistics", "model.statistics.clip_s=1e6"),
        ("log-mel-statistics", "model.statistics.features.log-mel.mels=0"),
        ("autoencoder", "model.autoencoder.network.learning_rate=0"),
        ("autoencoder", "model.autoencoder.network.waist=1000000000"),
    ];
    for (recipe, setting) in cases {
        let line = format!("run --data absent --out run --recipe {recipe} --set {setting}");
        let error = bench.fails(2, &line);
        let (key, _) = setting.split_once('=').expect("a setting");
        assert!(error.contains(key), "`{key}` is not named: {error}");
        assert!(!bench.path("run").exists(), "{setting}");
    }
}

#[test]
fn every_key_can_be_set_alternatives_included_and_a_mistake_is_named_as_typed() {
    let bench = Bench::new();
    // Data that are absent are found out after the recipe was read.
    for setting in [
        "model.network.training.length.steps=20",
        "model.network.loss.aam.margin=0.3",
        "model.network.encoder.branches.1.stft.hop=128",
        "model.network.pseudo_attributes=3",
        "model.network.training.self_supervision=both",
        "backend.gmm.components=2",
        "backend.domain-norm.of.knn.neighbors=2",
        "threshold.gamma.quantile=0.95",
        "audio.channel.pick=1",
        "audio.length=pad",
    ] {
        let error = bench.fails(1, &format!("run --data absent --out run --set {setting}"));
        assert!(error.contains("absent"), "{setting}: {error}");
    }
    let mistakes = [
        ("model.network.training.lenght.steps=20", "`model.network.training.length.steps`"),
        ("training.learning_rate=0.1", "`model.network.training.learning_rate`"),
        ("backend.knnn.neighbors=1", "`backend.knn.neighbors`"),
        ("model.network.training.batch_clips=many", "model.network.training.batch_clips"),
        ("model.network.encoder.branches.9.stft.hop=2", "fewer items"),
        ("name.first=x", "nothing below `name`"),
    ];
    for (setting, expected) in mistakes {
        let error = bench.fails(2, &format!("run --data absent --out run --set {setting}"));
        assert!(error.contains(expected), "`{setting}`: {error}");
        assert!(!error.contains("line"), "no line of a file that nobody wrote: {error}");
    }
}

#[test]
fn a_recipe_says_only_what_it_changes_of_its_base() {
    let bench = Bench::new();
    let base = "base = \"small\"\nname = \"mine\"\n\
                [model.network.training.length]\nsteps = 7\n[backend.gmm]\ncomponents = 2\n";
    bench.write("recipes/mine.toml", base.as_bytes());
    bench.write("recipes/further.toml", b"base = \"mine.toml\"\nname = \"further\"\n");
    let further = bench.ok("recipes recipes/further.toml --resolved");
    let changed = bench.ok("recipes recipes/mine.toml --resolved");
    assert_eq!(further, changed.replace("\"mine\"", "\"further\""));
    for part in ["steps = 7", "[backend.gmm]", "components = 2", "name = \"mine\""] {
        assert!(changed.contains(part), "{part}: {changed}");
    }
    assert!(!changed.contains("[backend.knn]") && !changed.contains("base ="), "{changed}");
    bench.write("round.toml", b"base = \"round.toml\"\n");
    assert!(bench.fails(2, "recipes round.toml --resolved").contains("base"));
    let error = bench.fails(2, "run --data absent --out run --recipe defualt");
    assert!(error.contains("did you mean `default`"), "{error}");
}

#[test]
fn a_built_in_recipe_is_printed_with_its_comments() {
    let bench = Bench::new();
    let printed = bench.ok("recipes default");
    assert!(printed.contains('#') && printed.starts_with("name = \"default\""), "{printed}");
}

#[test]
fn a_setting_of_a_network_is_refused_by_name_where_there_is_none() {
    let bench = Bench::new();
    let set = "--set model.network.training.length.steps=2";
    let told = bench.fails(2, &format!("run --data DATA --out run --recipe fusion {set}"));
    assert!(told.contains("recipe `fusion` has no `model.network`"), "{told}");
    assert!(told.contains("training.length.steps") && told.contains("--recipe small"), "{told}");
}
