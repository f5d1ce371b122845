//! Recordings under other names, for those that came as arrays and were files for a moment only.

use crate::Monitor;

impl Monitor {
    /// Gives every recording that the model knows the name that `name` makes of the present one.
    pub fn rename_recordings(&mut self, name: impl Fn(&str) -> String) {
        for recording in &mut self.card.recordings {
            recording.path = name(&recording.path);
        }
    }
}
