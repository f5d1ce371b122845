//! From a run or a monitor to an ONNX file, and an `.npz` file beside it.

use std::path::{Path, PathBuf};

use ndarray::Array2;
use offkey::{
    Clip, Detector, Domain, Holds, Manifest, ModelConfig, OffkeyError, PooledFusion, Recipe,
    RunFolder, SectionReferences, files, holds,
};
use offkey_core::{Digest, write_whole};
use offkey_infer::{ClipShape, Compute, Encoder, Model, Statistics};
use offkey_monitor::{self as monitor, Monitor};
use offkey_score::Scale;

use crate::{
    Check, Input, Member, OnnxError, Parity, Port,
    error::{AUTOENCODER, ENSEMBLE, FOREIGN, SEVERAL_SEEDS},
    model,
    npz::Npz,
};

/// What to export, and where to.
#[derive(Debug, Clone)]
pub struct ExportRequest {
    /// The folder of a run, or the model file of a monitor.
    pub source: PathBuf,
    /// The ONNX file. The `.npz` file has the same name with another ending.
    pub file: PathBuf,
    /// What the file takes.
    pub input: Input,
    /// Whether to run the file in ONNX Runtime and to compare; needs the feature `onnx`.
    pub check: bool,
}

/// What was exported.
#[derive(Debug, Clone, PartialEq)]
pub struct Exported {
    /// What the file takes.
    pub inputs: Vec<Port>,
    /// What it gives.
    pub outputs: Vec<Port>,
    /// Rate and length of the clips.
    pub clip: ClipShape,
    /// Size of the ONNX file.
    pub bytes: usize,
    /// The file with the references, and with the check.
    pub beside: PathBuf,
    /// References in it.
    pub references: usize,
    /// Clips to check a runtime by.
    pub check_clips: usize,
    /// How far ONNX Runtime is from offkey, where that was asked for.
    pub parity: Option<Parity>,
}

/// Exports a run or a monitor.
///
/// # Errors
/// [`OnnxError`] when there is nothing to export, it has no ONNX form, or a file cannot be written.
pub fn export(request: &ExportRequest) -> Result<Exported, OnnxError> {
    let source = |found| OnnxError::Source { path: request.source.clone(), found };
    match holds(&request.source) {
        Holds::Run => run(request),
        Holds::Monitor => of_monitor(request),
        Holds::Seeds => Err(source(SEVERAL_SEEDS)),
        Holds::Other if !request.source.exists() => Err(source("absent")),
        Holds::Other => Err(source("neither")),
    }
}

fn run(request: &ExportRequest) -> Result<Exported, OnnxError> {
    let folder = RunFolder::open_to_read(&request.source)?;
    let recipe = Recipe::read(&folder.recipe()).map_err(OffkeyError::from)?;
    let manifest: Manifest = files::read_json(&folder.manifest()).map_err(OffkeyError::from)?;
    let (rate_hz, samples) = recipe.clip_shape();
    let clip = ClipShape { rate_hz, samples };
    let own = match &recipe.model {
        ModelConfig::Pooled(config) => Model::Pooled(config.config()),
        ModelConfig::Autoencoder(_) => return Err(OnnxError::Kind { kind: AUTOENCODER }),
        ModelConfig::Network(config) if config.networks() > 1 => {
            return Err(OnnxError::Kind { kind: ENSEMBLE });
        }
        ModelConfig::Onnx(_) => return Err(OnnxError::Kind { kind: FOREIGN }),
        ModelConfig::Network(_) => {
            Model::Network(Box::new(Encoder::load(&folder.model(), Compute::default())?))
        }
        ModelConfig::Statistics(_) => {
            Model::Statistics(Box::new(Statistics::load(&folder.model())?))
        }
    };
    let beside = recipe.fusion.as_ref().map_or_else(Vec::new, |fusion| fusion.pooled(rate_hz));
    let beside: Vec<Model> = beside.into_iter().map(Model::Pooled).collect();
    let mut members = vec![Member { output: "embedding".to_owned(), model: &own }];
    members.extend(
        beside
            .iter()
            .enumerate()
            .map(|(index, model)| Member { output: format!("pooled_{}", index + 1), model }),
    );

    let mut npz = Npz::default();
    let sections: Vec<SectionReferences> = Detector::load(&request.source)?.references().collect();
    let digest = store_sections(&mut npz, &sections, &members)?;
    let mut backends = vec![recipe.backend.name()];
    backends.extend(beside.iter().map(|_| PooledFusion::backend().name()));
    npz.texts("backends", &backends)?;
    npz.texts("recipe", &[recipe.to_toml()])?;
    let metadata = [
        ("recipe", recipe.name.clone()),
        ("recipe_sha256", of_text(&recipe.to_toml())),
        ("references_sha256", digest),
        ("seed", manifest.seed.to_string()),
    ];
    let count = sections.iter().map(|section| section.clips.len()).sum();
    write(request, &members, clip, &metadata, (npz, count))
}

/// Adds what clips of each section are compared with, and how; gives the digest of the references.
fn store_sections(
    npz: &mut Npz,
    sections: &[SectionReferences],
    members: &[Member<'_>],
) -> Result<String, OnnxError> {
    let names: Vec<String> =
        sections.iter().map(|s| format!("{} {}", s.section.machine, s.section.section)).collect();
    npz.texts("sections", &names)?;
    npz.doubles(
        "thresholds",
        &[sections.len()],
        &sections.iter().map(|section| section.threshold).collect::<Vec<_>>(),
    )?;
    let mut digest = Digest::new();
    for (index, member) in members.iter().enumerate() {
        let of_member = || sections.iter().map(move |section| &section.embeddings[index]);
        let count = of_member().map(Array2::nrows).sum();
        let dims = of_member().next().map_or(0, Array2::ncols);
        let values: Vec<f32> = of_member().flat_map(|rows| rows.iter().copied()).collect();
        add_floats(&mut digest, &values);
        npz.floats(&format!("references_{}", member.output), &[count, dims], values)?;
    }
    // The scale of every member's scores; not a number where a member does not count.
    let scale = |of: fn(Scale) -> f64| -> Vec<f64> {
        let number = |scale: &Option<Scale>| scale.map_or(f64::NAN, of);
        sections.iter().flat_map(|section| section.scales.iter().map(number)).collect()
    };
    let medians = scale(|scale| scale.median());
    let shape = [sections.len(), medians.len() / sections.len().max(1)];
    if shape[0] * shape[1] == medians.len() {
        npz.doubles("scale_medians", &shape, &medians)?;
        npz.doubles("scale_deviations", &shape, &scale(|scale| scale.deviation()))?;
    }
    let of_row = |(index, section): (usize, &SectionReferences)| {
        std::iter::repeat_n(index, section.clips.len()).collect::<Vec<usize>>()
    };
    let rows: Vec<usize> = sections.iter().enumerate().flat_map(of_row).collect();
    npz.integers("reference_section", &rows)?;
    let clips = || sections.iter().flat_map(|section| &section.clips);
    let paths: Vec<String> = clips().map(|clip| clip.path.display().to_string()).collect();
    npz.texts("reference_path", &paths)?;
    let domain = |clip: &Clip| clip.domain.map_or("", domain_name);
    npz.texts("reference_domain", &clips().map(domain).collect::<Vec<_>>())?;
    Ok(digest.hex())
}

fn domain_name(domain: Domain) -> &'static str {
    match domain {
        Domain::Source => "source",
        Domain::Target => "target",
    }
}

fn of_monitor(request: &ExportRequest) -> Result<Exported, OnnxError> {
    let own = Monitor::load(&request.source, Compute::default())?;
    let card = own.card();
    if own.models().is_empty() {
        return Err(OnnxError::Kind { kind: "a monitor of the first form" });
    }
    let clip = ClipShape { rate_hz: card.windows.rate_hz, samples: card.windows.samples };
    let names = output_names(card.members.iter().map(|member| member.name.as_str()));
    let members: Vec<Member<'_>> = own
        .models()
        .iter()
        .zip(&names)
        .map(|(model, name)| Member { output: name.clone(), model })
        .collect();

    let mut npz = Npz::default();
    let mut digest = Digest::new();
    for (name, heard) in names.iter().zip(own.references()) {
        let values: Vec<f32> = heard.iter().copied().collect();
        add_floats(&mut digest, &values);
        npz.floats(&name.replacen("embedding", "references", 1), heard.shape(), values)?;
    }
    let recordings = || card.recordings.iter();
    npz.texts("recordings", &recordings().map(|r| r.path.as_str()).collect::<Vec<_>>())?;
    let of_row = |(index, recording): (usize, &monitor::RecordingCard)| {
        std::iter::repeat_n(index, recording.starts.len()).collect::<Vec<usize>>()
    };
    npz.integers(
        "reference_recording",
        &recordings().enumerate().flat_map(of_row).collect::<Vec<_>>(),
    )?;
    let starts = recordings().flat_map(|r| &r.starts).map(|&start| start as usize);
    npz.integers("reference_start", &starts.collect::<Vec<_>>())?;

    let metadata = [
        ("recipe", card.recipe.clone()),
        ("monitor", card.name.clone()),
        ("references_sha256", digest.hex()),
        ("seed", card.seed.to_string()),
    ];
    write(request, &members, clip, &metadata, (npz, card.window_count()))
}

/// Writes both files, the ONNX file last: where it is, the other is.
fn write(
    request: &ExportRequest,
    members: &[Member<'_>],
    clip: ClipShape,
    about: &[(&str, String)],
    (mut npz, references): (Npz, usize),
) -> Result<Exported, OnnxError> {
    let common = [
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ("input", request.input.name().to_owned()),
        ("rate_hz", clip.rate_hz.to_string()),
        ("clip_samples", clip.samples.to_string()),
    ];
    let metadata: Vec<(String, String)> = common
        .iter()
        .chain(about)
        .map(|(key, value)| (format!("offkey.{key}"), value.clone()))
        .collect();
    let written = model(members, clip, request.input, &metadata)?;
    let check = Check::new(members, &written, clip)?;
    let parity = request.check.then(|| check.parity(&written.bytes)).transpose()?;
    check.store(&mut npz)?;
    let beside = request.file.with_extension("npz");
    let save = |path: &Path, bytes: &[u8]| {
        write_whole(path, bytes).map_err(|source| OnnxError::Io { path: path.to_owned(), source })
    };
    save(&beside, &npz.finish())?;
    save(&request.file, &written.bytes)?;
    Ok(Exported {
        inputs: written.inputs,
        outputs: written.outputs,
        clip,
        bytes: written.bytes.len(),
        beside,
        references,
        check_clips: check.clips(),
        parity,
    })
}

/// A name of its own for the output of each member; of equal ones all but the first are numbered.
fn output_names<'a>(members: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for member in members {
        let name = format!("embedding_{}", plain(member));
        let numbered = (2..).map(|number| format!("{name}_{number}"));
        let mut free = std::iter::once(name.clone()).chain(numbered);
        names.extend(free.find(|name| !names.contains(name)));
    }
    names
}

/// A name of letters, digits and underscores.
fn plain(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

fn of_text(text: &str) -> String {
    let mut digest = Digest::new();
    digest.add(text);
    digest.hex()
}

fn add_floats(digest: &mut Digest, values: &[f32]) {
    digest.add(values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_of_members_with_one_name_are_numbered() {
        let names =
            output_names(["loud moments", "mean", "loud-moments", "mean 2", "mean"].into_iter());
        let expected = ["loud_moments", "mean", "loud_moments_2", "mean_2", "mean_3"];
        assert_eq!(names, expected.map(|name| format!("embedding_{name}")));
    }
}
