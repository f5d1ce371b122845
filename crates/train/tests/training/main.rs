//! Laws of training and embedding, on a tiny encoder and machines that hum at different pitches.

#![expect(clippy::unwrap_used, reason = "a test stops at the first thing that goes wrong")]

mod hums;
mod laws;
mod measuring;
mod options;
