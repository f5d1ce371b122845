//! Files and streams as the world has them: whole, odd and damaged.
#![expect(clippy::unwrap_used, reason = "a failing step of a test is a failed test")]

mod damage;
mod kinds;
mod kit;
mod raw;
