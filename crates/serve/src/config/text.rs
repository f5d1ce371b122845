//! Small files of text: a configuration, a secret. Whatever a path leads to, no more than that is read.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

/// Bytes of such a file at most.
const MOST_BYTES: u64 = 4 << 20;

/// The text of a small file.
///
/// # Errors
/// [`io::Error`] when it cannot be read, is no text, or is larger than any such file is.
pub(crate) fn text_of(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    let wrong = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
    if bytes.len() as u64 > MOST_BYTES {
        return Err(wrong(format!("it is larger than {MOST_BYTES} bytes")));
    }
    String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = before.split(|&byte| byte == b'\n').count();
        wrong(format!("it is no text in UTF-8 from line {line} on: save it as UTF-8"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_text_or_has_no_end_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.toml");
        std::fs::write(&path, b"one\ntwo\nth\xffree\n").expect("room");
        let told = text_of(&path).expect_err("no text").to_string();
        assert!(told.contains("from line 3 on"), "{told}");
        #[cfg(unix)]
        assert!(text_of(Path::new("/dev/zero")).is_err());
    }
}
