//! What kind of trouble an error is: callers answer with an exit code, a retry or a stop.

use std::{error::Error, io, path::Path};

/// What kind of trouble an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The caller asked for something that cannot be: a wrong option, recipe or name.
    Usage,
    /// The request is valid, and something kept it from being carried out.
    Failed,
    /// The caller asked to stop.
    Cancelled,
}

/// The message of an error and those of its causes, in one line.
pub fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = in_words(error);
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = in_words(error);
        // A transparent error says what its cause says.
        if !text.ends_with(&next) {
            text += &format!(": {next}");
        }
        cause = error.source();
    }
    text
}

/// [`with_causes`] of an error about a file that was named just before: there it is called `it`.
pub fn about_it(path: &Path, error: &(dyn Error + 'static)) -> String {
    with_causes(error).replace(&format!("`{}`", path.display()), "it")
}

/// What an error says. Where that is the system's own error, its words and number become plain words.
pub fn in_words(error: &(dyn Error + 'static)) -> String {
    let system = error.downcast_ref::<io::Error>().filter(|error| error.get_ref().is_none());
    let words = system.and_then(|error| match error.kind() {
        io::ErrorKind::NotFound => Some("there is no such file or folder"),
        io::ErrorKind::PermissionDenied => Some("this user has no permission for it"),
        io::ErrorKind::NotADirectory => Some("a part of that path is a file, expected a folder"),
        io::ErrorKind::IsADirectory => Some("it is a folder, expected a file"),
        io::ErrorKind::AlreadyExists => Some("something of that name is there already"),
        io::ErrorKind::StorageFull => Some("No space left on the disk"),
        io::ErrorKind::ReadOnlyFilesystem => Some("nothing can be written to that disk"),
        io::ErrorKind::InvalidFilename => Some("no file can have that name"),
        io::ErrorKind::InvalidData => Some("it is no text, or is damaged"),
        io::ErrorKind::UnexpectedEof => Some("it ends too early"),
        io::ErrorKind::ConnectionRefused => Some("nobody answers there"),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
            Some("the other side ended the connection")
        }
        io::ErrorKind::TimedOut => Some("no answer came in time"),
        io::ErrorKind::AddrInUse => Some("another program listens there"),
        _ => None,
    });
    let text = || error.to_string();
    match words {
        Some(words) => words.to_owned(),
        // The system's resolver has no kind of its own.
        None if text().starts_with("failed to lookup address information") => {
            "no computer of that name is known".to_owned()
        }
        None => text(),
    }
}

/// What an error says; where the system is its cause, however deep, what that says in plain words.
pub fn cause_in_words(error: &(dyn Error + 'static)) -> String {
    let (mut cause, mut system) = (Some(error), None);
    while let Some(next) = cause {
        // Libraries wrap the system's error in one of their own, with paths in it that nobody named.
        if next.is::<io::Error>() {
            system = Some(next);
        }
        cause = next.source();
    }
    system.map_or_else(|| error.to_string(), in_words)
}

/// Advice where the file system is the cause, however deep below the error it lies.
pub fn io_hint(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref::<io::Error>() {
            return match found.kind() {
                io::ErrorKind::StorageFull => {
                    Some("free some space; what was written before is whole")
                }
                io::ErrorKind::PermissionDenied => {
                    Some("let this user read or write there, or choose another place")
                }
                _ => None,
            };
        }
        cause = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum Nested {
        #[error("cannot read the list")]
        List(#[source] io::Error),
        #[error(transparent)]
        Other(#[from] io::Error),
    }

    #[test]
    fn a_file_that_was_named_is_not_named_again() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot read `a.wav`")]
        struct Read(#[source] io::Error);
        let error = Read(io::ErrorKind::PermissionDenied.into());
        assert_eq!(with_causes(&error), "cannot read `a.wav`: this user has no permission for it");
        let told = about_it(Path::new("a.wav"), &error);
        assert_eq!(told, "cannot read it: this user has no permission for it");
    }

    #[test]
    fn the_system_s_own_words_are_told_however_deep_they_lie() {
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        let wrapped = io::Error::new(io::ErrorKind::StorageFull, Nested::List(full()));
        assert_eq!(cause_in_words(&wrapped), "No space left on the disk");
        assert_eq!(cause_in_words(&Nested::List(io::Error::other("gone"))), "gone");
    }

    #[test]
    fn causes_are_told_once_each() {
        let cause = || io::Error::other("the disk is gone");
        assert_eq!(with_causes(&Nested::List(cause())), "cannot read the list: the disk is gone");
        assert_eq!(with_causes(&Nested::Other(cause())), "the disk is gone");
    }

    #[test]
    fn what_the_system_says_becomes_plain_words() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("file"), [0xFF, 0xFE]).expect("room");
        let read = |name: &str| {
            let error = std::fs::read_to_string(folder.path().join(name)).expect_err("none");
            with_causes(&Nested::List(error))
        };
        assert_eq!(read("absent"), "cannot read the list: there is no such file or folder");
        assert_eq!(read("file"), "cannot read the list: it is no text, or is damaged");
        for name in ["", "file/x", "absent", "file"] {
            let told = read(name);
            assert!(!told.contains("os error") && !told.contains("UTF-8"), "{told}");
        }
    }
}
