//! Registries that fail while images are pushed and tags are moved.

use std::process::Command;
use std::thread;

use super::faulty::{Fault, FaultyRegistry};
use super::{published_nothing, publishes};
use crate::flow::bench::{Bench, variable};
use crate::support::registry::{OwnRegistry, tags};

/// More often than anything is tried.
const ALWAYS: usize = 1000;

/// What is asked of a registry: a layer is sent, the image is named by its key, and by its environment.
const LAYER: (&str, &str) = ("PATCH", "/site/blobs/uploads/");
const NAME: (&str, &str) = ("PUT", "/site/manifests/key-");
const TAG: (&str, &str) = ("PUT", "/site/manifests/staging");

fn faulty() -> (Bench, FaultyRegistry) {
    let (mut bench, registry) = (Bench::new(), FaultyRegistry::new());
    bench.registry = registry.place();
    (bench, registry)
}

/// The engines that push in their own ways: through the API after a build, and in the build.
fn engines() -> [String; 2] {
    ["DOCKER_HOST", "DTBUILD_TEST_ENGINE_28_CONTAINERD"].map(variable)
}

#[test]
fn a_fault_that_passes_is_got_over() {
    let once = [
        (LAYER, Fault::Answer(500, "")),
        (LAYER, Fault::Cut),
        (NAME, Fault::Answer(500, "")),
        (NAME, Fault::Limit),
        (NAME, Fault::Cut),
        (("HEAD", "/site/manifests/key-"), Fault::Answer(503, "")),
        (("HEAD", "/site/manifests/key-"), Fault::Limit),
        (TAG, Fault::Answer(502, "")),
        (TAG, Fault::Limit),
        (TAG, Fault::Cut),
    ];
    thread::scope(|scope| {
        for (request, fault) in once {
            scope.spawn(move || {
                let (bench, registry) = faulty();
                registry.fail(1, request, fault);
                publishes(&bench);
                assert_eq!(registry.met(), 1, "{request:?} {fault:?}");
            });
        }
    });
}

#[test]
fn a_fault_that_stays_ends_the_run_and_publishes_nothing() {
    let denied = r#"{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}"#;
    let limited = r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}"#;
    let cases = [
        (NAME, Fault::Answer(500, ""), "the registry's own log"),
        (NAME, Fault::Answer(429, limited), "wait a little"),
        (NAME, Fault::Answer(507, ""), "free space at the registry"),
        (NAME, Fault::Cut, "can the engine reach the registry?"),
        (("POST", "/site/blobs/uploads/"), Fault::Answer(403, denied), "run `docker login 127.0.0.1:"),
    ];
    thread::scope(|scope| {
        for (number, engine) in engines().into_iter().enumerate() {
            // One that may pass and one that will not are enough for the other way of pushing.
            for (request, fault, advice) in cases.into_iter().step_by(1 + 3 * number) {
                let engine = engine.clone();
                scope.spawn(move || {
                    let (mut bench, registry) = faulty();
                    let usual = std::mem::replace(&mut bench.engine, engine);
                    registry.fail(ALWAYS, request, fault);
                    let ran = bench.run(&["--env", "staging", "--progress", "plain"]);
                    published_nothing(&bench, ran, 3, &["site failed: failed to push `127.0.0.1:", advice]);
                    assert!(registry.met() > 0);
                    registry.mend();
                    bench.engine = usual;
                    publishes(&bench);
                });
            }
        }
    });
}

#[test]
fn a_registry_that_fails_before_the_build_costs_none() {
    let (bench, registry) = faulty();
    registry.fail(ALWAYS, ("HEAD", "/site/manifests/key-"), Fault::Answer(500, ""));
    let ran = bench.run(&["--env", "staging", "--progress", "rawjson"]);
    assert!(ran.images("image-started").is_empty());
    published_nothing(&bench, ran, 3, &["failed with status 500", "see the registry's own log"]);
    registry.mend();
    publishes(&bench);
}

#[test]
fn tags_that_could_not_be_moved_are_moved_by_the_next_run() {
    let (bench, registry) = faulty();
    registry.fail(ALWAYS, TAG, Fault::Answer(500, ""));
    let ran = bench.run(&["--env", "staging"]).code(3);
    assert!(ran.stderr.contains("failed to tag") && ran.stderr.contains("status 500"), "{}", ran.stderr);
    assert!(bench.deployed().is_empty() && bench.outcome().starts_with("failed: failed to tag"));
    assert_eq!((bench.digest("site", "staging"), bench.lease()), (None, None));
    registry.mend();
    assert_eq!(bench.decisions(), ["api reuse", "site reuse"]);
    publishes(&bench);
}

#[test]
fn a_slow_registry_is_waited_for_and_a_silent_one_is_not() {
    let page = noise(6 << 20);
    thread::scope(|scope| {
        for engine in engines() {
            let page = &page;
            scope.spawn(move || {
                let (mut bench, registry) = faulty();
                bench.engine = engine;
                bench.write("site/page", page);
                bench.commit("a large page");
                registry.fail(ALWAYS, NAME, Fault::Silence);
                let ran = bench.run(&["--env", "staging", "--silence-limit", "4", "--progress", "plain"]);
                let told = ["site failed: ", "nothing was heard of", "for 4 seconds", "--silence-limit"];
                published_nothing(&bench, ran, 3, &told);
                registry.mend();

                bench.registry = registry.place();
                registry.fail(ALWAYS, LAYER, Fault::Slow);
                registry.fail(ALWAYS, ("PUT", "/site/blobs/uploads/"), Fault::Slow);
                bench.set("DTBUILD_SILENCE_LIMIT", "4");
                publishes(&bench);
                assert!(registry.met() > 0);
            });
        }
    });
}

/// Text that compresses badly, the same every time.
fn noise(length: usize) -> String {
    let mut noise = vec![0; length];
    blake3::Hasher::new().finalize_xof().fill(&mut noise);
    noise.iter().map(|byte| char::from(b' ' + byte % 95)).collect()
}

/// A file system that is full soon. Dropped, it is gone.
struct Small(std::path::PathBuf);

impl Small {
    fn at(folder: std::path::PathBuf) -> Self {
        std::fs::create_dir_all(&folder).unwrap();
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=3m", "tmpfs"]).arg(&folder).status();
        assert!(mounted.unwrap().success(), "only root can mount");
        Self(folder)
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_at_the_registry_is_told_and_room_is_all_it_takes() {
    let mut disk = None;
    let registry = OwnRegistry::start(|folder| {
        disk = Some(Small::at(folder.join("data")));
        String::new()
    });
    let disk = disk.unwrap();
    let mut bench = Bench::new();
    bench.write("site/page", &noise(8 << 20));
    bench.commit("a large page");
    bench.registry = format!("{}/shop", registry.host);
    let ran = bench.run(&["--env", "staging", "--progress", "plain"]).code(3);
    for told in ["failed to push", "see the registry's own log: is its disk full?"] {
        assert!(ran.stderr.contains(told), "no `{told}`: {}", ran.stderr);
    }
    let tagged =
        |image: &str| tags(&format!("{}/shop/{image}", registry.host)).contains(&"staging".to_owned());
    assert!(!tagged("api") && !tagged("site") && bench.deployed().is_empty());
    assert!(bench.outcome().starts_with("not built: "), "{}", bench.outcome());
    let grown = Command::new("mount").args(["-o", "remount,size=100m"]).arg(&disk.0).status();
    assert!(grown.unwrap().success());
    bench.run(&["--env", "staging"]).ok();
    assert!(tagged("api") && tagged("site"));
    assert_eq!((bench.deployed().len(), bench.outcome().as_str()), (1, "succeeded"));
    drop(disk);
}

#[test]
fn who_may_not_push_is_told_to_log_in_before_anything_is_built() {
    let registry = OwnRegistry::with_password();
    let mut bench = Bench::new();
    bench.registry = format!("{}/shop", registry.host);
    // `me:wrong` and `me:opensesame`
    for (auth, code) in [("bWU6d3Jvbmc=", 3), ("bWU6b3BlbnNlc2FtZQ==", 0)] {
        bench.set("DOCKER_CONFIG", registry.docker_config(auth).to_str().unwrap());
        let ran = bench.run(&["--env", "staging", "--progress", "rawjson"]).code(code);
        if code == 3 {
            let login = format!("run `docker login {}`", registry.host);
            assert!(
                ran.stderr.contains("credentials are not accepted") && ran.stderr.contains(&login),
                "{ran:?}"
            );
            assert!(ran.images("image-started").is_empty());
            assert_eq!((bench.outcome().as_str(), bench.lease()), ("none", None));
        }
    }
    assert_eq!((bench.deployed().len(), bench.outcome().as_str()), (1, "succeeded"));
}
