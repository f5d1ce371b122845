//! Names: golden ones from real data sets, and laws over all that can be made.

use offkey_core::{
    Condition, DcaseName, Domain, Split,
    names::{FolderWord, NameForm, TableName, condition_prefix, is_audio, section_text, stem},
};
use proptest::prelude::*;

/// Section, domain, split, condition, number, attributes.
type Said<'a> = (&'a str, &'a str, &'a str, &'a str, &'a str, &'a str);

const GOLDEN: [(&str, Said); 21] = [
    ("normal_id_00_00000000.wav", ("00", "", "", "normal", "00000000", "")),
    ("anomaly_id_06_00000208.flac", ("06", "", "", "anomaly", "00000208", "")),
    ("id_01_00000000.wav", ("01", "", "", "", "00000000", "")),
    ("section_00_0000.wav", ("00", "", "", "", "0000", "")),
    ("section_03_source_test_0012.wav", ("03", "source", "test", "", "0012", "")),
    ("section_02_target_test_normal_0000.WAV", ("02", "target", "test", "normal", "0000", "")),
    (
        "section_00_source_train_normal_0362_car_C2_spd_31V_mic_1.flac",
        ("00", "source", "train", "normal", "0362", "car_C2_spd_31V_mic_1"),
    ),
    (
        "section_00_source_train_normal_0040_m-n_X.flac",
        ("00", "source", "train", "normal", "0040", "m-n_X"),
    ),
    (
        "section_00_source_train_normal_0853_vel_500_ac_0.30.flac",
        ("00", "source", "train", "normal", "0853", "vel_500_ac_0.30"),
    ),
    (
        "section_00_source_test_anomaly_0001_noAttribute.wav",
        ("00", "source", "test", "anomaly", "0001", "noAttribute"),
    ),
    (
        "section_00_source_test_anomaly_0001_ac_0.03_.wav",
        ("00", "source", "test", "anomaly", "0001", "ac_0.03_"),
    ),
    (
        "section_00_source_normal_0035_weight15_BckgF",
        ("00", "source", "", "normal", "0035", "weight15_BckgF"),
    ),
    (
        "section_04_target_test_normal_0000_ac_0.12.wav",
        ("04", "target", "test", "normal", "0000", "ac_0.12"),
    ),
    (
        "ToyTrain/test/section_03_source_test_anomaly_0048_car_H2_spd_7_mic_1_noise_6.wav",
        ("03", "source", "test", "anomaly", "0048", "car_H2_spd_7_mic_1_noise_6"),
    ),
    (
        "section_00_source_test_anomaly_0014_mis_sq_nz_vacuum.flac",
        ("00", "source", "test", "anomaly", "0014", "mis_sq_nz_vacuum"),
    ),
    (
        "section_00_source_supplemental_machine_0000.wav",
        ("00", "source", "supplemental", "", "0000", "machine"),
    ),
    (
        "section_00_noise_supplemental_normal_0000.wav",
        ("00", "", "supplemental", "", "0000", "noise_normal"),
    ),
    ("section_00_supplemental_0007.wav", ("00", "", "supplemental", "", "0007", "")),
    (
        "section_00_source_train_normal_0000_<script>.wav",
        ("00", "source", "train", "normal", "0000", "<script>"),
    ),
    (
        "section_00_source_train_normal_0000_größe 5 µm.wav",
        ("00", "source", "train", "normal", "0000", "größe 5 µm"),
    ),
    ("section_00_source_train_normal_0000__.wav", ("00", "source", "train", "normal", "0000", "_")),
];

fn words(name: &DcaseName) -> [String; 6] {
    let text = |word: Option<String>| word.unwrap_or_default();
    [
        name.section.clone(),
        text(name.domain.map(|domain| domain.to_string())),
        text(name.split.map(|split| split.to_string())),
        text(name.condition.map(|condition| condition.to_string())),
        name.number.clone(),
        name.attributes.clone(),
    ]
}

#[test]
fn real_names_of_all_years_are_understood() {
    for (file, (section, domain, split, condition, number, attributes)) in GOLDEN {
        let name = DcaseName::parse(file).unwrap_or_else(|| panic!("`{file}` was not understood"));
        assert_eq!(words(&name), [section, domain, split, condition, number, attributes], "{file}");
        let form = if file.contains("section_") { NameForm::Section } else { NameForm::MachineId };
        assert_eq!(name.form, form, "{file}");
    }
}

#[test]
fn other_names_are_no_challenge_names() {
    for file in [
        "",
        ".wav",
        "00000000.wav",
        "normal_00_mic_0.flac",
        "anomaly_00.flac",
        "1700.flac",
        "section_00.wav",
        "section__0000.wav",
        "section_ab_0000.wav",
        "section_00_source_train_normal.wav",
        "id_00.wav",
        "id_xx_00000000.wav",
        "broken_id_00_00000000.wav",
        "Section_00_0000.wav",
        "٣_section_00_0000.wav",
        "section_٣_0000.wav",
    ] {
        assert_eq!(DcaseName::parse(file), None, "{file}");
    }
}

#[test]
fn folder_words_are_read_in_any_case() {
    let source_test = FolderWord::Split(Split::Test, Some(Domain::Source));
    for (folder, word) in [
        ("normal", Some(FolderWord::Condition(Condition::Normal))),
        ("Abnormal", Some(FolderWord::Condition(Condition::Anomaly))),
        ("ANOMALY", Some(FolderWord::Condition(Condition::Anomaly))),
        ("train", Some(FolderWord::Split(Split::Train, None))),
        ("source_test", Some(source_test)),
        ("supplemental", Some(FolderWord::Split(Split::Supplemental, None))),
        ("id_02", Some(FolderWord::Section("02"))),
        ("Section_1", Some(FolderWord::Section("1"))),
        ("id_", None),
        ("id_pump", None),
        ("fan", None),
        ("", None),
    ] {
        assert_eq!(FolderWord::parse(folder), word, "{folder}");
    }
}

#[test]
fn score_and_truth_files_tell_their_machine_among_prefixes_and_suffixes() {
    let target = Some(Domain::Target);
    for (file, marker, machine, section, domain) in [
        ("anomaly_score_fan_section_00_test.csv", "anomaly_score_", "fan", "00", None),
        ("anomaly_score_ToyCar_id_01.csv", "anomaly_score_", "ToyCar", "01", None),
        (
            "anomaly_score_slider_section_02_target_test.csv",
            "anomaly_score_",
            "slider",
            "02",
            target,
        ),
        (
            "anomaly_score_DCASE2023T2ToyDrone_section_00_test_seed13711_Eval.csv",
            "anomaly_score_",
            "ToyDrone",
            "00",
            None,
        ),
        ("x_anomaly_score_mine_fan_section_1.csv", "anomaly_score_", "fan", "01", None),
        ("anomaly_score_bldc_section_M1_test.csv", "anomaly_score_", "bldc", "M1", None),
        ("anomaly_score_big_motor_section_00.csv", "anomaly_score_", "big_motor", "00", None),
        ("ground_truth_ToyTank_section_00_test.csv", "ground_truth_", "ToyTank", "00", None),
    ] {
        let name = TableName::parse(file, marker).unwrap_or_else(|| panic!("`{file}`"));
        assert_eq!(
            (name.machine.as_str(), name.section.as_str(), name.domain),
            (machine, section, domain)
        );
    }
    for file in ["result.csv", "anomaly_score_fan.csv", "anomaly_score__section_00.csv"] {
        assert_eq!(TableName::parse(file, "anomaly_score_"), None, "{file}");
    }
}

#[test]
fn sections_have_two_digits_where_they_are_numbers() {
    for (section, text) in [
        ("0", "00"),
        ("00", "00"),
        ("7", "07"),
        ("12", "12"),
        ("123", "123"),
        ("", "00"),
        ("M1", "M1"),
    ] {
        assert_eq!(section_text(section), text);
    }
}

#[test]
fn plain_names_may_begin_with_their_label() {
    for (file, condition) in [
        ("normal_00_mic_0.flac", Some(Condition::Normal)),
        ("Anomaly-3.wav", Some(Condition::Anomaly)),
        ("abnormal.wav", Some(Condition::Anomaly)),
        ("normality.wav", None),
        ("00000000.wav", None),
        ("é.wav", None),
    ] {
        assert_eq!(condition_prefix(file), condition, "{file}");
    }
}

fn word<T: Clone + std::fmt::Debug + 'static>(words: &'static [T]) -> impl Strategy<Value = T> {
    prop::sample::select(words)
}

proptest! {
    #[test]
    fn a_section_name_comes_back_from_its_parts(
        section in "[0-9]{1,3}",
        domain in word(&["", "source_", "target_"]),
        split in word(&["", "train_", "test_"]),
        condition in word(&["", "normal_", "anomaly_"]),
        number in "[0-9]{1,9}",
        attributes in "([^/\\\\._\u{0}][^/\\\\.\u{0}]{0,20})?",
        extension in word(&["", ".wav", ".WAV", ".flac", ".Flac"]),
    ) {
        prop_assume!(!attributes.split('_').any(|word| word == "supplemental"));
        let tail = if attributes.is_empty() { String::new() } else { format!("_{attributes}") };
        let whole = format!("section_{section}_{domain}{split}{condition}{number}{tail}");
        let name = DcaseName::parse(&format!("some folder/{whole}{extension}"));
        let name = name.expect("made by the rules");
        prop_assert_eq!(name.to_string(), whole);
        prop_assert_eq!(&name.attributes, &attributes);
        prop_assert_eq!(name.number, number);
    }

    #[test]
    fn a_machine_id_name_comes_back_from_its_parts(
        condition in word(&["", "normal_", "anomaly_"]),
        section in "[0-9]{2}",
        number in "[0-9]{8}",
    ) {
        let whole = format!("{condition}id_{section}_{number}");
        let name = DcaseName::parse(&whole).expect("made by the rules");
        prop_assert_eq!(name.to_string(), whole);
    }

    #[test]
    fn supplemental_names_are_never_references_nor_test_clips(
        before in "(source_|target_|noise_)?",
        after in "[a-z]{0,8}(_[a-z0-9]{1,8}){0,3}",
    ) {
        let name = DcaseName::parse(&format!("section_00_{before}supplemental_{after}.wav"));
        prop_assert_eq!(name.expect("supplemental").split, Some(Split::Supplemental));
    }

    #[test]
    fn no_text_breaks_the_readers(text in "\\PC{0,60}") {
        let _ = (FolderWord::parse(&text), condition_prefix(&text));
        let _ = TableName::parse(&text, "anomaly_score_");
        if let Some(name) = DcaseName::parse(&text) {
            prop_assert!(!name.section.is_empty());
        }
        prop_assert!(text.contains(stem(&text)));
        prop_assert_eq!(is_audio(&format!("{text}.wav")), true);
    }
}

#[test]
fn containers_of_films_are_recordings_in_folders_too() {
    for name in ["a.mkv", "a.MP4", "a.mov", "a.mka", "a.m4a"] {
        assert!(is_audio(name), "{name}");
    }
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["a.mkv", "b.flac", "notes.txt"] {
        std::fs::write(folder.path().join(name), b"").expect("room");
    }
    let found = offkey_core::Dataset::read(folder.path()).expect("recordings");
    assert_eq!(found.clips.len(), 2);
}
