//! The verbs around one machine, through the real binary.

mod choosing;
mod mistakes;
mod model_file;
mod plain;
mod sound;
mod watch;
mod whole_way;
