//! Recordings that a person calls normal, taken into a model without training; and taken out again.

use std::{
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};

use super::{
    hearing::hear,
    model::{JournalEntry, Monitor, WindowRow},
    verdict::Verdict,
    windows::{WindowRef, WindowSource},
};
use crate::{MonitorError, Step};

impl Monitor {
    /// Takes recordings into references and calibration.
    ///
    /// A window that looks like a fault (an alarm, and more than twice as far as any calibration
    /// window) is refused unless forced: a fault once called normal is never heard again.
    ///
    /// # Errors
    /// [`MonitorError::LooksFaulty`] naming the recordings refused, [`MonitorError::Audio`] for ones
    /// that cannot be read, [`MonitorError::RecordingRate`] for ones of another rate,
    /// [`MonitorError::AllTooShort`] when none is long enough.
    pub fn update(
        self,
        recordings: &[PathBuf],
        force: bool,
        step: Step<'_>,
    ) -> Result<Self, MonitorError> {
        let rule = self.card.windows;
        let entry = self.card.journal.iter().map(|entry| entry.entry).max().unwrap_or(0) + 1;
        let mut rows = Vec::new();
        for path in recordings {
            let info = self.probe_alike(path)?;
            let samples = offkey_signal::resampled_len(info.frames, info.rate_hz, rule.rate_hz);
            rows.extend(rule.starts(samples).map(|start| WindowRow {
                window: WindowRef { path: path.clone(), start },
                group: format!("entry {entry}/{}", path.display()),
                entry,
            }));
        }
        if rows.is_empty() {
            return Err(self.all_too_short(recordings));
        }
        if !force {
            self.refuse_faults(recordings)?;
        }
        let windows = rows.iter().map(|row| row.window.clone()).collect();
        let heard = hear(&self.encoder, &WindowSource { rule, windows }, step)?;
        let journal_entry = JournalEntry {
            entry,
            unix_s: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs()),
            recordings: recordings.iter().map(|path| path.display().to_string()).collect(),
            windows: rows.len(),
            forced: force,
            profile_before: self.card.profile.clone(),
        };
        let mut updated = self.with_references(Some((heard, rows)), None)?;
        updated.card.journal.push(journal_entry);
        Ok(updated)
    }

    /// Takes the last addition out again; `None` when there is nothing to undo.
    ///
    /// # Errors
    /// As [`Monitor::new`].
    pub fn undo(self) -> Result<(Self, Option<JournalEntry>), MonitorError> {
        let Some(last) = self.card.journal.last().cloned() else { return Ok((self, None)) };
        let mut undone = self.with_references(None, Some(last.entry))?;
        undone.card.journal.pop();
        undone.card.profile = last.profile_before.clone();
        Ok((undone, Some(last)))
    }

    fn refuse_faults(&self, recordings: &[PathBuf]) -> Result<(), MonitorError> {
        let farthest = self.farthest_calibration_score();
        let mut refused = Vec::new();
        for path in recordings {
            let verdict = self.check(path, &mut |_| {})?;
            let far = verdict.score.is_some_and(|score| score > 2.0 * farthest);
            if verdict.verdict == Verdict::CannotTell || (verdict.verdict == Verdict::Alarm && far)
            {
                refused.push((path.clone(), verdict.reason));
            }
        }
        if refused.is_empty() { Ok(()) } else { Err(MonitorError::LooksFaulty { refused }) }
    }
}
