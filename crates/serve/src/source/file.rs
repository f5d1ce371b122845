//! A file that grows; when it is replaced, it begins anew.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use offkey_core::{cause_in_words, with_causes};
use offkey_monitor::{
    Listening,
    watch::{Follow, FollowError, Look, raw_form, why_only_whole},
};
use offkey_signal::{AudioInfo, PcmFormat};

use super::{Next, Position, Source};

const KEY: &str = "file";

/// A growing file.
pub struct FileSource {
    path: PathBuf,
    raw: PcmFormat,
    /// The file as remembered: its identity and the first sample that was not judged.
    left_at: Option<(String, u64)>,
    open: Option<Open>,
    lost: bool,
    /// A file that cannot be understood is left alone until it is another one.
    refused: Option<(u64, u64)>,
    /// The rate that the file was last found to have.
    rate_hz: Option<u32>,
}

struct Open {
    follow: Follow,
    /// The file as it was when it was opened.
    look: Look,
    begun: bool,
    checked: bool,
}

impl FileSource {
    /// A file, and what was remembered of it.
    pub fn new(path: &Path, raw: PcmFormat, position: &BTreeMap<String, String>) -> Self {
        let left_at = position.get(KEY).and_then(|text| {
            let (next, identity) = text.split_once(' ')?;
            Some((identity.to_owned(), next.parse().ok()?))
        });
        Self {
            path: path.to_owned(),
            raw,
            left_at,
            open: None,
            lost: false,
            refused: None,
            rate_hz: None,
        }
    }

    fn step(&mut self, listening: &Listening) -> io::Result<Next> {
        let look = Look::at(&self.path)?;
        if std::mem::take(&mut self.lost) {
            return Ok(Next::Back);
        }
        if self.refused == Some(look.identity()) {
            return Ok(Next::Nothing);
        }
        self.refused = None;
        if let Some(open) = &self.open
            && !(look.may_continue(&open.look) && look.bytes >= open.follow.read)
        {
            self.open = None;
        }
        let Some(open) = &mut self.open else {
            let (raw, config) = (raw_form(&self.path, self.raw), listening.windows.decode_config());
            let follow = Follow::open(&self.path, raw, &config)?;
            self.open = Some(Open { follow, look, begun: false, checked: false });
            return Ok(Next::Nothing);
        };
        if !std::mem::replace(&mut open.begun, true) {
            let from = match self.left_at.take() {
                Some((left, next)) if left == identity(&open.look) => next,
                _ => 0,
            };
            return Ok(Next::Begin { from, start_ms: None });
        }
        let mut samples = Vec::new();
        let mut refusal = match open.follow.read_on(&mut samples) {
            Ok(true) => None,
            Ok(false) => return Ok(Next::Nothing),
            Err(FollowError::Io(error)) => return Err(error),
            Err(FollowError::Audio(error)) => Some(with_causes(&error)),
        };
        if let Some(form) = open.follow.waits_for_end() {
            refusal = Some(not_growing(&form.to_string()));
        }
        if let Some(found) = open.follow.info().filter(|_| !open.checked) {
            open.checked = true;
            self.rate_hz = Some(found.rate_hz);
            refusal = refusal.or_else(|| listening.refusal(found.rate_hz));
        }
        if let Some(why) = refusal {
            self.refused = Some(open.look.identity());
            self.open = None;
            return Ok(Next::Ended(format!("`{}`: {why}", self.path.display())));
        }
        Ok(if samples.is_empty() { Next::Nothing } else { Next::Sound(samples) })
    }
}

impl Source for FileSource {
    fn next(&mut self, listening: &Listening, wait: Duration) -> Next {
        let next = match self.step(listening) {
            Ok(next) => next,
            Err(error) if !std::mem::replace(&mut self.lost, true) => {
                self.open = None;
                Next::Ended(format!(
                    "`{}` cannot be read: {}",
                    self.path.display(),
                    cause_in_words(&error)
                ))
            }
            Err(_) => Next::Nothing,
        };
        if next == Next::Nothing {
            std::thread::sleep(wait);
        }
        next
    }

    fn position(&mut self, next: u64) -> Position {
        let Some(open) = &self.open else { return Vec::new() };
        vec![(KEY.to_owned(), Some(format!("{next} {}", identity(&open.look))))]
    }

    fn waits(&self) -> bool {
        true
    }

    fn rate_hz(&self) -> Option<u32> {
        self.rate_hz
    }

    fn info(&self) -> Option<AudioInfo> {
        self.open.as_ref()?.follow.info()
    }

    fn reset(&mut self) {
        self.open = None;
        self.left_at = None;
    }
}

/// Why a growing file of such a form is not heard, and what to do.
pub(crate) fn not_growing(form: &str) -> String {
    let why = why_only_whole(form);
    format!("{why}: name its folder as the source, or a `command` that prints it as WAV")
}

/// What is remembered of a file, to tell it from another under the same name.
fn identity(look: &Look) -> String {
    let (device, number) = look.identity();
    format!("{device}:{number}")
}
