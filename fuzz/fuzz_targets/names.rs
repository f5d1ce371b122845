//! Any text as a file or folder name.

#![no_main]

use libfuzzer_sys::fuzz_target;
use offkey_core::{
    DcaseName, Split,
    names::{FolderWord, TableName, condition_prefix, is_audio, section_text, stem},
};

fuzz_target!(|text: &str| {
    let _ = (FolderWord::parse(text), condition_prefix(text), is_audio(text));
    let _ = (TableName::parse(text, "anomaly_score_"), TableName::parse(text, "ground_truth_"));
    assert_eq!(section_text(&section_text(text)), section_text(text), "sections settle at once");
    if let Some(name) = DcaseName::parse(text)
        && name.split != Some(Split::Supplemental)
    {
        let written = name.to_string();
        assert_eq!(DcaseName::parse(&format!("{written}.wav")).as_ref(), Some(&name), "read back from `{written}`");
        assert_eq!(stem(text).trim_end_matches('_'), written.trim_end_matches('_'));
    }
});
