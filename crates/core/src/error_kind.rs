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
