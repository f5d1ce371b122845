//! Where models and the plan lie: a folder (perhaps of another computer), or an address of the web.

use std::{
    fs, io,
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use offkey_core::cause_in_words;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

/// The longest one request may take: a large model on a slow line.
const WITHIN: Duration = Duration::from_mins(10);
const CONNECT_WITHIN: Duration = Duration::from_secs(15);
/// How long a server may think before it begins to answer.
const ANSWER_WITHIN: Duration = Duration::from_mins(1);
const MOST_REDIRECTS: u32 = 3;

/// A place.
pub struct Place {
    root: Root,
}

enum Root {
    Folder(PathBuf),
    Web { base: String, token: Option<String>, agent: ureq::Agent },
}

/// What a place has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// What was had before.
    Same,
    /// Something new.
    New {
        /// It.
        bytes: Vec<u8>,
        /// Says later whether it is still the same.
        tag: Option<String>,
    },
}

/// Why something cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlaceError {
    /// A file cannot be read.
    #[error("cannot read `{}`", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The address does not answer.
    #[error("`{url}` cannot be had: {problem}")]
    Web {
        /// Which.
        url: String,
        /// Why.
        problem: String,
    },
    /// It is larger than anything that belongs here.
    #[error("`{what}` is larger than {most} bytes")]
    Large {
        /// What.
        what: String,
        /// What is allowed.
        most: u64,
    },
    /// The certificate authority cannot be used.
    #[error("no certificate authority in `{}`", path.display())]
    Authority {
        /// The file.
        path: PathBuf,
    },
}

/// Whether a place is of the web.
pub fn is_web(place: &str) -> bool {
    place.starts_with("http://") || place.starts_with("https://")
}

impl Place {
    /// A place; a relative folder is looked for in `beside`. `token` goes with every request, `authority` is whom the
    /// server's certificate comes from where that is not a public one.
    ///
    /// # Errors
    /// [`PlaceError`] when the authority cannot be read.
    pub fn new(
        place: &str,
        beside: &Path,
        token: Option<String>,
        authority: Option<&Path>,
    ) -> Result<Self, PlaceError> {
        if !is_web(place) {
            return Ok(Self { root: Root::Folder(beside.join(place)) });
        }
        let mut config = ureq::Agent::config_builder()
            .timeout_global(Some(WITHIN))
            .timeout_connect(Some(CONNECT_WITHIN))
            .timeout_recv_response(Some(ANSWER_WITHIN))
            .max_redirects(MOST_REDIRECTS)
            .http_status_as_error(false);
        if let Some(path) = authority {
            let path = beside.join(path);
            let pem =
                fs::read(&path).map_err(|source| PlaceError::Io { path: path.clone(), source })?;
            let found: Vec<Certificate<'static>> = parse_pem(&pem)
                .filter_map(|item| match item {
                    Ok(PemItem::Certificate(certificate)) => Some(certificate),
                    _ => None,
                })
                .collect();
            if found.is_empty() {
                return Err(PlaceError::Authority { path });
            }
            let roots = RootCerts::Specific(Arc::new(found));
            config = config.tls_config(TlsConfig::builder().root_certs(roots).build());
        }
        let base = place.trim_end_matches('/').to_owned();
        Ok(Self { root: Root::Web { base, token, agent: config.build().into() } })
    }

    /// What lies at a path, where that is not what was had before (`tag`); never more than `most` bytes.
    ///
    /// # Errors
    /// [`PlaceError`] when it cannot be had.
    pub fn get(&self, path: &str, tag: Option<&str>, most: u64) -> Result<Answer, PlaceError> {
        match &self.root {
            Root::Folder(folder) => from_folder(&folder.join(path), tag, most),
            Root::Web { base, token, agent } => {
                let url = format!("{base}/{path}");
                from_web(agent, &url, token.as_deref(), tag, most)
            }
        }
    }
}

fn from_folder(path: &Path, tag: Option<&str>, most: u64) -> Result<Answer, PlaceError> {
    let failed = |source| PlaceError::Io { path: path.to_owned(), source };
    let file = fs::File::open(path).map_err(failed)?;
    let data = file.metadata().map_err(failed)?;
    let since = data.modified().ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
    let now = since.map(|since| format!("{} {}", since.as_nanos(), data.len()));
    if now.is_some() && now.as_deref() == tag {
        return Ok(Answer::Same);
    }
    let bytes = bounded(file, most, path.display()).map_err(|error| error.or(failed))?;
    Ok(Answer::New { bytes, tag: now })
}

fn from_web(
    agent: &ureq::Agent,
    url: &str,
    token: Option<&str>,
    tag: Option<&str>,
    most: u64,
) -> Result<Answer, PlaceError> {
    let failed = |problem: String| PlaceError::Web { url: url.to_owned(), problem };
    let mut request = agent.get(url);
    if let Some(token) = token {
        request = request.header("Authorization", format!("Bearer {token}"));
    }
    if let Some(tag) = tag {
        request = request.header("If-None-Match", tag);
    }
    let answer = request.call().map_err(|error| failed(cause_in_words(&error)))?;
    match answer.status().as_u16() {
        304 => return Ok(Answer::Same),
        200 => {}
        status => return Err(failed(format!("the server answers with status {status}"))),
    }
    let tag = answer.headers().get("etag").and_then(|tag| tag.to_str().ok()).map(str::to_owned);
    let body = answer.into_body().into_with_config().limit(most + 1).reader();
    let bytes = bounded(body, most, url)
        .map_err(|error| error.or(|source| failed(cause_in_words(&source))))?;
    Ok(Answer::New { bytes, tag })
}

/// Why a stream could not be read to its end.
enum Unread {
    Io(io::Error),
    Large(PlaceError),
}

impl Unread {
    fn or(self, failed: impl FnOnce(io::Error) -> PlaceError) -> PlaceError {
        match self {
            Self::Io(error) => failed(error),
            Self::Large(error) => error,
        }
    }
}

fn bounded(from: impl Read, most: u64, what: impl ToString) -> Result<Vec<u8>, Unread> {
    let mut bytes = Vec::new();
    from.take(most + 1).read_to_end(&mut bytes).map_err(Unread::Io)?;
    if bytes.len() as u64 > most {
        return Err(Unread::Large(PlaceError::Large { what: what.to_string(), most }));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_did_not_change_is_not_read_again_and_nothing_is_too_large() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let place = Place::new("store", folder.path(), None, None).expect("a folder");
        assert!(matches!(place.get("plan", None, 100), Err(PlaceError::Io { .. })));
        fs::create_dir(folder.path().join("store")).expect("room");
        fs::write(folder.path().join("store/plan"), "one").expect("room");
        let Ok(Answer::New { bytes, tag: Some(tag) }) = place.get("plan", None, 100) else {
            panic!("it is new")
        };
        assert_eq!(bytes, b"one");
        assert_eq!(place.get("plan", Some(&tag), 100).expect("it is there"), Answer::Same);
        fs::write(folder.path().join("store/plan"), "three").expect("room");
        assert!(matches!(place.get("plan", Some(&tag), 100), Ok(Answer::New { .. })));
        assert!(matches!(place.get("plan", None, 4), Err(PlaceError::Large { most: 4, .. })));
    }
}
