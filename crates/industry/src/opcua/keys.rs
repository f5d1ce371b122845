//! The door's certificate, made when there is none, and those of others.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use opcua::crypto::{CertificateStore, X509Data};

/// The door's certificate within its folder.
pub(super) const CERTIFICATE: &str = "own/certificate.der";
/// The private key of the certificate.
pub(super) const KEY: &str = "private/key.pem";
/// Strangers' certificates, kept so that a person can move them to `trusted`.
const REJECTED: &str = "rejected";
/// So many of those are kept, latest first: anybody who reaches the port can leave one.
const MOST_REJECTED: usize = 100;
/// Twenty years: a plant's clients have the certificate by heart, and nobody renews it.
const DAYS: u32 = 7305;
const BITS: u32 = 2048;

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The folder cannot be used.
    #[error("cannot keep certificates in `{}`", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A certificate cannot be made.
    #[error("cannot make a certificate in `{}`: {problem}", folder.display())]
    Make {
        /// The folder.
        folder: PathBuf,
        /// Why.
        problem: String,
    },
    /// Certificate and key cannot be read.
    #[error("cannot read certificate and key in `{}`: {problem}", folder.display())]
    Read {
        /// The folder.
        folder: PathBuf,
        /// Why.
        problem: String,
    },
}

/// The name of this computer.
pub fn host_name() -> String {
    X509Data::computer_hostnames().into_iter().next().unwrap_or_else(|| "localhost".to_owned())
}

/// Sees to it that a folder has a certificate with its key, which only this user can read.
pub(super) fn ensure(folder: &Path, uri: &str, host: &str) -> Result<(), KeyError> {
    let failed = |source| KeyError::Folder { folder: folder.to_owned(), source };
    for part in ["own", "private", "trusted", REJECTED] {
        fs::create_dir_all(folder.join(part)).map_err(failed)?;
    }
    keep_private(&folder.join("private")).map_err(failed)?;
    let (certificate, key) = (folder.join(CERTIFICATE), folder.join(KEY));
    if !certificate.exists() && !key.exists() {
        let data = X509Data {
            key_size: BITS,
            common_name: "offkey".to_owned(),
            organization: "offkey".to_owned(),
            organizational_unit: String::new(),
            country: String::new(),
            state: String::new(),
            alt_host_names: X509Data::alt_host_names(
                uri,
                Some(vec![host.to_owned()]),
                true,
                true,
                true,
            ),
            certificate_duration_days: DAYS,
        };
        CertificateStore::create_certificate_and_key(&data, false, &certificate, &key)
            .map_err(|problem| KeyError::Make { folder: folder.to_owned(), problem })?;
    }
    let unread = |problem| KeyError::Read { folder: folder.to_owned(), problem };
    let mut store = CertificateStore::new(folder);
    store.set_check_time(true);
    CertificateStore::read_pkey(&key).map_err(unread)?;
    CertificateStore::read_cert(&certificate).map(drop).map_err(unread)
}

#[cfg(unix)]
fn keep_private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;

    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
fn keep_private(_folder: &Path) -> io::Result<()> {
    Ok(())
}

/// Keeps the latest of the strangers' certificates.
pub(super) fn sweep(folder: &Path) -> io::Result<()> {
    let mut found: Vec<(SystemTime, PathBuf)> = Vec::new();
    for entry in fs::read_dir(folder.join(REJECTED))? {
        let entry = entry?;
        let written = entry.metadata()?.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        found.push((written, entry.path()));
    }
    found.sort();
    let surplus = found.len().saturating_sub(MOST_REJECTED);
    for (_, path) in &found[..surplus] {
        fs::remove_file(path)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_made_once_and_its_key_is_private() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        ensure(folder.path(), "urn:offkey:test", "localhost").expect("a certificate");
        let made = fs::read(folder.path().join(CERTIFICATE)).expect("a certificate");
        ensure(folder.path(), "urn:offkey:test", "localhost").expect("a certificate");
        assert_eq!(fs::read(folder.path().join(CERTIFICATE)).expect("a certificate"), made);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(folder.path().join("private")).expect("a folder").permissions();
            assert_eq!(mode.mode() & 0o077, 0);
        }
        fs::write(folder.path().join(KEY), "no key").expect("room");
        let refused = ensure(folder.path(), "urn:offkey:test", "localhost");
        assert!(matches!(refused, Err(KeyError::Read { .. })));
    }

    #[test]
    fn strangers_leave_so_many_certificates_and_no_more() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let rejected = folder.path().join(REJECTED);
        fs::create_dir(&rejected).expect("room");
        for index in 0..MOST_REJECTED + 7 {
            fs::write(rejected.join(format!("{index}.der")), "x").expect("room");
        }
        sweep(folder.path()).expect("swept");
        assert_eq!(fs::read_dir(&rejected).expect("a folder").count(), MOST_REJECTED);
        assert!(sweep(&folder.path().join("absent")).is_err());
    }
}
