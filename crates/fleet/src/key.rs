//! Keys of the person who answers for the models: one that signs and stays with that person, and one that checks and
//! goes to every computer.

use std::{fs, io, path::Path, path::PathBuf};

use base64::{Engine, prelude::BASE64_STANDARD};
use offkey_core::{Digest, write_whole};
use ring::{
    rand::SystemRandom,
    signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey},
};

/// First words of the file of a key that signs.
const SIGNS: &str = "offkey signing key 1";
/// First words of the file of a key that checks.
const CHECKS: &str = "offkey public key 1";

/// A key that cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The file cannot be used.
    #[error("cannot use the key `{}`", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is a file already.
    #[error("`{}` is there already: a key that is overwritten is lost", path.display())]
    There {
        /// Which.
        path: PathBuf,
    },
    /// The file is no such key.
    #[error("`{}` is no key: expected a file that begins with `{expected}`, as `offkey-serve fleet keygen` writes it", path.display())]
    Form {
        /// Which.
        path: PathBuf,
        /// Its first words.
        expected: &'static str,
    },
    /// The system has no random numbers.
    #[error("the system gives no random numbers for a key")]
    Random,
}

/// The key that signs.
pub struct SigningKey {
    pair: Ed25519KeyPair,
}

/// The key that checks signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    bytes: Vec<u8>,
}

impl SigningKey {
    /// Makes a new key and writes it to `path`, for its owner alone; the key that checks goes beside it, to `path.pub`.
    ///
    /// # Errors
    /// [`KeyError`]; a file that is there is never overwritten.
    pub fn make(path: &Path) -> Result<PathBuf, KeyError> {
        let public_path = path.with_added_extension("pub");
        for path in [path, &public_path] {
            if path.exists() {
                return Err(KeyError::There { path: path.to_owned() });
            }
        }
        let pkcs8 =
            Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| KeyError::Random)?;
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).map_err(|_| KeyError::Random)?;
        let text =
            |words: &str, bytes: &[u8]| format!("{words}\n{}\n", BASE64_STANDARD.encode(bytes));
        write_private(path, &text(SIGNS, pkcs8.as_ref()))
            .map_err(|source| KeyError::Io { path: path.to_owned(), source })?;
        write_whole(&public_path, text(CHECKS, pair.public_key().as_ref()).as_bytes())
            .map_err(|source| KeyError::Io { path: public_path.clone(), source })?;
        Ok(public_path)
    }

    /// Reads a key.
    ///
    /// # Errors
    /// [`KeyError`] when the file is none.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let bytes = read(path, SIGNS)?;
        let pair = Ed25519KeyPair::from_pkcs8(&bytes)
            .map_err(|_| KeyError::Form { path: path.to_owned(), expected: SIGNS })?;
        Ok(Self { pair })
    }

    /// The key that checks what this one signs.
    pub fn public(&self) -> PublicKey {
        PublicKey { bytes: self.pair.public_key().as_ref().to_vec() }
    }

    /// Signs bytes.
    pub fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        self.pair.sign(bytes).as_ref().to_vec()
    }
}

impl PublicKey {
    /// Reads a key.
    ///
    /// # Errors
    /// [`KeyError`] when the file is none.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let bytes = read(path, CHECKS)?;
        if bytes.len() != 32 {
            return Err(KeyError::Form { path: path.to_owned(), expected: CHECKS });
        }
        Ok(Self { bytes })
    }

    /// Eight signs that name it.
    pub fn name(&self) -> String {
        let mut digest = Digest::new();
        digest.add(&self.bytes);
        digest.hex()[..8].to_owned()
    }

    /// Whether it is this key's signature of the bytes.
    pub fn checks(&self, bytes: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.bytes).verify(bytes, signature).is_ok()
    }
}

fn read(path: &Path, words: &'static str) -> Result<Vec<u8>, KeyError> {
    let form = || KeyError::Form { path: path.to_owned(), expected: words };
    let bytes = fs::read(path).map_err(|source| KeyError::Io { path: path.to_owned(), source })?;
    let text = String::from_utf8(bytes).map_err(|_| form())?;
    let mut lines = text.lines();
    if lines.next().map(str::trim) != Some(words) {
        return Err(form());
    }
    BASE64_STANDARD.decode(lines.next().unwrap_or_default().trim()).map_err(|_| form())
}

/// Writes a file that only its owner can read.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    io::Write::write_all(&mut file, text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_signs_what_its_other_half_checks_and_is_never_overwritten() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("fleet.key");
        let public = SigningKey::make(&path).expect("room");
        assert!(matches!(SigningKey::make(&path), Err(KeyError::There { .. })));
        let (key, public) = (SigningKey::read(&path).expect("a key"), PublicKey::read(&public));
        let public = public.expect("a key");
        assert_eq!(key.public(), public);
        let signature = key.sign(b"four");
        assert!(public.checks(b"four", &signature) && !public.checks(b"five", &signature));
        // The two halves cannot be mistaken for one another.
        assert!(matches!(PublicKey::read(&path), Err(KeyError::Form { .. })));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(&path).expect("it is there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }
}
