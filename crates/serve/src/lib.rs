//! A service that watches many machines for years: sound comes in, alarms go to people, and everything
//! survives a restart.

pub mod alarm;
pub mod clock;
pub mod config;
pub mod store;
