//! Plants faults of known place into normal test clips of a finished run, explains them, and says
//! how much of the importance lies where the fault is:
//!
//! `planted_faults RUN FOLDER [SNR_DB [MASKS [CLIPS]]]`

#![expect(clippy::print_stdout, reason = "the table is what the example is for")]

mod planted;

use std::{env, error::Error, fs, path::Path};

use offkey::{Clip, Condition, Detector, Seed, Split};
use offkey_core::table;
use offkey_synth::PlantedFault;
use planted::{Pointed, Trial, mean};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [run, folder, numbers @ ..] = arguments.as_slice() else {
        return Err("expected RUN FOLDER [SNR_DB [MASKS [CLIPS]]]".into());
    };
    let number = |index: usize, default: f64| {
        numbers.get(index).map_or(Ok(default), |text| text.parse::<f64>())
    };
    let (snr_db, masks, most) = (number(0, 6.0)?, number(1, 2000.0)?, number(2, 6.0)?);
    let (run, folder) = (Path::new(run), Path::new(folder));
    fs::create_dir_all(folder)?;
    let clips: Vec<Clip> = table::read_csv(&run.join("clips.csv"))?;
    let is_normal =
        |clip: &Clip| clip.split == Split::Test && clip.condition == Some(Condition::Normal);
    let normal: Vec<Clip> = clips.into_iter().filter(is_normal).collect();
    // Spread over the run, so that every machine has its turn.
    let count = (most as usize).clamp(1, normal.len().max(1));
    let chosen: Vec<Clip> =
        (0..count.min(normal.len())).map(|i| normal[i * normal.len() / count].clone()).collect();
    let trial = Trial {
        faults: PlantedFault::ALL.to_vec(),
        snr_db,
        masks: masks as usize,
        seed: Seed::new(0),
    };
    let pointed = trial.run(&Detector::load(run)?, &chosen, folder)?;
    println!(
        "| fault | clips | share inside | chance | times chance | maximum inside | score rises by | deletion gain |"
    );
    println!("|{}", " --- |".repeat(8));
    for fault in PlantedFault::ALL {
        row(fault.name(), &pointed.iter().filter(|p| p.fault == fault).collect::<Vec<_>>());
    }
    row("all", &pointed.iter().collect::<Vec<_>>());
    Ok(())
}

fn row(name: &str, pointed: &[&Pointed]) {
    let of = |value: fn(&Pointed) -> f64| mean(pointed.iter().copied(), value);
    let (share, chance) = (of(|p| p.share), of(|p| p.chance));
    println!(
        "| {name} | {} | {:.0} % | {:.0} % | {:.1} | {:.0} % | {:.3} | {:.4} |",
        pointed.len(),
        100.0 * share,
        100.0 * chance,
        share / chance,
        100.0 * of(|p| f64::from(u8::from(p.hit))),
        of(|p| p.rise),
        of(|p| p.deletion_gain),
    );
}
