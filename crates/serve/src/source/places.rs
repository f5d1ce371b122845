//! How far a machine's sources were heard, as the store remembers it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use offkey_monitor::watch::{Bookmark, Bookmarks, Look, Mark, Stretch};

/// Keys of a source's position and their new values; no value forgets the key.
pub type Position = Vec<(String, Option<String>)>;

/// Begins the key of a place.
pub const HEARD: &str = "heard/";
/// Keys under which earlier versions noted the recording, or the growing file, that was being heard.
const LEFT: [&str; 2] = ["hearing", "file"];

/// How far every stretch was heard, and which one is being heard.
#[derive(Debug, Default)]
pub struct Places {
    bookmarks: Bookmarks,
    present: Option<String>,
    /// Keys to be forgotten with the next position.
    forget: Vec<String>,
    /// What may be read later, and was told.
    told: BTreeSet<String>,
}

impl Places {
    /// What the store remembers; `file` is the growing file, where the source is one.
    pub fn new(position: &BTreeMap<String, String>, file: Option<&Path>) -> Self {
        let of = |(key, text): (&String, &String)| {
            let place = key.strip_prefix(HEARD)?;
            let bookmark = serde_json::from_str(text).ok().or_else(|| heard_before(text))?;
            Some((place.to_owned(), bookmark))
        };
        let mut bookmarks: Bookmarks = position.iter().filter_map(of).collect();
        let [hearing, growing] = LEFT.map(|key| position.get(key));
        bookmarks.extend(hearing.and_then(|text| left_before(text)));
        bookmarks.extend(growing.zip(file).and_then(|(text, file)| grown_before(text, file)));
        let forget = LEFT.into_iter().filter(|key| position.contains_key(*key));
        Self { bookmarks, forget: forget.map(str::to_owned).collect(), ..Self::default() }
    }

    /// How far every stretch was heard.
    pub fn bookmarks(&self) -> &Bookmarks {
        &self.bookmarks
    }

    /// Places of recordings that were heard to their end.
    pub fn heard(&self) -> impl Iterator<Item = &str> {
        let whole = self.bookmarks.iter().filter(|(_, bookmark)| bookmark.mark.is_some());
        whole.map(|(place, _)| place.as_str())
    }

    /// A stretch begins: the first sample of it that was not judged before.
    pub fn begin(&mut self, stretch: Stretch) -> u64 {
        let known = self.bookmarks.remove(&stretch.place).filter(|known| known.id == stretch.id);
        let begun = stretch.begun.or(known.as_ref().and_then(|known| known.begun));
        let (next_sample, mark) = known.map_or((0, None), |known| (known.next_sample, known.mark));
        self.present = (!stretch.place.is_empty()).then(|| stretch.place.clone());
        let bookmark = Bookmark { id: stretch.id, next_sample, mark, begun };
        self.bookmarks.extend(self.present.clone().map(|place| (place, bookmark)));
        next_sample
    }

    /// All windows before this sample of the stretch were judged.
    pub fn judged(&mut self, next_sample: u64) -> Position {
        self.note(|bookmark| bookmark.next_sample = next_sample)
    }

    /// All that there is of the stretch was heard.
    pub fn complete(&mut self, mark: Option<Mark>) -> Position {
        self.note(|bookmark| bookmark.mark = mark.or(bookmark.mark))
    }

    /// Another model goes on where the stretch was judged to, at its own rate.
    pub fn go_on(&mut self, from_hz: u32, to_hz: u32) {
        let present = self.present.as_ref().and_then(|place| self.bookmarks.get_mut(place));
        if let Some(bookmark) = present {
            let next = u128::from(bookmark.next_sample) * u128::from(to_hz);
            bookmark.next_sample = (next / u128::from(from_hz.max(1))) as u64;
        }
    }

    /// These recordings are no longer there.
    pub fn gone(&mut self, places: Vec<String>) {
        for place in places {
            self.bookmarks.remove(&place);
            self.forget.push(format!("{HEARD}{place}"));
        }
    }

    /// Whether it has to be told that something cannot be read. What is tried again is told once.
    pub fn is_news(&mut self, message: &str, again: bool) -> bool {
        !again || self.told.insert(message.to_owned())
    }

    fn note(&mut self, change: impl FnOnce(&mut Bookmark)) -> Position {
        let Some(place) = &self.present else { return Vec::new() };
        let Some(bookmark) = self.bookmarks.get_mut(place) else { return Vec::new() };
        change(bookmark);
        let text = serde_json::to_string(bookmark).expect("plain data has a JSON form");
        let forget = self.forget.drain(..).map(|key| (key, None));
        forget.chain([(format!("{HEARD}{place}"), Some(text))]).collect()
    }
}

/// `BYTES MODIFIED_MS` of a recording that was heard whole, as earlier versions wrote it.
fn heard_before(text: &str) -> Option<Bookmark> {
    let (bytes, modified_ms) = text.split_once(' ')?;
    let (bytes, modified_ms) = (bytes.parse().ok()?, modified_ms.parse().ok()?);
    let mark = Some(unread(bytes, modified_ms));
    Some(Bookmark { id: String::new(), next_sample: 0, mark, begun: None })
}

/// `NEXT_SAMPLE BYTES MODIFIED_MS PLACE` of the recording that was being heard.
fn left_before(text: &str) -> Option<(String, Bookmark)> {
    let (next_sample, rest) = text.split_once(' ')?;
    let (bytes, rest) = rest.split_once(' ')?;
    let (modified_ms, place) = rest.split_once(' ')?;
    let begun = Some(unread(bytes.parse().ok()?, modified_ms.parse().ok()?));
    let next_sample = next_sample.parse().ok()?;
    Some((place.to_owned(), Bookmark { id: String::new(), next_sample, mark: None, begun }))
}

/// The mark of a recording of which size and time alone are known: it is recognised as long as both stay.
fn unread(bytes: u64, modified_ms: u64) -> Mark {
    Mark { bytes, modified_ms, head: 0, tail: 0 }
}

/// `NEXT_SAMPLE DEVICE:NUMBER` of a growing file, where it is still the same.
fn grown_before(text: &str, file: &Path) -> Option<(String, Bookmark)> {
    let (next_sample, identity) = text.split_once(' ')?;
    let (device, number) = Look::at(file).ok()?.identity();
    let next_sample = next_sample.parse().ok().filter(|_| identity == format!("{device}:{number}"));
    let bookmark =
        Bookmark { id: String::new(), next_sample: next_sample?, mark: None, begun: None };
    Some((file.display().to_string(), bookmark))
}
