//! Where sound comes from: the folder and the growing file of `watch`, and streams that are opened again when
//! they end.

mod last_line;
mod places;
mod stream;

use offkey_monitor::{WindowRule, watch::why_only_whole};
use offkey_signal::ChannelRule;

pub use places::{HEARD, Places, Position};
pub use stream::{Opened, Opener, Process, StreamSource, command_opener, microphone_opener};

/// Rate of sound of which nothing is known.
const USUAL_RATE_HZ: u32 = 16_000;

/// How sound is taken while there is no model: as it comes.
pub fn usual_form(rate_hz: Option<u32>) -> WindowRule {
    let rate_hz = rate_hz.unwrap_or(USUAL_RATE_HZ);
    let samples = rate_hz as usize;
    WindowRule { channel: ChannelRule::Mix, rate_hz, samples, hop: samples }
}

/// Why a growing file of such a form is not heard, and what to do.
pub(crate) fn not_growing(form: &str) -> String {
    let why = why_only_whole(form);
    format!("{why}: name its folder as the source, or a `command` that prints it as WAV")
}

#[cfg(test)]
mod tests;
