//! The model file: one safetensors file with arrays and, as text, what they mean. No code in it,
//! nothing outside it. Everything that follows from the arrays is made anew when it is read.

use std::{
    collections::{BTreeMap, HashMap},
    fs, io,
    path::{Path, PathBuf},
};

use ndarray::Array2;
use offkey_core::{Digest, remove_abandoned, write_whole};
use offkey_infer::{
    Compute, DeviceKind, Encoder,
    foreign::{Foreign, ForeignConfig},
};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use crate::{
    Heard, Model, ModelCard, Monitor, MonitorCard, MonitorError, WindowRule, form_1,
    model::Detecting, ordered::ordered, sizes,
};

/// Form of the file. A reader reads its own and all earlier forms.
pub const FORMAT: u32 = 2;
/// Larger files are refused before they are read: no model comes near.
const LARGEST_BYTES: u64 = 1 << 30;
/// Longest window, in seconds, and highest rate that a file is believed.
const LONGEST_WINDOW_S: f64 = 3600.0;
const HIGHEST_RATE_HZ: u32 = 1_000_000;
/// Most samples from one window to the next: a day at the highest rate.
const LONGEST_HOP: u64 = 86_400_000_000;

/// Why a model file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelFileError {
    /// Not a model file at all, or cut short.
    #[error("`{}` is not an offkey model, or is damaged: {problem}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Content and checksum disagree.
    #[error("`{}` is damaged: its checksum is {found}, expected {expected}", path.display())]
    Checksum {
        /// The file.
        path: PathBuf,
        /// Of the content.
        found: String,
        /// As written in the file.
        expected: String,
    },
    /// Written by a later version.
    #[error("`{}` has form {found}, and this version reads forms up to {FORMAT}", path.display())]
    TooNew {
        /// The file.
        path: PathBuf,
        /// Its form.
        found: u32,
    },
    /// An earlier form, which is read and not changed.
    #[error("the model has an earlier form: it judges as it did, and cannot be changed")]
    Earlier,
    /// Unreasonably large.
    #[error("`{}` has {found} bytes, expected at most {LARGEST_BYTES}", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        found: u64,
    },
}

impl ModelFileError {
    /// What the reader can do about it.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::TooNew { .. } => {
                Some("use a newer offkey, or learn the model again with this one")
            }
            Self::Damaged { .. } | Self::Checksum { .. } => {
                Some("copy it again from where it came, or learn it again")
            }
            Self::Earlier => Some("learn the model again"),
            Self::TooLarge { .. } => None,
        }
    }
}

/// What a file with a valid checksum may still be wrong in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unusable {
    /// Something is absent.
    Absent(String),
    /// An array has another shape.
    Shape { name: String, found: Vec<usize>, expected: [usize; 2] },
    /// A number that is not finite, or contradicts the others.
    Values,
    /// Anything else.
    Other(String),
}

/// Makes sure that a model file can be written there, before the work of learning it.
///
/// # Errors
/// [`MonitorError::Io`] when it cannot be: a folder is in its place, or what is there is no regular
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
/// [`MonitorError::Io`] when it cannot be read or is no regular file, [`MonitorError::ModelFile`] when it is too
/// large.
pub fn model_bytes(path: &Path) -> Result<Vec<u8>, MonitorError> {
    let data = fs::metadata(path).map_err(MonitorError::io(path))?;
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
    /// [`MonitorError::Io`] when the file cannot be written, [`MonitorError::ModelFile`] for a model
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
        for (number, model) in detecting.models.iter().enumerate() {
            if let Model::Onnx(foreign) = model {
                let content = foreign.bytes().to_vec();
                let shape = vec![content.len()];
                own.push((format!("onnx {number}"), Dtype::U8, content, shape));
            }
            if let Model::Network(encoder) = model {
                let (_, weights) = encoder.to_parts().map_err(MonitorError::embed)?;
                let tensors =
                    SafeTensors::deserialize(&weights).map_err(|e| damaged(e.to_string()))?;
                for (name, view) in tensors.tensors() {
                    let name = format!("network {number}.{name}");
                    own.push((name, view.dtype(), view.data().to_vec(), view.shape().to_vec()));
                }
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
    /// [`MonitorError::Io`] when it cannot be read, [`MonitorError::ModelFile`] when it is damaged,
    /// too new, too large, or contradicts itself.
    pub fn load(path: &Path, compute: Compute) -> Result<Self, MonitorError> {
        Self::read(path, &model_bytes(path)?, compute)
    }

    /// Reads and verifies the bytes of a model file; `path` stands for it in errors.
    ///
    /// # Errors
    /// As [`Monitor::load`].
    pub fn read(path: &Path, bytes: &[u8], compute: Compute) -> Result<Self, MonitorError> {
        let damaged = |problem: String| ModelFileError::Damaged { path: path.to_owned(), problem };
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| damaged(e.to_string()))?;
        let tensors = SafeTensors::deserialize(bytes).map_err(|e| damaged(e.to_string()))?;
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
        Self::new(card, heard, models, sounds)
    }
}

fn read_members(
    path: &Path,
    parts: &Parts<'_>,
    compute: Compute,
) -> Result<(MonitorCard, Heard, Vec<Model>, Array2<f32>), MonitorError> {
    let card: MonitorCard =
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
                config.check().map_err(MonitorError::embed)?;
                Model::Pooled(config.clone())
            }
            ModelCard::Statistics(statistics) => Model::Statistics(statistics.clone()),
            ModelCard::Network(card) => {
                let encoder = parts.encoder(&format!("network {number}."), card, compute)?;
                parts.check_encoder(&encoder, columns, rule)?;
                Model::Network(Box::new(encoder))
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

/// The parts of a file, taken out one by one.
pub(crate) struct Parts<'a> {
    path: PathBuf,
    metadata: HashMap<String, String>,
    views: BTreeMap<String, TensorView<'a>>,
}

impl Parts<'_> {
    pub(crate) fn refuse(&self, problem: Unusable) -> MonitorError {
        let problem = match problem {
            Unusable::Absent(what) => format!("it has no {what}"),
            Unusable::Shape { name, found, expected } => {
                format!("its array `{name}` is {found:?}, expected {expected:?}")
            }
            Unusable::Values => "its numbers contradict each other".to_owned(),
            Unusable::Other(problem) => problem,
        };
        ModelFileError::Damaged { path: self.path.clone(), problem }.into()
    }

    pub(crate) fn text(&self, key: &str) -> Result<&str, MonitorError> {
        let text = self.metadata.get(key).map(String::as_str);
        text.ok_or_else(|| self.refuse(Unusable::Absent(format!("`{key}`"))))
    }

    /// An array of finite numbers.
    pub(crate) fn array(&self, name: &str) -> Result<Array2<f32>, MonitorError> {
        let absent = || self.refuse(Unusable::Absent(format!("array `{name}`")));
        let array = self.views.get(name).and_then(array_of).ok_or_else(absent)?;
        // Larger numbers are no spectra, embeddings or samples, and overflow in sums of squares.
        if array.iter().any(|value| !value.is_finite() || value.abs() > 1e9) {
            let problem = format!("its array `{name}` has numbers that are not finite or absurd");
            return Err(self.refuse(Unusable::Other(problem)));
        }
        Ok(array)
    }

    pub(crate) fn check_array(
        &self,
        name: &str,
        array: &Array2<f32>,
        expected: [usize; 2],
    ) -> Result<(), MonitorError> {
        if array.shape() == expected {
            return Ok(());
        }
        let (name, found) = (name.to_owned(), array.shape().to_vec());
        Err(self.refuse(Unusable::Shape { name, found, expected }))
    }

    pub(crate) fn check_rule(&self, rule: WindowRule, rates: &[u32]) -> Result<(), MonitorError> {
        let plausible = |rate: u32| (1..=HIGHEST_RATE_HZ).contains(&rate);
        let most = (f64::from(rule.rate_hz) * LONGEST_WINDOW_S) as usize;
        let sound = plausible(rule.rate_hz)
            && (1..=most).contains(&rule.samples)
            && rule.hop > 0
            && rule.hop >= rule.samples.div_ceil(1000)
            && rule.hop as u64 <= LONGEST_HOP
            && !rates.is_empty()
            && rates.iter().all(|&rate| plausible(rate));
        if sound { Ok(()) } else { Err(self.refuse(Unusable::Values)) }
    }

    /// Refuses a network that hears other windows than the file's, or makes other vectors.
    pub(crate) fn check_encoder(
        &self,
        encoder: &Encoder,
        columns: usize,
        rule: WindowRule,
    ) -> Result<(), MonitorError> {
        let config = encoder.config();
        self.check_hearing((config.rate_hz, config.clip_samples(), config.dims()), columns, rule)
    }

    /// Refuses a model that hears other windows than the file's, or makes other vectors.
    fn check_hearing(
        &self,
        (rate_hz, samples, dims): (u32, usize, usize),
        columns: usize,
        rule: WindowRule,
    ) -> Result<(), MonitorError> {
        if (rate_hz, samples, dims) == (rule.rate_hz, rule.samples, columns) {
            return Ok(());
        }
        let problem = format!(
            "its network hears {samples} samples at {rate_hz} Hz and makes {dims} numbers, expected {} samples at {} Hz \
             and {columns} numbers",
            rule.samples, rule.rate_hz
        );
        Err(self.refuse(Unusable::Other(problem)))
    }

    /// An encoder that was trained elsewhere, from the array that holds its file.
    fn foreign(&self, name: &str, config: &ForeignConfig) -> Result<Foreign, MonitorError> {
        let view = self.views.get(name);
        let view = view.ok_or_else(|| self.refuse(Unusable::Absent(format!("array `{name}`"))))?;
        Foreign::from_bytes(config.clone(), view.data().to_vec()).map_err(MonitorError::embed)
    }

    /// A network from its card and the arrays whose names begin with `prefix`.
    pub(crate) fn encoder(
        &self,
        prefix: &str,
        card: &str,
        compute: Compute,
    ) -> Result<Encoder, MonitorError> {
        let weights: BTreeMap<&str, &TensorView<'_>> = self
            .views
            .iter()
            .filter_map(|(name, view)| Some((name.strip_prefix(prefix)?, view)))
            .collect();
        let weights = safetensors::serialize(weights, None)
            .map_err(|error| self.refuse(Unusable::Other(error.to_string())))?;
        // Inference needs no graphics card, and this crate nothing that could use one.
        let compute = Compute { device: DeviceKind::Cpu, ..compute };
        Encoder::from_parts(card, &weights, compute).map_err(MonitorError::embed)
    }
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

/// Sounds take half the room as 16-bit integers, and recordings seldom hold more.
fn sound_bytes(sounds: &Array2<f32>) -> Vec<u8> {
    let quantised = sounds.iter().map(|x| (x * 32_768.0).round().clamp(-32_768.0, 32_767.0));
    quantised.flat_map(|x| (x as i16).to_le_bytes()).collect()
}

fn array_of(view: &TensorView<'_>) -> Option<Array2<f32>> {
    let &[rows, columns] = view.shape() else { return None };
    let values = match view.dtype() {
        Dtype::F32 => {
            let (values, _) = view.data().as_chunks::<4>();
            values.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
        }
        Dtype::I16 => {
            let (values, _) = view.data().as_chunks::<2>();
            values.iter().map(|bytes| f32::from(i16::from_le_bytes(*bytes)) / 32_768.0).collect()
        }
        _ => return None,
    };
    Array2::from_shape_vec((rows, columns), values).ok()
}
