//! What kind of trouble an error is: callers answer with an exit code, a retry or a stop.

use std::{error::Error, io};

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
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        // A transparent error says what its cause says.
        if !text.ends_with(&next) {
            text += &format!(": {next}");
        }
        cause = error.source();
    }
    text
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
                io::ErrorKind::PermissionDenied => Some("choose a place you may write to"),
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
    fn causes_are_told_once_each() {
        let cause = || io::Error::other("the disk is gone");
        assert_eq!(with_causes(&Nested::List(cause())), "cannot read the list: the disk is gone");
        assert_eq!(with_causes(&Nested::Other(cause())), "the disk is gone");
    }
}
