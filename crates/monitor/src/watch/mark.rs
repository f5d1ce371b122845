//! How a recording is recognised when it is met again.

/// Recognises a recording, grown or not: its size and a fingerprint of its beginning and its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// Size in bytes.
    pub bytes: u64,
    /// Fingerprint of its first bytes behind the header.
    pub head: u64,
    /// Fingerprint of its last bytes.
    pub tail: u64,
}
