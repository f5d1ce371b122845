//! The model file: one safetensors file with arrays and, as text, what they mean. No code in it,
//! nothing outside it. What follows from the arrays at little cost is made anew when it is read.

use std::{
    collections::{BTreeMap, HashMap},
    fs, io,
    path::Path,
};

use ndarray::Array2;
use offkey_core::{Digest, remove_abandoned, stages::RECIPE_FILE, write_whole};
use offkey_infer::{Compute, ModelError, autoencoder::Autoencoder};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use crate::{
    Heard, Model, ModelCard, Monitor, MonitorCard, MonitorError,
    file_error::{FORMAT, LARGEST_BYTES, ModelFileError, Unusable, in_words},
    form_1, kept_sound,
    model::Detecting,
    ordered::ordered,
    parts::Parts,
    sizes,
};

/// Arrays of what fitting found: a file without them is fitted anew.
const SCALES: &str = "scales";
/// See [`SCALES`].
const HELD_OUT: &str = "held-out scores";

/// Makes sure that a model file can be written there, before the work of learning it.
///
/// # Errors
/// [`MonitorError::File`] when it cannot be: a folder is in its place, or what is there is no regular
/// file.
pub fn make_room_for(path: &Path) -> Result<(), MonitorError> {
    if path.is_dir() {
        return Err(MonitorError::io(path)(io::ErrorKind::IsADirectory.into()));
    }
    if path.exists() && !path.is_file() {
        let problem = io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file");
        return Err(MonitorError::io(path)(problem));
    }
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(MonitorError::io(folder))?;
    // What cannot be removed hurts nobody.
    let _ = remove_abandoned(folder);
    tempfile::tempfile_in(folder).map_err(MonitorError::io(folder))?;
    Ok(())
}

/// The bytes of what may be a model file, for [`Monitor::read`].
///
/// # Errors
/// [`MonitorError::File`] when it cannot be read or is no regular file, [`MonitorError::ModelFile`] when it is a run, or
/// too large.
pub fn model_bytes(path: &Path) -> Result<Vec<u8>, MonitorError> {
    let data = fs::metadata(path).map_err(MonitorError::io(path))?;
    if data.is_dir() {
        if path.join(RECIPE_FILE).is_file() {
            return Err(ModelFileError::Run { path: path.to_owned() }.into());
        }
        return Err(MonitorError::io(path)(io::ErrorKind::IsADirectory.into()));
    }
    if !data.is_file() {
        let problem = io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file");
        return Err(MonitorError::io(path)(problem));
    }
    let found = data.len();
    if found > LARGEST_BYTES {
        return Err(ModelFileError::TooLarge { path: path.to_owned(), found }.into());
    }
    fs::read(path).map_err(MonitorError::io(path))
}

impl Monitor {
    /// Writes the model file so that a reader sees the old one or the new, never half of it. Where the
    /// path is a link, what it leads to is written; permissions stay.
    ///
    /// # Errors
    /// [`MonitorError::File`] when the file cannot be written, [`MonitorError::ModelFile`] for a model
    /// that was read from an earlier form.
    pub fn save(&self, path: &Path) -> Result<(), MonitorError> {
        let Detecting::Members(detecting) = &self.detecting else {
            return Err(ModelFileError::Earlier.into());
        };
        let damaged = |problem: String| ModelFileError::Damaged { path: path.to_owned(), problem };
        let mut own: Vec<(String, Dtype, Vec<u8>, Vec<usize>)> = vec![(
            "sounds".to_owned(),
            Dtype::I16,
            sound_bytes(&self.sounds),
            self.sounds.shape().to_vec(),
        )];
        for (number, rows) in detecting.heard.embeddings.iter().enumerate() {
            own.push(floats(&format!("member {number}"), rows));
        }
        let (table, held_out) = detecting.scales.to_tables();
        own.push(doubles(SCALES, table.shape(), table.iter()));
        own.push(doubles(HELD_OUT, held_out.shape(), held_out.iter()));
        own.extend(kept_sound::arrays(&self.card.recordings));
        for (number, model) in detecting.models.iter().enumerate() {
            let (kind, weights) = match model {
                Model::Pooled(_) | Model::Statistics(_) => continue,
                Model::Onnx(foreign) => {
                    let content = foreign.bytes().to_vec();
                    let shape = vec![content.len()];
                    own.push((format!("onnx {number}"), Dtype::U8, content, shape));
                    continue;
                }
                Model::Network(encoder) => ("network", encoder.to_parts()?.1),
                Model::Autoencoder(autoencoder) => ("autoencoder", autoencoder.to_bytes()?),
            };
            let tensors = SafeTensors::deserialize(&weights).map_err(|e| damaged(in_words(&e)))?;
            for (name, view) in tensors.tensors() {
                let name = format!("{kind} {number}.{name}");
                own.push((name, view.dtype(), view.data().to_vec(), view.shape().to_vec()));
            }
        }
        let mut views: BTreeMap<String, TensorView<'_>> = BTreeMap::new();
        for (name, dtype, bytes, shape) in &own {
            let view = TensorView::new(*dtype, shape.clone(), bytes)
                .map_err(|error| damaged(error.to_string()))?;
            views.insert(name.clone(), view);
        }
        let card = serde_json::to_string(&self.card).map_err(MonitorError::json(path))?;
        let mut metadata =
            HashMap::from([("format".to_owned(), FORMAT.to_string()), ("card".to_owned(), card)]);
        metadata.insert("sha256".to_owned(), checksum(&metadata, views.iter()));
        let bytes =
            safetensors::serialize(views, Some(metadata)).map_err(|e| damaged(e.to_string()))?;
        let bytes = ordered(bytes).map_err(MonitorError::json(path))?;
        write_in_place(path, &bytes).map_err(MonitorError::io(path))
    }

    /// Reads and verifies a model file.
    ///
    /// # Errors
    /// [`MonitorError::File`] when it cannot be read, [`MonitorError::ModelFile`] when it is damaged,
    /// too new, too large, or contradicts itself.
    pub fn load(path: &Path, compute: Compute) -> Result<Self, MonitorError> {
        Self::read(path, &model_bytes(path)?, compute)
    }

    /// Reads and verifies the bytes of a model file; `path` stands for it in errors.
    ///
    /// # Errors
    /// As [`Monitor::load`].
    pub fn read(path: &Path, bytes: &[u8], compute: Compute) -> Result<Self, MonitorError> {
        let monitor = Self::describe(path, bytes, compute)?;
        monitor.ready()?;
        Ok(monitor)
    }

    /// As [`Monitor::read`], for whoever asks what the model is and not for a verdict: what judges is made when it is
    /// first needed, which costs most of the time.
    ///
    /// # Errors
    /// As [`Monitor::load`].
    pub fn describe(path: &Path, bytes: &[u8], compute: Compute) -> Result<Self, MonitorError> {
        let damaged = |problem: String| ModelFileError::Damaged { path: path.to_owned(), problem };
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| damaged(in_words(&e)))?;
        let tensors = SafeTensors::deserialize(bytes).map_err(|e| damaged(in_words(&e)))?;
        let metadata = header.metadata().clone();
        let metadata = metadata.ok_or_else(|| damaged("it has no description".to_owned()))?;
        let views = tensors.tensors().into_iter().collect();
        let parts = Parts { path: path.to_owned(), metadata, views };
        let found: u32 = parts
            .text("format")?
            .parse()
            .map_err(|_| damaged("its `format` is no number".to_owned()))?;
        if found > FORMAT {
            return Err(ModelFileError::TooNew { path: path.to_owned(), found }.into());
        }
        let actual = checksum(&parts.metadata, parts.views.iter());
        let expected = parts.text("sha256")?.to_owned();
        if actual != expected {
            let path = path.to_owned();
            return Err(ModelFileError::Checksum { path, found: actual, expected }.into());
        }
        if found == 1 {
            let (card, first, sounds) = form_1::read(path, &parts, compute)?;
            return Ok(Self { card, detecting: Detecting::First(Box::new(first)), sounds });
        }
        let (card, heard, models, sounds) = read_members(path, &parts, compute)?;
        let found = (parts.doubles(SCALES), parts.doubles(HELD_OUT));
        let (Some((shape, scales)), Some((_, held_out))) = found else {
            return Self::new(card, heard, models, sounds);
        };
        let table = match *shape {
            [rows, columns] => Array2::from_shape_vec((rows, columns), scales).ok(),
            _ => None,
        };
        let table = table.ok_or_else(|| parts.refuse(Unusable::Values))?;
        let tables = (&table, &held_out[..]);
        let monitor = Self::with_tables(card, heard, models, sounds, tables)?;
        monitor.ok_or_else(|| parts.refuse(Unusable::Values))
    }
}

fn read_members(
    path: &Path,
    parts: &Parts<'_>,
    compute: Compute,
) -> Result<(MonitorCard, Heard, Vec<Model>, Array2<f32>), MonitorError> {
    let mut card: MonitorCard =
        serde_json::from_str(parts.text("card")?).map_err(MonitorError::json(path))?;
    parts.check_rule(card.windows, &card.rates_hz)?;
    let (sounds, rule) = (parts.array("sounds")?, card.windows);
    parts.check_array("sounds", &sounds, [sounds.nrows(), card.windows.samples])?;
    let profiles = card.journal.iter().map(|entry| &entry.profile_before).chain([&card.profile]);
    if card.members.is_empty()
        || !profiles.into_iter().all(crate::Profile::is_sound)
        || card.recordings.iter().any(|recording| recording.starts.is_empty())
    {
        return Err(parts.refuse(Unusable::Values));
    }
    kept_sound::restore(parts, &mut card)?;
    let mut heard = Heard::default();
    let mut models = Vec::new();
    for (number, member) in card.members.iter().enumerate() {
        let name = format!("member {number}");
        let rows = parts.array(&name)?;
        parts.check_array(&name, &rows, [card.window_count(), rows.ncols()])?;
        sizes::check(&member.model, rows.ncols(), card.windows)
            .map_err(|problem| parts.refuse(Unusable::Other(format!("`{name}`: {problem}"))))?;
        let columns = rows.ncols();
        heard.embeddings.push(rows);
        models.push(match &member.model {
            ModelCard::Pooled(config) => {
                config.check().map_err(ModelError::from)?;
                Model::Pooled(config.clone())
            }
            ModelCard::Statistics(statistics) => Model::Statistics(statistics.clone()),
            ModelCard::Network(card) => {
                let encoder = parts.encoder(&format!("network {number}."), card, compute)?;
                parts.check_encoder(&encoder, columns, rule)?;
                Model::Network(Box::new(encoder))
            }
            ModelCard::Autoencoder(config) => {
                let weights = parts.weights(&format!("autoencoder {number}."))?;
                let own = Autoencoder::from_bytes(config.as_ref().clone(), &weights)?;
                let hears = (config.log_mel.rate_hz, rule.samples, own.dims());
                parts.check_hearing(hears, columns, rule)?;
                Model::Autoencoder(Box::new(own))
            }
            ModelCard::Onnx(config) => {
                let foreign = parts.foreign(&format!("onnx {number}"), config)?;
                let (clip, dims) = (config.clip(), foreign.dims());
                parts.check_hearing((clip.rate_hz, clip.samples, dims), columns, rule)?;
                Model::Onnx(Box::new(foreign))
            }
        });
    }
    Ok((card, heard, models, sounds))
}

/// Writes what a path leads to, whole or not at all, and keeps its permissions.
fn write_in_place(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let target = if path.is_symlink() { fs::canonicalize(path)? } else { path.to_owned() };
    let before = fs::metadata(&target).ok().map(|data| data.permissions());
    if before.as_ref().is_some_and(fs::Permissions::readonly) {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is write-protected"));
    }
    write_whole(&target, bytes)?;
    before.map_or(Ok(()), |permissions| fs::set_permissions(&target, permissions))
}

/// SHA-256 over the description and every array, in the order of their names.
fn checksum<'a, 'b: 'a>(
    metadata: &HashMap<String, String>,
    tensors: impl Iterator<Item = (&'a String, &'a TensorView<'b>)>,
) -> String {
    let mut digest = Digest::new();
    let described: BTreeMap<&String, &String> =
        metadata.iter().filter(|(key, _)| *key != "sha256").collect();
    for (key, value) in described {
        digest.add(key);
        digest.add([0]);
        digest.add(value);
        digest.add([0]);
    }
    for (name, tensor) in tensors {
        digest.add(name);
        digest.add(format!("{:?}{:?}", tensor.dtype(), tensor.shape()));
        digest.add(tensor.data());
    }
    digest.hex()
}

fn floats(name: &str, array: &Array2<f32>) -> (String, Dtype, Vec<u8>, Vec<usize>) {
    let bytes = array.iter().flat_map(|value| value.to_le_bytes()).collect();
    (name.to_owned(), Dtype::F32, bytes, array.shape().to_vec())
}

fn doubles<'a>(
    name: &str,
    shape: &[usize],
    numbers: impl Iterator<Item = &'a f64>,
) -> (String, Dtype, Vec<u8>, Vec<usize>) {
    let bytes = numbers.flat_map(|value| value.to_le_bytes()).collect();
    (name.to_owned(), Dtype::F64, bytes, shape.to_vec())
}

/// Sounds take half the room as 16-bit integers, and recordings seldom hold more.
fn sound_bytes(sounds: &Array2<f32>) -> Vec<u8> {
    let quantised = sounds.iter().map(|x| (x * 32_768.0).round().clamp(-32_768.0, 32_767.0));
    quantised.flat_map(|x| (x as i16).to_le_bytes()).collect()
}
