//! A folder that recordings are written to as a source: subfolders too, each recording once, further
//! where it has grown, again where reading failed.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use offkey_core::{Digest, cause_in_words, names::is_audio, walk::walk};
use offkey_signal::{AudioInfo, ClipReader};

use super::{
    follow::{FollowError, Look},
    mark::Mark,
    memory::Bookmarks,
    reading::Reading,
    source::{Piece, Source, Stretch},
};
use crate::{Listening, Problem};

/// Looks at an unchanged recording before it is said that it cannot be heard: it may still be being
/// written.
const PATIENCE: u32 = 10;
/// Looks at a recording that cannot be read before that is final where nothing is waited for.
const ATTEMPTS: u32 = 3;
/// How much longer than a look the pause after it lasts at least.
const LOOKS_APART: u32 = 20;

/// A folder of recordings.
pub struct Folder {
    root: PathBuf,
    /// A folder inside that is not looked into: what is kept there would be heard again.
    but: Option<PathBuf>,
    listening: Listening,
    poll: Duration,
    /// How long to wait from look to look at the moment.
    pause: Duration,
    once: bool,
    /// Whether recordings are there only once they are whole.
    whole: bool,
    looked: Option<Instant>,
    lost: bool,
    /// What cannot be read, as it was told.
    unread: BTreeSet<String>,
    known: BTreeMap<String, Known>,
    due: VecDeque<Due>,
    hearing: Option<Hearing>,
    /// The recording heard last, kept apart: what breaks down takes the rest with it.
    current: Option<Due>,
    ready: VecDeque<Piece>,
}

/// What is known of a recording since this watch began.
struct Known {
    look: Look,
    /// Looks since that found it unchanged.
    looks: u32,
    /// Whether it was handed over as it is.
    done: bool,
    failures: u32,
}

/// A recording being handed over.
struct Hearing {
    due: Due,
    reading: Reading,
    /// Samples handed over.
    heard: u64,
    /// Whether it was told how it differs from the normal recordings.
    compared: bool,
}

/// A recording to be handed over.
#[derive(Clone)]
struct Due {
    place: String,
    path: PathBuf,
    look: Look,
}

impl Folder {
    /// A folder that is looked at every `poll`. With `once`, until all that is there was handed over.
    /// What lies below `but` is left alone.
    pub fn new(
        root: PathBuf,
        but: Option<PathBuf>,
        listening: Listening,
        poll: Duration,
        once: bool,
    ) -> Self {
        Self {
            root,
            but: but.and_then(|but| but.canonicalize().ok()),
            listening,
            poll,
            pause: poll,
            once,
            whole: once,
            looked: None,
            lost: false,
            unread: BTreeSet::new(),
            known: BTreeMap::new(),
            due: VecDeque::new(),
            hearing: None,
            current: None,
            ready: VecDeque::new(),
        }
    }

    /// The same folder, in which recordings are there only once they are whole: none is waited for.
    #[must_use]
    pub fn of_whole_recordings(self) -> Self {
        Self { whole: true, ..self }
    }

    /// Finds out what is new.
    fn look(&mut self, bookmarks: &Bookmarks) {
        let (found, unread) = match recordings(&self.root, self.but.as_deref()) {
            Ok(found) => found,
            Err(error) => {
                if !std::mem::replace(&mut self.lost, true) {
                    let reason = format!("the folder cannot be read: {}", cause_in_words(&error));
                    self.ready.push_back(Piece::Lost { problem: Problem::Vanished, reason });
                }
                return;
            }
        };
        if std::mem::take(&mut self.lost) {
            self.ready.push_back(Piece::Back { reason: "the folder is back".to_owned() });
        }
        let whole = unread.is_empty();
        self.unread.retain(|told| unread.contains(told));
        for message in unread {
            if self.unread.insert(message.clone()) {
                self.ready.push_back(Piece::Unread { message, again: false });
            }
        }
        // A share that is away leaves an empty folder: nothing of it is forgotten.
        if whole && !found.is_empty() {
            let gone = bookmarks.keys().filter(|place| !found.contains_key(*place));
            let gone: Vec<String> = gone.cloned().collect();
            if !gone.is_empty() {
                self.ready.push_back(Piece::Gone(gone));
            }
            self.known.retain(|place, _| found.contains_key(place));
        }
        let mut due = Vec::new();
        for (place, (path, look)) in found {
            let known = self.known.entry(place.clone()).or_insert(Known {
                look,
                looks: 0,
                done: false,
                failures: 0,
            });
            if known.look == look {
                known.looks += 1;
            } else {
                *known = Known { look, looks: 1, done: false, failures: 0 };
            }
            // One look more than that found it as it is.
            if !known.done && (self.whole || known.looks > 1) {
                due.push(Due { place, path, look });
            }
        }
        due.sort_by(|a, b| (a.look.modified_ms, &a.place).cmp(&(b.look.modified_ms, &b.place)));
        self.due = due.into();
    }

    fn begin(&mut self, due: Due, bookmarks: &Bookmarks) {
        let bookmark = bookmarks.get(&due.place);
        let continues = match bookmark {
            None => Ok(false),
            Some(bookmark) => {
                bookmark.recognised_by().map_or(Ok(true), |mark| mark.fits(&due.path, &due.look))
            }
        };
        let continues = match continues {
            Ok(continues) => continues,
            Err(error) => return self.failed(&due, &error),
        };
        let all_heard = |mark: Mark| mark.bytes == due.look.bytes;
        let fresh = || format!("{}#{}", due.path.display(), due.look.modified_ms);
        let id = match bookmark {
            Some(bookmark) if continues => {
                if bookmark.mark.is_some_and(all_heard) {
                    return self.done(&due.place);
                }
                bookmark.id.clone()
            }
            Some(bookmark) if bookmark.id == fresh() => format!("{}+", bookmark.id),
            _ => fresh(),
        };
        self.current = Some(due.clone());
        let opened = match Reading::open(&due.path, &self.listening.windows.decode_config()) {
            Ok(reading) => Ok(reading),
            Err(FollowError::Audio(error)) => Err(error),
            Err(FollowError::Io(error)) => return self.failed(&due, &error),
        };
        let name = due.path.display().to_string();
        let begun = Mark::of(&due.path, due.look.bytes, &due.look).ok();
        let stretch = Stretch { place: due.place.clone(), id, name, begun };
        self.ready.push_back(Piece::Begin { stretch, first_sample: 0 });
        match opened {
            Ok(reading) => {
                self.hearing = Some(Hearing { due, reading, heard: 0, compared: false });
            }
            Err(error) => {
                let mark = || Mark::of(&due.path, due.look.bytes, &due.look).ok();
                self.complete(&due, mark, Some(format!("left out: {error}")));
            }
        }
    }

    fn read(&mut self) {
        let Some(Hearing { due, mut reading, heard, compared }) = self.hearing.take() else {
            return;
        };
        let mut samples = Vec::new();
        let read = reading.read_on(&mut samples);
        let heard = heard + samples.len() as u64;
        let info = reading.info();
        let mark = || reading.mark(&due.path, &due.look);
        if let Some(refusal) = info.and_then(|info| self.listening.refusal(info.rate_hz)) {
            let problem = format!("left out: `{}`: {refusal}", due.path.display());
            return self.complete(&due, mark, Some(problem));
        }
        if let (Some(info), false) = (&info, compared) {
            self.ready.extend(self.listening.difference(info).map(Piece::Differs));
        }
        let compared = compared || info.is_some();
        if !samples.is_empty() {
            self.ready.push_back(Piece::Sound(samples));
        }
        match read {
            Ok(false) => {
                let problem = self.listening.left_out(&due.path.display().to_string(), heard);
                self.complete(&due, mark, problem);
            }
            Ok(true) => self.hearing = Some(Hearing { due, reading, heard, compared }),
            Err(FollowError::Io(error)) => self.failed(&due, &error),
            Err(FollowError::Audio(error)) => {
                let enough = heard >= self.listening.windows.samples as u64;
                let what = if enough { "heard in part" } else { "left out" };
                self.complete(&due, mark, Some(format!("{what}: {error}")));
            }
        }
    }

    /// Everything that can be heard of a recording was handed over.
    fn complete(
        &mut self,
        due: &Due,
        mark: impl FnOnce() -> Option<Mark>,
        problem: Option<String>,
    ) {
        let patient = self.known.get(&due.place).is_none_or(|known| known.looks > PATIENCE);
        if let Some(problem) = problem {
            if !patient && !self.whole {
                // It may still be being written: it is heard again when it was left alone for a while.
                return;
            }
            self.ready.push_back(Piece::Unread { message: problem, again: false });
        }
        self.over(due, mark());
    }

    fn over(&mut self, due: &Due, mark: Option<Mark>) {
        if mark.is_some() {
            self.done(&due.place);
        }
        self.ready.push_back(Piece::Complete { mark });
    }

    fn done(&mut self, place: &str) {
        if let Some(known) = self.known.get_mut(place) {
            known.done = true;
        }
    }

    /// A recording that could not be read is tried again at the next look.
    fn failed(&mut self, due: &Due, error: &io::Error) {
        let Some(known) = self.known.get_mut(&due.place) else { return };
        known.failures += 1;
        let again = !self.once || known.failures < ATTEMPTS;
        known.done = !again;
        let message = format!("left out: `{}`: {}", due.path.display(), cause_in_words(error));
        self.ready.push_back(Piece::Unread { message, again });
    }

    /// Whether all that is there was handed over, where nothing is waited for.
    fn is_over(&self) -> bool {
        self.once && self.looked.is_some() && self.known.values().all(|known| known.done)
    }
}

impl Source for Folder {
    fn next(&mut self, bookmarks: &Bookmarks, wait: Duration) -> Piece {
        if let Some(piece) = self.ready.pop_front() {
            return piece;
        }
        if self.hearing.is_some() {
            self.read();
        } else if let Some(due) = self.due.pop_front() {
            self.begin(due, bookmarks);
        } else if self.is_over() || (self.once && self.lost) {
            return Piece::End;
        } else if self.looked.is_none_or(|looked| looked.elapsed() >= self.pause) {
            let begun = Instant::now();
            self.look(bookmarks);
            // A large folder is looked at less often: looking takes a twentieth of the time at most.
            self.pause = self.poll.max(LOOKS_APART * begun.elapsed());
            self.looked = Some(Instant::now());
        } else {
            std::thread::sleep(wait.min(self.pause));
        }
        self.ready.pop_front().unwrap_or(Piece::Nothing)
    }

    fn listen(&mut self, listening: &Listening) {
        if self.listening != *listening {
            if self.listening.windows != listening.windows {
                self.reset();
            }
            self.listening = listening.clone();
            if let Some(hearing) = &mut self.hearing {
                hearing.compared = false;
            }
        }
    }

    fn reset(&mut self) {
        self.ready.clear();
        if let Some(hearing) = self.hearing.take() {
            self.due.push_front(hearing.due);
        }
    }

    /// Passes over the recording being heard: it would break its reader again.
    fn broke(&mut self, why: &str) -> Piece {
        self.hearing = None;
        self.ready.clear();
        let Some(due) = self.current.take() else { return Piece::Nothing };
        let path = due.path.display();
        let message = format!("left out: `{path}`: hearing it broke down: {why}");
        self.over(&due, Mark::of(&due.path, due.look.bytes, &due.look).ok());
        Piece::Unread { message, again: false }
    }

    fn waits(&self) -> bool {
        true
    }

    /// By when the recording was changed last, where its length is known.
    fn begun_ms(&self) -> Option<i64> {
        let Hearing { due, reading, .. } = self.hearing.as_ref()?;
        let length_ms = match reading {
            Reading::Whole(reader) => length_ms(reader.info()),
            Reading::Growing(_) => {
                let config = self.listening.windows.decode_config();
                length_ms(ClipReader::open(&due.path, &config).ok()?.info())
            }
        };
        Some(due.look.modified_ms.cast_signed() - length_ms?)
    }
}

/// The recordings below a folder by place, each as it looks now, and what could not be read, in words.
pub type Found = (BTreeMap<String, (PathBuf, Look)>, Vec<String>);

/// Looks at everything below a folder but what lies below `but`. Pipes, sockets and devices are no recordings, and a
/// link that leads back is not followed.
///
/// # Errors
/// [`io::Error`] when the folder itself cannot be read.
pub fn recordings(root: &Path, but: Option<&Path>) -> io::Result<Found> {
    let walk = walk(root)?;
    let mut found = BTreeMap::new();
    for file in walk.files {
        let name = file.path.file_name().map(|name| name.to_string_lossy().into_owned());
        let kept = but.is_some_and(|but| file.real.starts_with(but));
        if kept || !name.is_some_and(|name| is_audio(&name)) {
            continue;
        }
        // A file may be gone between listing and looking.
        if let Ok(look) = Look::at(&file.path) {
            let place = place(file.path.strip_prefix(root).unwrap_or(&file.path));
            found.insert(place, (file.path, look));
        }
    }
    let unread = walk.left_out.iter().filter(|left| left.may_hold_sound());
    let unread =
        unread.map(|left| format!("`{}` is left out: {}", left.path.display(), left.reason));
    Ok((found, unread.collect()))
}

/// How long a recording lasts, where that is known.
fn length_ms(info: &AudioInfo) -> Option<i64> {
    (info.frames < u64::MAX).then(|| (1000.0 * info.duration_s()) as i64)
}

/// A path as text, another for every path: one that is no text carries a fingerprint of its bytes.
fn place(path: &Path) -> String {
    if let Some(text) = path.to_str() {
        return text.to_owned();
    }
    let digest = Digest::of(path.as_os_str().as_encoded_bytes());
    let print: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("{}#{print}", path.to_string_lossy())
}
