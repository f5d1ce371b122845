//! Events posted to a web address, signed.

use std::{fmt::Write, time::Duration};

use hmac::{Hmac, KeyInit, Mac};
use offkey_core::cause_in_words;
use sha2::Sha256;

use super::deliver::{Deliver, Failure};
use crate::store::OutboxRow;

/// Longest time a receiver may take.
const WITHIN: Duration = Duration::from_secs(15);

/// Posts events.
pub(super) struct Webhook {
    agent: ureq::Agent,
    url: String,
    secret: Option<String>,
}

impl Webhook {
    pub(super) fn new(url: &str, secret: Option<String>) -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(WITHIN))
            .max_redirects(0)
            .http_status_as_error(false)
            .build();
        Self { agent: config.into(), url: url.to_owned(), secret }
    }
}

impl Deliver for Webhook {
    fn deliver(&mut self, message: &OutboxRow) -> Result<(), Failure> {
        let mut request = self
            .agent
            .post(&self.url)
            .header("Content-Type", "application/json")
            .header("Idempotency-Key", &message.id);
        if let Some(secret) = &self.secret {
            request = request.header("X-Offkey-Signature", signature(secret, &message.message));
        }
        let answer = request.send(message.message.as_bytes()).map_err(|error| {
            Failure::Later(format!("cannot be reached: {}", cause_in_words(&error)))
        })?;
        match answer.status().as_u16() {
            200..=299 => Ok(()),
            // Not found, not allowed, busy, timed out: somebody may mend that.
            status @ (401 | 403 | 404 | 408 | 425 | 429 | 500..=599 | 300..=399) => {
                Err(Failure::Later(format!("answered with status {status}")))
            }
            status => Err(Failure::Never(format!("answered with status {status}"))),
        }
    }
}

/// The signature of a message: `sha256=` and the HMAC in hexadecimal.
fn signature(secret: &str, message: &str) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(message.as_bytes());
    let mut text = "sha256=".to_owned();
    for byte in mac.finalize().into_bytes() {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_those_of_rfc_4231() {
        let found = signature("Jefe", "what do ya want for nothing?");
        assert_eq!(
            found,
            "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }
}
