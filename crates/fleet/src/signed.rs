//! Something that travels with the signature of the person who answers for it: a line that says what it is, a line with
//! the signature, and then the thing itself. The signature covers the first line and the thing.

use base64::{Engine, prelude::BASE64_STANDARD};

use crate::key::{PublicKey, SigningKey};

/// What is signed: a plan can never be taken for a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A model.
    Model,
    /// A plan.
    Plan,
}

/// Why something that came is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignedError {
    /// It is something else.
    #[error("expected {expected}, and it begins with `{found}`")]
    Form {
        /// What was wanted.
        expected: &'static str,
        /// Its beginning.
        found: String,
    },
    /// Nobody answers for it.
    #[error("it is not signed, and `keys` of `[fleet]` asks for a signature")]
    Unsigned,
    /// Somebody unknown answers for it.
    #[error("it is signed with the key {key}, which `keys` of `[fleet]` does not name")]
    Stranger {
        /// Name of the key.
        key: String,
    },
    /// It was changed after it was signed.
    #[error("its signature is not that of its content: it was changed or damaged on its way")]
    Changed,
}

const UNSIGNED: &str = "unsigned";
const SIGNED: &str = "ed25519";
/// Bytes of the first two lines at most.
const LONGEST_HEAD: usize = 400;

impl Kind {
    fn line(self) -> &'static str {
        match self {
            Self::Model => "offkey fleet model 1\n",
            Self::Plan => "offkey fleet plan 1\n",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Model => "a model as `offkey-serve fleet publish` writes it",
            Self::Plan => "a plan as `offkey-serve fleet plan` writes it",
        }
    }
}

/// Packs something up, signed where there is a key.
pub fn seal(kind: Kind, content: &[u8], key: Option<&SigningKey>) -> Vec<u8> {
    let mut message = kind.line().as_bytes().to_vec();
    message.extend_from_slice(content);
    let signature = key.map_or_else(
        || UNSIGNED.to_owned(),
        |key| {
            let signature = BASE64_STANDARD.encode(key.sign(&message));
            format!("{SIGNED} {} {signature}", key.public().name())
        },
    );
    [kind.line().as_bytes(), signature.as_bytes(), b"\n", content].concat()
}

/// Unpacks something and checks its signature. Without keys nothing is checked.
///
/// # Errors
/// [`SignedError`] when it is something else, or no key answers for it.
pub fn open<'b>(kind: Kind, bytes: &'b [u8], keys: &[PublicKey]) -> Result<&'b [u8], SignedError> {
    let form = || {
        let found = String::from_utf8_lossy(&bytes[..bytes.len().min(30)]);
        let found = found.lines().next().unwrap_or_default().to_owned();
        SignedError::Form { expected: kind.words(), found }
    };
    let rest = bytes.strip_prefix(kind.line().as_bytes()).ok_or_else(form)?;
    let end = rest.iter().take(LONGEST_HEAD).position(|byte| *byte == b'\n').ok_or_else(form)?;
    let (head, content) = (&rest[..end], &rest[end + 1..]);
    let head = std::str::from_utf8(head).map_err(|_| form())?;
    let mut words = head.split(' ');
    match (words.next(), words.next(), words.next(), words.next()) {
        (Some(UNSIGNED), None, ..) if keys.is_empty() => Ok(content),
        (Some(UNSIGNED), None, ..) => Err(SignedError::Unsigned),
        (Some(SIGNED), Some(name), Some(signature), None) => {
            if keys.is_empty() {
                return Ok(content);
            }
            let key = keys.iter().find(|key| key.name() == name);
            let key = key.ok_or_else(|| SignedError::Stranger { key: name.to_owned() })?;
            let signature = BASE64_STANDARD.decode(signature).map_err(|_| form())?;
            let message = [kind.line().as_bytes(), content].concat();
            if key.checks(&message, &signature) { Ok(content) } else { Err(SignedError::Changed) }
        }
        _ => Err(form()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(folder: &std::path::Path, name: &str) -> SigningKey {
        let path = folder.join(name);
        SigningKey::make(&path).expect("room");
        SigningKey::read(&path).expect("a key")
    }

    #[test]
    fn only_what_the_owner_signed_and_nobody_changed_is_taken() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (ours, other) = (key(folder.path(), "a"), key(folder.path(), "b"));
        let keys = [ours.public()];
        let signed = seal(Kind::Model, b"four", Some(&ours));
        assert_eq!(open(Kind::Model, &signed, &keys), Ok(&b"four"[..]));
        let unsigned = seal(Kind::Model, b"four", None);
        assert_eq!(open(Kind::Model, &unsigned, &keys), Err(SignedError::Unsigned));
        assert_eq!(open(Kind::Model, &unsigned, &[]), Ok(&b"four"[..]));
        let strange = seal(Kind::Model, b"four", Some(&other));
        assert!(matches!(open(Kind::Model, &strange, &keys), Err(SignedError::Stranger { .. })));
        // A model is no plan, whoever signed it.
        assert!(matches!(open(Kind::Plan, &signed, &keys), Err(SignedError::Form { .. })));
        let relabelled =
            [Kind::Plan.line().as_bytes(), &signed[Kind::Model.line().len()..]].concat();
        assert_eq!(open(Kind::Plan, &relabelled, &keys), Err(SignedError::Changed));
    }

    #[test]
    fn every_byte_counts_and_nothing_breaks_the_reader() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let ours = key(folder.path(), "a");
        let signed = seal(Kind::Plan, b"number = 1\n", Some(&ours));
        let keys = [ours.public()];
        for at in 0..signed.len() {
            let mut changed = signed.clone();
            changed[at] ^= 1;
            assert!(open(Kind::Plan, &changed, &keys).is_err(), "byte {at}");
            assert!(open(Kind::Plan, &signed[..at], &keys).is_err(), "cut at {at}");
        }
    }
}
