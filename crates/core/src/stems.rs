//! Machines and sections as parts of file names, and which of them cannot be told apart there.

use std::collections::BTreeMap;

use crate::Clip;

/// Longest name of a machine and its section, in bytes; what stands around it in file names, and
/// the usual limit of 255 bytes, leave about so much.
const MOST_BYTES: usize = 211;

/// Machines or sections that no run can keep apart by file names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// Two sections have the same files.
    #[error(
        "{first} and {second} would share the files `{stem}`, since characters other than letters, \
        digits, `-`, `_` and `.` become `_` in file names; rename one of them"
    )]
    Collide {
        /// Machine and section of the first.
        first: String,
        /// Machine and section of the second.
        second: String,
        /// The name they share.
        stem: String,
    },
    /// No file system takes a name of this length.
    #[error(
        "machine and section `{name}` have {bytes} bytes in file names, expected at most {MOST_BYTES}"
    )]
    Long {
        /// The beginning of the name.
        name: String,
        /// Its length.
        bytes: usize,
    },
    /// A name holds the character that ends names.
    #[error("the machine or section `{name}` holds a NUL character")]
    Nul {
        /// The name, with `\\0` for it.
        name: String,
    },
}

/// A machine's or section's name as part of a file name: characters that a file system might not
/// take become `_`.
pub fn file_part(name: &str) -> String {
    let keep = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    name.chars().map(keep).collect()
}

/// What the files of a section are called, without extension.
pub fn file_stem(machine: &str, section: &str) -> String {
    format!("{}_section_{}", file_part(machine), file_part(section))
}

/// Whether the files of all sections can be told apart, asked before work is put into them.
///
/// # Errors
/// [`NameError`] for the first machine or section that cannot be used.
pub fn check_stems<'a>(clips: impl IntoIterator<Item = &'a Clip>) -> Result<(), NameError> {
    let mut stems: BTreeMap<String, (&str, &str)> = BTreeMap::new();
    let mut last = None;
    for clip in clips {
        let key = (clip.machine.as_str(), clip.section.as_str());
        if last.replace(key) == Some(key) {
            continue;
        }
        let (machine, section) = key;
        let name = format!("{machine} {section}");
        if name.contains('\0') {
            return Err(NameError::Nul { name: name.replace('\0', "\\0") });
        }
        let stem = file_stem(machine, section);
        if stem.len() > MOST_BYTES {
            let (bytes, name) = (stem.len(), name.chars().take(40).chain(['…']).collect());
            return Err(NameError::Long { name, bytes });
        }
        match stems.get(&stem) {
            Some(&first) if first != key => {
                let first = format!("`{}` section `{}`", first.0, first.1);
                let second = format!("`{machine}` section `{section}`");
                return Err(NameError::Collide { first, second, stem });
            }
            _ => stems.insert(stem, key),
        };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::Split;

    fn check(sections: &[(&str, &str)]) -> Result<(), NameError> {
        let clip = |&(machine, section): &(&str, &str)| Clip {
            path: PathBuf::from("a.wav"),
            name: "a.wav".to_owned(),
            machine: machine.to_owned(),
            section: section.to_owned(),
            domain: None,
            split: Split::Test,
            condition: None,
            attributes: String::new(),
            group: String::new(),
        };
        check_stems(&sections.iter().map(clip).collect::<Vec<_>>())
    }

    #[test]
    fn sections_that_share_files_are_refused() {
        for pair in [
            [("a/b", "00"), ("a_b", "00")],
            [("a b", "00"), ("a_b", "00")],
            [("fan_section_00", "01"), ("fan", "00_section_01")],
        ] {
            assert!(matches!(check(&pair), Err(NameError::Collide { .. })), "{pair:?}");
        }
        assert_eq!(check(&[("a/b", "00"), ("a/b", "01"), ("a/b", "00"), ("fan", "00")]), Ok(()));
    }

    #[test]
    fn names_that_no_file_can_have_are_refused() {
        let long = "x".repeat(65_536);
        let error = check(&[(&long, "00")]).expect_err("too long");
        assert!(error.to_string().len() < 200, "the message is not as long: {error}");
        assert!(matches!(check(&[("a\0b", "00")]), Err(NameError::Nul { .. })));
        assert_eq!(check(&[(&"x".repeat(200), "00")]), Ok(()));
        assert!(matches!(check(&[(&"ü".repeat(101), "00")]), Err(NameError::Long { .. })));
    }
}
