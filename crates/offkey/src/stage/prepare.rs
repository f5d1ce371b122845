//! From folders to a list of usable clips: what a run works on.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use offkey_core::{
    Clip, DataError, Dataset, Seed, Split, Year, stems::check_stems, table, with_causes,
};
use offkey_score::ThresholdConfig;
use offkey_signal::{ChannelRule, probe};
use rayon::prelude::*;
use serde::Serialize;

use crate::{
    ClipsError, Existing, FolderError, Manifest, OffkeyError, Progress, Recipe, RunFolder,
    RunRequest, SectionKey, Stage, audio::ClipAudio, files, manifest::Stopwatch, noise::with_noise,
    open_run::Run, wave_cache::WaveCache,
};

/// One line of `skipped.csv`.
#[derive(Debug, Serialize)]
struct Skipped<'a> {
    path: &'a std::path::Path,
    reason: String,
}

/// A request whose recipe says which channel is used, where it left that to the data: the first in the
/// sets of 2026, whose recordings are of a near and a far microphone, else the mean of all. Says so where recordings
/// have several channels, and where their rates differ from each other or lie below the model's.
pub(crate) fn settle(
    request: &RunRequest,
    dataset: &Dataset,
    progress: &dyn Progress,
) -> RunRequest {
    let mut request = request.clone();
    let wanted = |clip: &&Clip| clip.split != Split::Supplemental;
    let paths: Vec<_> = dataset.clips.iter().filter(wanted).map(|clip| &clip.path).collect();
    // What cannot be read is refused later, by name.
    let found: Vec<_> = paths.par_iter().filter_map(|path| probe(path).ok()).collect();
    let channels = found.iter().map(|info| usize::from(info.channels)).max().unwrap_or(1);
    let nearest_first = request.year.or(dataset.year) == Some(Year::Y2026) && channels > 1;
    let rule = request.recipe.audio.channel.get_or_insert(if nearest_first {
        ChannelRule::Pick(0)
    } else {
        ChannelRule::Mix
    });
    if channels > 1 {
        let used = match rule {
            ChannelRule::Mix => "their mean is used".to_owned(),
            ChannelRule::Pick(channel) => format!("channel {channel}, counted from 0, is used"),
            ChannelRule::Cancel(_) => format!("{rule} is used"),
        };
        progress.note(&format!(
            "recordings have up to {channels} channels: {used}; `--set audio.channel.pick=N` takes \
             another, `--set audio.channel=mix` the mean"
        ));
    }
    let mut rates: BTreeMap<u32, usize> = BTreeMap::new();
    for info in &found {
        *rates.entry(info.rate_hz).or_default() += 1;
    }
    if let Some(message) = about_rates(&rates, request.recipe.clip_shape().0) {
        progress.warn(&message);
    }
    request
}

/// What there is to say of the rates of recordings, by how many recordings have each.
fn about_rates(rates: &BTreeMap<u32, usize>, model_hz: u32) -> Option<String> {
    let lowest = *rates.keys().next()?;
    if rates.len() == 1 && lowest >= model_hz {
        return None;
    }
    let listed: Vec<String> =
        rates.iter().map(|(rate, clips)| format!("{rate} Hz ({clips})")).collect();
    let low = if lowest < model_hz {
        format!(
            "; those below {model_hz} Hz contain nothing above half their rate, which a model can mistake for a fault"
        )
    } else {
        String::new()
    };
    Some(format!(
        "recordings have {}, the model takes {model_hz} Hz: all are converted{low}",
        listed.join(", ")
    ))
}

/// Checks every recording of a data set, and writes what the run works on; a run that goes on keeps
/// what it wrote when it began.
///
/// # Errors
/// [`OffkeyError`]; what the folder held before is then still there.
pub(crate) fn prepare<'a>(
    request: &RunRequest,
    mut dataset: Dataset,
    folder: RunFolder,
    seed: u64,
    cache: Arc<WaveCache>,
    progress: &'a dyn Progress,
) -> Result<Run<'a>, OffkeyError> {
    let stopwatch = Stopwatch::start();
    request.registries.resolve(request.recipe.clone())?;
    check_stems(&dataset.clips).map_err(DataError::Names)?;
    dataset.assign_splits(Seed::new(seed), request.recipe.audio.holdout);
    for problem in &dataset.problems {
        tracing::info!(%problem, "data set");
    }
    let data_fingerprint = dataset.fingerprint()?;
    let year = request.year.or(dataset.year);
    if request.existing == Existing::Resume && folder.manifest().is_file() {
        let begun: Manifest = files::read_json(&folder.manifest())?;
        let same =
            [("data", begun.data_fingerprint == data_fingerprint), ("seed", begun.seed == seed)];
        if let Some((what, _)) = same.into_iter().find(|(_, same)| !same) {
            return Err(FolderError::OtherRun { path: folder.root().to_owned(), what }.into());
        }
        return go_on(request, folder, Manifest { year, ..begun }, cache, progress);
    }
    let mut clips = dataset.clips;
    clips.retain(|clip| matches!(clip.split, Split::Train | Split::Test));
    let mut skipped = check(request, &mut clips, &cache, progress)?;
    require(request, &clips)?;
    skipped.extend(leave_out_incomparable(&mut clips, progress)?);
    folder.clear()?;

    let mut manifest = Manifest {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: option_env!("OFFKEY_COMMIT").map(str::to_owned),
        recipe: request.recipe.name.clone(),
        data: request.data.iter().map(|path| path.display().to_string()).collect(),
        data_fingerprint,
        year,
        seed,
        compute: request.compute,
        kernels: Vec::new(),
        threads: rayon::current_num_threads(),
        training_clips: clips.iter().filter(|clip| clip.split == Split::Train).count(),
        classes: 0,
        parameters: 0,
        test_clips: clips.iter().filter(|clip| clip.split == Split::Test).count(),
        skipped_clips: skipped.len(),
        done: BTreeSet::new(),
        seconds: BTreeMap::new(),
        cpu_seconds: BTreeMap::new(),
        clips_per_second: None,
        peak_memory_bytes: None,
    };
    stopwatch.stop(&mut manifest, Stage::Check);
    manifest.set_done(Stage::Check);
    files::write_atomically(&folder.recipe(), request.recipe.to_toml().as_bytes())?;
    table::write_csv(&folder.clips(), &clips)?;
    let rows: Vec<Skipped> = skipped
        .iter()
        .map(|(clip, reason)| Skipped { path: &clip.path, reason: reason.clone() })
        .collect();
    if !rows.is_empty() {
        table::write_csv(&folder.skipped(), &rows)?;
    }
    files::write_json(&folder.manifest(), &manifest)?;
    let recipe = request.registries.resolve(request.recipe.clone())?;
    let (registries, watch) = (request.registries.clone(), request.watch);
    Ok(Run { folder, recipe, clips, manifest, cache, progress, registries, watch })
}

/// Takes over a run that was begun before, and forgets the stages whose settings have changed since.
fn go_on<'a>(
    request: &RunRequest,
    folder: RunFolder,
    mut manifest: Manifest,
    cache: Arc<WaveCache>,
    progress: &'a dyn Progress,
) -> Result<Run<'a>, OffkeyError> {
    let (before, now) = (Recipe::read(&folder.recipe())?, &request.recipe);
    let withholds = |recipe: &Recipe| matches!(recipe.threshold, ThresholdConfig::HeldOut { .. });
    if before.threshold != now.threshold && (withholds(&before) || withholds(now)) {
        return Err(FolderError::OtherRun {
            path: folder.root().to_owned(),
            what: "share of recordings withheld for the threshold",
        }
        .into());
    }
    if before.model != now.model || before.audio != now.audio {
        return Err(FolderError::OtherRun {
            path: folder.root().to_owned(),
            what: "model or audio setting",
        }
        .into());
    }
    if before.backend != now.backend || before.threshold != now.threshold {
        manifest.undo_from(Stage::Score);
    }
    manifest.recipe.clone_from(&now.name);
    files::write_atomically(&folder.recipe(), now.to_toml().as_bytes())?;
    files::write_json(&folder.manifest(), &manifest)?;
    let clips = table::read_csv(&folder.clips())?;
    let recipe = request.registries.resolve(now.clone())?;
    let (registries, watch) = (request.registries.clone(), request.watch);
    Ok(Run { folder, recipe, clips, manifest, cache, progress, registries, watch })
}

/// Decodes every clip once; removes the unusable ones from `clips` and returns them, or fails.
fn check(
    request: &RunRequest,
    clips: &mut Vec<Clip>,
    cache: &Arc<WaveCache>,
    progress: &dyn Progress,
) -> Result<Vec<(Clip, String)>, OffkeyError> {
    let all: Vec<&Clip> = clips.iter().collect();
    let (rate_hz, samples) = request.recipe.clip_shape();
    let config = &request.recipe.audio;
    let audio = ClipAudio::new(&all, config, rate_hz, samples, Arc::clone(cache));
    let audio = with_noise(audio, config.noise.as_ref(), clips, Arc::clone(cache))?;
    let bad = audio.check(progress)?;
    warn_of_long(&all, samples as f64 / f64::from(rate_hz), progress);
    if bad.is_empty() {
        return Ok(Vec::new());
    }
    if !request.skip_bad {
        return Err(ClipsError::Bad {
            total: clips.len(),
            first: with_causes(&bad[0].1),
            bad: bad.into_iter().map(|(i, e)| (clips[i].path.clone(), with_causes(&e))).collect(),
        }
        .into());
    }
    progress.warn(&format!(
        "left out {} of {} recordings, see skipped.csv",
        bad.len(),
        clips.len()
    ));
    let mut skipped = Vec::new();
    for (index, error) in bad.into_iter().rev() {
        skipped.push((clips.remove(index), with_causes(&error)));
    }
    skipped.reverse();
    Ok(skipped)
}

/// Says that of very long test recordings only a stretch is scored.
fn warn_of_long(clips: &[&Clip], clip_s: f64, progress: &dyn Progress) {
    /// Clips of the challenge are at most twice as long as what the paper's encoder takes.
    const TIMES: f64 = 4.0;
    let test: Vec<&&Clip> = clips.iter().filter(|clip| clip.split == Split::Test).collect();
    let long: Vec<Option<f64>> = test
        .par_iter()
        .map(|clip| probe(&clip.path).ok().map(|info| info.duration_s()))
        .map(|duration_s| duration_s.filter(|duration_s| *duration_s > TIMES * clip_s))
        .collect();
    let mut long = test.iter().zip(long).filter_map(|(clip, long)| Some((clip, long?)));
    let Some((first, duration_s)) = long.next() else { return };
    let others = match long.count() {
        0 => String::new(),
        others => format!(", and {others} others are long too"),
    };
    progress.warn(&format!(
        "`{}` lasts {duration_s:.0} s{others}: {clip_s} s of a test recording are scored; cut it, or \
         let `offkey learn` and `offkey check` do so",
        first.path.display()
    ));
}

/// Removes test clips of sections without training clips, which cannot be scored, and returns them.
fn leave_out_incomparable(
    clips: &mut Vec<Clip>,
    progress: &dyn Progress,
) -> Result<Vec<(Clip, String)>, OffkeyError> {
    let has_references: BTreeSet<SectionKey> =
        clips.iter().filter(|clip| clip.split == Split::Train).map(SectionKey::of).collect();
    let total = clips.iter().filter(|clip| clip.split == Split::Test).count();
    let (kept, left_out): (Vec<Clip>, Vec<Clip>) =
        clips.drain(..).partition(|clip| has_references.contains(&SectionKey::of(clip)));
    *clips = kept;
    let Some(first) = left_out.first() else { return Ok(Vec::new()) };
    let section = format!("{} section {}", first.machine, first.section);
    if left_out.len() == total {
        return Err(ClipsError::NothingComparable { total, section }.into());
    }
    progress.warn(&format!(
        "left out {} of {total} test clips, the first of {section}: there is no normal training \
         clip of their section to compare them with, see skipped.csv",
        left_out.len(),
    ));
    let with_reason = |clip: Clip| {
        let reason = format!("no normal training clip of {} {}", clip.machine, clip.section);
        (clip, reason)
    };
    Ok(left_out.into_iter().map(with_reason).collect())
}

/// A run needs something to learn from and something to score.
fn require(request: &RunRequest, clips: &[Clip]) -> Result<(), OffkeyError> {
    let count = |split| clips.iter().filter(|clip| clip.split == split).count();
    let data = || {
        let names: Vec<String> =
            request.data.iter().map(|path| format!("`{}`", path.display())).collect();
        names.join(", ")
    };
    if count(Split::Train) == 0 {
        return Err(ClipsError::NoTraining { total: clips.len(), data: data() }.into());
    }
    if count(Split::Test) == 0 {
        return Err(ClipsError::NoTest { total: clips.len(), data: data() }.into());
    }
    Ok(())
}
