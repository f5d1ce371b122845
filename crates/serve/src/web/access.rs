//! Who may come in, and who is in: password, token, sessions, and how often somebody guessed.

use std::{
    collections::{BTreeMap, VecDeque},
    net::IpAddr,
    path::Path,
    sync::{Mutex, PoisonError},
};

use argon2::{Argon2, PasswordHash, PasswordHasher};
use axum::http::{HeaderMap, StatusCode, header};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::sync::Semaphore;

use super::error::Refusal;
use crate::config::{Secret, SecretError, WebConfig};

/// Who asks, as events name them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Who(pub(crate) String);

/// Why nobody can be let in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccessError {
    /// A secret cannot be had.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The hash of the password cannot be read.
    #[error("the password begins like an argon2 hash and is none: {problem}")]
    Hash {
        /// What is wrong with it.
        problem: String,
    },
    /// A secret that can be guessed.
    #[error("the {what} is too short: expected at least {least} characters")]
    Short {
        /// Password or token.
        what: &'static str,
        /// Characters it needs.
        least: usize,
    },
    /// The system has no random numbers.
    #[error("the system gives no random numbers: {problem}")]
    Random {
        /// What it says.
        problem: String,
    },
}

/// Who may come in, and who is in.
pub struct Access {
    /// The password's argon2 hash.
    pub(super) password: Option<String>,
    /// The token's code under `key`: comparing codes takes the same time wherever they differ.
    token: Option<Vec<u8>>,
    pub(super) key: [u8; 32],
    secure_cookies: bool,
    behind_proxy: bool,
    pub(super) sessions: Mutex<VecDeque<Session>>,
    pub(super) failures: Mutex<Failures>,
    /// Tokens that were wrong; apart from passwords, so that a program cannot lock people out.
    wrong_tokens: Mutex<Failures>,
    /// Passwords are checked one at a time: each check is made to be slow.
    pub(super) checking: Semaphore,
}

#[derive(Debug, Clone)]
pub(super) struct Session {
    pub(super) code: Vec<u8>,
    pub(super) csrf: String,
    ends_ms: u64,
}

/// Attempts that failed, by address.
#[derive(Debug, Default)]
pub(super) struct Failures {
    pub(super) by: BTreeMap<IpAddr, (u32, u64)>,
}

const COOKIE: &str = "offkey_session";
pub(super) const SESSION_MS: u64 = 12 * 3_600_000;
const MOST_SESSIONS: usize = 256;
const LEAST_PASSWORD: usize = 8;
const LEAST_TOKEN: usize = 16;
/// Attempts without a wait.
const FREE_ATTEMPTS: u32 = 5;
const WAIT_MS: u64 = 30_000;
const MOST_ADDRESSES: usize = 4096;

impl Access {
    /// Reads the secrets of a configuration.
    ///
    /// # Errors
    /// [`AccessError`] when a secret cannot be had or used.
    pub fn new(web: &WebConfig, beside: &Path) -> Result<Self, AccessError> {
        let key: [u8; 32] = random()?;
        let read =
            |secret: &Option<Secret>| secret.as_ref().map(|secret| secret.read(beside)).transpose();
        let (password, token) = (read(&web.password)?, read(&web.token)?);
        for (what, text, least) in
            [("password", &password, LEAST_PASSWORD), ("token", &token, LEAST_TOKEN)]
        {
            if text.as_ref().is_some_and(|text| text.chars().count() < least) {
                return Err(AccessError::Short { what, least });
            }
        }
        let password = password.map(|text| hash_of(&text)).transpose()?;
        Ok(Self {
            token: token.map(|token| code(&key, &token)),
            password,
            key,
            secure_cookies: web.behind_https || web.certificate.is_some(),
            behind_proxy: web.behind_https,
            sessions: Mutex::default(),
            failures: Mutex::default(),
            wrong_tokens: Mutex::default(),
            checking: Semaphore::new(1),
        })
    }

    /// Whether everybody of this computer may come in.
    pub fn is_open(&self) -> bool {
        self.password.is_none() && self.token.is_none()
    }

    /// Who asks: behind a proxy, whom the proxy names. Only the last name is the proxy's own word.
    pub(super) fn from(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let named = headers.get_all("x-forwarded-for").iter().next_back();
        let named =
            named.and_then(|line| line.to_str().ok()?.rsplit(',').next()?.trim().parse().ok());
        named.filter(|_| self.behind_proxy).unwrap_or(peer)
    }

    /// Whether a request brings the token; an address that guesses has to wait.
    pub(super) fn is_token(
        &self,
        from: IpAddr,
        headers: &HeaderMap,
        now_ms: u64,
    ) -> Result<bool, Refusal> {
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let given = given.and_then(|value| value.strip_prefix("Bearer "));
        let (Some(given), Some(token)) = (given, &self.token) else { return Ok(false) };
        let mut wrong = self.wrong_tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let wait_ms = wrong.wait_ms(from, now_ms);
        if wait_ms > 0 {
            return Err(too_many(wait_ms));
        }
        let right = same_code(&self.key, given.trim(), token);
        if right {
            wrong.by.remove(&from);
        } else {
            wrong.fail(from, now_ms);
        }
        Ok(right)
    }

    pub(super) fn session(&self, headers: &HeaderMap, now_ms: u64) -> Option<Session> {
        let cookies =
            headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let given = cookies
            .flat_map(|line| line.split(';'))
            .find_map(|cookie| cookie.trim().strip_prefix(COOKIE)?.strip_prefix('='))?;
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let live = sessions.iter().filter(|session| session.ends_ms > now_ms);
        live.into_iter().find(|session| same_code(&self.key, given, &session.code)).cloned()
    }

    pub(super) fn begin_session(&self, now_ms: u64) -> Result<(String, String), AccessError> {
        let (secret, csrf) = (hex(&random::<32>()?), hex(&random::<16>()?));
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|session| session.ends_ms > now_ms);
        if sessions.len() >= MOST_SESSIONS {
            sessions.pop_front();
        }
        let ends_ms = now_ms + SESSION_MS;
        sessions.push_back(Session { code: code(&self.key, &secret), csrf: csrf.clone(), ends_ms });
        Ok((secret, csrf))
    }

    pub(super) fn cookie(&self, secret: &str, age_s: u64) -> String {
        let secure = if self.secure_cookies { "; Secure" } else { "" };
        format!("{COOKIE}={secret}; Path=/; HttpOnly; SameSite=Strict; Max-Age={age_s}{secure}")
    }
}

impl Failures {
    /// How long an address has to wait yet.
    pub(super) fn wait_ms(&self, from: IpAddr, now_ms: u64) -> u64 {
        match self.by.get(&from) {
            Some((failures, last_ms)) if *failures >= FREE_ATTEMPTS => {
                (last_ms + WAIT_MS).saturating_sub(now_ms)
            }
            _ => 0,
        }
    }

    pub(super) fn fail(&mut self, from: IpAddr, now_ms: u64) {
        self.by.retain(|_, (_, last_ms)| *last_ms + 60 * WAIT_MS > now_ms);
        if self.by.len() >= MOST_ADDRESSES
            && let Some(&first) = self.by.keys().next()
        {
            self.by.remove(&first);
        }
        let (failures, last_ms) = self.by.entry(from).or_default();
        *failures += 1;
        *last_ms = now_ms;
    }
}

/// Somebody guessed too often.
pub(super) fn too_many(wait_ms: u64) -> Refusal {
    let what = format!("too many attempts, wait {} s", wait_ms.div_ceil(1000));
    Refusal::new(StatusCode::TOO_MANY_REQUESTS, what)
}

/// The hash of a password, or the text itself where it is one.
fn hash_of(text: &str) -> Result<String, AccessError> {
    if text.starts_with("$argon2") {
        PasswordHash::new(text)
            .map_err(|error| AccessError::Hash { problem: error.to_string() })?;
        return Ok(text.to_owned());
    }
    let hash = Argon2::default()
        .hash_password(text.as_bytes())
        .map_err(|error| AccessError::Hash { problem: error.to_string() })?;
    Ok(hash.to_string())
}

pub(super) fn code(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

pub(super) fn same_code(key: &[u8], text: &str, expected: &[u8]) -> bool {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    mac.verify_slice(expected).is_ok()
}

fn random<const BYTES: usize>() -> Result<[u8; BYTES], AccessError> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes)
        .map_err(|error| AccessError::Random { problem: error.to_string() })?;
    Ok(bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_have_to_wait_after_the_first_few_and_are_forgotten_later() {
        let from: IpAddr = [10, 0, 0, 1].into();
        let mut failures = Failures::default();
        for _ in 0..FREE_ATTEMPTS {
            assert_eq!(failures.wait_ms(from, 1000), 0);
            failures.fail(from, 1000);
        }
        assert_eq!(failures.wait_ms(from, 1000), WAIT_MS);
        assert_eq!(failures.wait_ms(from, 1000 + WAIT_MS), 0);
        assert_eq!(failures.wait_ms([10, 0, 0, 2].into(), 1000), 0);
        failures.fail([10, 0, 0, 3].into(), 1000 + 61 * WAIT_MS);
        assert_eq!(failures.by.len(), 1);
    }

    #[test]
    fn failures_of_many_addresses_take_bounded_memory() {
        let mut failures = Failures::default();
        for address in 0..2 * MOST_ADDRESSES as u32 {
            failures.fail(IpAddr::V4(address.into()), 1);
        }
        assert!(failures.by.len() <= MOST_ADDRESSES);
    }

    #[test]
    fn sessions_end_and_are_bounded() {
        let access = Access::new(&WebConfig::default(), Path::new(".")).expect("no secrets");
        let headers = |secret: &str| {
            let mut headers = HeaderMap::new();
            let cookie = format!("other=1; {COOKIE}={secret}").parse().expect("a cookie");
            headers.insert(header::COOKIE, cookie);
            headers
        };
        let (first, csrf) = access.begin_session(0).expect("a session");
        assert_eq!(access.session(&headers(&first), 1).map(|session| session.csrf), Some(csrf));
        assert!(access.session(&headers("guess"), 1).is_none());
        assert!(access.session(&headers(&first), SESSION_MS).is_none());
        for _ in 0..MOST_SESSIONS {
            access.begin_session(0).expect("a session");
        }
        assert!(access.session(&headers(&first), 1).is_none());
    }
}
