//! Recordings that a person calls normal, taken into a model without training; and taken out again.
//!
//! Recordings that were picked by the model's own verdict say nothing about how often normal sound
//! alarms. They become references; only a whole period, chosen before it was judged, calibrates too.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use offkey_core::Digest;
use offkey_signal::{AudioError, Codec, Fingerprint, Fingerprinter};

use crate::{
    Checked, ClipVerdict, Heard, HeardWindow, JournalEntry, Monitor, MonitorError, RecordingCard,
    Role, Step, Stop, Verdict, WindowRule, WindowVerdict,
    file_error::ModelFileError,
    model::Detecting,
    shares::Shares,
    unusable,
    windows::{each_block, go_on},
};

/// What is to be taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addition {
    /// What is judged normal; anything else is refused.
    Normal,
    /// All of it, whatever it is judged.
    Forced,
    /// All of a period that was chosen before it was judged: it calibrates too.
    WholePeriod,
}

/// What became of recordings that were offered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UpdateReport {
    /// Taken in.
    pub added: Vec<PathBuf>,
    /// Known already, in whatever copy.
    pub known: Vec<PathBuf>,
    /// Which recordings hold the same sound as others, in words: those that are known therefore, and those that count
    /// as one.
    pub shared: Vec<String>,
    /// Taken in as far as they could be heard, each with what is wrong with it.
    pub partial: Vec<(PathBuf, String)>,
    /// Not taken in, each with the reason.
    pub refused: Vec<(PathBuf, String)>,
    /// How many of these were heard and would have been taken in if forced.
    pub not_normal: usize,
    /// Windows taken in.
    pub windows: usize,
    /// Taken in though not judged normal, as was asked for.
    pub unlike: Vec<PathBuf>,
    /// How many windows of all that was taken in were not judged normal.
    pub unlike_windows: usize,
    /// Those of `unlike` that alarm by the updated model as well: a reference makes its sound no normal sound
    /// where a model does not compare with references, or too few calibrate it.
    pub still_alarm: Vec<PathBuf>,
}

/// A recording's windows and the fingerprint of its sound.
pub struct Listened {
    /// Fingerprint of all of its sound.
    pub content: String,
    /// Fingerprint of the first of its windows: a copy that is cut short has the same.
    pub first: String,
    /// Fingerprint by which copies of another coding, rate or level are known.
    pub sound: Fingerprint,
    /// First sample of each of its windows.
    pub starts: Vec<u64>,
    /// Its windows as members hear them.
    pub heard: Heard,
    /// Form of its samples.
    pub codec: Codec,
    /// What is wrong with it from some place on, where something is; what lies before was heard.
    pub damage: Option<String>,
}

impl Monitor {
    /// Takes recordings in.
    ///
    /// A recording that is not judged normal is refused unless forced: a fault once called normal is
    /// not found again. The model is returned even where some were refused.
    ///
    /// # Errors
    /// [`MonitorError::ModelFile`] for a model of an earlier form, [`MonitorError::Cancelled`] when the
    /// caller asks to stop; a recording that cannot be used is refused.
    pub fn update(
        self,
        recordings: &[PathBuf],
        addition: Addition,
        step: Step<'_>,
    ) -> Result<(Self, UpdateReport), MonitorError> {
        if let Detecting::First(_) = self.detecting {
            return Err(ModelFileError::Earlier.into());
        }
        let mut report = UpdateReport::default();
        let mut contents: BTreeSet<String> =
            self.card.recordings.iter().map(|recording| recording.content.clone()).collect();
        let mut heard = Heard::default();
        let mut cards = Vec::new();
        let mut forced = Vec::new();
        let entry = self.card.journal.iter().map(|entry| entry.entry).max().unwrap_or(0) + 1;
        let mut offered = Vec::new();
        for (number, path) in recordings.iter().enumerate() {
            match self.listen(path, &|| !step(number, recordings.len())) {
                Ok(listened) => offered.push((path, listened)),
                Err(error @ MonitorError::Cancelled) => return Err(error),
                Err(error) => {
                    report.refused.push((path.clone(), offkey_core::about_it(path, &error)));
                }
            }
        }
        let sounds: Vec<_> =
            offered.iter().map(|(path, listened)| (path.as_path(), &listened.sound)).collect();
        let shares = Shares::of(&self.card, &sounds, entry);
        let stop = || !step(recordings.len(), recordings.len());
        for (number, (path, listened)) in offered.into_iter().enumerate() {
            if contents.contains(&listened.content) {
                report.known.push(path.clone());
                continue;
            }
            if let Some(told) = shares.known_sound(number) {
                report.known.push(path.clone());
                report.shared.push(told);
                continue;
            }
            let mut unlike_windows = 0;
            let verdict = self.judged(path, &stop, &mut |window| {
                unlike_windows += usize::from(window.verdict != Verdict::Normal);
            })?;
            if verdict.verdict != Verdict::Normal {
                if addition == Addition::Normal {
                    report.not_normal += 1;
                    report
                        .refused
                        .push((path.clone(), format!("{}: {}", verdict.verdict, verdict.reason)));
                    continue;
                }
                forced.push(path.display().to_string());
                report.unlike.push(path.clone());
            }
            report.unlike_windows += unlike_windows;
            contents.insert(listened.content.clone());
            if let Some(damage) = listened.damage {
                report.partial.push((path.clone(), damage));
            }
            report.windows += listened.starts.len();
            report.added.push(path.clone());
            report.shared.extend(shares.counts_with(number));
            cards.push(RecordingCard {
                path: path.display().to_string(),
                group: shares.group(number),
                sound: Some(listened.sound.sparse()),
                content: listened.content,
                starts: listened.starts,
                role: match addition {
                    Addition::Normal | Addition::Forced => Role::Reference,
                    Addition::WholePeriod => Role::Calibration,
                },
                entry,
                codec: Some(listened.codec),
            });
            heard.extend(listened.heard);
        }
        if cards.is_empty() {
            return Ok((self, report));
        }
        let journal = JournalEntry {
            entry,
            unix_s: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs()),
            recordings: cards.iter().map(|card| card.path.clone()).collect(),
            windows: report.windows,
            forced,
            whole_period: addition == Addition::WholePeriod,
            profile_before: self.card.profile.clone(),
        };
        let updated = self.with(heard, cards, journal)?;
        for path in &report.unlike {
            let verdict = updated.judged(path, &stop, &mut |_| {})?.verdict;
            if verdict == Verdict::Alarm {
                report.still_alarm.push(path.clone());
            }
        }
        go_on(&stop)?;
        Ok((updated, report))
    }

    /// The verdict on all of a recording.
    fn judged(
        &self,
        path: &Path,
        stop: Stop<'_>,
        on_window: &mut dyn FnMut(&WindowVerdict),
    ) -> Result<ClipVerdict, MonitorError> {
        match self.check_until(path, on_window, stop)? {
            Checked::Whole(verdict) => Ok(verdict),
            Checked::Part(_) | Checked::Nothing => Err(MonitorError::Cancelled),
        }
    }

    /// Takes the last addition out again; `None` when there is nothing to undo.
    ///
    /// # Errors
    /// As [`Monitor::new`].
    pub fn undo(self) -> Result<(Self, Option<JournalEntry>), MonitorError> {
        let Self { mut card, detecting, sounds } = self;
        let (Some(last), Detecting::Members(members)) = (card.journal.last().cloned(), detecting)
        else {
            return Err(MonitorError::NothingToUndo);
        };
        let stays: Vec<usize> = card
            .rows()
            .enumerate()
            .filter(|(_, (recording, _))| recording.entry != last.entry)
            .map(|(row, _)| row)
            .collect();
        let heard = members.heard.select(&stays);
        card.recordings.retain(|recording| recording.entry != last.entry);
        card.journal.pop();
        card.profile = last.profile_before.clone();
        Ok((Self::new(card, heard, members.models, sounds)?, Some(last)))
    }

    fn with(
        self,
        new: Heard,
        recordings: Vec<RecordingCard>,
        journal: JournalEntry,
    ) -> Result<Self, MonitorError> {
        let Self { mut card, detecting, sounds } = self;
        let Detecting::Members(members) = detecting else {
            return Err(ModelFileError::Earlier.into());
        };
        let mut heard = members.heard;
        card.profile = card.profile.widened(&new.levels, new.spectra.iter().map(Vec::as_slice));
        heard.extend(new);
        card.recordings.extend(recordings);
        card.journal.push(journal);
        Self::new(card, heard, members.models, sounds)
    }

    /// Listens to a whole recording; windows that teach nothing are left out, as where a model is learned.
    fn listen(&self, path: &Path, stop: Stop<'_>) -> Result<Listened, MonitorError> {
        self.open_alike(path)?;
        let (rule, mut problem) = (self.card.windows, None);
        let listened =
            listen(path, rule, stop, |_, window| match unusable(rule.rate_hz, window) {
                None => HeardWindow::of(self.models(), rule, window).map(Some),
                Some(finding) => {
                    problem = problem.take().or(Some(finding));
                    Ok(None)
                }
            })?;
        match (problem, &listened.damage) {
            _ if !listened.starts.is_empty() => Ok(listened),
            (Some(finding), _) => {
                let (path, reason) = (path.to_owned(), finding.to_string());
                Err(MonitorError::NothingJudged { path, reason })
            }
            (None, Some(damage)) => Err(MonitorError::Partial { damage: damage.clone() }),
            (None, None) => Err(self.all_too_short(&[path.to_owned()])),
        }
    }
}

/// Listens to all windows of a recording, and takes the fingerprint of its sound: the same for every
/// copy, whatever its name and its file form.
///
/// A window that `hear` returns nothing for is left out. Of a recording that is damaged somewhere what
/// lies before is heard.
///
/// # Errors
/// [`MonitorError::Audio`] when it cannot be read, [`MonitorError::Cancelled`] once `stop` says so, or the error of
/// `hear`.
pub fn listen(
    path: &Path,
    rule: WindowRule,
    stop: Stop<'_>,
    mut hear: impl FnMut(u64, &[f32]) -> Result<Option<HeardWindow>, MonitorError>,
) -> Result<Listened, MonitorError> {
    let mut hash = Digest::new();
    let mut windower = crate::Windower::new(rule, 0);
    let mut printer = Fingerprinter::new(rule.rate_hz);
    let (mut starts, mut heard, mut first) = (Vec::new(), Heard::default(), String::new());
    let read = each_block(path, rule, stop, |block| {
        fingerprint(&mut hash, block);
        printer.push(block);
        windower.push(block, |start, window| {
            go_on(stop)?;
            if let Some(heard_window) = hear(start, window)? {
                if starts.is_empty() {
                    let mut hash = Digest::new();
                    fingerprint(&mut hash, window);
                    first = hex(hash);
                }
                starts.push(start);
                heard.push(heard_window);
            }
            Ok::<(), MonitorError>(())
        })
    })?;
    let damage = match read.damage {
        // A disk that cannot be read may be read later.
        Some(error @ AudioError::Io { .. }) => return Err(error.into()),
        damage => damage.map(|damage| offkey_core::about_it(path, &damage)),
    };
    let (content, sound) = (hex(hash), printer.finish());
    Ok(Listened { content, first, sound, starts, heard, codec: read.codec, damage })
}

/// Adds samples to a fingerprint.
fn fingerprint(hash: &mut Digest, samples: &[f32]) {
    let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    hash.add(&bytes);
}

/// The first 32 digits of a fingerprint.
fn hex(hash: Digest) -> String {
    let mut digits = hash.hex();
    digits.truncate(32);
    digits
}
