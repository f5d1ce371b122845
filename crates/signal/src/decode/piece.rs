//! What reading a source gives, beside the frames.

use crate::Damage;

/// What reading gives.
pub(super) enum Piece {
    /// At least one frame was appended.
    Frames,
    /// There are no more.
    End,
    /// From here on the recording is damaged.
    Damaged(Damage),
}
