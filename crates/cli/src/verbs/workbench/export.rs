//! `offkey export`: a model as an ONNX file, for other programs.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use offkey::counted;
use offkey_onnx::{ExportRequest, Exported, Input, OPSET, Port};

use crate::{error::CliError, output::print};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  offkey export RUN --onnx pump.onnx\n  offkey export pump.offkey --onnx pump.onnx\n  offkey export RUN --onnx pump.onnx --input features"
)]
pub(crate) struct ExportArgs {
    /// The run's folder, or the model file of a monitor
    #[arg(value_name = "RUN|MODEL")]
    pub(crate) source: PathBuf,
    /// The ONNX file to write; the references go beside it, with the ending `.npz`
    #[arg(long, value_name = "FILE.onnx")]
    pub(crate) onnx: PathBuf,
    /// What the file takes: sound, or the spectra that the model computes from it
    #[arg(long, value_enum, default_value = "waveform")]
    pub(crate) input: InputArg,
    /// Run the file in ONNX Runtime, and print how far it is from offkey (needs the feature `onnx`)
    #[arg(long)]
    pub(crate) check: bool,
}

/// What the file takes.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum InputArg {
    /// Mono sound of the model's rate and length
    Waveform,
    /// Magnitude spectra and spectrograms, or log-mel spectrograms
    Features,
}

pub(crate) fn export(args: &ExportArgs) -> Result<(), CliError> {
    let input = match args.input {
        InputArg::Waveform => Input::Waveform,
        InputArg::Features => Input::Features,
    };
    let (source, file) = (args.source.clone(), args.onnx.clone());
    let exported = offkey_onnx::export(&ExportRequest { source, file, input, check: args.check })?;
    print(&text(args, &exported));
    Ok(())
}

fn text(args: &ExportArgs, exported: &Exported) -> String {
    let ports = |word: &str, ports: &[Port]| -> String {
        ports.iter().map(|port| format!("{word} {}\n", shape(port))).collect()
    };
    let parity = exported.parity.map_or_else(String::new, |parity| {
        format!(
            "ONNX Runtime differs by {:.1e} of the largest number, {:.1e} in cosine distance\n",
            parity.difference, parity.cosine
        )
    });
    format!(
        "{}: ONNX, operator set {OPSET}, {:.1} MB; clips of {} samples at {} Hz\n{}{}{}: {}, and {} to check a runtime by\n{parity}",
        args.onnx.display(),
        exported.bytes as f64 / 1e6,
        exported.clip.samples,
        exported.clip.rate_hz,
        ports("  input ", &exported.inputs),
        ports("  output", &exported.outputs),
        exported.beside.display(),
        counted(exported.references, "reference"),
        counted(exported.check_clips, "clip"),
    )
}

/// As in `embedding [batch, 256]`.
fn shape(port: &Port) -> String {
    let lengths: String = port.shape.iter().map(|length| format!(", {length}")).collect();
    format!("{} [batch{lengths}]", port.name)
}
