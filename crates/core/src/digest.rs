//! SHA-256, the one place that computes it.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use sha2::{Digest as _, Sha256};

/// A SHA-256 in the making.
#[derive(Debug, Clone, Default)]
pub struct Digest(Sha256);

impl Digest {
    /// Of nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The digest of these bytes.
    pub fn of(bytes: impl AsRef<[u8]>) -> [u8; 32] {
        let mut digest = Self::new();
        digest.add(bytes);
        digest.finish()
    }

    /// The digest of a file's content, read in blocks. Copies of a file share it, whatever their
    /// names.
    ///
    /// # Errors
    /// Whatever the file system refuses.
    pub fn of_file(path: &Path) -> io::Result<[u8; 32]> {
        let mut file = File::open(path)?;
        let mut digest = Self::new();
        let mut block = vec![0; 1 << 16];
        loop {
            match file.read(&mut block)? {
                0 => return Ok(digest.finish()),
                read => digest.add(&block[..read]),
            }
        }
    }

    /// Adds bytes.
    pub fn add(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.update(bytes);
    }

    /// Adds bytes with their length before them, so that fields cannot run into each other.
    pub fn add_field(&mut self, field: impl AsRef<[u8]>) {
        let field = field.as_ref();
        self.add((field.len() as u64).to_le_bytes());
        self.add(field);
    }

    /// The 32 bytes.
    pub fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }

    /// The 32 bytes in hexadecimal.
    pub fn hex(self) -> String {
        self.finish().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_sha_256() {
        let mut digest = Digest::new();
        digest.add("a");
        digest.add("bc");
        // FIPS 180-2, appendix B.1.
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(digest.hex(), expected);
    }

    #[test]
    fn fields_do_not_run_into_each_other() {
        let of = |fields: [&str; 2]| {
            let mut digest = Digest::new();
            for field in fields {
                digest.add_field(field);
            }
            digest.finish()
        };
        assert_ne!(of(["ab", "c"]), of(["a", "bc"]));
    }

    #[test]
    fn copies_of_a_file_share_their_digest() {
        let folder = tempfile::tempdir().expect("a folder");
        let [a, b, c] = ["a", "b", "c"].map(|name| folder.path().join(name));
        std::fs::write(&a, vec![7; 200_000]).expect("there is room");
        std::fs::copy(&a, &b).expect("there is room");
        std::fs::write(&c, vec![7; 199_999]).expect("there is room");
        assert_eq!(Digest::of_file(&a).expect("it was written"), Digest::of(vec![7; 200_000]));
        let of = |path: &Path| Digest::of_file(path).expect("it was written");
        assert_eq!(of(&a), of(&b));
        assert_ne!(of(&a), of(&c));
    }
}
