//! Which recordings can be learned from, and which of them are held out for calibration.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use offkey_core::{Clip, Condition, Dataset, Seed};
use offkey_monitor::{WindowRef, WindowRow, WindowRule, each_window, unusable};
use offkey_signal::probe;

use crate::{OffkeyError, Progress, Stage};

/// Share of the recordings held out for calibration.
const HELD_OUT: f64 = 0.3;
/// So many conditions of a single recording each are taken as one condition of many recordings.
const POOLED: usize = 5;

/// A usable recording.
pub(super) struct Recording {
    pub(super) clip: Clip,
    pub(super) rate_hz: u32,
    /// Starts of its usable windows.
    starts: Vec<u64>,
}

/// Recordings that can be learned from.
pub(super) struct Found {
    pub(super) recordings: Vec<Recording>,
    /// Those left out in whole or in part, with the reason.
    pub(super) left_out: Vec<(PathBuf, String)>,
}

/// Windows to learn from, and windows to calibrate on.
pub(super) struct Sides {
    pub(super) training: Vec<(WindowRow, Clip)>,
    pub(super) calibration: Vec<(WindowRow, Clip)>,
    /// Whether calibration has whole recordings, which training does not see.
    pub(super) whole: bool,
}

/// Looks at every recording: what is silent, clipped or otherwise useless teaches nothing normal.
///
/// # Errors
/// [`OffkeyError`] when there are no recordings, or the caller asks to stop; a recording that cannot
/// be read is left out.
pub(super) fn find(
    data: &[PathBuf],
    rule: WindowRule,
    progress: &dyn Progress,
) -> Result<Found, OffkeyError> {
    let mut dataset = Dataset::read_all(data, &[])?;
    dataset.assume_normal();
    let mut found = Found { recordings: Vec::new(), left_out: Vec::new() };
    progress.begin(Stage::Check, dataset.clips.len() as u64, "recordings");
    for (index, clip) in dataset.clips.into_iter().enumerate() {
        progress.advance(index as u64, "");
        if progress.cancelled() {
            return Err(OffkeyError::Cancelled { run: PathBuf::new() });
        }
        if clip.condition == Some(Condition::Anomaly) {
            found.left_out.push((clip.path, "labelled anomalous".to_owned()));
            continue;
        }
        match usable(clip.clone(), rule) {
            Ok((recording, None)) => found.recordings.push(recording),
            Ok((recording, Some(problem))) => {
                found.left_out.push((clip.path, problem));
                if !recording.starts.is_empty() {
                    found.recordings.push(recording);
                }
            }
            Err(error) => found.left_out.push((clip.path, error.to_string())),
        }
    }
    progress.end();
    Ok(found)
}

/// A recording's usable windows, and what is wrong with the others.
fn usable(clip: Clip, rule: WindowRule) -> Result<(Recording, Option<String>), OffkeyError> {
    let info = probe(&clip.path)?;
    let (mut starts, mut windows, mut first_problem) = (Vec::new(), 0, None);
    each_window(&clip.path, rule, |start, window| {
        windows += 1;
        match unusable(rule.rate_hz, window) {
            None => starts.push(start),
            Some(finding) => first_problem = first_problem.take().or(Some(finding)),
        }
        Ok::<(), OffkeyError>(())
    })?;
    let problem = match first_problem {
        _ if windows == 0 => {
            Some(format!("shorter than {:.1} s", rule.seconds(rule.samples as u64)))
        }
        Some(finding) if starts.is_empty() => Some(finding.to_string()),
        Some(finding) => {
            Some(format!("{} of {windows} windows: {finding}", windows - starts.len()))
        }
        None => None,
    };
    Ok((Recording { clip, rate_hz: info.rate_hz, starts }, problem))
}

/// Windows for training and for calibration: whole recordings on either side, of every machine and
/// condition that has several. Where there are too few for that, the last part in time of each.
pub(super) fn split(recordings: &[Recording], seed: Seed) -> Sides {
    let mut held_out: BTreeSet<String> = BTreeSet::new();
    let mut single: BTreeSet<String> = BTreeSet::new();
    for members in by_condition(recordings).into_values() {
        let groups: BTreeSet<String> =
            members.iter().map(|member| group_of(&member.clip)).collect();
        if groups.len() == 1 { single.extend(groups) } else { held_out.extend(some(groups, seed)) }
    }
    if single.len() >= POOLED {
        held_out.extend(some(single, seed));
    }
    if held_out.is_empty() {
        let sides = split_in_time(recordings);
        if !sides.calibration.is_empty() {
            return sides;
        }
        held_out.extend(recordings.last().map(|last| group_of(&last.clip)));
    }
    let (mut training, mut calibration) = (Vec::new(), Vec::new());
    for recording in recordings {
        let held = held_out.contains(&group_of(&recording.clip));
        let side = if held { &mut calibration } else { &mut training };
        side.extend(rows(recording, &recording.starts));
    }
    Sides { training, calibration, whole: true }
}

/// The first part of every recording to learn from, the last part to calibrate on.
fn split_in_time(recordings: &[Recording]) -> Sides {
    let (mut training, mut calibration) = (Vec::new(), Vec::new());
    for recording in recordings {
        let windows = recording.starts.len();
        let first = ((1.0 - HELD_OUT) * windows as f64).ceil() as usize;
        let (first, last) = recording.starts.split_at(first.min(windows - 1).max(1));
        training.extend(rows(recording, first));
        calibration.extend(rows(recording, last));
    }
    Sides { training, calibration, whole: false }
}

/// The share of several groups that is held out, at least one.
fn some(groups: BTreeSet<String>, seed: Seed) -> Vec<String> {
    let held_out = ((HELD_OUT * groups.len() as f64).round() as usize).max(1);
    let mut groups: Vec<String> = groups.into_iter().collect();
    groups.sort_by_key(|group| seed.child("hold out").child(group).value());
    groups.truncate(held_out);
    groups
}

fn rows(recording: &Recording, starts: &[u64]) -> impl Iterator<Item = (WindowRow, Clip)> {
    starts.iter().map(|&start| {
        let window = WindowRef { path: recording.clip.path.clone(), start };
        let row = WindowRow { window, group: group_of(&recording.clip), entry: 0 };
        (row, recording.clip.clone())
    })
}

fn by_condition(recordings: &[Recording]) -> BTreeMap<(&str, &str, &str), Vec<&Recording>> {
    let mut members: BTreeMap<_, Vec<&Recording>> = BTreeMap::new();
    for recording in recordings {
        let clip = &recording.clip;
        let key = (clip.machine.as_str(), clip.section.as_str(), clip.attributes.as_str());
        members.entry(key).or_default().push(recording);
    }
    members
}

/// The recording session, told apart between machines and sections.
fn group_of(clip: &Clip) -> String {
    format!("{}/{}/{}", clip.machine, clip.section, clip.group)
}

#[cfg(test)]
mod tests {
    use offkey_core::Split;

    use super::*;

    /// Recordings of so many windows each, of the named conditions.
    fn recordings(conditions: &[&str], windows: u64) -> Vec<Recording> {
        let clip = |(index, condition): (usize, &&str)| Clip {
            path: PathBuf::from(format!("{index}.wav")),
            name: format!("{index}.wav"),
            machine: (*condition).to_owned(),
            section: "00".to_owned(),
            domain: None,
            split: Split::Train,
            condition: Some(Condition::Normal),
            attributes: String::new(),
            group: format!("recording {index}"),
        };
        let clips = conditions.iter().enumerate().map(clip);
        clips
            .map(|clip| Recording { clip, rate_hz: 16_000, starts: (0..windows).collect() })
            .collect()
    }

    fn counts(conditions: &[&str], windows: u64) -> (usize, usize, bool) {
        let sides = split(&recordings(conditions, windows), Seed::new(1));
        let groups = |rows: &[(WindowRow, Clip)]| -> BTreeSet<String> {
            rows.iter().map(|(row, _)| row.group.clone()).collect()
        };
        let shared = groups(&sides.training).intersection(&groups(&sides.calibration)).count();
        assert_eq!(shared == 0, sides.whole);
        (sides.training.len(), sides.calibration.len(), sides.whole)
    }

    #[test]
    fn whole_recordings_of_every_condition_are_held_out_where_there_are_several() {
        assert_eq!(counts(&["a"; 10], 3), (21, 9, true));
        assert_eq!(counts(&["a", "a", "a", "b", "b", "b"], 1), (4, 2, true));
        assert_eq!(counts(&["a", "a", "b"], 1), (2, 1, true));
    }

    #[test]
    fn a_few_conditions_of_one_recording_each_are_all_learned() {
        assert_eq!(counts(&["a"], 10), (7, 3, false));
        assert_eq!(counts(&["a"], 3), (2, 1, false));
        assert_eq!(counts(&["a", "b", "c"], 10), (21, 9, false));
        assert_eq!(counts(&["a", "b", "c"], 1), (2, 1, true));
    }

    #[test]
    fn many_conditions_of_one_recording_each_are_taken_as_one() {
        let days: Vec<String> = (0..10).map(|day| day.to_string()).collect();
        let days: Vec<&str> = days.iter().map(String::as_str).collect();
        assert_eq!(counts(&days, 2), (14, 6, true));
    }
}
