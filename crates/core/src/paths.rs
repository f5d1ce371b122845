//! Names of files where people and other programs read them: in messages, tables and JSON.

use std::{
    borrow::Cow,
    fmt::Write,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Deserializer, Serializer};

/// A text that is safe to print on one line: control characters, line breaks among them, and
/// characters that turn the direction of writing are shown by their escapes, as `\u{1b}`.
///
/// A file's name may hold anything; printed as it is, it could clear a screen, forge lines of a
/// log, or show letters in another order than they stand.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_unsafe(c) {
            let _ = write!(safe, "{}", c.escape_default());
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

/// As [`printable`], of a text whose line breaks and tabs are its own.
pub fn printable_lines(text: &str) -> String {
    text.split('\n')
        .map(|line| line.split('\t').map(printable).collect::<Vec<_>>().join("\t"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Control characters, and those of Unicode that change the direction of writing, end lines or are
/// invisible by design.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Writes a path for `#[serde(serialize_with = "offkey_core::paths::serialize")]` or, both ways,
/// `#[serde(with = "offkey_core::paths")]`. Names that are not UTF-8, which JSON and CSV cannot hold,
/// are written with U+FFFD in place of what cannot be; serde's own form of a path is an error then,
/// and all that was to be written with it would be lost.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

/// Reads a path that [`serialize`] wrote.
///
/// # Errors
/// Those of the deserializer.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
    PathBuf::deserialize(deserializer)
}

/// The same for paths that may be absent.
pub mod option {
    use super::{Deserialize, Deserializer, PathBuf, Serializer};

    /// As [`super::serialize`].
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(
        path: &Option<PathBuf>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match path {
            Some(path) => serializer.serialize_some(&path.to_string_lossy()),
            None => serializer.serialize_none(),
        }
    }

    /// As [`super::deserialize`].
    ///
    /// # Errors
    /// Those of the deserializer.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<PathBuf>, D::Error> {
        Option::deserialize(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Serialize;

    use super::*;

    #[test]
    fn what_acts_on_a_terminal_is_shown_by_its_escape() {
        for (text, shown) in [
            ("pump 3.wav", "pump 3.wav"),
            ("Pumpe Süd 🔧 – 100%.wav", "Pumpe Süd 🔧 – 100%.wav"),
            ("\u{1b}[2J", "\\u{1b}[2J"),
            ("\u{1b}]0;title\u{7}", "\\u{1b}]0;title\\u{7}"),
            ("line\nbreak\t\r", "line\\nbreak\\t\\r"),
            ("abc\u{202e}vaw.exe", "abc\\u{202e}vaw.exe"),
            ("\u{9b}31m", "\\u{9b}31m"),
        ] {
            assert_eq!(printable(text), shown);
        }
        assert_eq!(printable_lines("a\n\u{1b}b\tc"), "a\n\\u{1b}b\tc");
    }

    proptest! {
        #[test]
        fn nothing_printable_is_unsafe_and_ordinary_text_stays(text in any::<String>()) {
            let shown = printable(&text);
            prop_assert!(!shown.chars().any(is_unsafe));
            prop_assert_eq!(printable(&shown), shown.as_ref());
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_name_that_is_not_utf_8_is_written_as_far_as_it_can_be() {
        use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

        #[derive(Serialize)]
        struct Row {
            #[serde(with = "super")]
            path: PathBuf,
            #[serde(with = "super::option")]
            clip: Option<PathBuf>,
        }
        let path = PathBuf::from(OsStr::from_bytes(b"m\xfchle.wav"));
        let row = Row { clip: Some(path.clone()), path };
        let text = serde_json::to_string(&row).expect("text");
        assert_eq!(text, "{\"path\":\"m\u{fffd}hle.wav\",\"clip\":\"m\u{fffd}hle.wav\"}");
    }
}
