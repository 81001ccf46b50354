//! One binary for all integration tests: a file per feature, and what they share in `support`.
//!
//! They use the real `git`, engine, registry and Ansible; `./dev test` sets up what is missing.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod cli;
mod deploy;
mod dockerfiles;
mod engine;
mod faults;
mod flow;
mod git;
mod histories;
mod ignore;
mod inputs;
mod oddities;
mod oracle;
mod record;
mod registry;
mod support;
