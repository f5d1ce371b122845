//! The doors for control systems: Modbus TCP and OPC UA, both off unless their section is there.

use offkey_industry::guests::Net;
use serde::Deserialize;

use super::values::Span;

/// Modbus TCP.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModbusConfig {
    /// Address and port. Anything but loopback needs `allow`.
    pub listen: String,
    /// Other computers that may connect, as in `10.0.7.20` or `10.0.0.0/16`.
    pub allow: Vec<String>,
    /// Machines in the order of their blocks; absent: all, in the order of their names.
    pub machines: Option<Vec<String>>,
    /// Connections at the same time.
    pub connections: usize,
    /// A connection without a request for so long is closed.
    pub idle: Span,
}

/// OPC UA.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OpcUaConfig {
    /// Address and port.
    pub listen: String,
    /// This computer's name, as clients reach it; absent: that of `listen`, or the computer's own.
    pub host: Option<String>,
    /// Whether clients may also connect without signature and encryption.
    pub unprotected: bool,
    /// Sessions at the same time.
    pub sessions: usize,
}

impl Default for ModbusConfig {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:1502".to_owned(),
            allow: Vec::new(),
            machines: None,
            connections: 8,
            idle: Span::from_s(60),
        }
    }
}

impl Default for OpcUaConfig {
    fn default() -> Self {
        Self { listen: "127.0.0.1:4840".to_owned(), host: None, unprotected: false, sessions: 10 }
    }
}

impl ModbusConfig {
    /// The computers of `allow`; what is none of them was told when the configuration was checked.
    pub fn nets(&self) -> Vec<Net> {
        self.allow.iter().filter_map(|text| text.parse().ok()).collect()
    }
}
