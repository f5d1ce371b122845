//! Time as the service needs it: the wall clock for people, a steady clock for durations. Injected,
//! so that tests decide what time it is.

use std::{
    sync::{Mutex, PoisonError},
    time::{Instant, SystemTime, UNIX_EPOCH},
};

/// A moment, on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds since 1970 as the wall clock says. It may jump, both ways.
    pub unix_ms: i64,
    /// Milliseconds of a clock that only moves forward; its zero means nothing.
    pub steady_ms: u64,
}

/// Where the time comes from.
pub trait Clock: Send + Sync {
    /// The time.
    fn now(&self) -> Now;
}

/// The system's clocks.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { start: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Now {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let unix_ms = since.map_or(0, |since| since.as_millis() as i64);
        Now { unix_ms, steady_ms: self.start.elapsed().as_millis() as u64 }
    }
}

/// A clock that moves when it is told to.
#[derive(Debug)]
pub struct ManualClock {
    now: Mutex<Now>,
}

impl ManualClock {
    /// A clock that stands at a wall time.
    pub fn new(unix_ms: i64) -> Self {
        Self { now: Mutex::new(Now { unix_ms, steady_ms: 0 }) }
    }

    /// Time passes on both clocks.
    pub fn pass(&self, ms: u64) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        now.unix_ms += ms.cast_signed();
        now.steady_ms += ms;
    }

    /// The wall clock jumps; no time passes.
    pub fn jump(&self, ms: i64) {
        self.now.lock().unwrap_or_else(PoisonError::into_inner).unix_ms += ms;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Now {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
