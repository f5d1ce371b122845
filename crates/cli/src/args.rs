//! Arguments of the verbs around one machine.

pub(crate) mod monitor;
