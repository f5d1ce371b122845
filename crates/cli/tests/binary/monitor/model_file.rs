//! Model files of every form ever written load, and say what they said then.

use super::sound::{model, normal_sound, wav, with_tone};
use crate::common::Bench;

#[test]
fn a_file_of_the_first_form_still_loads_and_judges_as_it_did() {
    let bench = Bench::new();
    let info = bench.json(&format!("info {} --json", model()));
    assert_eq!(info["name"], "machine");
    let calibration = info["calibration"].as_array().expect("rows").len();
    assert_eq!(info["promise"]["calibration_windows"], calibration);

    let sound = normal_sound(&bench, 4);
    bench.write("normal.wav", &wav(&sound[..16_000]));
    bench.write("strange.wav", &wav(&with_tone(&sound)[..16_000]));
    bench.write("silent.wav", &wav(&vec![0; 16_000]));
    bench.write("short.wav", &wav(&sound[..4_000]));
    for (clip, code, verdict, p_value) in [
        ("normal.wav", 0, "normal", None),
        ("strange.wav", 3, "alarm", Some(1.0 / (calibration as f64 + 1.0))),
        ("silent.wav", 0, "cannot_tell", None),
        ("short.wav", 0, "cannot_tell", None),
    ] {
        let output = bench.run(&format!("check {clip} --model {} --json", model()));
        assert_eq!(output.status.code(), Some(code), "{clip}");
        let checked: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let checked = &checked["clips"][0];
        assert_eq!(checked["verdict"], verdict, "{checked}");
        if let Some(p_value) = p_value {
            assert_eq!(checked["p_value"], p_value, "{checked}");
        }
        let keys: Vec<&String> = checked.as_object().expect("an object").keys().collect();
        assert_eq!(keys, ["p_value", "path", "reason", "score", "verdict"]);
    }
}

#[test]
fn a_file_of_a_later_form_is_refused_by_name() {
    let bench = Bench::new();
    let mut bytes = std::fs::read(model()).expect("the committed model");
    let form = b"\"format\":\"1\"";
    let place = bytes.windows(form.len()).position(|part| part == form).expect("its form");
    bytes[place + form.len() - 2] = b'9';
    bench.write("later.offkey", &bytes);
    let error = bench.fails(1, "info later.offkey");
    assert!(error.contains("form 9"), "{error}");
    assert!(error.contains("newer offkey"), "{error}");
}

#[test]
fn a_file_too_large_to_be_a_model_is_refused_unread() {
    let bench = Bench::new();
    bench.write("huge.offkey", b"");
    let file = std::fs::File::options().write(true).open(bench.path("huge.offkey"));
    file.and_then(|file| file.set_len(2 << 30)).expect("a sparse file");
    let error = bench.fails(1, "info huge.offkey");
    assert!(error.contains("2147483648 bytes"), "{error}");
}
