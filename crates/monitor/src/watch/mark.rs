//! How a recording is recognised when it is met again.

/// Recognises a recording, grown or not: its size, when it was changed, and a fingerprint of its beginning
/// and its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// Size in bytes.
    pub bytes: u64,
    /// When it was changed, in milliseconds since 1970; 0 where that was not noted. A file of the same size and time is
    /// the same, and is not read again.
    #[serde(default)]
    pub modified_ms: u64,
    /// Fingerprint of its first bytes behind the header.
    pub head: u64,
    /// Fingerprint of its last bytes.
    pub tail: u64,
}
