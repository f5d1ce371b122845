//! How a broker is reached: address, name, password, encryption.

use std::path::{Path, PathBuf};

use offkey_core::cause_in_words;
use rumqttc::{MqttOptions, TlsConfiguration, Transport};
use rustls::pki_types::{CertificateDer, pem::PemObject};

use crate::config::{MqttConfig, SecretError};

const KEEP_ALIVE_S: u16 = 15;

/// What a client of that name needs to connect.
///
/// # Errors
/// [`SecretError`] when password or certificate cannot be read.
pub fn options(
    config: &MqttConfig,
    client: &str,
    beside: &Path,
) -> Result<MqttOptions, SecretError> {
    let (host, port, tls) =
        config.address().expect("the configuration was checked when it was read");
    let mut options = MqttOptions::new(client, (host.as_str(), port));
    options.set_keep_alive(KEEP_ALIVE_S).set_clean_start(true);
    if let Some(user) = &config.user {
        let password = config.password.as_ref().map(|secret| secret.read(beside)).transpose()?;
        options.set_credentials(user.clone(), password.unwrap_or_default());
    }
    if tls {
        let configuration = match &config.ca {
            Some(path) => {
                let ca = authority(beside.join(path))?;
                TlsConfiguration::Simple { ca, alpn: None, client_auth: None }
            }
            None => TlsConfiguration::try_default_rustls()
                .map_err(|error| SecretError::Roots { problem: error.to_string() })?,
        };
        options.set_transport(Transport::tls_with_config(configuration));
    }
    Ok(options)
}

/// Whether the secrets can be had.
///
/// # Errors
/// [`SecretError`] when one cannot.
pub fn check(config: &MqttConfig, beside: &Path) -> Result<(), SecretError> {
    config.password.as_ref().map(|secret| secret.read(beside)).transpose()?;
    config.ca.as_ref().map(|path| authority(beside.join(path))).transpose()?;
    Ok(())
}

/// The certificates of an authority that is not a public one.
fn authority(path: PathBuf) -> Result<Vec<u8>, SecretError> {
    let pem = match std::fs::read(&path) {
        Ok(pem) => pem,
        Err(error) => {
            return Err(SecretError::Authority { path, problem: cause_in_words(&error) });
        }
    };
    let problem = match CertificateDer::pem_slice_iter(&pem).next() {
        Some(Ok(_)) => return Ok(pem),
        Some(Err(error)) => error.to_string(),
        None => "there is no certificate in it".to_owned(),
    };
    Err(SecretError::Authority { path, problem })
}
