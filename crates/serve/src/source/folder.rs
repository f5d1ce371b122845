//! A folder that recordings are written to, with its subfolders: each is heard once, when it has stopped
//! growing.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use offkey_core::{cause_in_words, with_causes};
use offkey_monitor::watch::{Look, recordings};
use offkey_signal::{AudioInfo, ClipReader};

use super::{Hears, Next, Position, Source};

/// Begins the key of a recording that was heard.
pub const HEARD: &str = "heard/";

/// A folder of recordings.
pub struct FolderSource {
    folder: PathBuf,
    /// What lies below is left alone: sound kept there would be heard again.
    but: Option<PathBuf>,
    /// Whether recordings are removed once they were heard, as uploads are.
    remove: bool,
    poll: Duration,
    pause: Duration,
    looked: Option<Instant>,
    /// Recordings as of the last look.
    seen: BTreeMap<String, (PathBuf, Look)>,
    heard: BTreeMap<String, String>,
    due: Vec<String>,
    hearing: Option<Hearing>,
    /// The recording being heard, kept apart: what breaks down takes the rest with it.
    current: Option<(String, Look)>,
    /// Where a recording stood when the service stopped.
    left_at: Option<(String, u64)>,
    lost: bool,
    /// What is to be forgotten with the next end of a recording.
    forget: Vec<String>,
}

struct Hearing {
    name: String,
    look: Look,
    reader: ClipReader,
    samples: u64,
    /// How it ended; none while it goes on.
    over: Option<Result<(), String>>,
}

/// A recording as it was when it was looked at: another one under the same name is another one.
fn text(look: &Look) -> String {
    format!("{} {}", look.bytes, look.modified_ms)
}

impl FolderSource {
    /// A folder, and what was remembered of it.
    pub fn new(
        folder: &Path,
        remove: bool,
        poll: Duration,
        position: &BTreeMap<String, String>,
    ) -> Self {
        let heard = position
            .iter()
            .filter_map(|(key, value)| Some((key.strip_prefix(HEARD)?.to_owned(), value.clone())));
        let left_at = position.get("hearing").and_then(|text| {
            let (next, look_and_name) = text.split_once(' ')?;
            Some((look_and_name.to_owned(), next.parse().ok()?))
        });
        Self {
            folder: folder.to_owned(),
            but: None,
            remove,
            poll,
            pause: poll,
            looked: None,
            seen: BTreeMap::new(),
            heard: heard.collect(),
            due: Vec::new(),
            hearing: None,
            current: None,
            left_at,
            lost: false,
            forget: Vec::new(),
        }
    }

    /// The same folder without what lies below another one.
    #[must_use]
    pub fn but(self, folder: &Path) -> Self {
        Self { but: folder.canonicalize().ok(), ..self }
    }

    fn look(&mut self) -> Option<Next> {
        let (now, unread) = match recordings(&self.folder, self.but.as_deref()) {
            Ok(found) => found,
            Err(_) if std::mem::replace(&mut self.lost, true) => return None,
            Err(error) => {
                let (folder, why) = (self.folder.display(), cause_in_words(&error));
                return Some(Next::Ended(format!("`{folder}` cannot be read: {why}")));
            }
        };
        let settled = |name: &str, look: &Look| {
            self.remove || self.seen.get(name).is_some_and(|(_, before)| before == look)
        };
        let mut due: Vec<(u64, String)> = now
            .iter()
            .filter(|(name, (_, look))| {
                settled(name, look) && self.heard.get(*name) != Some(&text(look))
            })
            .map(|(name, (_, look))| (look.modified_ms, name.clone()))
            .collect();
        due.sort_by(|a, b| b.cmp(a));
        self.due = due.into_iter().map(|(_, name)| name).collect();
        // Of a subfolder that cannot be read now nothing is forgotten: it would all be heard again.
        let is_gone = |name: &&String| unread.is_empty() && !now.contains_key(*name);
        let gone: Vec<String> = self.heard.keys().filter(is_gone).cloned().collect();
        for name in gone {
            self.heard.remove(&name);
            self.forget.push(name);
        }
        self.seen = now;
        std::mem::take(&mut self.lost).then_some(Next::Back)
    }

    fn open(&mut self, name: String, hears: &Hears) -> Next {
        let Some((path, look)) = self.seen.get(&name).cloned() else { return Next::Nothing };
        self.current = Some((name.clone(), look));
        let config = hears.windows.decode_config();
        // Of one that breaks off while it is counted what lies before is heard.
        let reader = ClipReader::open(&path, &config)
            .or_else(|_| ClipReader::open_uncounted(&path, &config));
        let reader = match reader {
            Ok(reader) => reader,
            Err(error) => return self.leave_out(name, look, &with_causes(&error)),
        };
        if let Some(why) = hears.refusal(reader.info().rate_hz) {
            return self.leave_out(name, look, &why);
        }
        let place = format!("{} {name}", text(&look));
        let from = match self.left_at.take() {
            Some((left, next)) if left == place => next,
            _ => 0,
        };
        let counted = reader.info().frames < u64::MAX;
        let length_ms = if counted { (1000.0 * reader.info().duration_s()) as i64 } else { 0 };
        self.hearing = Some(Hearing { name, look, reader, samples: 0, over: None });
        Next::Begin { from, start_ms: Some(look.modified_ms.cast_signed() - length_ms) }
    }

    /// A recording that cannot be heard is told once and passed over.
    fn leave_out(&mut self, name: String, look: Look, why: &str) -> Next {
        let reason = format!("`{name}`: {why}");
        Next::LeftOut { reason, position: self.over(name, look) }
    }

    /// The next block of a recording. What was read before its end, or before damage, is heard first.
    fn go_on(&mut self, mut hearing: Hearing, hears: &Hears) -> Next {
        let form = hears.windows;
        if hearing.over.is_none() {
            let mut block = Vec::new();
            match hearing.reader.read_block(&mut block) {
                Ok(true) => {}
                Ok(false) => hearing.over = Some(Ok(())),
                Err(error) => hearing.over = Some(Err(with_causes(&error))),
            }
            hearing.samples += block.len() as u64;
            self.hearing = Some(hearing);
            return if block.is_empty() { Next::Nothing } else { Next::Sound(block) };
        }
        let Hearing { name, look, samples, over, .. } = hearing;
        match over {
            // Its alarms stand; what is wrong with it is told as well.
            Some(Err(why)) if samples >= form.samples as u64 => {
                self.leave_out(name, look, &format!("heard in part: {why}"))
            }
            Some(Err(why)) => self.leave_out(name, look, &why),
            _ if samples < form.samples as u64 => {
                self.leave_out(name, look, &form.too_short(samples))
            }
            _ => Next::End { position: self.over(name, look) },
        }
    }

    fn over(&mut self, name: String, look: Look) -> Position {
        let mut position: Position =
            self.forget.drain(..).map(|name| (format!("{HEARD}{name}"), None)).collect();
        position.push(("hearing".to_owned(), None));
        position.push((format!("{HEARD}{name}"), Some(text(&look))));
        self.heard.insert(name, text(&look));
        position
    }

    /// Removes uploads whose end was on disk before the service started; the recorder removes the others.
    fn clear_away(&mut self) {
        for name in self.heard.keys() {
            // One that cannot be removed is passed over as heard.
            let _ = fs::remove_file(self.folder.join(name));
        }
    }
}

impl Source for FolderSource {
    fn next(&mut self, hears: &Hears, wait: Duration) -> Next {
        if let Some(hearing) = self.hearing.take() {
            return self.go_on(hearing, hears);
        }
        if let Some(name) = self.due.pop() {
            return self.open(name, hears);
        }
        if self.looked.is_none_or(|looked| looked.elapsed() >= self.pause) {
            if self.remove && self.looked.is_none() {
                self.clear_away();
            }
            let begun = Instant::now();
            let looked = self.look();
            // A large folder is looked at less often: looking takes a twentieth of the time at most.
            self.pause = self.poll.max(20 * begun.elapsed());
            self.looked = Some(Instant::now());
            return looked.unwrap_or(Next::Nothing);
        }
        std::thread::sleep(wait.min(self.poll));
        Next::Nothing
    }

    fn position(&self, next: u64) -> Position {
        let Some(Hearing { name, look, .. }) = &self.hearing else { return Vec::new() };
        vec![("hearing".to_owned(), Some(format!("{next} {} {name}", text(look))))]
    }

    fn waits(&self) -> bool {
        true
    }

    fn info(&self) -> Option<AudioInfo> {
        Some(*self.hearing.as_ref()?.reader.info())
    }

    fn broke(&mut self, why: &str) -> Next {
        self.hearing = None;
        self.left_at = None;
        match self.current.take() {
            // The same recording would break it again.
            Some((name, look)) => {
                self.leave_out(name, look, &format!("hearing it broke down: {why}"))
            }
            None => Next::Nothing,
        }
    }

    fn reset(&mut self) {
        if let Some(hearing) = self.hearing.take() {
            self.due.push(hearing.name);
        }
        self.left_at = None;
    }
}
