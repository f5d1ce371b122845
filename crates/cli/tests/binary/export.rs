//! `offkey export` through the real binary, and recipes that name an encoder from elsewhere.

use crate::common::{Bench, QUICK, stderr};

const SYNTH: &str = "data synth --quiet --out data --machines 1 --clips 12 --clip-s 2 --seed 3";

#[test]
fn runs_and_monitors_are_exported_and_other_things_refused() {
    let bench = Bench::new();
    bench.ok(SYNTH);
    let short = "--set model.network.training.length={steps=5}";
    bench.ok(&format!("run --data data --out run {QUICK} {short}"));
    let told = bench.ok("export run --onnx out/run.onnx");
    assert!(told.contains("input  waveform [batch, 32000]"), "{told}");
    assert!(told.contains("output embedding [batch, 128]"), "{told}");
    assert!(told.contains("out/run.npz: "), "{told}");
    let (file, beside) = (bench.read("out/run.onnx"), bench.read("out/run.npz"));
    let has = |content: &[u8], text: &str| {
        content.windows(text.len()).any(|window| window == text.as_bytes())
    };
    for text in ["offkey.recipe_sha256", "offkey.references_sha256", "MatMul", "Conv", "Gemm"] {
        assert!(has(&file, text), "{text}");
    }
    for text in ["references_embedding.npy", "thresholds.npy", "check_waveform.npy"] {
        assert!(has(&beside, text), "{text}");
    }
    bench.ok("export run --onnx again.onnx");
    assert!(bench.read("again.onnx") == file && bench.read("again.npz") == beside, "same bytes");
    let told = bench.ok("export run --onnx features.onnx --input features");
    assert!(told.contains("input  stft_1024_1024 [batch, 31, 513]"), "{told}");

    bench.ok("run --data data --out fusion --recipe fusion --quiet --set model.pooled.clip_s=2.0");
    let told = bench.ok("export fusion --onnx fusion.onnx");
    for output in ["embedding [batch, 128]", "pooled_1 [batch, 256]", "pooled_3 [batch, 128]"] {
        assert!(told.contains(output), "{told}");
    }
    bench.ok("learn data --quiet --output machine.offkey");
    let told = bench.ok("export machine.offkey --onnx monitor.onnx");
    assert!(told.contains("output embedding_mean_spectrum [batch, 128]"), "{told}");

    let error = bench.fails(2, "export data --onnx none.onnx");
    assert!(error.contains("expected the folder of one run or the model file"), "{error}");
    assert!(!bench.path("none.onnx").exists());
    let error = bench.fails(2, "export nowhere --onnx none.onnx");
    assert!(error.contains("`nowhere` is absent"), "{error}");
}

#[test]
fn an_encoder_from_elsewhere_is_pinned() {
    let bench = Bench::new();
    bench.ok(SYNTH);
    bench.write("recipes/encoder.onnx", b"no encoder");
    let recipe = |sha256: &str| {
        format!(
            "name = \"foreign\"\n[model.onnx]\nfile = \"encoder.onnx\"\nsha256 = \"{sha256}\"\n\
             rate_hz = 16000\nclip_s = 2.0\n[backend.knn]\n"
        )
    };
    bench.write("recipes/foreign.toml", recipe("00").as_bytes());
    for line in ["run --data data --out run", "learn data --output machine.offkey"] {
        let output = bench.run(&format!("{line} --quiet --recipe recipes/foreign.toml"));
        let error = stderr(&output);
        assert!(!output.status.success(), "{error}");
        // As `sha256sum` prints it.
        assert!(error.contains("has the SHA-256 8749c4a964063add"), "{error}");
        assert!(error.contains("expected 00"), "{error}");
    }
}
