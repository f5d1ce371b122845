//! One file per verb: its arguments, and what it does with them.

pub(crate) mod check;
pub(crate) mod info;
pub(crate) mod serve;
pub(crate) mod shared;
pub(crate) mod update;
pub(crate) mod watch;
#[cfg(feature = "workbench")]
pub(crate) mod workbench;
