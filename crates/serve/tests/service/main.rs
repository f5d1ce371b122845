//! The service as people meet it: every test runs the real program, with real parts around it.

mod common;
mod crash;
mod mqtt;
mod pages;
mod program;
mod sinks;
mod sources;
