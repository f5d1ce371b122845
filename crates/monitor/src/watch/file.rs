//! A growing file as a source: WAV, or raw samples. It is waited for while it is away, and begun anew
//! when it was replaced.

use std::{
    collections::VecDeque,
    io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use offkey_core::{cause_in_words, names::is_audio};
use offkey_signal::{AudioInfo, PcmFormat};

use super::{
    follow::{Follow, FollowError, Look},
    mark::Mark,
    memory::Bookmarks,
    only_whole::why_only_whole,
    source::{Piece, Source, Stretch},
};
use crate::{Listening, Problem};

/// Making a mark reads the file's beginning and end: not after every piece.
const MARKS_APART: Duration = Duration::from_secs(5);

/// A file that grows.
pub struct GrowingFile {
    path: PathBuf,
    name: String,
    /// None where the name says that there is a header.
    raw: Option<PcmFormat>,
    listening: Listening,
    once: bool,
    follow: Option<(Follow, Look)>,
    state: State,
    /// Bytes that the last mark covers.
    marked: u64,
    /// Samples handed over of this file.
    heard: u64,
    /// Whether it was told how the file differs from the normal recordings.
    compared: bool,
    beginnings: u64,
    /// When it was marked last.
    marked_at: Option<Instant>,
    /// The rate that the file was last found to have.
    rate_hz: Option<u32>,
    ready: VecDeque<Piece>,
}

/// The form of a file's samples where it has no header: none where its name is that of a recording
/// with a header.
pub fn raw_form(path: &Path, raw: PcmFormat) -> Option<PcmFormat> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    (!name.is_some_and(|name| is_audio(&name))).then_some(raw)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing was read yet.
    Fresh,
    Reading,
    /// It was told that nothing can be read.
    Lost,
    /// The content is not understood: waits for another file.
    Refused,
    /// Everything was handed over.
    Over,
}

impl GrowingFile {
    /// A file, called `name` in events; bytes of no known form are raw samples, unless the file is
    /// named as a recording with a header is (`.wav`). With `once` what is
    /// there is handed over, and nothing waited for.
    pub fn new(
        path: PathBuf,
        name: String,
        raw: PcmFormat,
        listening: Listening,
        once: bool,
    ) -> Self {
        Self {
            raw: raw_form(&path, raw),
            path,
            name,
            listening,
            once,
            follow: None,
            state: State::Fresh,
            marked: 0,
            heard: 0,
            compared: false,
            beginnings: 0,
            marked_at: None,
            rate_hz: None,
            ready: VecDeque::new(),
        }
    }

    fn open(&mut self, bookmarks: &Bookmarks) -> io::Result<()> {
        let look = Look::at(&self.path)?;
        let config = self.listening.windows.decode_config();
        self.follow = Some((Follow::open(&self.path, self.raw, &config)?, look));
        (self.marked, self.heard) = (0, 0);
        self.compared = false;
        let known = bookmarks.get(&self.name).filter(|bookmark| {
            let fits = |mark: Mark| mark.fits(&self.path, &look).unwrap_or(false);
            self.state == State::Fresh && bookmark.recognised_by().is_none_or(fits)
        });
        self.beginnings += 1;
        let id = known.map_or_else(
            || format!("{}#{}.{}", self.name, look.modified_ms, self.beginnings),
            |bookmark| bookmark.id.clone(),
        );
        if matches!(self.state, State::Lost | State::Refused) {
            self.ready.push_back(Piece::Back { reason: "the file is back".to_owned() });
        }
        self.state = State::Reading;
        let (place, name) = (self.name.clone(), self.name.clone());
        let begun = Mark::of(&self.path, look.bytes, &look).ok();
        let stretch = Stretch { place, id, name, begun };
        self.ready.push_back(Piece::Begin { stretch, first_sample: 0 });
        Ok(())
    }

    /// Tells once that nothing can be heard.
    fn lost(&mut self, problem: Problem, reason: String, state: State) {
        if self.once {
            let message = format!("`{}`: {reason}", self.path.display());
            self.ready.push_back(Piece::Unread { message, again: false });
            self.state = State::Over;
            return;
        }
        if !matches!(self.state, State::Lost | State::Refused) {
            self.ready.push_back(Piece::Lost { problem, reason });
        }
        self.state = state;
    }

    /// Lets go of a file that was replaced or is away.
    fn look_again(&mut self) {
        let Some((follow, before)) = &self.follow else { return };
        match Look::at(&self.path) {
            Ok(now) if now.may_continue(before) && now.bytes >= follow.read => {}
            Ok(_) => self.follow = None,
            Err(error) => {
                self.follow = None;
                let reason = format!("the file cannot be read: {}", cause_in_words(&error));
                self.lost(Problem::Vanished, reason, State::Lost);
            }
        }
    }

    fn read(&mut self) {
        let Some((follow, _)) = &mut self.follow else { return };
        let mut samples = Vec::new();
        let read = follow.read_on(&mut samples);
        let info = follow.info();
        if let Some(form) = follow.waits_for_end().filter(|_| !self.once) {
            let reason = why_only_whole(&form.to_string());
            self.lost(Problem::NotUnderstood, reason, State::Refused);
            return;
        }
        if !self.hand_over(info, samples) {
            return;
        }
        match read {
            Ok(true) => {}
            Ok(false) => self.at_end(),
            Err(FollowError::Io(error)) => {
                self.follow = None;
                let reason = format!("the file cannot be read: {}", cause_in_words(&error));
                self.lost(Problem::Vanished, reason, State::Lost);
            }
            Err(FollowError::Audio(error)) => {
                self.lost(Problem::NotUnderstood, error.to_string(), State::Refused);
            }
        }
    }

    /// Hands samples over where they can be judged; false where they cannot.
    fn hand_over(&mut self, info: Option<AudioInfo>, samples: Vec<f32>) -> bool {
        self.rate_hz = info.map(|info| info.rate_hz).or(self.rate_hz);
        if let Some(refusal) = info.and_then(|info| self.listening.refusal(info.rate_hz)) {
            self.lost(Problem::NotUnderstood, refusal, State::Refused);
            return false;
        }
        if let Some(info) = info.filter(|_| !std::mem::replace(&mut self.compared, true)) {
            self.ready.extend(self.listening.difference(&info).map(Piece::Differs));
        }
        self.heard += samples.len() as u64;
        if !samples.is_empty() {
            self.ready.push_back(Piece::Sound(samples));
        }
        true
    }

    /// Everything there is by now was read.
    fn at_end(&mut self) {
        let Some((follow, _)) = &mut self.follow else { return };
        if self.once {
            self.state = State::Over;
            let mut samples = Vec::new();
            let (finished, info) = (follow.finish(&mut samples), follow.info());
            if !self.hand_over(info, samples) {
                return;
            }
            let told = match finished {
                Ok(()) => self.listening.left_out(&self.name, self.heard),
                Err(error) => Some(error.to_string()),
            };
            let unread = |message| Piece::Unread { message, again: false };
            self.ready.extend(told.map(unread));
        }
        let Some((follow, look)) = &self.follow else { return };
        let due = self.once || self.marked_at.is_none_or(|marked| marked.elapsed() >= MARKS_APART);
        if due && follow.read > self.marked {
            self.marked_at = Some(Instant::now());
            self.marked = follow.read;
            let mark = Mark::of(&self.path, self.marked, look).ok();
            self.ready.push_back(Piece::Complete { mark });
        }
    }
}

impl Source for GrowingFile {
    fn next(&mut self, bookmarks: &Bookmarks, wait: Duration) -> Piece {
        if let Some(piece) = self.ready.pop_front() {
            return piece;
        }
        if self.state == State::Over {
            return Piece::End;
        }
        if self.follow.is_none() {
            if let Err(error) = self.open(bookmarks) {
                let reason = format!("the file cannot be read: {}", cause_in_words(&error));
                self.lost(Problem::Vanished, reason, State::Lost);
            }
        } else {
            self.look_again();
            if self.state == State::Reading {
                self.read();
            }
        }
        self.ready.pop_front().unwrap_or_else(|| {
            std::thread::sleep(wait);
            Piece::Nothing
        })
    }

    fn listen(&mut self, listening: &Listening) {
        if self.listening != *listening {
            if self.listening.windows != listening.windows {
                self.reset();
            }
            self.listening = listening.clone();
            self.compared = false;
        }
    }

    fn reset(&mut self) {
        self.ready.clear();
        if self.follow.take().is_some() && self.state == State::Reading {
            // The same file goes on where it was judged to.
            self.state = State::Fresh;
        }
    }

    fn waits(&self) -> bool {
        true
    }

    fn rate_hz(&self) -> Option<u32> {
        self.rate_hz
    }
}
