//! Machines as control systems see them, read-only: [`picture`] is what is shown, in plain values;
//! [`modbus`] shows it as registers, `opcua` as nodes.
//!
//! The register map and the protocol of Modbus are plain functions, which need no network. The servers stand
//! behind the cargo features `modbus` and `opcua`.

pub mod guests;
pub mod modbus;
#[cfg(feature = "opcua")]
pub mod opcua;
pub mod picture;
