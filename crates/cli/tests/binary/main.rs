//! The program as a user meets it: every test runs the real binary.

mod common;
mod ensemble;
mod export;
mod main_job;
mod monitor;
mod newcomer;
mod recipes;
mod seeing;
mod study;
mod trust;
