//! Events by e-mail.

use std::{path::Path, time::Duration};

use lettre::{
    Message, SmtpTransport, Transport,
    message::{Mailbox, header::ContentType},
    transport::smtp::authentication::Credentials,
};
use serde_json::Value;

use super::deliver::{Deliver, Failure};
use crate::{
    config::{MailConfig, SecretError},
    store::OutboxRow,
};

/// Longest time the server may take for a step.
const WITHIN: Duration = Duration::from_secs(20);

/// Sends mail.
pub(super) struct Mail {
    config: MailConfig,
    password: Option<String>,
}

impl Mail {
    pub(super) fn new(config: &MailConfig, beside: &Path) -> Result<Self, SecretError> {
        let password = config.password.as_ref().map(|secret| secret.read(beside)).transpose()?;
        Ok(Self { config: config.clone(), password })
    }

    fn transport(&self) -> Result<SmtpTransport, Failure> {
        let bad = |error: &dyn std::fmt::Display| Failure::Later(format!("mail server: {error}"));
        let (tls, address) = match self.config.server.split_once("://") {
            Some(("smtps", address)) => (true, address),
            Some((_, address)) => (false, address),
            None => return Err(Failure::Later("no mail server".to_owned())),
        };
        let (host, port) = match address.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().map_err(|error| bad(&error))?),
            None => (address, if tls { 465 } else { 587 }),
        };
        let loopback = matches!(host, "localhost" | "127.0.0.1");
        let builder = if tls {
            SmtpTransport::relay(host).map_err(|error| bad(&error))?
        } else if loopback {
            // A server on this computer takes mail without encryption.
            SmtpTransport::builder_dangerous(host)
        } else {
            SmtpTransport::starttls_relay(host).map_err(|error| bad(&error))?
        };
        let mut builder = builder.port(port).timeout(Some(WITHIN));
        if let (Some(user), Some(password)) = (&self.config.user, &self.password) {
            builder = builder.credentials(Credentials::new(user.clone(), password.clone()));
        }
        Ok(builder.build())
    }

    fn letter(&self, row: &OutboxRow) -> Result<Message, Failure> {
        let never =
            |what: &dyn std::fmt::Display| Failure::Never(format!("no mail can be made: {what}"));
        let address = |text: &str| text.parse::<Mailbox>().map_err(|error| never(&error));
        let event: Value = serde_json::from_str(&row.message).map_err(|error| never(&error))?;
        let host = self.config.from.rsplit('@').next().unwrap_or("offkey").trim_end_matches('>');
        let mut letter = Message::builder()
            .from(address(&self.config.from)?)
            .subject(subject(&event))
            // The same event has the same name: a second copy can be told.
            .message_id(Some(format!("<{}@{host}>", row.id)))
            .header(ContentType::TEXT_PLAIN);
        for to in &self.config.to {
            letter = letter.to(address(to)?);
        }
        letter.body(body(&event)).map_err(|error| never(&error))
    }
}

fn text<'a>(event: &'a Value, key: &str) -> &'a str {
    event[key].as_str().unwrap_or_default()
}

fn subject(event: &Value) -> String {
    format!("{}: {}", text(event, "title"), text(event, "kind"))
}

fn body(event: &Value) -> String {
    let mut lines = Vec::new();
    for (name, key) in [
        ("Machine", "title"),
        ("Time", "time"),
        ("What", "kind"),
        ("Reason", "reason"),
        ("By", "who"),
    ] {
        if !text(event, key).is_empty() {
            lines.push(format!("{name}: {}", text(event, key)));
        }
    }
    for (name, key) in [("Anomaly score", "score"), ("p-value", "p_value")] {
        if let Some(value) = event[key].as_f64() {
            lines.push(format!("{name}: {value:.4}"));
        }
    }
    lines.push(format!("Event: {}", text(event, "id")));
    lines.join("\n") + "\n"
}

impl Deliver for Mail {
    fn deliver(&mut self, message: &OutboxRow) -> Result<(), Failure> {
        let letter = self.letter(message)?;
        match self.transport()?.send(&letter) {
            Ok(_) => Ok(()),
            Err(error) if error.is_permanent() && !error.is_client() => {
                Err(Failure::Never(format!("the mail server refuses: {error}")))
            }
            Err(error) => Err(Failure::Later(format!("the mail server cannot be used: {error}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_says_what_and_why() {
        let config = MailConfig {
            server: "smtp://localhost:25".to_owned(),
            user: None,
            password: None,
            from: "offkey@example.org".to_owned(),
            to: vec!["shift@example.org".to_owned()],
        };
        let mail = Mail::new(&config, Path::new(".")).expect("no secret is needed");
        let message = r#"{"id":"pump.1.1","title":"Pump","kind":"alarm.began","reason":"louder","score":2.5}"#;
        let row = OutboxRow {
            id: "pump.1.1".into(),
            sink: "m".into(),
            made_ms: 0,
            message: message.into(),
        };
        let letter = mail.letter(&row).expect("a letter").formatted();
        let letter = String::from_utf8(letter).expect("text");
        for part in [
            "Subject: Pump: alarm.began",
            "<pump.1.1@example.org>",
            "Reason: louder",
            "Anomaly score: 2.5000",
        ] {
            assert!(letter.contains(part), "{part} in {letter}");
        }
    }
}
