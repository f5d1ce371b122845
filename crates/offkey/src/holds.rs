//! What a path holds: a run, a monitor, or neither.

use std::{fs::File, io::Read, path::Path};

use crate::{FolderError, OffkeyError, run_folder::seed_folders, stages::RECIPE_FILE};

/// What there is at a path.
///
/// ```
/// use std::path::Path;
///
/// use offkey::{Holds, holds};
///
/// assert_eq!(holds(Path::new("nowhere")), Holds::Other);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// The folder of a run.
    Run,
    /// A folder with the runs of several seeds.
    Seeds,
    /// The model file of a monitor.
    Monitor,
    /// Something else, or nothing.
    Other,
}

/// Looks at what a path holds, without reading it whole.
pub fn holds(path: &Path) -> Holds {
    if path.join(RECIPE_FILE).is_file() {
        return match seed_folders(path) {
            Ok(seeds) if !seeds.is_empty() => Holds::Seeds,
            _ => Holds::Run,
        };
    }
    if path.is_file() && is_model_file(path) { Holds::Monitor } else { Holds::Other }
}

/// Whether a file begins as model files do: the length of a header, then the header, which is JSON.
fn is_model_file(path: &Path) -> bool {
    let mut begin = [0; 9];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut begin));
    // Headers are far shorter than 4 GB.
    read.is_ok() && begin[8] == b'{' && begin[4..8] == [0; 4]
}

/// Refuses a monitor where a run is meant.
///
/// # Errors
/// [`FolderError::NotARunButMonitor`].
pub(crate) fn expect_run(path: &Path) -> Result<(), OffkeyError> {
    match holds(path) {
        Holds::Monitor => Err(FolderError::NotARunButMonitor { path: path.to_owned() }.into()),
        Holds::Run | Holds::Seeds | Holds::Other => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn runs_seeds_monitors_and_other_things_are_told_apart() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        for name in ["run", "seeds", "seeds/seed_0", "empty"] {
            fs::create_dir(path(name)).expect("there is room");
        }
        for name in ["run", "seeds", "seeds/seed_0"] {
            fs::write(path(name).join(RECIPE_FILE), "").expect("there is room");
        }
        let mut model = 2_u64.to_le_bytes().to_vec();
        model.extend(b"{}");
        fs::write(path("pump.offkey"), model).expect("there is room");
        fs::write(path("clip.wav"), b"RIFF____WAVE").expect("there is room");
        let cases = [
            ("run", Holds::Run),
            ("seeds", Holds::Seeds),
            ("seeds/seed_0", Holds::Run),
            ("pump.offkey", Holds::Monitor),
            ("clip.wav", Holds::Other),
            ("empty", Holds::Other),
            ("absent", Holds::Other),
        ];
        for (name, expected) in cases {
            assert_eq!(holds(&path(name)), expected, "{name}");
        }
        assert!(expect_run(&path("pump.offkey")).is_err() && expect_run(&path("run")).is_ok());
    }
}
