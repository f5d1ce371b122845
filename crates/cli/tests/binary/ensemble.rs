//! Several networks in one run and in one model file.

use crate::common::{Bench, QUICK, files};

const SYNTH: &str =
    "data synth --quiet --out data --machines 2 --clips 32 --clip-s 2 --snr 10 --seed 3";

const THREE: &str = "--set model.network.ensemble=3";

#[test]
fn an_ensemble_is_one_run_of_several_networks_and_goes_on_after_a_stop() {
    let bench = Bench::new();
    bench.ok(SYNTH);
    bench.ok(&format!("run --data data --out one --seed 4 {QUICK}"));
    bench.ok(&format!("run --data data --out three --seed 4 {QUICK} {THREE}"));
    let weights = |path: &str| bench.read(&format!("{path}/weights.safetensors"));
    let networks = ["three/model", "three/model/network_2", "three/model/network_3"].map(weights);
    assert!(
        networks[0] == weights("one/model"),
        "the first network is that of a run without an ensemble"
    );
    assert!(networks[0] != networks[1] && networks[1] != networks[2], "each has a seed of its own");
    assert!(bench.path("three/model/network_2/losses.csv").is_file());
    assert!(!bench.path("three/model/network_4").exists());
    let columns = |run: &str| bench.read(&format!("{run}/embeddings/embeddings.npy")).len() - 128;
    assert_eq!(columns("three"), 3 * columns("one"), "embeddings stand side by side");

    let clip = &files(&bench.path("data"), "wav")[0];
    let scored = bench.json(&format!("score {} --run three --json", clip.display()));
    assert!(
        scored[0]["score"].as_f64().is_some_and(|score| (0.0..=2.0).contains(&score)),
        "{scored}"
    );
    let refused = bench.fails(2, "export three --onnx three.onnx");
    assert!(refused.contains("an ensemble of networks"), "{refused}");
    assert!(refused.contains("model.network.ensemble=1"), "{refused}");

    let mut stopped = bench.start(&format!("run --data data --out parts --seed 4 {QUICK} {THREE}"));
    bench.wait_for("parts/model/network_2/checkpoint.safetensors");
    Bench::interrupt(&stopped);
    stopped.wait().expect("it ends");
    let refused = bench.fails(1, "embed parts");
    assert!(refused.contains("offkey train parts --resume"), "{refused}");
    let first = bench.modified("parts/model/weights.safetensors");
    bench.ok(&format!("run --data data --out parts --seed 4 --resume {QUICK} {THREE}"));
    assert_eq!(bench.modified("parts/model/weights.safetensors"), first, "what is trained stays");
    for name in ["model/network_2/weights.safetensors", "embeddings/embeddings.npy"] {
        let [parts, whole] = ["parts", "three"].map(|run| bench.read(&format!("{run}/{name}")));
        assert!(parts == whole, "{name}");
    }
}
