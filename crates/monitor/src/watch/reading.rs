//! A recording of a folder being read: as it grows, or, where nothing is heard before its end, once it is
//! whole.

use std::path::Path;

use offkey_signal::{AudioError, AudioInfo, ClipReader, DecodeConfig};

use super::{
    follow::{Follow, FollowError, Look},
    mark::Mark,
    only_whole::only_whole,
};

/// A recording being read.
pub(super) enum Reading {
    /// A form that can be heard while it grows.
    Growing(Box<Follow>),
    /// A form of which nothing is heard before its end: read block by block all the same.
    Whole(Box<ClipReader>),
}

impl Reading {
    pub(super) fn open(path: &Path, config: &DecodeConfig) -> Result<Self, FollowError> {
        if only_whole(path).is_none() {
            let follow = Follow::open(path, None, config).map_err(FollowError::Io)?;
            return Ok(Self::Growing(Box::new(follow)));
        }
        // Of one that breaks off while it is counted what lies before is heard.
        let reader =
            ClipReader::open(path, config).or_else(|_| ClipReader::open_uncounted(path, config));
        Ok(Self::Whole(Box::new(reader.map_err(fault)?)))
    }

    /// What the recording is, once that is known.
    pub(super) fn info(&self) -> Option<AudioInfo> {
        match self {
            Self::Growing(follow) => follow.info(),
            Self::Whole(reader) => Some(*reader.info()),
        }
    }

    /// Reads on and appends samples; false once all that is there was read.
    pub(super) fn read_on(&mut self, out: &mut Vec<f32>) -> Result<bool, FollowError> {
        match self {
            Self::Growing(follow) => {
                let more = follow.read_on(out)?;
                if !more {
                    follow.finish(out).map_err(fault)?;
                }
                Ok(more)
            }
            Self::Whole(reader) => reader.read_block(out).map_err(fault),
        }
    }

    /// Recognises what was read of a recording that looked so before; none where it was changed meanwhile, as by
    /// a recorder that writes its header anew at the end.
    pub(super) fn mark(&self, path: &Path, look: &Look) -> Option<Mark> {
        let bytes = match self {
            Self::Growing(follow) => match follow.header_changed() {
                Ok(false) => follow.read,
                Ok(true) | Err(_) => return None,
            },
            Self::Whole(_) => look.bytes,
        };
        // Another recording may have taken its place while it was heard.
        let same = Look::at(path).is_ok_and(|now| now.identity() == look.identity());
        same.then(|| Mark::of(path, bytes, look).ok()).flatten()
    }
}

/// What the file system refuses may work later; other faults lie in the content.
fn fault(error: AudioError) -> FollowError {
    match error {
        AudioError::Io { source, .. } => FollowError::Io(source),
        error => FollowError::Audio(error),
    }
}
