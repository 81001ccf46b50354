//! Runs that are ended from outside at a chosen instant, and runs that meet: the next run goes on from there.

use rustix::process::Signal;

use super::bench::{Bench, unique};
use super::gate::Gate;
use super::records::RECORDS;
use crate::engine::fixture::{docker, has_buildkit};

/// A bench whose way to the registry goes through a gate.
fn gated() -> (Bench, Gate) {
    let gate = Gate::new();
    let mut bench = Bench::new();
    bench.registry = format!("{}/{}", gate.address, unique());
    (bench, gate)
}

/// Runs again and checks that the release is deployed, and nothing is built.
fn resumes(bench: &Bench, deployments: usize) {
    assert_eq!(bench.decisions(), ["api reuse", "site reuse"]);
    let next = bench.run(&["--env", "staging", "--json", "--progress", "rawjson"]).ok();
    assert!(next.images("image-started").is_empty());
    let deployed = bench.deployed();
    assert_eq!(deployed.len(), deployments);
    assert_eq!(deployed[deployments - 1]["images"], next.json()["images"]);
    assert!(bench.digest("api", "staging").is_some() && bench.digest("site", "staging").is_some());
    assert_eq!(bench.outcome(), "succeeded");
    assert!(bench.run(&["--env", "staging"]).ok().stdout.contains("nothing to do"));
}

#[test]
fn run_killed_between_push_and_tag_resumes() {
    let (bench, gate) = gated();
    gate.shut("/manifests/staging");
    let run = bench.start(&["--env", "staging"]);
    gate.wait();
    run.kill();
    gate.open();
    for image in ["api", "site"] {
        assert_eq!((bench.tags(image).len(), bench.digest(image, "staging")), (1, None));
    }
    assert!(bench.deployed().is_empty());
    resumes(&bench, 1);
}

#[test]
fn run_killed_before_all_is_pushed_pushes_the_rest() {
    let (bench, gate) = gated();
    gate.shut("/site/blobs");
    let mut run = bench.start(&["--env", "staging"]);
    gate.wait();
    run.until(|event| event["event"] == "push-finished" && event["image"] == "api");
    run.kill();
    gate.open();
    assert_eq!(bench.decisions(), ["api reuse", "site build"]);
    let next = bench.run(&["--env", "staging", "--progress", "rawjson"]).ok();
    assert_eq!(next.images("push-finished"), ["site"]);
    assert_eq!((bench.deployed().len(), bench.outcome().as_str()), (1, "succeeded"));
}

#[test]
fn run_killed_in_its_deployment_deploys_again() {
    let bench = Bench::new();
    bench.hold_deployments();
    let mut run = bench.start(&["--env", "staging"]);
    run.until_deploying();
    run.kill();
    bench.hold_no_deployment();
    assert_eq!(bench.outcome(), "started");
    resumes(&bench, 2);
    // The next run began when nothing of the first one's deployment was left.
    assert_eq!(at_work(&bench), 0);
}

/// The number of processes that deploy: their folder is the one that the bench's deployments write to.
fn at_work(bench: &Bench) -> usize {
    let folder = bench.out("").canonicalize().unwrap();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter(|process| std::fs::read_link(process.path().join("cwd")).is_ok_and(|at| at == folder))
        .count()
}

#[test]
fn a_trigger_gets_the_generation_of_its_run() {
    let bench = Bench::new();
    let generations = [(); 2].map(|()| {
        bench.write("site/page", &unique());
        bench.commit("another page");
        bench.run(&["--env", "staging"]).ok();
        let environment = std::fs::read_to_string(bench.out("environment")).unwrap();
        let line = environment.lines().find_map(|line| line.strip_prefix("DTBUILD_GENERATION=")).unwrap();
        line.parse::<u64>().unwrap()
    });
    assert!(generations[0] < generations[1], "{generations:?}");
}

#[test]
fn run_killed_before_the_record_deploys_again() {
    let (bench, gate) = gated();
    bench.configure(RECORDS);
    bench.commit("records at the registry");
    bench.hold_deployments();
    let mut run = bench.start(&["--env", "staging"]);
    run.until_deploying();
    gate.shut("/dtbuild-records/manifests/");
    bench.let_deploy();
    run.until(|event| event["event"] == "deploy-finished");
    gate.wait();
    run.kill();
    gate.open();
    resumes(&bench, 2);
}

#[test]
fn a_second_run_is_told_who_deploys() {
    let bench = Bench::new();
    bench.hold_deployments();
    let mut first = bench.start(&["--env", "staging"]);
    first.until_deploying();
    let second = bench.run(&["--env", "staging"]).code(5);
    assert!(second.stderr.contains(&format!("being deployed by process {} on ", first.id())), "{second:?}");
    bench.let_deploy();
    first.end().ok();
    assert_eq!(bench.deployed().len(), 1);
    assert!(bench.run(&["--env", "staging"]).ok().stdout.contains("nothing to do"));
}

#[tokio::test]
async fn a_signal_in_a_build_ends_it_at_the_engine_too() {
    for signal in [Signal::INT, Signal::TERM] {
        let mut bench = Bench::new();
        let word = unique();
        if !has_buildkit(&docker().await).await {
            return interrupts_where_a_step_cannot_be_ended(&mut bench, &word);
        }
        // What is read from a secret is not part of the key, so the same image can be built with the gate open.
        let step = format!(
            "echo {word}; [ \"$(cat /run/secrets/gate)\" = open ] || {{ tail -f /dev/null; false; }}"
        );
        bench.write(
            "site/Dockerfile",
            &format!("FROM busybox:1.36\nCOPY page /page\nRUN --mount=type=secret,id=gate {step}\n"),
        );
        let config = std::fs::read_to_string(bench.repo.path("build.toml")).unwrap();
        let secret = "context = \"site\"\nsecrets = [{ id = \"gate\", env = \"GATE\" }]";
        bench.write("build.toml", &config.replace("context = \"site\"", secret));
        bench.commit("a gate");
        bench.set("GATE", "shut");
        let mut run = bench.start(&["--env", "staging"]);
        run.until_building(&word);
        let step = process_with(&word);
        run.signal(signal);
        let ended = run.end().code(130);
        assert!(ended.stderr.contains("interrupted"), "{}", ended.stderr);
        // Ends when the process does, which the engine ended.
        let bounded = ["60", "tail", "-f", "/dev/null", "--pid", &step];
        assert!(std::process::Command::new("timeout").args(bounded).status().unwrap().success());
        assert!(bench.tags("site").is_empty());
        published_nothing(&bench);
        bench.set("GATE", "open");
        bench.run(&["--env", "staging"]).ok();
        assert_eq!((bench.deployed().len(), bench.outcome().as_str()), (1, "succeeded"));
    }
}

#[test]
fn a_signal_in_a_push_ends_it() {
    for signal in [Signal::INT, Signal::TERM] {
        let (bench, gate) = gated();
        gate.shut("/site/blobs");
        let run = bench.start(&["--env", "staging"]);
        gate.wait();
        run.signal(signal);
        run.end().code(130);
        gate.open();
        published_nothing(&bench);
        bench.run(&["--env", "staging"]).ok();
        assert_eq!((bench.deployed().len(), bench.outcome().as_str()), (1, "succeeded"));
    }
}

/// Checks that nothing of an interrupted run can be seen from outside, and that nobody has the lease.
fn published_nothing(bench: &Bench) {
    assert_eq!((bench.digest("api", "staging"), bench.digest("site", "staging")), (None, None));
    assert!(bench.deployed().is_empty());
    assert_eq!((bench.outcome().as_str(), bench.lease()), ("not built: interrupted", None));
}

/// The run ends at once, and its step when it will.
fn interrupts_where_a_step_cannot_be_ended(bench: &mut Bench, word: &str) {
    let step = format!("RUN echo {word}; tail -f /dev/null; false");
    bench.write("site/Dockerfile", &format!("FROM busybox:1.36\nCOPY page /page\n{step}\n"));
    bench.commit("a step that stays");
    let mut run = bench.start(&["--env", "staging"]);
    run.until_building(word);
    let step = process_with(word);
    run.interrupt();
    run.end().code(130);
    let id = rustix::process::Pid::from_raw(step.parse().unwrap()).unwrap();
    rustix::process::kill_process(id, Signal::KILL).unwrap();
    assert!(bench.tags("site").is_empty());
    published_nothing(bench);
}

#[test]
fn ctrl_c_in_a_deployment_ends_it_and_gives_the_lease_back() {
    let bench = Bench::new();
    bench.hold_deployments();
    let mut run = bench.start(&["--env", "staging"]);
    run.until_deploying();
    assert!(bench.lease().is_some());
    run.interrupt();
    run.end().code(130);
    bench.hold_no_deployment();
    assert_eq!(bench.lease(), None);
    assert_eq!(bench.outcome(), "failed: interrupted");
    resumes(&bench, 2);
}

/// The id of the process whose arguments hold `word`, in whatever container it runs.
fn process_with(word: &str) -> String {
    let holds =
        |id: &str| std::fs::read(format!("/proc/{id}/cmdline")).is_ok_and(|line| contains(&line, word));
    let processes = std::fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().file_name());
    let mut ids =
        processes.filter_map(|name| name.into_string().ok()).filter(|name| name.parse::<u32>().is_ok());
    ids.find(|id| holds(id)).expect("the step is a process of this machine")
}

fn contains(bytes: &[u8], word: &str) -> bool {
    bytes.windows(word.len()).any(|window| window == word.as_bytes())
}
