//! All files below a folder: the one walk that every verb takes.
//!
//! Hidden files and folders are left alone, with what systems leave beside recordings (`._x.WAV`,
//! `.Trashes`, `@eaDir`). Links are followed, loops are not. What is no regular file, as a named
//! pipe, a socket or a device, is never opened: it could block for ever.

use std::{
    ffi::{OsStr, OsString},
    fs, io,
    path::{Path, PathBuf},
};

use crate::{cause_in_words, names::is_audio};

/// Folders that network stores and systems make for themselves, in lower case.
const OF_SYSTEMS: [&str; 4] = ["@eadir", "$recycle.bin", "system volume information", "lost+found"];

/// What lies below a folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Walk {
    /// Regular files, sorted folder by folder.
    pub files: Vec<Found>,
    /// Hidden files and folders, and those of systems.
    pub hidden: usize,
    /// What could not be entered or is no regular file.
    pub left_out: Vec<LeftOut>,
}

/// A regular file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// Where the walk met it.
    pub path: PathBuf,
    /// The same file with all links resolved, to notice it when it is reached twice.
    pub real: PathBuf,
}

/// Something that the walk left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// What.
    pub path: PathBuf,
    /// Why.
    pub reason: Reason,
}

/// Why something was left out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The file system refused.
    #[error("{0}")]
    Unreadable(String),
    /// A link leads back to a folder it lies in.
    #[error("it leads back to a folder it lies in")]
    Loop,
    /// A named pipe, a socket, a device.
    #[error("it is a {0}, not a file")]
    Special(&'static str),
}

impl LeftOut {
    /// Whether a recording may be missed by it: a folder or a recording that cannot be read, or a pipe that is named as
    /// one. A link that leads back hides nothing.
    pub fn may_hold_sound(&self) -> bool {
        let named = self.path.file_name().unwrap_or_default().to_string_lossy();
        match self.reason {
            Reason::Loop => false,
            Reason::Unreadable(_) => is_audio(&named) || self.path.is_dir(),
            Reason::Special(_) => is_audio(&named),
        }
    }
}

/// Looks at everything below `root`, which may itself be hidden or a link.
///
/// # Errors
/// Whatever the file system refuses on the root itself.
pub fn walk(root: &Path) -> io::Result<Walk> {
    let real = fs::canonicalize(root)?;
    let names = sorted_names(root)?;
    let mut walk = Walk::default();
    walk.enter(root, &names, &mut vec![real]);
    Ok(walk)
}

/// Whether a name is hidden, or one that systems leave beside what people keep.
pub fn is_hidden(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.starts_with('.') || OF_SYSTEMS.contains(&name.to_ascii_lowercase().as_str())
}

impl Walk {
    /// `above` holds the real paths of this folder, last, and of all folders passed on the way.
    fn enter(&mut self, folder: &Path, names: &[OsString], above: &mut Vec<PathBuf>) {
        for name in names {
            let path = folder.join(name);
            if is_hidden(name) {
                self.hidden += 1;
            } else if let Err(error) = self.look(path.clone(), name, above) {
                self.leave_out(path, Reason::Unreadable(cause_in_words(&error)));
            }
        }
    }

    fn look(&mut self, path: PathBuf, name: &OsStr, above: &mut Vec<PathBuf>) -> io::Result<()> {
        let own = fs::symlink_metadata(&path)?;
        let (metadata, real) = match above.last() {
            Some(here) if !own.is_symlink() => (own, here.join(name)),
            _ => (fs::metadata(&path)?, fs::canonicalize(&path)?),
        };
        if metadata.is_dir() {
            if above.iter().any(|folder| folder.starts_with(&real)) {
                self.leave_out(path, Reason::Loop);
                return Ok(());
            }
            let names = sorted_names(&path)?;
            above.push(real);
            self.enter(&path, &names, above);
            above.pop();
        } else if metadata.is_file() {
            self.files.push(Found { path, real });
        } else {
            self.leave_out(path, Reason::Special(kind(&metadata)));
        }
        Ok(())
    }

    fn leave_out(&mut self, path: PathBuf, reason: Reason) {
        self.left_out.push(LeftOut { path, reason });
    }
}

fn kind(metadata: &fs::Metadata) -> &'static str {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        let kind = metadata.file_type();
        if kind.is_fifo() {
            return "named pipe";
        } else if kind.is_socket() {
            return "socket";
        }
    }
    let _ = metadata;
    "device"
}

fn sorted_names(folder: &Path) -> io::Result<Vec<OsString>> {
    let mut names: Vec<OsString> = fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.file_name()))
        .collect::<io::Result<_>>()?;
    names.sort();
    Ok(names)
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::{ffi::OsStrExt, fs::symlink, net::UnixListener};

    use super::*;

    fn names(walk: &Walk, root: &Path) -> Vec<String> {
        let name = |found: &Found| {
            let below = found.path.strip_prefix(root).expect("below the root");
            below.to_string_lossy().into_owned()
        };
        walk.files.iter().map(name).collect()
    }

    #[test]
    fn what_systems_leave_beside_recordings_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().join(".stick");
        for name in
            ["b/1.WAV", "a.wav", "._a.wav", ".Trashes/501/old.wav", "@eaDir/a.wav/X", "b/.x"]
        {
            let path = root.join(name);
            fs::create_dir_all(path.parent().expect("below the root")).expect("a folder");
            fs::write(path, "x").expect("there is room");
        }
        let walk = walk(&root).expect("the folder is there");
        assert_eq!(names(&walk, &root), ["a.wav", "b/1.WAV"]);
        assert_eq!((walk.hidden, walk.left_out), (4, vec![]));
    }

    #[test]
    fn links_are_entered_once_and_loops_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().join("root");
        let elsewhere = folder.path().join("elsewhere");
        for folder in [&root, &elsewhere] {
            fs::create_dir(folder).expect("a folder");
            fs::write(folder.join("x.wav"), "x").expect("there is room");
        }
        symlink(&elsewhere, root.join("linked")).expect("a link");
        symlink(&root, elsewhere.join("back")).expect("a link");
        symlink("nothing", root.join("hanging")).expect("a link");
        let walk = walk(&root).expect("the folder is there");
        assert_eq!(names(&walk, &root), ["linked/x.wav", "x.wav"]);
        let reasons: Vec<bool> =
            walk.left_out.iter().map(|left| left.reason == Reason::Loop).collect();
        assert_eq!(reasons, [false, true], "{:?}", walk.left_out);
        assert_ne!(walk.files[0].real, walk.files[0].path, "links are resolved");
    }

    #[test]
    fn what_could_block_is_named_and_never_opened() {
        let folder = tempfile::tempdir().expect("a folder");
        let _listener = UnixListener::bind(folder.path().join("s.wav")).expect("a socket");
        symlink("/dev/zero", folder.path().join("z.wav")).expect("a link");
        let made = std::process::Command::new("mkfifo").arg(folder.path().join("p.wav")).status();
        let pipes = usize::from(made.is_ok_and(|status| status.success()));
        let walk = walk(folder.path()).expect("the folder is there");
        assert_eq!((walk.files.len(), walk.left_out.len()), (0, 2 + pipes));
        let said: Vec<String> = walk.left_out.iter().map(|left| left.reason.to_string()).collect();
        assert!(said.contains(&"it is a socket, not a file".to_owned()), "{said:?}");
    }

    #[test]
    fn a_name_that_is_not_utf_8_is_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(OsStr::from_bytes(b"m\xfchle.wav"));
        if fs::write(&path, "x").is_err() {
            return; // A file system that takes UTF-8 alone.
        }
        assert_eq!(walk(folder.path()).expect("the folder is there").files[0].path, path);
    }
}
