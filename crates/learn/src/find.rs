//! Which recordings can be learned from, and what belongs together among them.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use offkey_core::{Clip, Condition, Dataset, Problem, Progress, Split, Stage, about_it, counted};
use offkey_signal::{AudioInfo, ClipReader, DecodeConfig};

use crate::error::LearnError;

/// A recording to learn from.
pub(crate) struct Candidate {
    pub(crate) clip: Clip,
    pub(crate) info: AudioInfo,
    /// The recording session: clips of one are left out together.
    pub(crate) group: String,
}

/// Recordings that may be learned from, and those left out, with the reason.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) candidates: Vec<Candidate>,
    pub(crate) left_out: Vec<(PathBuf, String)>,
    /// What was taken for one recording by several microphones, in words, where something was.
    pub(crate) joined: Option<String>,
}

/// Finds the recordings of normal sound among data. Only training clips and clips without split are
/// taken; nothing that is labelled anomalous, and no test clip, labelled or not.
///
/// # Errors
/// [`LearnError`] when there are no recordings, or the caller asks to stop.
pub(crate) fn find(data: &[PathBuf], progress: &dyn Progress) -> Result<Found, LearnError> {
    let mut dataset = Dataset::read_all(data, &[])?;
    dataset.assume_normal();
    let mut found = Found::default();
    for problem in &dataset.problems {
        let (path, reason) = match problem {
            Problem::MissingFile { path, .. } => {
                (path, "the manifest names it, and there is no such file")
            }
            Problem::UnparsableName { path } => (
                path,
                "its name is not of the DCASE challenge, as those of most others in its folder are: move it to a folder of its own",
            ),
            Problem::Unreadable { path, reason } => (path, reason.as_str()),
            _ => continue,
        };
        found.left_out.push((path.clone(), reason.to_owned()));
    }
    let total = dataset.clips.len();
    progress.begin(Stage::Check, total as u64, "recordings");
    for (index, clip) in dataset.clips.into_iter().enumerate() {
        progress.advance(index as u64, "");
        if progress.cancelled() {
            return Err(LearnError::Cancelled);
        }
        let reason = match (clip.condition, clip.split) {
            (Some(Condition::Anomaly), _) => Some("labelled anomalous"),
            (_, Split::Test) => Some("a test clip"),
            (_, Split::Supplemental) => {
                Some("a supplemental clip: noise, or the machine in silence")
            }
            (Some(Condition::Normal) | None, Split::Train | Split::Unassigned) => None,
        };
        if let Some(reason) = reason {
            found.left_out.push((clip.path, reason.to_owned()));
            continue;
        }
        // Opened and not probed: of a recording that is cut short what is there is learned from.
        match ClipReader::open(&clip.path, &DecodeConfig::default()) {
            Ok(reader) => {
                let info = *reader.info();
                let group = group_of(&clip);
                found.candidates.push(Candidate { clip, info, group });
            }
            Err(error) => {
                let reason = about_it(&clip.path, &error);
                found.left_out.push((clip.path, reason));
            }
        }
    }
    progress.end();
    leave_out_low_rates(&mut found);
    found.joined = join_microphones(&mut found.candidates);
    Ok(found)
}

/// Above this rate recordings are alike: by default nothing higher is heard.
const ENOUGH_HZ: u32 = 16_000;
/// One in so many recordings may have a lower rate than the others and be left out.
const FEW: usize = 10;

/// Leaves out few recordings of a lower rate than all others: what these hold above it would not be
/// heard for their sake.
fn leave_out_low_rates(found: &mut Found) {
    let heard = |candidate: &Candidate| candidate.info.rate_hz.min(ENOUGH_HZ);
    let mut rates: Vec<u32> = found.candidates.iter().map(heard).collect();
    rates.sort_unstable();
    let Some(&usual) = rates.get(rates.len() / FEW) else { return };
    let (stay, low): (Vec<_>, Vec<_>) =
        found.candidates.drain(..).partition(|candidate| heard(candidate) >= usual);
    found.candidates = stay;
    found.left_out.extend(low.into_iter().map(|Candidate { clip, info, .. }| {
        let rate_hz = info.rate_hz;
        let reason = format!(
            "recorded at {rate_hz} Hz, it holds nothing above {} Hz, and nearly all others do",
            rate_hz / 2
        );
        (clip.path, reason)
    }));
}

/// The recording session, told apart between machines and sections.
fn group_of(clip: &Clip) -> String {
    format!("{}/{}/{}", clip.machine, clip.section, clip.group)
}

/// More files than this whose names differ in a number alone are no microphones of one recording: they are
/// recordings by one microphone, counted.
const MOST_MICROPHONES: usize = 8;

/// Files of one recording by several microphones are one group: their names differ in the microphone
/// alone, or they have one name in folders named for microphones. Says what was joined.
fn join_microphones(candidates: &mut [Candidate]) -> Option<String> {
    let mut members: BTreeMap<(PathBuf, String), Vec<usize>> = BTreeMap::new();
    for (index, candidate) in candidates.iter().enumerate() {
        let path = &candidate.clip.path;
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().to_lowercase());
        let stem = stem.unwrap_or_default();
        let folder = path.parent().unwrap_or(Path::new(""));
        let named = folder.file_name().map(|name| name.to_string_lossy().to_lowercase());
        let of_microphone = named.is_some_and(|name| is_microphone(&name));
        let key = if of_microphone {
            (folder.parent().unwrap_or(Path::new("")).to_owned(), stem)
        } else {
            (folder.to_owned(), without_microphone(&stem).to_owned())
        };
        members.entry(key).or_default().push(index);
    }
    let several = members.into_values();
    let several = several.filter(|indices| (2..=MOST_MICROPHONES).contains(&indices.len()));
    let (mut files, mut recordings, mut example) = (0, 0, None);
    for indices in several {
        let group = candidates[indices[0]].group.clone();
        let path = |index: usize| candidates[index].clip.path.display().to_string();
        example.get_or_insert_with(|| [path(indices[0]), path(indices[1])]);
        (files, recordings) = (files + indices.len(), recordings + 1);
        for index in indices {
            candidates[index].group.clone_from(&group);
        }
    }
    let [first, second] = example?;
    Some(format!(
        "{files} files count as {}, for their names differ in the microphone or the form of the file alone: `{first}` and \
         `{second}`",
        counted(recordings, "recording")
    ))
}

/// Words that name a microphone or a channel, alone or before a number.
const MICROPHONES: [&str; 8] =
    ["mic", "microphone", "ch", "chan", "channel", "left", "right", "sensor"];

fn is_microphone(word: &str) -> bool {
    let name = word.trim_end_matches(|c: char| c.is_ascii_digit());
    let name = name.trim_end_matches(['_', '-', ' ']);
    MICROPHONES.contains(&name)
}

/// A name without its last part, where that names a microphone.
fn without_microphone(stem: &str) -> &str {
    // The microphone is the last word, or the last word and a number.
    let cuts = stem.match_indices(['_', '-', ' ', '.']).map(|(at, _)| at);
    let mut cuts: Vec<usize> = cuts.collect();
    cuts.reverse();
    let named = cuts.into_iter().take(2).find(|&at| is_microphone(&stem[at + 1..]));
    named.map_or(stem, |at| &stem[..at])
}

/// Names of the machines and conditions that recordings tell apart.
pub(crate) fn named(clips: &[&Clip]) -> BTreeSet<String> {
    clips
        .iter()
        .map(|clip| format!("{} {} {}", clip.machine, clip.section, clip.attributes))
        .collect()
}

#[cfg(test)]
mod tests {
    use offkey_signal::{Codec, Container};

    use super::*;

    fn candidate(name: &str) -> Candidate {
        let clip = Clip {
            path: name.into(),
            name: name.to_owned(),
            machine: "pump".to_owned(),
            section: "00".to_owned(),
            domain: None,
            split: Split::Unassigned,
            condition: None,
            attributes: String::new(),
            group: name.to_owned(),
        };
        let info = AudioInfo {
            rate_hz: 16_000,
            channels: 1,
            frames: 160_000,
            container: Container::Wav,
            codec: Codec::Integer(16),
        };
        let group = group_of(&clip);
        Candidate { clip, info, group }
    }

    #[test]
    fn a_few_microphones_are_one_recording_and_many_numbers_are_recordings() {
        let groups = |names: Vec<String>| {
            let mut candidates: Vec<Candidate> = names.iter().map(|name| candidate(name)).collect();
            let said = join_microphones(&mut candidates);
            let groups: BTreeSet<String> = candidates.into_iter().map(|one| one.group).collect();
            (groups.len(), said)
        };
        let (count, said) = groups(
            ["a_mic_0.wav", "a_mic_1.wav", "b_mic_0.wav", "b_mic_1.wav"].map(str::to_owned).into(),
        );
        assert!(
            count == 2
                && said.is_some_and(|said| said.starts_with("4 files count as 2 recordings"))
        );
        let numbered = (1..=20).map(|number| format!("pump_mic_{number:03}.wav")).collect();
        assert_eq!(groups(numbered), (20, None));
    }

    #[test]
    fn one_recording_by_several_microphones_is_known_by_its_names() {
        for (name, stem) in [
            ("monday_mic1", "monday"),
            ("monday-ch_2", "monday"),
            ("monday left", "monday"),
            ("2026-11-28 channel 02", "2026-11-28"),
        ] {
            assert_eq!(without_microphone(name), stem);
        }
        for name in ["recording 1", "recording_12", "ch", "pump_michael", "lifter_upright"] {
            assert_eq!(without_microphone(name), name);
        }
        assert!(is_microphone("mic_1") && is_microphone("channel2") && !is_microphone("fan"));
    }
}
