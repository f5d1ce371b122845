//! Modbus TCP: the register map, the protocol as a plain function, and the server around them.

mod map;
mod protocol;
#[cfg(feature = "modbus")]
mod server;

pub use map::{BITS, Bit, Image, Kind, MACHINE, MOST_MACHINES, Row, SERVICE, STRIDE, describe};
pub use protocol::{Exception, HEADER_BYTES, Header, LONGEST_BODY, answer};
#[cfg(feature = "modbus")]
pub use server::{Limits, serve};
