//! The verbs around one machine, through the real binary.

#[path = "../common/mod.rs"]
mod common;
mod model_file;
mod sound;
mod watch;
mod whole_way;
