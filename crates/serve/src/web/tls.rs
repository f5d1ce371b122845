//! The service's own certificate, read again when the configuration is.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

use crate::config::WebConfig;

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file holds no certificate or key.
    #[error("cannot read a {what} in PEM form from `{}`: {problem}", path.display())]
    Pem {
        /// What it should hold.
        what: &'static str,
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// They do not belong together, or cannot be used.
    #[error("certificate `{}` and key `{}` cannot be used", certificate.display(), key.display())]
    Unfit {
        /// The certificate.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
        /// Why.
        source: rustls::Error,
    },
}

/// A certificate in use.
pub struct Certificate {
    chain_file: PathBuf,
    key_file: PathBuf,
    config: RwLock<Arc<ServerConfig>>,
}

impl Certificate {
    /// The certificate of a configuration, where it names one; relative files are looked for beside it.
    ///
    /// # Errors
    /// [`TlsError`] when it cannot be used.
    pub fn of(web: &WebConfig, beside: &Path) -> Result<Option<Arc<Self>>, TlsError> {
        let (Some(certificate), Some(key)) = (&web.certificate, &web.key) else { return Ok(None) };
        let (certificate, key) = (beside.join(certificate), beside.join(key));
        let config = RwLock::new(read(&certificate, &key)?);
        Ok(Some(Arc::new(Self { chain_file: certificate, key_file: key, config })))
    }

    /// Reads the files again, as after a renewal; connections that exist stay.
    ///
    /// # Errors
    /// [`TlsError`]; the certificate in use then stays in use.
    pub fn read_again(&self) -> Result<(), TlsError> {
        let config = read(&self.chain_file, &self.key_file)?;
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    pub(super) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner))
    }
}

fn read(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let pem = |what, path: &Path, problem: String| {
        let path = path.to_owned();
        TlsError::Pem { what, path, problem }
    };
    let chain: Vec<_> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .map_err(|error| pem("certificate", certificate, error.to_string()))?;
    if chain.is_empty() {
        return Err(pem("certificate", certificate, "there is none in it".to_owned()));
    }
    let secret = PrivateKeyDer::from_pem_file(key)
        .map_err(|error| pem("private key", key, error.to_string()))?;
    let unfit = |source| TlsError::Unfit {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
        source,
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(unfit)?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(unfit)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
