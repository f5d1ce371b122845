//! What a folder of recordings holds, and every problem in it, before anything is trained.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use offkey_core::{
    Condition, Dataset, Digest, Domain, Layout, OfficialCheck, Split, Year, stats::Sorted,
    with_causes,
};
use offkey_signal::{ClipReader, DecodeConfig, InspectConfig, inspect_clip, probe};
use rayon::prelude::*;
use serde::Serialize;

use crate::{OffkeyError, Progress, Stage};

/// What was recognised in a data set.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use offkey::{Silent, SynthConfig, inspect, synthesize};
///
/// # let folder = tempfile::tempdir()?;
/// # let data = folder.path().join("data");
/// # let config = SynthConfig { machines: 1, clips: 12, clip_s: 2.0, ..SynthConfig::default() };
/// # synthesize(&config, &data, &Silent)?;
/// let found = inspect(&[data], &[], &Silent)?;
/// assert_eq!(found.rates_hz.keys().collect::<Vec<_>>(), [&16_000]);
/// assert!(found.problems.is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inspection {
    /// How the files are laid out.
    pub layout: Layout,
    /// The challenge year, where names decide it.
    pub year: Option<Year>,
    /// Clips.
    pub clips: usize,
    /// Hours of audio that could be read.
    pub hours: f64,
    /// Files that are neither audio nor tables.
    pub ignored_files: usize,
    /// One row per machine, section, split, domain and label.
    pub groups: Vec<ClipGroup>,
    /// Clips of each sampling rate, in hertz.
    pub rates_hz: BTreeMap<u32, usize>,
    /// Clips of each number of channels.
    pub channels: BTreeMap<u16, usize>,
    /// Shortest, median and longest clip, in seconds.
    pub clip_s: Option<[f64; 3]>,
    /// Everything wrong or worth knowing.
    pub problems: Vec<Finding>,
}

/// Clips that share machine, section, split, domain and label.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use offkey::{Silent, SynthConfig, inspect, synthesize};
/// # let folder = tempfile::tempdir()?;
/// # let data = folder.path().join("data");
/// # let config = SynthConfig { machines: 1, clips: 12, clip_s: 2.0, ..SynthConfig::default() };
/// # synthesize(&config, &data, &Silent)?;
/// let found = inspect(&[data], &[], &Silent)?;
/// for group in &found.groups {
///     println!("{} {}: {} clips", group.machine, group.section, group.clips);
/// }
/// # assert!(!found.groups.is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ClipGroup {
    /// Machine type.
    pub machine: String,
    /// Section.
    pub section: String,
    /// Split, where known.
    pub split: Option<Split>,
    /// Domain, where known.
    pub domain: Option<Domain>,
    /// Label, where known.
    pub label: Option<Condition>,
    /// Clips.
    pub clips: usize,
    /// Distinct attribute texts.
    pub attributes: usize,
}

/// One problem, and the clips that have it.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use offkey::{Silent, inspect};
/// # let folder = tempfile::tempdir()?;
/// # let data = folder.path();
/// std::fs::write(data.join("broken.wav"), b"no sound")?;
/// let found = inspect(&[data.to_owned()], &[], &Silent)?;
/// let broken = |finding: &&offkey::Finding| finding.path.as_deref() == Some(&data.join("broken.wav"));
/// println!("{}", found.problems.iter().find(broken).expect("it is named").message);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What kind of problem.
    pub kind: String,
    /// The sentence for people.
    pub message: String,
    /// The recording, where it is one recording's problem.
    #[serde(with = "offkey_core::paths::option")]
    pub path: Option<PathBuf>,
}

/// What one recording turned out to be.
struct Heard {
    rate_hz: u32,
    channels: u16,
    seconds: f64,
    content: [u8; 32],
    findings: Vec<Finding>,
}

/// Counts the clips of folders against the challenge's official set of a year; nothing is decoded.
///
/// # Errors
/// [`OffkeyError`] when a folder is absent or holds no recording.
pub fn check_official(
    data: &[PathBuf],
    truth: &[PathBuf],
    year: Year,
) -> Result<OfficialCheck, OffkeyError> {
    Ok(Dataset::read_all(data, truth)?.check_official(year))
}

/// Reads and hears every recording of a data set.
///
/// # Errors
/// [`OffkeyError`] when the data set cannot be read at all, or the caller asks to stop; a broken
/// recording is a finding.
pub fn inspect(
    data: &[PathBuf],
    truth: &[PathBuf],
    progress: &dyn Progress,
) -> Result<Inspection, OffkeyError> {
    let dataset = Dataset::read_all(data, truth)?;
    let paths: Vec<&Path> = dataset.clips.iter().map(|clip| clip.path.as_path()).collect();
    let heard = hear_all(&paths, progress)?;
    let mut problems: Vec<Finding> = dataset
        .problems
        .iter()
        .map(|problem| Finding {
            kind: problem.kind().to_owned(),
            message: problem.to_string(),
            path: problem.path().map(Path::to_owned),
        })
        .collect();
    let mut inspection = Inspection {
        layout: dataset.layout,
        year: dataset.year,
        clips: dataset.clips.len(),
        hours: 0.0,
        ignored_files: dataset.ignored_files,
        groups: groups(&dataset),
        rates_hz: BTreeMap::new(),
        channels: BTreeMap::new(),
        clip_s: None,
        problems: Vec::new(),
    };
    let mut lengths_s = Vec::new();
    let mut first_with: BTreeMap<[u8; 32], usize> = BTreeMap::new();
    for (index, result) in heard.into_iter().enumerate() {
        match result {
            Ok(heard) => {
                *inspection.rates_hz.entry(heard.rate_hz).or_default() += 1;
                *inspection.channels.entry(heard.channels).or_default() += 1;
                lengths_s.push((index, heard.seconds));
                problems.extend(heard.findings);
                let first = *first_with.entry(heard.content).or_insert(index);
                if first != index {
                    problems.push(duplicate(paths[index], paths[first]));
                }
            }
            Err(finding) => problems.push(finding),
        }
    }
    // The sum of nothing is a negative zero.
    inspection.hours = lengths_s.iter().fold(0.0, |sum, &(_, seconds)| sum + seconds) / 3600.0;
    let (clip_s, odd) = odd_lengths(&lengths_s, &paths);
    inspection.clip_s = clip_s;
    problems.extend(odd);
    inspection.problems = problems;
    Ok(inspection)
}

fn hear_all(
    paths: &[&Path],
    progress: &dyn Progress,
) -> Result<Vec<Result<Heard, Finding>>, OffkeyError> {
    const BLOCK: usize = 64;
    progress.begin(Stage::Check, paths.len() as u64, "clips");
    let mut all = Vec::with_capacity(paths.len());
    for block in paths.chunks(BLOCK) {
        all.extend(block.par_iter().map(|path| hear(path)).collect::<Vec<_>>());
        progress.advance(all.len() as u64, "");
        if progress.cancelled() {
            return Err(OffkeyError::Cancelled { run: PathBuf::new() });
        }
    }
    progress.end();
    Ok(all)
}

/// Recordings longer than this are listened to only so far.
const HEARD_S: f64 = 600.0;

fn hear(path: &Path) -> Result<Heard, Finding> {
    let broken =
        |error: offkey_signal::AudioError| finding("unreadable", path, &with_causes(&error));
    let (config, limits) = (DecodeConfig::default(), InspectConfig::default());
    // Opened and not probed: of a recording that is cut short what is there is looked at.
    let info = *ClipReader::open(path, &config).map_err(broken)?.info();
    let (found, damage) = inspect_clip(path, &config, HEARD_S, &limits).map_err(broken)?;
    // A header that announces more than there is, is read even where not all is listened to.
    let damage = damage.or_else(|| {
        let unheard = info.duration_s() > HEARD_S;
        unheard.then(|| probe(path).err()).flatten()
    });
    let mut findings: Vec<Finding> =
        found.into_iter().map(|found| finding("sound", path, &found.to_string())).collect();
    findings.extend(damage.map(|damage| finding("damaged", path, &with_causes(&damage))));
    Ok(Heard {
        rate_hz: info.rate_hz,
        channels: info.channels,
        seconds: info.duration_s(),
        content: Digest::of_file(path)
            .map_err(|error| finding("unreadable", path, &with_causes(&error)))?,
        findings,
    })
}

fn finding(kind: &str, path: &Path, message: &str) -> Finding {
    let path_text = path.display().to_string();
    let message = if message.contains(&path_text) {
        message.to_owned()
    } else {
        format!("`{path_text}`: {message}")
    };
    Finding { kind: kind.to_owned(), message, path: Some(path.to_owned()) }
}

fn duplicate(path: &Path, first: &Path) -> Finding {
    finding("duplicate-content", path, &format!("has the same content as `{}`", first.display()))
}

/// Notes the spread of lengths, and each clip that differs from the usual length.
fn odd_lengths(lengths_s: &[(usize, f64)], paths: &[&Path]) -> (Option<[f64; 3]>, Vec<Finding>) {
    /// Share of clips of one length from which on the others are worth a line each.
    const USUAL_SHARE: f64 = 0.9;
    /// Clips so many times longer or shorter than the median are worth a line in any case; lengths
    /// differ by three times in the challenge of 2023 and later.
    const STRANGE_RATIO: f64 = 4.0;
    let lengths = Sorted::new(lengths_s.iter().map(|&(_, seconds)| seconds));
    let (Some((shortest, longest)), Some(median)) = (lengths.range(), lengths.upper_median())
    else {
        return (None, Vec::new());
    };
    let odd: Vec<_> =
        lengths_s.iter().filter(|(_, seconds)| (seconds - median).abs() > 0.01 * median).collect();
    let most_are_usual = (odd.len() as f64) < (1.0 - USUAL_SHARE) * lengths_s.len() as f64;
    let findings = odd
        .into_iter()
        .filter(|(_, seconds)| {
            let ratio = seconds / median;
            most_are_usual || !(1.0 / STRANGE_RATIO..=STRANGE_RATIO).contains(&ratio)
        })
        .map(|&(index, seconds)| {
            let message = format!("lasts {seconds:.2} s, the median is {median:.2} s");
            finding("odd-length", paths[index], &message)
        })
        .collect();
    (Some([shortest, median, longest]), findings)
}

fn groups(dataset: &Dataset) -> Vec<ClipGroup> {
    type Key = (String, String, Split, Option<Domain>, Option<Condition>);
    let mut groups: BTreeMap<Key, (usize, BTreeSet<&str>)> = BTreeMap::new();
    for clip in &dataset.clips {
        let key =
            (clip.machine.clone(), clip.section.clone(), clip.split, clip.domain, clip.condition);
        let (clips, attributes) = groups.entry(key).or_default();
        *clips += 1;
        attributes.insert(&clip.attributes);
    }
    groups
        .into_iter()
        .map(|((machine, section, split, domain, label), (clips, attributes))| ClipGroup {
            machine,
            section,
            split: (split != Split::Unassigned).then_some(split),
            domain,
            label,
            clips,
            attributes: attributes.iter().filter(|text| !text.is_empty()).count(),
        })
        .collect()
}
