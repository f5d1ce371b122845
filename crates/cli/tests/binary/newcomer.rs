//! Recordings as people have them: other rates and channels, odd names, too few of everything.

use std::f32::consts::TAU;

use crate::common::{Bench, QUICK, stderr};

const STATISTICS: &str = "--recipe log-mel-statistics --quiet";

/// Two seconds of a humming machine as 16-bit WAV; `variant` tells recordings apart.
fn recording(rate_hz: u32, channels: u16, variant: u32) -> Vec<u8> {
    let frames = 2 * rate_hz;
    let data_bytes = frames * u32::from(channels) * 2;
    let mut wav = Vec::with_capacity(44 + data_bytes as usize);
    wav.extend(b"RIFF");
    wav.extend((36 + data_bytes).to_le_bytes());
    wav.extend(b"WAVEfmt ");
    wav.extend(16_u32.to_le_bytes());
    wav.extend(1_u16.to_le_bytes());
    wav.extend(channels.to_le_bytes());
    wav.extend(rate_hz.to_le_bytes());
    wav.extend((rate_hz * u32::from(channels) * 2).to_le_bytes());
    wav.extend((channels * 2).to_le_bytes());
    wav.extend(16_u16.to_le_bytes());
    wav.extend(b"data");
    wav.extend(data_bytes.to_le_bytes());
    let mut noise = 1 + variant;
    for frame in 0..frames {
        let time_s = frame as f32 / rate_hz as f32;
        let hum = (TAU * (90.0 + variant as f32) * time_s).sin();
        for _ in 0..channels {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let hiss = (noise >> 16) as f32 / 32_768.0 - 1.0;
            wav.extend(((hum + 0.3 * hiss) * 8_000.0).round().to_le_i16());
        }
    }
    wav
}

trait ToI16 {
    fn to_le_i16(self) -> [u8; 2];
}

impl ToI16 for f32 {
    fn to_le_i16(self) -> [u8; 2] {
        (self as i16).to_le_bytes()
    }
}

/// Writes `count` recordings below a folder, from variant `first` on.
fn record(bench: &Bench, folder: &str, count: u32, first: u32) {
    for index in 0..count {
        let name = format!("{folder}/take {index} (50 %, \"loud\" & <b>é</b>).wav");
        bench.write(&name, &recording(16_000, 1, first + index));
    }
}

#[test]
fn eight_channels_at_44100_hz_and_odd_names_are_no_trouble() {
    let bench = Bench::new();
    for (folder, first, count) in [("normal", 0, 8), ("anomaly", 60, 3)] {
        for index in 0..count {
            let name = format!("my data/Pumpe #1, Süd/{folder}/öl & 'staub' {index};.wav");
            bench.write(&name, &recording(44_100, 8, first + index));
        }
    }
    let run = ["run", "--data", "my data", "--out", "a run", "--recipe", "log-mel-statistics"];
    let output = bench.run_words(&[&run[..], &["--quiet", "--json"]].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    let metrics: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(metrics["per_section"][0]["machine"], "Pumpe #1, Süd");
    assert!(metrics["auc"].as_f64().is_some_and(|auc| auc > 0.9), "{metrics}");
    let page = String::from_utf8(bench.read("a run/report.html")).expect("text");
    assert!(page.contains("Pumpe #1, Süd"));
}

#[test]
fn names_never_become_markup() {
    let bench = Bench::new();
    record(&bench, "set/<script>alert(1)</script>/normal", 8, 0);
    record(&bench, "set/<script>alert(1)</script>/anomaly", 2, 60);
    bench.ok(&format!("run --data set --out run {STATISTICS}"));
    let page = String::from_utf8(bench.read("run/report.html")).expect("text");
    assert!(!page.contains("<script>alert(1)") && !page.contains("<b>é</b>"));
}

#[test]
fn one_class_is_too_few_for_a_margin_and_that_is_said() {
    let bench = Bench::new();
    record(&bench, "pump/normal", 24, 0);
    record(&bench, "pump/anomaly", 2, 60);
    let error = bench.fails(1, &format!("run --data pump --out run {QUICK}"));
    assert!(error.contains("class"), "{error}");
    assert!(
        error.contains("statistics") || error.contains("learn"),
        "no way out is named: {error}"
    );
    bench.ok(&format!("run --data pump --out run {STATISTICS} --force"));
}

#[test]
fn one_clip_a_section_is_scored_or_refused_by_name() {
    let bench = Bench::new();
    for (machine, first) in [("fan", 0), ("pump", 100)] {
        for (folder, count, offset) in [("train", 1, 0), ("test", 2, 1)] {
            for index in 0..count {
                let label = if index == 0 { "normal" } else { "anomaly" };
                let name = format!(
                    "set/{machine}/{folder}/section_00_source_{folder}_{label}_{index:04}.wav"
                );
                bench.write(&name, &recording(16_000, 1, first + offset + 40 * index));
            }
        }
    }
    let output = bench.run(&format!("run --data set --out run {STATISTICS}"));
    let error = stderr(&output);
    assert!(!error.contains("panicked"), "{error}");
    assert!(output.status.success() || error.contains("fan"), "{error}");
}

#[test]
fn what_cannot_be_compared_is_left_out_and_named() {
    let bench = Bench::new();
    record(&bench, "set/fan/normal", 8, 0);
    record(&bench, "set/fan/anomaly", 2, 60);
    record(&bench, "set/pump/anomaly", 3, 80);
    let output = bench.run(&format!("run --data set --out run {STATISTICS}"));
    let warning = stderr(&output);
    assert!(output.status.success(), "{warning}");
    assert!(warning.contains("3 of 7 test clips") && warning.contains("pump"), "{warning}");
    let skipped = String::from_utf8(bench.read("run/skipped.csv")).expect("text");
    assert_eq!(skipped.matches("no normal training clip of pump 00").count(), 3, "{skipped}");

    let rows = "path,split,label,section\nfan/normal/a.wav,train,normal,01\nfan/normal/b.wav,test,normal,02\n";
    bench.write("other/manifest.csv", rows.as_bytes());
    for (seed, name) in ["a", "b"].into_iter().enumerate() {
        bench.write(&format!("other/fan/normal/{name}.wav"), &recording(16_000, 1, seed as u32));
    }
    let error = bench.fails(1, &format!("run --data other --out none {STATISTICS}"));
    assert!(error.contains("section 02") && error.contains("inspect"), "{error}");
}

#[test]
fn of_a_long_recording_only_a_stretch_is_scored_and_that_is_said() {
    let bench = Bench::new();
    record(&bench, "set/fan/normal", 8, 0);
    let minute = recording(16_000, 1, 60);
    let (header, samples) = minute.split_at(44);
    let repeated = samples.repeat(45);
    let mut long = header.to_vec();
    long[4..8].copy_from_slice(&(36 + repeated.len() as u32).to_le_bytes());
    long[40..44].copy_from_slice(&(repeated.len() as u32).to_le_bytes());
    long.extend(repeated);
    bench.write("set/fan/anomaly/whole shift.wav", &long);
    let output = bench.run(&format!("run --data set --out run {STATISTICS}"));
    let warning = stderr(&output);
    assert!(output.status.success(), "{warning}");
    assert!(warning.contains("whole shift.wav") && warning.contains("10 s"), "{warning}");
}

#[test]
fn no_target_domain_and_no_labels_leave_their_numbers_out() {
    let bench = Bench::new();
    record(&bench, "set/fan/normal", 8, 0);
    record(&bench, "set/fan/anomaly", 2, 60);
    let metrics = bench.json(&format!("run --data set --out run --json {STATISTICS}"));
    assert!(metrics["auc_target"].is_null() && metrics["auc"].is_number(), "{metrics}");

    for index in 0..6 {
        let train = format!("blind/fan/train/section_00_source_train_normal_{index:04}.wav");
        bench.write(&train, &recording(16_000, 1, index));
        bench.write(
            &format!("blind/fan/test/section_00_{index:04}.wav"),
            &recording(16_000, 1, 20 + index),
        );
    }
    let metrics = bench.json(&format!("run --data blind --out blind_run --json {STATISTICS}"));
    assert!(metrics["auc"].is_null() && metrics["official_score"].is_null(), "{metrics}");
    assert!(bench.path("blind_run/report.html").is_file());
}

#[test]
fn an_output_that_cannot_be_written_is_named() {
    let bench = Bench::new();
    record(&bench, "set/fan/normal", 6, 0);
    record(&bench, "set/fan/anomaly", 2, 60);
    bench.write("file", b"not a folder");
    let error = bench.fails(1, &format!("run --data set --out file/run {STATISTICS}"));
    assert!(error.contains("file/run"), "{error}");
    assert_eq!(bench.read("file"), b"not a folder");
}
