//! How a broker is reached: address, name, password, encryption.

use std::path::Path;

use rumqttc::{MqttOptions, TlsConfiguration, Transport};

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
                let path = beside.join(path);
                let ca =
                    std::fs::read(&path).map_err(|source| SecretError::File { path, source })?;
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
    if let Some(path) = config.ca.as_ref().map(|ca| beside.join(ca)) {
        std::fs::metadata(&path).map_err(|source| SecretError::File { path, source })?;
    }
    Ok(())
}
