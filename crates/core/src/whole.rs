//! Files that a reader sees whole or not at all.

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

/// Writes `content` beside `path` and moves it there when it is on disk: a reader sees the old
/// file or the new one, never half of one, and a full disk leaves the old one. The folder is made if
/// absent.
///
/// # Errors
/// Whatever the file system refuses; nothing is left behind then.
pub fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut file = temporary(folder)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// A temporary file that anyone may read once it has its name, as far as the umask allows.
fn temporary(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
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
}
