//! Model files of every form ever written load, and say what they said then.

use super::sound::{model, normal_sound, wav, with_tone};
use crate::common::Bench;

#[test]
fn a_file_of_the_first_form_still_loads_and_judges_as_it_did() {
    let bench = Bench::new();
    let info = bench.json(&format!("info {} --json", model()));
    assert_eq!(info["name"], "machine");
    let calibration = info["promise"]["windows"].as_u64().expect("a number");
    assert!(
        calibration > 5 && info["promise"]["at_most"].as_f64().is_some_and(|p| p < 0.2),
        "{info}"
    );

    let sound = normal_sound(&bench, 4);
    bench.write("normal.wav", &wav(&sound[..16_000]));
    bench.write("strange.wav", &wav(&with_tone(&sound)[..16_000]));
    bench.write("silent.wav", &wav(&vec![0; 16_000]));
    bench.write("short.wav", &wav(&sound[..4_000]));
    for (clip, code, verdict, p_value) in [
        ("normal.wav", 0, "normal", None),
        ("strange.wav", 3, "alarm", Some(1.0 / (calibration as f64 + 1.0))),
        ("silent.wav", 4, "cannot_tell", None),
        ("short.wav", 4, "cannot_tell", None),
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
        let known =
            ["expected_false_alarms", "p_kind", "p_value", "path", "reason", "score", "verdict"];
        assert!(keys.iter().all(|key| known.contains(&key.as_str())), "{keys:?}");
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

#[test]
fn a_model_of_the_first_form_is_judged_with_and_not_changed() {
    let bench = Bench::new();
    std::fs::copy(model(), bench.path("old.offkey")).expect("a copy");
    bench.write("normal.wav", &wav(&normal_sound(&bench, 1)));
    let error = bench.fails(1, "update --model old.offkey --normal normal.wav");
    assert!(error.contains("earlier form") && error.contains("learn the model again"), "{error}");
    assert_eq!(bench.read("old.offkey"), std::fs::read(model()).expect("the model"));
}
