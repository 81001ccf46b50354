//! One binary for all integration tests: a file per feature, and what they share in `support`.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod git;
mod support;
//! The tests that need a real engine, registry or Ansible: one binary, a file per feature.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod deploy;
mod record;
mod registry;
//! Tests against a real engine and registry: `./dev engine up` starts them.

mod engine;
