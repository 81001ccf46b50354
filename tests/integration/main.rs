//! One binary for all integration tests: a file per feature, and what they share in `support`.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod git;
mod support;
