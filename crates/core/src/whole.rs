//! Files that a reader sees whole or not at all.

use std::{
    fs::{self, File, Metadata},
    io::{self, Write},
    path::{Path, PathBuf},
};

use tempfile::{Builder, NamedTempFile};

/// How the names of files begin that are not whole yet: hidden, so that no walk takes one for data.
const PREFIX: &str = ".offkey-";
const SUFFIX: &str = ".part";
/// Links that are followed before a loop is suspected, as Linux does.
const MOST_LINKS: usize = 40;

/// Writes `content` beside `path` and moves it there when it is on disk: a reader sees the old
/// file or the new one, never half of one, and a full disk leaves the old one. The folder is made if
/// absent.
///
/// A link stays a link, and the file it leads to is replaced. A file that is replaced keeps its
/// owner, as far as the system allows, and its mode; one that is read-only is not replaced. What is
/// no regular file, as a device or a named pipe, is written into.
///
/// # Errors
/// Whatever the file system refuses; nothing is left behind then.
pub fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    let target = target_of(path)?;
    let old = match fs::metadata(&target) {
        Ok(old) => Some(old),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    match &old {
        Some(old) if old.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
        Some(old) if !old.is_file() => return write_into(&target, content),
        Some(old) if old.permissions().readonly() => {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "the file is read-only"));
        }
        _ => {}
    }
    let folder = target.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    match replace(&target, folder, content, old.as_ref()) {
        // Between its making and its locking the new file may have been taken for abandoned.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            replace(&target, folder, content, old.as_ref())
        }
        done => done,
    }
}

fn replace(target: &Path, folder: &Path, content: &[u8], old: Option<&Metadata>) -> io::Result<()> {
    let mut file = temporary(folder)?;
    // The lock says that somebody writes; where there are no locks, nothing is taken for abandoned.
    let _ = file.as_file().lock();
    file.write_all(content)?;
    if let Some(old) = old {
        take_after(file.as_file(), old)?;
    }
    file.as_file().sync_all()?;
    file.persist(target)?;
    Ok(())
}

/// Removes what writers that were killed left in a folder. Files that are being written stay.
///
/// # Errors
/// Whatever the file system refuses when it lists the folder.
pub fn remove_abandoned(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(PREFIX) && name.ends_with(SUFFIX) && is_abandoned(&entry.path()) {
            // Another process may have removed it meanwhile.
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(())
}

fn is_abandoned(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| file.try_lock().is_ok())
}

/// What a name leads to: links are followed, one that leads to nothing too.
fn target_of(path: &Path) -> io::Result<PathBuf> {
    if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        // Such as /dev/stdout, whose links lead to no path.
        return Ok(path.to_owned());
    }
    let mut target = path.to_owned();
    for _ in 0..MOST_LINKS {
        match fs::symlink_metadata(&target) {
            Ok(found) if found.is_symlink() => {
                let next = fs::read_link(&target)?;
                target = target.parent().unwrap_or(Path::new("")).join(next);
            }
            _ => return Ok(target),
        }
    }
    Err(io::Error::other("too many links lead on from it"))
}

fn write_into(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = File::options().write(true).open(path)?;
    file.write_all(content)?;
    file.flush()
}

/// A temporary file that anyone may read once it has its name, as far as the umask allows.
fn temporary(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = Builder::new();
    builder.prefix(PREFIX).suffix(SUFFIX);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}

/// Gives a file the owner and the mode of the one it replaces.
fn take_after(file: &File, old: &Metadata) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt, fchown};
        // Only root may give files away; for others the new file is their own, as any new file is.
        let _ = fchown(file, Some(old.uid()), Some(old.gid()));
    }
    file.set_permissions(old.permissions())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_that_fails_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("new/table.csv");
        write_whole(&path, b"old").expect("there is room");
        write_whole(&path, b"new").expect("there is room");
        assert_eq!(fs::read(&path).expect("it was written"), b"new");
        // A folder in the file's place cannot be replaced by a file.
        let taken = folder.path().join("taken");
        fs::create_dir_all(taken.join("inside")).expect("a folder");
        assert!(write_whole(&taken, b"x").is_err());
        let left = fs::read_dir(folder.path()).expect("the folder is there").count();
        assert_eq!(left, 2, "`new` and `taken`, and no temporary file");
    }

    #[test]
    fn what_a_killed_writer_left_is_removed_and_what_is_written_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let [left, busy, other] =
            [".offkey-a.part", ".offkey-b.part", "c.part"].map(|name| folder.path().join(name));
        let [_, held, _] = [&left, &busy, &other].map(|path| File::create(path).expect("room"));
        held.lock().expect("nobody else has it");
        remove_abandoned(folder.path()).expect("the folder is there");
        assert_eq!([&left, &busy, &other].map(|path| path.exists()), [false, true, true]);
    }

    #[cfg(unix)]
    mod unix {
        use std::os::unix::fs::{PermissionsExt, symlink};

        use super::*;

        #[test]
        fn a_link_stays_and_what_it_leads_to_is_replaced() {
            let folder = tempfile::tempdir().expect("a folder");
            let [real, link, second, hanging] =
                ["real", "link", "second", "hanging"].map(|name| folder.path().join(name));
            fs::write(&real, "old").expect("there is room");
            symlink("real", &link).expect("a link");
            symlink(&link, &second).expect("a link");
            write_whole(&second, b"new").expect("there is room");
            assert_eq!(fs::read(&real).expect("it was there"), b"new");
            assert!(link.is_symlink() && second.is_symlink());
            symlink("absent", &hanging).expect("a link");
            write_whole(&hanging, b"made").expect("there is room");
            assert!(hanging.is_symlink());
            assert_eq!(fs::read(folder.path().join("absent")).expect("it was made"), b"made");
            let [a, b] = ["a", "b"].map(|name| folder.path().join(name));
            symlink(&a, &b).expect("a link");
            symlink(&b, &a).expect("a link");
            assert!(write_whole(&a, b"x").is_err());
        }

        #[test]
        fn the_mode_stays_and_a_read_only_file_is_not_replaced() {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("model");
            let mode = || fs::metadata(&path).expect("it is there").permissions().mode() & 0o777;
            fs::write(&path, "old").expect("there is room");
            for (wanted, replaced) in [(0o600, true), (0o640, true), (0o444, false)] {
                fs::set_permissions(&path, PermissionsExt::from_mode(wanted)).expect("our own");
                assert_eq!(write_whole(&path, b"new").is_ok(), replaced, "{wanted:o}");
                assert_eq!(mode(), wanted);
            }
        }

        #[test]
        fn devices_are_written_into_and_a_full_one_is_an_error() {
            if !Path::new("/dev/full").exists() {
                return;
            }
            write_whole(Path::new("/dev/null"), b"x").expect("it takes everything");
            assert!(!fs::metadata("/dev/null").expect("it is there").is_file());
            let error = write_whole(Path::new("/dev/full"), b"x").expect_err("no room");
            assert_eq!(error.kind(), io::ErrorKind::StorageFull);
            assert!(!fs::metadata("/dev/full").expect("it is there").is_file());
        }

        #[test]
        fn a_named_pipe_is_written_into() {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("pipe");
            let made = std::process::Command::new("mkfifo").arg(&path).status();
            if !made.is_ok_and(|status| status.success()) {
                return;
            }
            let reader = std::thread::spawn({
                let path = path.clone();
                move || fs::read(path).expect("a writer comes")
            });
            write_whole(&path, b"through").expect("a reader is there");
            assert_eq!(reader.join().expect("it read"), b"through");
        }
    }
}
