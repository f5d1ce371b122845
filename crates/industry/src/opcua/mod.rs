//! OPC UA: every machine as nodes, read-only, signed and encrypted unless somebody asks for less.

mod keys;
mod nodes;
mod server;

pub use keys::{KeyError, host_name};
pub use server::{Door, OpcUaError, Settings};
