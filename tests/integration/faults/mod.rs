//! What fails around a run: the engine, the registry, the network, the disk, who is asked, and what is read.
//!
//! Whatever it is, the run ends with its exit code, says what failed, why and what to do, and publishes nothing by
//! halves; the next run goes on from there.

use crate::flow::bench::{Bench, Ran};

mod canaries;
mod contexts;
mod dockerd;
mod engines;
mod entitlements;
mod faulty;
mod pushes;

/// Checks that a run failed with this code and these words, and that nothing of it can be seen from outside.
#[track_caller]
fn published_nothing(bench: &Bench, ran: Ran, code: i32, told: &[&str]) {
    let ran = ran.code(code);
    for text in told {
        assert!(ran.stderr.contains(text), "no `{text}`: {}", ran.stderr);
    }
    assert!(ran.stdout.is_empty(), "{}", ran.stdout);
    for image in ["api", "site"] {
        assert_eq!(bench.digest(image, "staging"), None, "{image}");
    }
    assert!(bench.deployed().is_empty());
    let outcome = bench.outcome();
    assert!(outcome == "none" || outcome.starts_with("not built: "), "{outcome}");
    assert_eq!(bench.lease(), None);
}

/// Checks that a run publishes all that an earlier one did not.
#[track_caller]
fn publishes(bench: &Bench) {
    bench.run(&["--env", "staging"]).ok();
    for image in ["api", "site"] {
        assert!(bench.digest(image, "staging").is_some(), "{image}");
    }
    assert_eq!((bench.deployed().len(), bench.outcome().as_str()), (1, "succeeded"));
}
