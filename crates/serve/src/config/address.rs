//! Addresses and words of a configuration: what could never be reached or shown is told before anything starts.

use lettre::message::Mailbox;
use offkey_fleet::place::is_web;

/// Longest title, and the longest word that begins topics.
const LONGEST: usize = 200;

/// Whether an address names a computer.
pub(super) fn has_host(place: &str) -> bool {
    place
        .split_once("://")
        .is_some_and(|(_, rest)| !rest.is_empty() && !rest.starts_with(['/', ':']))
}

/// Whether an address of the web names a user.
pub(super) fn has_user(place: &str) -> bool {
    let host =
        |(_, rest): (&str, &str)| rest.split('/').next().is_some_and(|host| host.contains('@'));
    is_web(place) && place.split_once("://").is_some_and(host)
}

/// Why a word that people see, or that becomes part of topics, cannot be used.
pub(super) fn bad_word(key: &str, word: &str) -> Option<String> {
    if word.len() > LONGEST {
        return Some(format!("`{key}` has {} bytes, expected at most {LONGEST}", word.len()));
    }
    let odd = word.chars().find(|c| c.is_control())?;
    Some(format!(
        "`{key}` has the control character {odd:?}, which no page or topic can show: leave it out"
    ))
}

/// Why a webhook cannot be sent to an address.
pub(super) fn bad_url(url: &str) -> Option<String> {
    if has_user(url) {
        // The address is told in errors, and would show the secret.
        return Some(
            "an address with a user or a password in it would be shown in logs: leave it out, and sign with `secret`"
                .to_owned(),
        );
    }
    let good = is_web(url) && has_host(url) && !url.contains(|c: char| c.is_control() || c == ' ');
    (!good)
        .then(|| format!("{url:?} is no web address, expected as in `https://example.org/alarms`"))
}

/// Why mail cannot be handed to a server.
pub(super) fn bad_mail_server(server: &str) -> Option<String> {
    let begins = server.starts_with("smtp://") || server.starts_with("smtps://");
    let odd = |c: char| c.is_control() || matches!(c, ' ' | '@');
    let good = begins && has_host(server) && !server.contains(odd);
    (!good).then(|| {
        format!("{server:?} is no mail server, expected as in `smtps://mail.example.org:465`")
    })
}

/// Why mail cannot go to or come from an address.
pub(super) fn bad_mail_address(address: &str) -> Option<String> {
    let bad = address.contains(char::is_control) || address.parse::<Mailbox>().is_err();
    bad.then(|| format!("{address:?} is no mail address, expected as in `shift@example.org`"))
}
