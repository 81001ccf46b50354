//! Engines that are killed, restarted or frozen while they build.

use super::dockerd::OwnEngine;
use super::{published_nothing, publishes};
use crate::flow::bench::{Bench, unique};
use crate::flow::running::Running;

/// A bench on an engine of its own, whose `site` waits in a step as long as its gate is shut.
struct Build {
    bench: Bench,
    engine: OwnEngine,
    /// What the step says when it waits.
    word: String,
}

impl Build {
    fn new() -> Self {
        let engine = OwnEngine::start();
        let mut bench = Bench::new();
        let word = unique();
        // What is read from a secret is not part of the key, so the same image can be built with the gate open.
        let wait = "[ \"$(cat /run/secrets/gate)\" = open ] || { tail -f /dev/null; false; }";
        let step = format!("RUN --mount=type=secret,id=gate echo {word}; {wait}\n");
        bench.write("site/Dockerfile", &format!("FROM busybox:1.36\nCOPY page /page\n{step}"));
        let gate = bench.out("gate");
        let of_site =
            format!("context = \"site\"\nsecrets = [{{ id = \"gate\", file = \"{}\" }}]", gate.display());
        let config = std::fs::read_to_string(bench.repo.path("build.toml")).unwrap();
        let config = config.replace("context = \"site\"", &of_site);
        bench.write("build.toml", &config.replace("context = ", "network = \"none\"\ncontext = "));
        bench.commit("a gate");
        bench.engine.clone_from(&engine.address);
        let build = Self { bench, engine, word };
        build.gate("shut");
        build
    }

    fn gate(&self, state: &str) {
        std::fs::write(self.bench.out("gate"), state).unwrap();
    }

    /// Starts a run that waits in its step.
    fn start(&self, options: &[&str]) -> Running {
        let arguments = [&["--env", "staging"], options].concat();
        let mut run = self.bench.start(&arguments);
        run.until_building(&self.word);
        run
    }
}

#[test]
fn an_engine_that_is_killed_in_a_build_ends_the_run() {
    let mut build = Build::new();
    let usual = crate::flow::bench::variable("DOCKER_HOST");
    let run = build.start(&[]);
    build.engine.kill();
    let told = [format!("cannot reach the engine at `{}`", build.engine.address), "is it running".to_owned()];
    published_nothing(&build.bench, run.end(), 3, &told.each_ref().map(String::as_str));
    build.gate("open");
    build.bench.engine = usual;
    publishes(&build.bench);
}

#[test]
fn an_engine_that_is_restarted_in_a_build_is_waited_for() {
    for end in [OwnEngine::kill, OwnEngine::stop] {
        let mut build = Build::new();
        let run = build.start(&[]);
        build.gate("open");
        end(&mut build.engine);
        build.engine.start_again();
        let ran = run.end().ok();
        assert!(!ran.events_of("retrying").is_empty(), "{}", ran.stderr);
        assert_eq!(ran.images("push-finished"), ["api", "site"]);
        assert_eq!((build.bench.deployed().len(), build.bench.outcome().as_str()), (1, "succeeded"));
    }
}

#[test]
fn an_engine_that_hangs_in_a_build_is_given_up() {
    let build = Build::new();
    let run = build.start(&["--silence-limit", "2"]);
    build.engine.freeze();
    let told = ["nothing was heard of the engine at `unix://", "for 2 seconds", "`--silence-limit`"];
    let ended = run.end();
    build.engine.thaw();
    published_nothing(&build.bench, ended, 3, &told);
    build.gate("open");
    publishes(&build.bench);
}
