//! `offkey data`: recordings looked at, or made.

mod check;
mod inspect;
mod plant;
mod synth;

use clap::Subcommand;

use crate::{error::CliError, progress::Bars};

#[derive(Debug, Subcommand)]
pub(crate) enum DataCommand {
    /// Say what a folder of recordings holds, and every problem in it
    Inspect(inspect::InspectArgs),
    /// Say whether a folder holds the challenge's official set of a year, whole, and what is missing
    Check(check::CheckSetArgs),
    /// Make synthetic machine sounds with known faults
    Synth(synth::SynthArgs),
    /// Make a test set of planted faults from training recordings alone, to compare recipes by
    Plant(plant::PlantArgs),
}

pub(crate) fn data(command: DataCommand, bars: &Bars) -> Result<(), CliError> {
    match command {
        DataCommand::Inspect(args) => inspect::inspect(&args, bars),
        DataCommand::Check(args) => check::check(&args),
        DataCommand::Synth(args) => synth::synth(&args, bars),
        DataCommand::Plant(args) => plant::plant(args, bars),
    }
}
