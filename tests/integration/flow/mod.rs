//! The real program against the real engine and registry: whole runs, and what is left of those that end early.
//!
//! Start with [`bench::Bench`].

mod bench;
mod builders;
mod contexts;
mod failures;
mod faults;
mod gate;
mod kills;
mod local;
mod parts;
mod records;
mod release;
mod running;
mod secrets;
