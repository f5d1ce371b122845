//! Machines as control systems see them, read-only: [`picture`] is what is shown, in plain values;
//! [`modbus`] shows it as registers.
//!
//! The register map and the protocol are plain functions, which need no network. The server stands behind
//! the cargo feature `modbus`.

pub mod guests;
pub mod modbus;
pub mod picture;
