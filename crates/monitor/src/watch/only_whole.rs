//! Recordings that are heard only once they are whole. A file that grows has no end, so that they would be
//! waited for in vain.

use std::{
    fs::{self, File},
    io::Read,
    path::Path,
};

use offkey_core::names::is_audio;
use offkey_signal::{Container, DecodeConfig, StreamReader};

/// First bytes by which a form is told.
const HEAD_BYTES: u64 = 1 << 16;
/// How recordings end in their names that are heard while they grow.
const GROWING: [&str; 9] = ["wav", "wave", "w64", "rf64", "bwf", "aif", "aiff", "aifc", "raw"];

/// The form of a file that is heard only once it is whole: by its first bytes, or by its name where it is
/// empty or not there yet. None of a file that can be heard while it grows.
pub fn only_whole(path: &Path) -> Option<String> {
    if fs::metadata(path).is_ok_and(|data| data.len() > 0) {
        return by_bytes(path).map(|form| form.to_string());
    }
    let ending = path.extension()?.to_string_lossy().to_lowercase();
    let name = path.file_name()?.to_string_lossy();
    (is_audio(&name) && !GROWING.contains(&ending.as_str())).then(|| format!("`.{ending}`"))
}

fn by_bytes(path: &Path) -> Option<Container> {
    if !fs::metadata(path).is_ok_and(|data| data.is_file()) {
        return None;
    }
    let mut head = Vec::new();
    File::open(path).ok()?.take(HEAD_BYTES).read_to_end(&mut head).ok()?;
    let mut reader = StreamReader::new(path, None, &DecodeConfig::default());
    // What cannot be understood is told when it is read.
    reader.push(&head, &mut Vec::new()).ok()?;
    reader.waits_for_end()
}

/// Why a growing file of such a form is not heard.
pub fn why_only_whole(form: &str) -> String {
    format!("{form} is heard only when it is whole, and a file that grows has no end")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_told_by_its_bytes_and_of_what_is_not_there_by_its_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let said = |name: &str, bytes: Option<&[u8]>| {
            let path = folder.path().join(name);
            bytes.inspect(|bytes| fs::write(&path, bytes).expect("room"));
            only_whole(&path)
        };
        let caf = b"caff\0\x01\0\0desc\0\0\0\0\0\0\0\x20";
        assert_eq!(said("a.caf", Some(caf)).as_deref(), Some("CAF"));
        assert_eq!(said("b.wav", Some(caf)).as_deref(), Some("CAF"));
        assert_eq!(said("c.mkv", None).as_deref(), Some("`.mkv`"));
        assert_eq!(said("d.MP3", Some(b"")).as_deref(), Some("`.mp3`"));
        let wav = offkey_signal::encode_wav(&[0.1; 100], 16_000);
        assert_eq!(said("e.caf", Some(&wav)), None);
        for name in ["f.wav", "f.rf64", "f.w64", "f.aiff", "f.raw", "f.pcm", "f"] {
            assert_eq!(said(name, None), None, "{name}");
        }
    }
}
