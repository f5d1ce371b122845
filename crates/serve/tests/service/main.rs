//! The service as people meet it: every test runs the real program, with real parts around it.

mod common;
mod crash;
mod fleet;
mod mqtt;
mod pages;
mod program;
mod refusals;
mod sinks;
mod sources;
