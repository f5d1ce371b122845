//! A data set in the challenge's layout of 2023: `<machine>/train`, `<machine>/test`, one
//! attribute table per section, and a table of the faults that stands beside, for people.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

use offkey_core::{Condition, Domain, Seed, Split, names::is_audio};
use offkey_signal::encode_wav;
use rand::RngExt;
use rayon::prelude::*;

use crate::{
    Fault, Machine, MachineKind, Operation, SynthConfig, SynthError, SynthReport,
    config::RATE_HZ,
    machine::pick,
    noise::{factory_noise, mean_power, mix_at_snr, white_noise},
};

/// Root mean square of a clip, in full scales; single clips vary by 2 dB around it.
const CLIP_LEVEL: f32 = 0.06;

/// How a section's target domain differs from its source domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shift {
    Speed,
    Load,
    Noise,
}

/// An individual machine of the data set.
struct Section {
    machine_name: String,
    number: usize,
    machine: Machine,
    shift: Shift,
    seed: Seed,
}

/// A recording to be made.
struct Plan {
    section_index: usize,
    split: Split,
    domain: Domain,
    condition: Condition,
    number: usize,
    operation: Operation,
    noisy_hall: bool,
    fault: Option<Fault>,
    seed: Seed,
}

/// Writes a synthetic data set below `out`, which is made if absent. `go_on` hears, after each
/// clip, how many are written; the work stops when it answers false. The same data set may be written
/// again.
///
/// # Errors
/// [`SynthError::Setting`] for a setting out of range, [`SynthError::Strangers`] when `out` holds
/// recordings of another data set, [`SynthError::Io`] when a file cannot be
/// written, [`SynthError::Cancelled`] when `go_on` says so.
pub fn generate(
    config: &SynthConfig,
    out: &Path,
    go_on: &(dyn Fn(usize) -> bool + Sync),
) -> Result<SynthReport, SynthError> {
    config.check()?;
    let sections = sections(config);
    let plans: Vec<Plan> = sections
        .iter()
        .enumerate()
        .flat_map(|(section_index, section)| plan_section(config, section_index, section))
        .collect();
    let paths: Vec<PathBuf> = plans
        .iter()
        .map(|plan| out.join(plan.relative_path(&sections[plan.section_index])))
        .collect();
    refuse_strangers(out, &paths)?;
    for section in &sections {
        for split in [Split::Train, Split::Test] {
            let folder = out.join(&section.machine_name).join(split.to_string());
            fs::create_dir_all(&folder).map_err(io_error(&folder))?;
        }
    }
    let (done, stopped) = (AtomicUsize::new(0), AtomicUsize::new(0));
    plans.par_iter().zip(&paths).try_for_each(|(plan, path)| {
        let cancelled =
            || SynthError::Cancelled { done: done.load(Ordering::Relaxed), total: plans.len() };
        if stopped.load(Ordering::Relaxed) > 0 {
            return Err(cancelled());
        }
        let section = &sections[plan.section_index];
        let samples = record(config, section, plan);
        fs::write(path, encode_wav(&samples, RATE_HZ)).map_err(io_error(path))?;
        if go_on(1 + done.fetch_add(1, Ordering::Relaxed)) {
            return Ok(());
        }
        stopped.store(1, Ordering::Relaxed);
        Err(cancelled())
    })?;
    write_tables(out, &sections, &plans)?;
    let anomalies = plans.iter().filter(|plan| plan.fault.is_some()).count();
    let test_clips = plans.iter().filter(|plan| plan.split == Split::Test).count();
    Ok(SynthReport { train_clips: plans.len() - test_clips, test_clips, anomalies })
}

/// Refuses a folder with recordings that this data set would not overwrite: the two would be read as
/// one.
fn refuse_strangers(out: &Path, paths: &[PathBuf]) -> Result<(), SynthError> {
    let own: BTreeSet<&Path> = paths.iter().map(PathBuf::as_path).collect();
    let mut folders = vec![out.to_owned()];
    let mut stranger: Option<PathBuf> = None;
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            found => found.map_err(io_error(&folder))?,
        };
        for entry in entries {
            let path = entry.map_err(io_error(&folder))?.path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
            if path.is_dir() && !path.is_symlink() {
                folders.push(path);
            } else if name.is_some_and(|name| is_audio(&name)) && !own.contains(path.as_path()) {
                stranger = Some(stranger.map_or(path.clone(), |other| other.min(path)));
            }
        }
    }
    match stranger {
        Some(found) => Err(SynthError::Strangers { path: out.to_owned(), found }),
        None => Ok(()),
    }
}

fn sections(config: &SynthConfig) -> Vec<Section> {
    let kinds = MachineKind::ALL;
    let section = |machine_index: usize, number: usize| {
        let kind = kinds[machine_index % kinds.len()];
        let machine_name = match machine_index / kinds.len() {
            0 => kind.name().to_owned(),
            again => format!("{}{}", kind.name(), again + 1),
        };
        let seed = Seed::new(config.seed).child(&machine_name).child(number);
        let shift = [Shift::Speed, Shift::Load, Shift::Noise][(machine_index + number) % 3];
        let machine = Machine::new(kind, seed.child("machine"));
        Section { machine_name, number, machine, shift, seed }
    };
    let all =
        |machine_index| (0..config.sections).map(move |number| section(machine_index, number));
    (0..config.machines).flat_map(all).collect()
}

/// Nine tenths of the training clips are from the source domain; test clips are half and half,
/// in domain and in condition.
fn plan_section(config: &SynthConfig, section_index: usize, section: &Section) -> Vec<Plan> {
    let target_clips = config.train_clips() / 10;
    let source_clips = config.train_clips() - target_clips;
    let test = |quarter: usize| (config.test_clips() + quarter) / 4;
    let groups = [
        (Split::Train, Domain::Source, Condition::Normal, source_clips),
        (Split::Train, Domain::Target, Condition::Normal, target_clips),
        (Split::Test, Domain::Source, Condition::Normal, test(3)),
        (Split::Test, Domain::Source, Condition::Anomaly, test(2)),
        (Split::Test, Domain::Target, Condition::Normal, test(1)),
        (Split::Test, Domain::Target, Condition::Anomaly, test(0)),
    ];
    let mut plans = Vec::new();
    for (split, domain, condition, clips) in groups {
        for number in 0..clips {
            let name = format!("{split} {domain} {condition} {number}");
            let seed = section.seed.child(name);
            let mut rng = seed.child("plan").rng();
            let fault = (condition == Condition::Anomaly).then(|| Fault {
                kind: section.machine.kind.faults()[number % section.machine.kind.faults().len()],
                severity: rng.random_range(config.severity.0..=config.severity.1),
            });
            let (operation, noisy_hall) = section.operation(domain, &mut rng);
            plans.push(Plan {
                section_index,
                split,
                domain,
                condition,
                number,
                operation,
                noisy_hall,
                fault,
                seed,
            });
        }
    }
    plans
}

impl Section {
    fn operation(&self, domain: Domain, rng: &mut impl rand::Rng) -> (Operation, bool) {
        let shifted = domain == Domain::Target;
        let speeds: &[f32] =
            if shifted && self.shift == Shift::Speed { &[0.8, 1.3] } else { &[0.9, 1.0, 1.15] };
        let loads: &[f32] =
            if shifted && self.shift == Shift::Load { &[0.0, 1.0] } else { &[0.3, 0.6] };
        let operation = Operation { speed: pick(speeds, rng), load: pick(loads, rng) };
        (operation, shifted && self.shift == Shift::Noise)
    }
}

impl Plan {
    /// Names and values of the attributes, in the order of the file name.
    fn attributes(&self, section: &Section) -> [(&'static str, String); 3] {
        let rpm = 60.0 * section.machine.shaft_hz * self.operation.speed;
        [
            ("rpm", format!("{rpm:.0}")),
            ("load", format!("{:.0}", 100.0 * self.operation.load)),
            ("noise", if self.noisy_hall { "B" } else { "A" }.to_owned()),
        ]
    }

    fn relative_path(&self, section: &Section) -> PathBuf {
        let attributes =
            self.attributes(section).map(|(name, value)| format!("{name}_{value}")).join("_");
        let Self { split, domain, condition, number, .. } = self;
        Path::new(&section.machine_name).join(split.to_string()).join(format!(
            "section_{:02}_{domain}_{split}_{condition}_{number:04}_{attributes}.wav",
            section.number
        ))
    }
}

/// The machine's sound in the hall, as a microphone of slightly varying gain hears it.
fn record(config: &SynthConfig, section: &Section, plan: &Plan) -> Vec<f32> {
    let samples = config.samples();
    let machine =
        section.machine.sound(plan.operation, plan.fault, samples, plan.seed.child("machine"));
    let mut hall = factory_noise(samples, RATE_HZ, plan.seed.child("hall"));
    if plan.noisy_hall {
        let air = white_noise(samples, plan.seed.child("air"));
        hall.iter_mut().zip(air).for_each(|(hall, air)| *hall += 0.7 * air);
    }
    let mut clip = mix_at_snr(&machine, &hall, config.snr_db);
    let gain_db = plan.seed.child("gain").rng().random_range(-2.0..2.0_f32);
    let gain = CLIP_LEVEL * 10.0_f32.powf(gain_db / 20.0) / mean_power(&clip).sqrt() as f32;
    for sample in &mut clip {
        *sample *= gain;
    }
    clip
}

/// `attributes_<section>.csv` as the challenge writes it, and `faults_<section>.csv`.
fn write_tables(out: &Path, sections: &[Section], plans: &[Plan]) -> Result<(), SynthError> {
    for (section_index, section) in sections.iter().enumerate() {
        let mut attributes = "file_name,d1p,d1v,d2p,d2v,d3p,d3v\n".to_owned();
        let mut faults = "file_name,fault,severity\n".to_owned();
        for plan in plans.iter().filter(|plan| plan.section_index == section_index) {
            let name = plan.relative_path(section).display().to_string();
            let pairs = plan.attributes(section).map(|(name, value)| format!("{name},{value}"));
            attributes.extend([name.as_str(), ",", &pairs.join(","), "\n"]);
            if let Some(Fault { kind, severity }) = plan.fault {
                faults.extend([
                    name.as_str(),
                    ",",
                    kind.name(),
                    ",",
                    &format!("{severity:.3}"),
                    "\n",
                ]);
            }
        }
        let folder = out.join(&section.machine_name);
        for (kind, text) in [("attributes", attributes), ("faults", faults)] {
            let path = folder.join(format!("{kind}_{:02}.csv", section.number));
            fs::write(&path, text).map_err(io_error(&path))?;
        }
    }
    Ok(())
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> SynthError + '_ {
    move |source| SynthError::Io { path: path.to_owned(), source }
}
