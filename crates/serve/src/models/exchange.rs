//! Models that come from elsewhere take the place of the one in use, which is kept; and back again.

use std::{fs, io, path::Path, sync::PoisonError};

use offkey_core::write_whole;
use offkey_infer::Compute;
use offkey_monitor::Monitor;

use super::{ModelError, Models};

impl Models {
    /// Takes a model from elsewhere into use. The one in use before is kept at `previous`; whether there was one. What
    /// people called normal is taken into the new one as well.
    ///
    /// # Errors
    /// [`ModelError`] when it is no model or cannot be stored; the one in use then stays.
    pub fn install(
        &self,
        machine: &str,
        model: &[u8],
        previous: &Path,
    ) -> Result<bool, ModelError> {
        let path = self.path_of(machine)?;
        let new = path.with_extension(format!("{machine}.new"));
        write_whole(&new, model).map_err(failed(&new))?;
        Monitor::load(&new, Compute::default())?;
        let had_model = path.exists();
        if had_model {
            let now = fs::read(&path).map_err(failed(&path))?;
            // After a crash in the middle the new one is there already: what was kept then stays.
            if now != model || !previous.is_file() {
                write_whole(previous, &now).map_err(failed(previous))?;
            }
        }
        self.replace(machine, &new, &path)?;
        Ok(had_model && previous.is_file())
    }

    /// Puts the model that was kept into use again, and keeps the one in use in its place.
    ///
    /// # Errors
    /// [`ModelError`] when there is none, or it cannot be used; the one in use then stays.
    pub fn swap(&self, machine: &str, previous: &Path) -> Result<(), ModelError> {
        let _one = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.path_of(machine)?;
        let before = fs::read(previous).map_err(failed(previous))?;
        let model = Monitor::read(previous, &before, Compute::default())?;
        let _other_programs_wait = self.lock(&path)?;
        let now = fs::read(&path).map_err(failed(&path))?;
        let aside = previous.with_added_extension("new");
        write_whole(&aside, &now).map_err(failed(&aside))?;
        write_whole(&path, &before).map_err(failed(&path))?;
        fs::rename(&aside, previous).map_err(failed(previous))?;
        self.take_into_use(&path, model);
        Ok(())
    }
}

fn failed(path: &Path) -> impl Fn(io::Error) -> ModelError {
    let path = path.to_owned();
    move |source| ModelError::Io { path: path.clone(), source }
}
