//! The model file: one safetensors file with weights, references, calibration and, as text, what
//! they mean. No code in it, nothing outside it.

use std::{
    collections::{BTreeMap, HashMap},
    fs, io,
    path::{Path, PathBuf},
};

use ndarray::Array2;
use offkey_core::{Digest, write_whole};
use offkey_infer::{Compute, DeviceKind, Encoder};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use super::{
    model::{Monitor, MonitorArrays, MonitorCard},
    spectra::MELS,
};
use crate::MonitorError;

/// Form of the file. A reader reads its own and all earlier forms.
pub const FORMAT: u32 = 1;
/// Larger files are refused before they are read: no model comes near.
const LARGEST_BYTES: u64 = 1 << 30;
/// Prefix of the encoder's tensors.
const ENCODER: &str = "encoder.";

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
            Self::TooLarge { .. } => None,
        }
    }
}

/// Makes sure that a model file can be written there, before the work of learning it.
///
/// # Errors
/// [`MonitorError::Io`] when it cannot be.
pub fn make_room_for(path: &Path) -> Result<(), MonitorError> {
    if path.is_dir() {
        return Err(MonitorError::io(path)(io::ErrorKind::IsADirectory.into()));
    }
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(MonitorError::io(folder))?;
    tempfile::tempfile_in(folder).map_err(MonitorError::io(folder))?;
    Ok(())
}

impl Monitor {
    /// Writes the model file so that a reader sees the old one or the new, never half of it.
    ///
    /// # Errors
    /// [`MonitorError::Io`] when the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), MonitorError> {
        let damaged = |problem: String| ModelFileError::Damaged { path: path.to_owned(), problem };
        let (encoder_card, weights) = self.encoder.to_parts().map_err(MonitorError::embed)?;
        let tensors = SafeTensors::deserialize(&weights).map_err(|e| damaged(e.to_string()))?;
        let arrays = &self.arrays;
        let own = [
            floats("references", &arrays.references),
            floats("reference_spectra", &arrays.reference_spectra),
            floats("calibration", &arrays.calibration),
            floats("calibration_spectra", &arrays.calibration_spectra),
            ("sounds", Dtype::I16, sound_bytes(&arrays.sounds), arrays.sounds.shape().to_vec()),
        ];
        let mut views: BTreeMap<String, TensorView<'_>> = BTreeMap::new();
        for (name, view) in tensors.tensors() {
            views.insert(format!("{ENCODER}{name}"), view);
        }
        for (name, dtype, bytes, shape) in &own {
            let view = TensorView::new(*dtype, shape.clone(), bytes)
                .map_err(|error| damaged(error.to_string()))?;
            views.insert((*name).to_owned(), view);
        }
        let card = serde_json::to_string(&self.card).map_err(MonitorError::json(path))?;
        let mut metadata = HashMap::from([
            ("format".to_owned(), FORMAT.to_string()),
            ("encoder".to_owned(), encoder_card),
            ("card".to_owned(), card),
        ]);
        metadata.insert("sha256".to_owned(), checksum(&metadata, views.iter()));
        let bytes =
            safetensors::serialize(views, Some(metadata)).map_err(|e| damaged(e.to_string()))?;
        write_whole(path, &bytes).map_err(MonitorError::io(path))
    }

    /// Reads and verifies a model file.
    ///
    /// # Errors
    /// [`MonitorError::Io`] when it cannot be read, [`MonitorError::ModelFile`] when it is damaged,
    /// too new or too large.
    pub fn load(path: &Path, compute: Compute) -> Result<Self, MonitorError> {
        let size = fs::metadata(path).map_err(MonitorError::io(path))?.len();
        if size > LARGEST_BYTES {
            return Err(ModelFileError::TooLarge { path: path.to_owned(), found: size }.into());
        }
        let bytes = fs::read(path).map_err(MonitorError::io(path))?;
        let (card, arrays, encoder) = read_parts(path, &bytes, compute)?;
        Self::new(card, arrays, encoder)
    }
}

fn read_parts(
    path: &Path,
    bytes: &[u8],
    compute: Compute,
) -> Result<(MonitorCard, MonitorArrays, Encoder), MonitorError> {
    let damaged = |problem: &str| ModelFileError::Damaged {
        path: path.to_owned(),
        problem: problem.to_owned(),
    };
    let (_, header) =
        SafeTensors::read_metadata(bytes).map_err(|error| damaged(&error.to_string()))?;
    let tensors = SafeTensors::deserialize(bytes).map_err(|error| damaged(&error.to_string()))?;
    let metadata = header.metadata().clone().ok_or_else(|| damaged("it has no description"))?;
    let text = |key: &str| {
        metadata.get(key).map(String::as_str).ok_or_else(|| damaged(&format!("it has no `{key}`")))
    };
    let found: u32 = text("format")?.parse().map_err(|_| damaged("its `format` is no number"))?;
    if found > FORMAT {
        return Err(ModelFileError::TooNew { path: path.to_owned(), found }.into());
    }
    let views: BTreeMap<String, TensorView<'_>> = tensors.tensors().into_iter().collect();
    let (actual, expected) = (checksum(&metadata, views.iter()), text("sha256")?.to_owned());
    if actual != expected {
        let path = path.to_owned();
        return Err(ModelFileError::Checksum { path, found: actual, expected }.into());
    }
    let card: MonitorCard =
        serde_json::from_str(text("card")?).map_err(MonitorError::json(path))?;
    let array = |name: &str| {
        views
            .get(name)
            .and_then(array_of)
            .ok_or_else(|| damaged(&format!("it has no array `{name}`")))
    };
    let arrays = MonitorArrays {
        references: array("references")?,
        reference_spectra: array("reference_spectra")?,
        calibration: array("calibration")?,
        calibration_spectra: array("calibration_spectra")?,
        sounds: array("sounds")?,
    };
    check_shapes(&arrays, &card).map_err(|problem| damaged(&problem))?;
    let weights: BTreeMap<&str, &TensorView<'_>> =
        views.iter().filter_map(|(name, view)| Some((name.strip_prefix(ENCODER)?, view))).collect();
    let weights =
        safetensors::serialize(weights, None).map_err(|error| damaged(&error.to_string()))?;
    // Inference needs no graphics card, and this crate nothing that could use one.
    let compute = Compute { device: DeviceKind::Cpu, ..compute };
    let encoder =
        Encoder::from_parts(text("encoder")?, &weights, compute).map_err(MonitorError::embed)?;
    Ok((card, arrays, encoder))
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

/// One row a window in every array, as many as the description lists, of matching width.
fn check_shapes(arrays: &MonitorArrays, card: &MonitorCard) -> Result<(), String> {
    let (references, calibration) = (card.references.len(), card.calibration.len());
    let (dims, bands) = (arrays.references.ncols(), 2 * MELS);
    for (name, array, expected) in [
        ("references", &arrays.references, [references, dims]),
        ("reference_spectra", &arrays.reference_spectra, [references, bands]),
        ("calibration", &arrays.calibration, [calibration, dims]),
        ("calibration_spectra", &arrays.calibration_spectra, [calibration, bands]),
        ("sounds", &arrays.sounds, [arrays.sounds.nrows(), card.windows.samples]),
    ] {
        if array.shape() != expected {
            let found = array.shape();
            return Err(format!("its array `{name}` is {found:?}, expected {expected:?}"));
        }
    }
    Ok(())
}

fn floats<'a>(name: &'a str, array: &Array2<f32>) -> (&'a str, Dtype, Vec<u8>, Vec<usize>) {
    let bytes = array.iter().flat_map(|value| value.to_le_bytes()).collect();
    (name, Dtype::F32, bytes, array.shape().to_vec())
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
