//! A backend of another crate, as recipes name it.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    fitting::Fitting,
    kind::{BackendKind, BackendRegistry, FittedBackend},
};
use crate::{Distance, ScoreError};

/// A backend of another crate: a name, and the backend once it has been looked up by
/// [`BackendConfig::resolved`](crate::BackendConfig::resolved).
#[derive(Debug, Clone)]
pub struct CustomBackend {
    name: String,
    found: Option<Arc<dyn BackendKind>>,
}

impl CustomBackend {
    /// The backend of this name, still to be looked up.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), found: None }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn found(&self) -> Result<&dyn BackendKind, ScoreError> {
        self.found.as_deref().ok_or_else(|| ScoreError::UnknownBackend {
            found: self.name.clone(),
            expected: Vec::new(),
        })
    }
}

impl PartialEq for CustomBackend {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Serialize for CustomBackend {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.name.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for CustomBackend {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::named)
    }
}

impl BackendKind for CustomBackend {
    fn fit(&self, fitting: &mut Fitting) -> Result<Box<dyn FittedBackend>, ScoreError> {
        self.found()?.fit(fitting)
    }

    fn distance(&self) -> Distance {
        self.found.as_ref().map_or(Distance::Euclidean, |found| found.distance())
    }

    fn least_deviation(&self) -> f64 {
        self.found.as_ref().map_or(0.0, |found| found.least_deviation())
    }

    fn check(&self) -> Result<(), ScoreError> {
        self.found()?.check()
    }

    fn check_dims(&self, dims: usize) -> Result<(), ScoreError> {
        self.found()?.check_dims(dims)
    }

    fn is_signed(&self) -> bool {
        self.found.as_ref().is_some_and(|found| found.is_signed())
    }

    fn nesting(&self) -> usize {
        self.found.as_ref().map_or(0, |found| found.nesting())
    }

    fn resolve(&mut self, registry: &BackendRegistry) -> Result<(), ScoreError> {
        let unknown = || ScoreError::UnknownBackend {
            found: self.name.clone(),
            expected: registry.names().map(str::to_owned).collect(),
        };
        self.found = Some(registry.get(&self.name).ok_or_else(unknown)?);
        Ok(())
    }

    fn leave_out(&self, fitting: &Fitting, labels: &[usize]) -> Option<Vec<f64>> {
        self.found.as_ref()?.leave_out(fitting, labels)
    }
}
