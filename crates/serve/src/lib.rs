//! A service that watches many machines for years: sound comes in, alarms go to people, and everything
//! survives a restart.
//!
//! Start at [`service`]. [`engine`] decides, from pure parts: [`alarm`], [`liveness`], [`machine`]. [`store`]
//! keeps, [`listen`] hears, [`sink`] tells, [`web`] shows.

pub mod alarm;
pub mod config;
pub mod ear;
pub mod engine;
pub mod fleet;
pub mod history;
#[cfg(any(feature = "modbus", feature = "opcua"))]
pub mod industry;
pub mod judge;
pub mod listen;
pub mod liveness;
pub mod machine;
pub mod metrics;
pub mod models;
pub mod prepare;
pub mod service;
pub mod setup;
pub mod sink;
pub mod source;
pub mod spectrum;
pub mod store;
pub mod system;
pub mod web;

#[cfg(test)]
mod testing;
