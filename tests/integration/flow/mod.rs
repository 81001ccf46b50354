//! The real program against the real engine and registry: whole runs, and what is left of those that end early.
//!
//! Start with [`bench::Bench`].

pub(crate) mod bench;
mod builders;
mod contexts;
mod failures;
pub(crate) mod gate;
mod kills;
mod library;
mod local;
mod logins;
mod order;
mod parts;
mod promotion;
mod proxies;
mod records;
mod release;
pub(crate) mod running;
mod secrets;
mod supervisor;
