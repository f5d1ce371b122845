//! A test set from training recordings alone: some are held out, and known faults are planted into
//! them. Recipes can be compared by it where no anomaly is known, or without a look at those that are.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use offkey_core::{Clip, Condition, DEFAULT_HOLDOUT, Dataset, Seed, Split, table};
use offkey_signal::{DecodeConfig, decode, encode_wav};
use offkey_synth::{PlantedFault, plant};
use rayon::prelude::*;

use crate::{ClipsError, FolderError, OffkeyError, Progress, Stage, files};

/// What to plant, and where.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use offkey::{PlantRequest, Silent, SynthConfig, plant_faults, synthesize};
///
/// # let folder = tempfile::tempdir()?;
/// # let (data, out) = (folder.path().join("data"), folder.path().join("planted"));
/// # let config = SynthConfig { machines: 1, clips: 12, clip_s: 2.0, ..SynthConfig::default() };
/// # synthesize(&config, &data, &Silent)?;
/// let request = PlantRequest { data: vec![data], out, level_db: -10.0, holdout: 0.25, seed: 0 };
/// let report = plant_faults(&request, &Silent)?;
/// assert!(report.manifest.is_file() && report.held_out > 0);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct PlantRequest {
    /// Folders or manifest CSVs.
    pub data: Vec<PathBuf>,
    /// Folder that receives the manifest and the planted recordings.
    pub out: PathBuf,
    /// Power of each fault while it lasts, relative to its recording, in decibels.
    pub level_db: f64,
    /// Share of each section's training recordings that is held out.
    pub holdout: f64,
    /// Seed of every choice.
    pub seed: u64,
}

/// What was made.
///
/// ```
/// use offkey::PlantReport;
///
/// let report = PlantReport { manifest: "planted/manifest.csv".into(), training: 9, held_out: 3 };
/// println!("train on {} clips, test on {}", report.training, 2 * report.held_out);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlantReport {
    /// The manifest, to be given to a run as its data.
    pub manifest: PathBuf,
    /// Clips left to train on.
    pub training: usize,
    /// Held-out clips, each in the test set as it is and once more with a fault.
    pub held_out: usize,
}

/// Makes a test set from the training clips of data sets; their test clips are not looked at.
///
/// Groups of recordings stay on one side. The kinds of fault are dealt in turn.
///
/// # Errors
/// [`FolderError::Occupied`] when `out` holds a manifest already, [`ClipsError::NoTraining`]
/// when nothing can be held out, else whatever keeps a recording from being read or written.
pub fn plant_faults(
    request: &PlantRequest,
    progress: &dyn Progress,
) -> Result<PlantReport, OffkeyError> {
    let manifest = request.out.join("manifest.csv");
    if manifest.exists() {
        return Err(FolderError::Occupied { path: request.out.clone() }.into());
    }
    let mut dataset = Dataset::read_all(&request.data, &[])?;
    let total = dataset.clips.len();
    dataset.assign_splits(Seed::new(request.seed), DEFAULT_HOLDOUT); // as a run would
    let seed = Seed::new(request.seed).child("planted");
    dataset.clips.retain(|clip| clip.split == Split::Train);
    for clip in &mut dataset.clips {
        clip.split = Split::Unassigned;
        clip.condition = Some(Condition::Normal);
        clip.path = fs::canonicalize(&clip.path).map_err(OffkeyError::io(&clip.path))?;
    }
    dataset.assign_splits(seed, request.holdout);
    let held_out: Vec<&Clip> =
        dataset.clips.iter().filter(|clip| clip.split == Split::Test).collect();
    let training = dataset.clips.len() - held_out.len();
    if held_out.is_empty() || training == 0 {
        let data = request.data.iter().map(|path| format!("`{}`", path.display()));
        let data = data.collect::<Vec<_>>().join(", ");
        return Err(ClipsError::NoTraining { total, data }.into());
    }
    let folder = request.out.join("planted");
    fs::create_dir_all(&folder).map_err(OffkeyError::io(&folder))?;
    progress.begin(Stage::Synthesize, held_out.len() as u64, "faults");
    let done = AtomicU64::new(0);
    let planted: Vec<Clip> = held_out
        .par_iter()
        .enumerate()
        .map(|(index, clip)| {
            if progress.cancelled() {
                return Err(OffkeyError::Unfinished { folder: request.out.clone() });
            }
            let fault = PlantedFault::ALL[index % PlantedFault::ALL.len()];
            let planted = with_fault(clip, fault, request.level_db, seed.child(index), &folder)?;
            progress.advance(1 + done.fetch_add(1, Ordering::Relaxed), fault.name());
            Ok(planted)
        })
        .collect::<Result<_, _>>()?;
    progress.end();
    let report = PlantReport { manifest, training, held_out: held_out.len() };
    let rows: Vec<Clip> = dataset.clips.iter().cloned().chain(planted).collect();
    table::write_csv(&report.manifest, &rows)?;
    Ok(report)
}

/// The clip with a fault in it, as a recording of its own below `folder`.
fn with_fault(
    clip: &Clip,
    fault: PlantedFault,
    level_db: f64,
    seed: Seed,
    folder: &Path,
) -> Result<Clip, OffkeyError> {
    let mut wave = decode(&clip.path, &DecodeConfig::default())?;
    plant(&mut wave, fault, level_db, seed);
    let name = format!("{:016x}_{}.wav", seed.value(), fault.name());
    let path = folder.join(&name);
    files::write_atomically(&path, &encode_wav(&wave.samples, wave.rate_hz))?;
    let path = fs::canonicalize(&path).map_err(OffkeyError::io(&path))?;
    Ok(Clip { path, name, condition: Some(Condition::Anomaly), ..clip.clone() })
}
