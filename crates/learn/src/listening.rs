//! Recordings listened to, once each.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use offkey_core::{Progress, Stage, about_it, counted};
use offkey_monitor::{
    Heard, HeardWindow, Model, MonitorError, RecordingCard, Role, WindowRule, channels_cancel,
    closest, join_groups, listen, same_sound, unusable,
};
use offkey_signal::Fingerprint;

use crate::{error::LearnError, find::Candidate, request::Prepared};

/// Recordings that share sound are named one by one up to so many.
const MOST_NAMED: usize = 5;

/// What was heard of all recordings.
pub(crate) struct HeardAll {
    pub(crate) recordings: Vec<Prepared>,
    pub(crate) heard: Heard,
    /// Which of them hold the same sound and count as one, in words.
    pub(crate) shared: Vec<String>,
}

/// Listens to every recording once: equal copies teach nothing, recordings that share sound count as one, and what is
/// silent or clipped teaches nothing.
pub(crate) fn listen_to_all(
    candidates: Vec<Candidate>,
    rule: WindowRule,
    models: &[Model],
    left_out: &mut Vec<(PathBuf, String)>,
    progress: &dyn Progress,
) -> Result<HeardAll, LearnError> {
    let (mut recordings, mut heard) = (Vec::new(), Heard::default());
    let mut prints = Vec::new();
    let (mut contents, mut beginnings) =
        (BTreeMap::<String, PathBuf>::new(), BTreeMap::<String, PathBuf>::new());
    progress.begin(Stage::Embed, candidates.len() as u64, "recordings");
    for (index, candidate) in candidates.into_iter().enumerate() {
        if progress.cancelled() {
            return Err(LearnError::Cancelled);
        }
        let Candidate { clip, info, group } = candidate;
        let (mut windows, mut problem) = (0_usize, None);
        let stop = || progress.cancelled();
        let listened = listen(&clip.path, rule, &stop, |_, window| {
            windows += 1;
            match unusable(rule.rate_hz, window) {
                None => HeardWindow::of(models, rule, window).map(Some),
                Some(finding) => {
                    problem = problem.take().or(Some(finding));
                    Ok(None)
                }
            }
        });
        if matches!(listened, Err(MonitorError::Cancelled)) {
            return Err(LearnError::Cancelled);
        }
        progress.advance(index as u64 + 1, "");
        let listened = match listened {
            Ok(listened) => listened,
            Err(error @ MonitorError::Audio(_)) => {
                let reason = about_it(&clip.path, &error);
                left_out.push((clip.path, reason));
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let usable = listened.starts.len();
        match problem {
            _ if windows == 0 => {
                let needed_s = rule.seconds(rule.samples as u64);
                let short = format!("shorter than {needed_s:.1} s");
                let damage = listened.damage.map(|damage| format!("{short}: {damage}"));
                left_out.push((clip.path, damage.unwrap_or(short)));
                continue;
            }
            Some(finding) if usable == 0 => {
                let cancelled = channels_cancel(&clip.path, rule);
                left_out.push((clip.path, cancelled.unwrap_or_else(|| finding.to_string())));
                continue;
            }
            Some(finding) => {
                let unused = windows - usable;
                left_out.push((
                    clip.path.clone(),
                    format!("{unused} of {}: {finding}", counted(windows, "window")),
                ));
            }
            None => {}
        }
        if let Some(first) = contents.get(&listened.content) {
            left_out.push((clip.path, format!("a copy of `{}`", first.display())));
            continue;
        }
        if let Some(first) = beginnings.get(&listened.first) {
            left_out.push((clip.path, format!("begins as `{}` does: a copy", first.display())));
            continue;
        }
        if let Some(damage) = listened.damage {
            left_out.push((
                clip.path.clone(),
                format!("what comes after {}: {damage}", counted(usable, "window")),
            ));
        }
        contents.insert(listened.content.clone(), clip.path.clone());
        beginnings.insert(listened.first, clip.path.clone());
        heard.extend(listened.heard);
        let card = RecordingCard {
            path: clip.path.display().to_string(),
            group,
            content: listened.content,
            starts: listened.starts,
            role: Role::Calibration,
            entry: 0,
            codec: Some(listened.codec),
            sound: Some(listened.sound.sparse()),
        };
        prints.push(listened.sound);
        recordings.push(Prepared { clip, rate_hz: info.rate_hz, card });
    }
    progress.end();
    let shared = join_same_sound(&mut recordings, &prints);
    Ok(HeardAll { recordings, heard, shared })
}

/// Makes one group of recordings that hold the same sound, and says which.
fn join_same_sound(recordings: &mut [Prepared], prints: &[Fingerprint]) -> Vec<String> {
    let found = same_sound(&[], &prints.iter().collect::<Vec<_>>());
    let mut groups: Vec<String> = recordings.iter().map(|one| one.card.group.clone()).collect();
    join_groups(&mut groups, &found);
    for (recording, group) in recordings.iter_mut().zip(groups) {
        recording.card.group = group;
    }
    let pairs = closest(&found);
    let name = |number: usize| recordings[number].card.path.clone();
    let mut shared: Vec<String> = pairs
        .iter()
        .take(MOST_NAMED)
        .map(|pair| format!("{}: they count as one recording", pair.in_words(name)))
        .collect();
    let files: BTreeSet<usize> = found.iter().flat_map(|pair| [pair.earlier, pair.later]).collect();
    let counted_as: BTreeSet<&str> =
        files.iter().map(|&number| recordings[number].card.group.as_str()).collect();
    if !files.is_empty() {
        shared.push(format!(
            "{} share sound and count as {}: keep one file of each, and record on other days for a better promise",
            counted(files.len(), "file"),
            counted(counted_as.len(), "recording")
        ));
    }
    shared
}

/// The same windows as further members hear them.
pub(crate) fn hear_again(
    recordings: &[Prepared],
    rule: WindowRule,
    models: &[Model],
    progress: &dyn Progress,
) -> Result<Heard, LearnError> {
    let mut heard = Heard::default();
    for recording in recordings {
        let wanted: BTreeSet<u64> = recording.card.starts.iter().copied().collect();
        let stop = || progress.cancelled();
        let listened = listen(&recording.clip.path, rule, &stop, |start, window| {
            if wanted.contains(&start) {
                HeardWindow::of(models, rule, window).map(Some)
            } else {
                Ok(None)
            }
        })?;
        heard.extend(listened.heard);
    }
    Ok(heard)
}
