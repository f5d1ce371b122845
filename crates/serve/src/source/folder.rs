//! A folder that recordings are written to, with its subfolders: the folder of `watch`, remembered in the
//! store.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use offkey_monitor::{
    Listening,
    watch::{Bookmark, Bookmarks, Folder, Mark, Piece, Source as _},
};
use offkey_signal::AudioInfo;

use super::{Next, Position, Source, usual_form};

/// Begins the key of a recording that was heard.
pub const HEARD: &str = "heard/";
/// Key under which earlier versions noted the recording that was being heard.
const HEARING: &str = "hearing";

/// A folder of recordings.
pub struct FolderSource {
    root: PathBuf,
    folder: Folder,
    bookmarks: Bookmarks,
    /// Place of the recording being heard.
    place: Option<String>,
    /// What is to be forgotten with the next position.
    forget: Vec<String>,
    /// What may be read later, and was told.
    told: BTreeSet<String>,
}

impl FolderSource {
    /// A folder whose recordings may still be written to, and what was remembered of it. What lies below `but` is
    /// left alone: sound kept there would be heard again.
    pub fn new(
        root: &Path,
        but: Option<PathBuf>,
        poll: Duration,
        position: &BTreeMap<String, String>,
    ) -> Self {
        let nobody = Listening::of_any(usual_form(None));
        let folder = Folder::new(root.to_owned(), but, nobody, poll, false);
        let forget = position.contains_key(HEARING).then(|| HEARING.to_owned());
        Self {
            root: root.to_owned(),
            folder,
            bookmarks: bookmarks(position),
            place: None,
            forget: forget.into_iter().collect(),
            told: BTreeSet::new(),
        }
    }

    /// A folder of uploads, which are there once they are whole, and are removed once they were heard. Those whose end
    /// was on disk before the service started are removed now; the recorder removes the others.
    pub fn of_uploads(root: &Path, poll: Duration, position: &BTreeMap<String, String>) -> Self {
        let source = Self::new(root, None, poll, position);
        for (place, bookmark) in &source.bookmarks {
            if bookmark.mark.is_some() {
                // One that cannot be removed is passed over as heard.
                let _ = fs::remove_file(root.join(place));
            }
        }
        Self { folder: source.folder.of_whole_recordings(), ..source }
    }

    fn take(&mut self, piece: Piece) -> Next {
        match piece {
            Piece::Begin { stretch, .. } => {
                let known = self.bookmarks.remove(&stretch.place);
                let known = known.filter(|known| known.id == stretch.id);
                let (from, mark) = known.map_or((0, None), |known| (known.next_sample, known.mark));
                let bookmark = Bookmark { id: stretch.id, next_sample: from, mark };
                self.bookmarks.insert(stretch.place.clone(), bookmark);
                self.place = Some(stretch.place);
                Next::Begin { from, start_ms: self.folder.begun_ms() }
            }
            Piece::Sound(samples) => Next::Sound(samples),
            Piece::Complete { mark } => Next::End { position: self.over(mark) },
            Piece::Unread { message, again } => {
                let known = again && !self.told.insert(message.clone());
                let left_out = Next::LeftOut { reason: message, position: Vec::new() };
                if known { Next::Nothing } else { left_out }
            }
            Piece::Lost { reason, .. } => {
                Next::Ended(format!("`{}`: {reason}", self.root.display()))
            }
            Piece::Back { .. } => Next::Back,
            Piece::Gone(places) => {
                for place in places {
                    self.bookmarks.remove(&place);
                    self.forget.push(format!("{HEARD}{place}"));
                }
                Next::Nothing
            }
            // How it differs is found by what it is.
            Piece::Differs(_) | Piece::Nothing | Piece::End => Next::Nothing,
        }
    }

    /// The recording was heard to its end: what to remember of it.
    fn over(&mut self, mark: Option<Mark>) -> Position {
        let mut position: Position = self.forget.drain(..).map(|key| (key, None)).collect();
        if let Some(place) = self.place.take()
            && let Some(bookmark) = self.bookmarks.get_mut(&place)
        {
            bookmark.mark = mark.or(bookmark.mark);
            position.push(entry(&place, bookmark));
        }
        position
    }
}

/// A bookmark as the store keeps it.
fn entry(place: &str, bookmark: &Bookmark) -> (String, Option<String>) {
    let text = serde_json::to_string(bookmark).expect("plain data has a JSON form");
    (format!("{HEARD}{place}"), Some(text))
}

/// How far recordings were heard: as it is written now, or as earlier versions wrote it.
fn bookmarks(position: &BTreeMap<String, String>) -> Bookmarks {
    let of = |(key, text): (&String, &String)| {
        let place = key.strip_prefix(HEARD)?;
        let bookmark = serde_json::from_str(text).ok().or_else(|| heard_before(text))?;
        Some((place.to_owned(), bookmark))
    };
    let mut found: Bookmarks = position.iter().filter_map(of).collect();
    found.extend(position.get(HEARING).and_then(|text| left_before(text)));
    found
}

/// `BYTES MODIFIED_MS` of a recording that was heard whole.
fn heard_before(text: &str) -> Option<Bookmark> {
    let (bytes, modified_ms) = text.split_once(' ')?;
    let (bytes, modified_ms) = (bytes.parse().ok()?, modified_ms.parse().ok()?);
    let mark = Some(Mark { bytes, modified_ms, head: 0, tail: 0 });
    Some(Bookmark { id: String::new(), next_sample: 0, mark })
}

/// `NEXT_SAMPLE BYTES MODIFIED_MS PLACE` of the recording that was being heard.
fn left_before(text: &str) -> Option<(String, Bookmark)> {
    let (next_sample, rest) = text.split_once(' ')?;
    let (_, place) = rest.split_once(' ')?.1.split_once(' ')?;
    let next_sample = next_sample.parse().ok()?;
    Some((place.to_owned(), Bookmark { id: String::new(), next_sample, mark: None }))
}

impl Source for FolderSource {
    fn next(&mut self, listening: &Listening, wait: Duration) -> Next {
        self.folder.listen(listening);
        let piece = self.folder.next(&self.bookmarks, wait);
        self.take(piece)
    }

    fn position(&mut self, next: u64) -> Position {
        let Some(place) = &self.place else { return Vec::new() };
        let Some(bookmark) = self.bookmarks.get_mut(place) else { return Vec::new() };
        bookmark.next_sample = next;
        vec![entry(place, bookmark)]
    }

    fn waits(&self) -> bool {
        true
    }

    fn info(&self) -> Option<AudioInfo> {
        self.folder.info()
    }

    fn broke(&mut self, why: &str) -> Next {
        self.folder.pass_over(&format!("hearing it broke down: {why}"));
        Next::Nothing
    }

    fn reset(&mut self) {
        self.folder.reset();
        if let Some(bookmark) = self.place.take().and_then(|place| self.bookmarks.get_mut(&place)) {
            (bookmark.next_sample, bookmark.mark) = (0, None);
        }
    }
}
