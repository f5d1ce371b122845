//! What the service manager is told: ready, alive, reloading, stopping. Without one nothing happens.

use sd_notify::NotifyState;

/// How often the service manager wants to hear that the service lives, in milliseconds.
pub fn watchdog() -> Option<u64> {
    sd_notify::watchdog_enabled().map(|every| every.as_millis() as u64)
}

/// The service lives.
pub fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// The service has started.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The service ends.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!("the service manager cannot be told: {error}");
    }
}
