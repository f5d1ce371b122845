//! Recordings listened to, once each.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use offkey_core::{Progress, Stage, counted};
use offkey_monitor::{
    Heard, HeardWindow, Model, MonitorError, RecordingCard, Role, WindowRule, channels_cancel,
    listen, unusable,
};

use crate::{error::LearnError, find::Candidate, request::Prepared};

/// Listens to every recording once: copies count once, and what is silent or clipped teaches nothing.
pub(crate) fn listen_to_all(
    candidates: Vec<Candidate>,
    rule: WindowRule,
    models: &[Model],
    left_out: &mut Vec<(PathBuf, String)>,
    progress: &dyn Progress,
) -> Result<(Vec<Prepared>, Heard), LearnError> {
    let (mut recordings, mut heard) = (Vec::new(), Heard::default());
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
                left_out.push((clip.path, error.to_string()));
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
        };
        recordings.push(Prepared { clip, rate_hz: info.rate_hz, card });
    }
    progress.end();
    Ok((recordings, heard))
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
