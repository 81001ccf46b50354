//! The parts of deciding, one by one. `./dev bench` runs it; figures compare versions on one machine, and none is a promise.
//!
//! In the order in which data flows: the diff, the paths that Dockerfiles read, the files that
//! `.dockerignore` leaves, contents of the disk, keys, the plan. A part that needs a repository has a
//! generated one, as `./dev bench plan` has.

#![expect(
    missing_docs,
    clippy::print_stderr,
    reason = "criterion makes the functions, and it is told what takes long"
)]

use criterion::{criterion_group, criterion_main};

mod contents;
mod diff;
mod ignore;
mod inputs;
mod keys;
#[path = "../plan/monorepo.rs"]
#[expect(dead_code, reason = "`./dev bench plan` asks for more")]
mod monorepo;
#[path = "../plan/peers.rs"]
mod peers;
mod plan;
mod repository;

/// The outcome of the benchmark's work: an error ends the benchmark with its text.
type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

criterion_group!(
    benches,
    diff::diff,
    inputs::inputs,
    ignore::ignore,
    contents::contents,
    keys::keys,
    plan::plan
);
criterion_main!(benches);
