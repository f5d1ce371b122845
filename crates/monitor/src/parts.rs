//! The parts of a model file, each checked before it is used.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
};

use ndarray::Array2;
use offkey_infer::{
    Compute, DeviceKind, Encoder, ModelError,
    foreign::{Foreign, ForeignConfig},
};
use safetensors::{Dtype, tensor::TensorView};

use crate::{
    MonitorError, WindowRule,
    file_error::{ModelFileError, Unusable},
    windows,
};

/// The parts of a file, taken out one by one.
pub(crate) struct Parts<'a> {
    pub(crate) path: PathBuf,
    pub(crate) metadata: HashMap<String, String>,
    pub(crate) views: BTreeMap<String, TensorView<'a>>,
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

    /// An array of numbers in double precision, whatever they are, and its shape.
    pub(crate) fn doubles(&self, name: &str) -> Option<(&[usize], Vec<f64>)> {
        let view = self.views.get(name).filter(|view| view.dtype() == Dtype::F64)?;
        let numbers = view.data().as_chunks::<8>().0.iter();
        Some((view.shape(), numbers.map(|bytes| f64::from_le_bytes(*bytes)).collect()))
    }

    /// An array of whole numbers, and its shape.
    pub(crate) fn counts(&self, name: &str) -> Option<(&[usize], Vec<u32>)> {
        let view = self.views.get(name).filter(|view| view.dtype() == Dtype::U32)?;
        let numbers = view.data().as_chunks::<4>().0.iter();
        Some((view.shape(), numbers.map(|bytes| u32::from_le_bytes(*bytes)).collect()))
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
        let sound = rule.is_usable()
            && !rates.is_empty()
            && rates.iter().all(|rate| (1..=windows::HIGHEST_RATE_HZ).contains(rate));
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
    pub(crate) fn check_hearing(
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
    pub(crate) fn foreign(
        &self,
        name: &str,
        config: &ForeignConfig,
    ) -> Result<Foreign, MonitorError> {
        let view = self.views.get(name);
        let view = view.ok_or_else(|| self.refuse(Unusable::Absent(format!("array `{name}`"))))?;
        let foreign = Foreign::from_bytes(config.clone(), view.data().to_vec());
        Ok(foreign.map_err(ModelError::from)?)
    }

    /// A network from its card and the arrays whose names begin with `prefix`.
    pub(crate) fn encoder(
        &self,
        prefix: &str,
        card: &str,
        compute: Compute,
    ) -> Result<Encoder, MonitorError> {
        // Inference needs no graphics card, and this crate nothing that could use one.
        let compute = Compute { device: DeviceKind::Cpu, ..compute };
        Ok(Encoder::from_parts(card, &self.weights(prefix)?, compute)?)
    }

    /// The arrays whose names begin with `prefix`, without it, as safetensors.
    pub(crate) fn weights(&self, prefix: &str) -> Result<Vec<u8>, MonitorError> {
        let weights: BTreeMap<&str, &TensorView<'_>> = self
            .views
            .iter()
            .filter_map(|(name, view)| Some((name.strip_prefix(prefix)?, view)))
            .collect();
        safetensors::serialize(weights, None)
            .map_err(|error| self.refuse(Unusable::Other(error.to_string())))
    }
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
