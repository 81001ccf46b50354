//! Deployments by real programs, and by a real `ansible-playbook`.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use dtbuild::config::Trigger;
use dtbuild::deploy::{self, DeployError, Deployment, Release};
use dtbuild::error::Failure as _;
use dtbuild::events::{Event, EventSink};
use tempfile::TempDir;
use tokio::sync::mpsc::UnboundedReceiver;

/// No trigger of these tests takes so long.
const BOUND: Duration = Duration::from_mins(2);

fn release() -> Release {
    let image = |name: &str| format!("localhost:5000/datatube/{name}@sha256:{}", "0f".repeat(32));
    Release {
        project: "datatube".to_owned(),
        environment: "staging".parse().unwrap(),
        commit: Some("c0ffee".to_owned()),
        images: ["client", "api"].map(|name| (name.parse().unwrap(), image(name).parse().unwrap())).into(),
    }
}

/// A repository with an executable script `deploy`.
fn repository(script: &str) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("deploy");
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    root
}

fn command(words: &[&str]) -> Trigger {
    Trigger::Command { argv: words.iter().map(ToString::to_string).collect() }
}

fn lines(receiver: &mut UnboundedReceiver<Event>) -> Vec<String> {
    let mut lines = Vec::new();
    while let Ok(event) = receiver.try_recv() {
        match event {
            Event::DeployLog { line } => lines.push(line),
            other => panic!("{other:?}"),
        }
    }
    lines
}

async fn run(trigger: &Trigger, root: &Path) -> (Result<(), DeployError>, Vec<String>) {
    let (events, mut receiver) = EventSink::channel();
    let result = deploy::open(trigger)
        .run(Deployment {
            release: &release(),
            root,
            events: &events,
            guard: None,
            timeout: BOUND,
            generation: 1,
        })
        .await;
    (result, lines(&mut receiver))
}

#[tokio::test]
async fn a_command_is_told_the_release_and_runs_at_the_root() {
    let root = repository(
        "pwd; printf '%s\\n' \"$1\" $DTBUILD_PROJECT $DTBUILD_ENVIRONMENT $DTBUILD_COMMIT $DTBUILD_IMAGE_CLIENT\n\
         stat -c %a \"$DTBUILD_RELEASE\"; cat \"$DTBUILD_RELEASE\" > release.json; cat",
    );
    let (result, said) = run(&command(&["./deploy", "one; two $HOME"]), root.path()).await;
    result.unwrap();
    let pinned = format!("localhost:5000/datatube/client@sha256:{}", "0f".repeat(32));
    let at = root.path().canonicalize().unwrap().display().to_string();
    assert_eq!(said, [&at, "one; two $HOME", "datatube", "staging", "c0ffee", &pinned, "600"]);
    let read: serde_json::Value =
        serde_json::from_slice(&std::fs::read(root.path().join("release.json")).unwrap()).unwrap();
    assert_eq!(
        read,
        serde_json::json!({
            "version": 1,
            "project": "datatube",
            "environment": "staging",
            "commit": "c0ffee",
            "images": {
                "api": format!("localhost:5000/datatube/api@sha256:{}", "0f".repeat(32)),
                "client": pinned,
            },
        })
    );
}

#[tokio::test]
async fn a_failing_command_tells_its_code_and_keeps_its_last_lines() {
    let root = repository("seq 1 30; sleep 0.3; printf '\\033[31mno token hunter2\\033[0m\\n' >&2; exit 3");
    let (result, said) = run(&command(&["./deploy"]), root.path()).await;
    assert_eq!(said.len(), 31);
    let error = result.unwrap_err();
    assert_eq!(error.to_string(), "the deployment failed: `./deploy` ended with exit code 3");
    assert_eq!(error.hint().unwrap(), "see what it printed");
    let DeployError::Failed { log, .. } = error else { panic!("{error}") };
    assert_eq!(log.len(), 20);
    assert!(log.contains(&"no token hunter2".to_owned()), "{log:?}");
}

#[tokio::test]
async fn a_command_ended_by_a_signal_says_so() {
    let root = repository("kill -9 $$");
    let (result, _) = run(&command(&["./deploy"]), root.path()).await;
    assert!(result.unwrap_err().to_string().contains("was ended by signal 9"));
}

#[tokio::test]
async fn a_missing_program_is_found_out_before_any_work() {
    let root = repository("");
    for missing in ["./none", "dtbuild-has-no-such-program"] {
        let error = deploy::open(&command(&[missing])).check(root.path()).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot deploy: there is no program `{missing}`"));
        assert!(error.hint().unwrap().contains("`build.toml`"));
    }
    deploy::open(&command(&["./deploy"])).check(root.path()).unwrap();
    deploy::open(&command(&["sh"])).check(root.path()).unwrap();
}

#[tokio::test]
async fn a_program_that_leaves_something_behind_does_not_hold_the_run() {
    let root = repository("sleep 30 & echo $! > left; echo done");
    let begin = Instant::now();
    let (result, said) = run(&command(&["./deploy"]), root.path()).await;
    result.unwrap();
    assert_eq!(said, ["done"]);
    assert!(begin.elapsed() < Duration::from_secs(10));
    let left = std::fs::read_to_string(root.path().join("left")).unwrap();
    assert!(is_running(left.trim()), "what a program leaves running on purpose is left alone");
    std::process::Command::new("kill").arg(left.trim()).status().unwrap();
}

/// Starts a deployment, waits until it wrote `ready`, and drops it. How long the drop took.
async fn cancel(root: &Path) -> Duration {
    let (events, _receiver) = EventSink::channel();
    let (trigger, release) = (deploy::open(&command(&["./deploy"])), release());
    let ready = async {
        while !root.join("ready").exists() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let mut deployment = trigger.run(Deployment {
        release: &release,
        root,
        events: &events,
        guard: None,
        timeout: BOUND,
        generation: 1,
    });
    tokio::select! {
        result = &mut deployment => panic!("ended by itself: {result:?}"),
        () = ready => {}
    }
    let begin = Instant::now();
    drop(deployment);
    begin.elapsed()
}

fn is_running(pid: &str) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    !status.is_empty() && !status.contains("State:\tZ")
}

#[tokio::test]
async fn a_program_that_takes_too_long_is_ended() {
    let root = repository("echo waiting; exec sleep 600");
    let (events, mut receiver) = EventSink::channel();
    let (release, timeout) = (release(), Duration::from_millis(1));
    let deployment = Deployment {
        release: &release,
        root: root.path(),
        events: &events,
        guard: None,
        timeout,
        generation: 1,
    };
    let error = deploy::open(&command(&["./deploy"])).run(deployment).await.unwrap_err();
    assert_eq!(error.to_string(), "the deployment failed: `./deploy` did not end within 0 seconds");
    assert!(error.hint().unwrap().contains("raise `timeout`"));
    drop(lines(&mut receiver));
}

#[tokio::test]
async fn cancelling_ends_grandchildren_gently() {
    let root = repository(
        "trap 'echo cleaned > cleaned; exit 1' TERM\n\
         sh -c 'sleep 60 & echo $! > grandchild; : > ready; wait' & wait",
    );
    assert!(cancel(root.path()).await < Duration::from_secs(4));
    let grandchild = std::fs::read_to_string(root.path().join("grandchild")).unwrap();
    assert!(!is_running(grandchild.trim()));
    assert!(root.path().join("cleaned").exists(), "the program could clean up");
}

#[tokio::test]
async fn cancelling_ends_what_ignores_it() {
    let root = repository("trap '' TERM; echo $$ > pid; : > ready; while :; do sleep 1; done");
    let took = cancel(root.path()).await;
    assert!(took >= Duration::from_secs(4) && took < Duration::from_secs(8), "{took:?}");
    let pid = std::fs::read_to_string(root.path().join("pid")).unwrap();
    for _ in 0..50 {
        if !is_running(pid.trim()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it is still running");
}

fn playbook(tasks: &str) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    let interpreter = "ansible_python_interpreter=/usr/bin/python3";
    std::fs::write(
        root.path().join("hosts"),
        format!(
            "here ansible_connection=local {interpreter}\nother ansible_connection=local {interpreter}\n"
        ),
    )
    .unwrap();
    std::fs::write(
        root.path().join("site.yml"),
        format!("- hosts: all\n  gather_facts: false\n  tasks:\n{tasks}"),
    )
    .unwrap();
    root
}

fn ansible() -> Trigger {
    Trigger::Ansible {
        playbook: "site.yml".into(),
        inventory: Some("hosts".into()),
        args: vec!["--limit".to_owned(), "here".to_owned()],
    }
}

#[tokio::test]
async fn a_playbook_gets_the_release_as_variables() {
    let root = playbook(concat!(
        "    - ansible.builtin.copy:\n",
        "        dest: \"{{ playbook_dir }}/{{ inventory_hostname }}.json\"\n",
        "        mode: \"0600\"\n",
        "        content: \"{{ [dtbuild_project, dtbuild_environment, dtbuild_commit, dtbuild_images] | to_json }}\"\n",
    ));
    deploy::open(&ansible()).check(root.path()).unwrap();
    let (result, said) = run(&ansible(), root.path()).await;
    assert!(result.is_ok(), "{result:?} {said:#?}");
    assert!(said.iter().any(|line| line.contains("PLAY RECAP")), "{said:#?}");
    let written: serde_json::Value =
        serde_json::from_slice(&std::fs::read(root.path().join("here.json")).unwrap()).unwrap();
    let expected = release();
    assert_eq!(written, serde_json::json!(["datatube", "staging", "c0ffee", expected.images]));
    assert!(!root.path().join("other.json").exists(), "the arguments of build.toml count");
}

#[tokio::test]
async fn an_inventory_that_cannot_be_read_is_no_success() {
    let root = playbook("    - ansible.builtin.debug:\n        msg: deployed\n");
    std::fs::write(root.path().join("hosts"), "[web\nhere there and everywhere\n").unwrap();
    let (result, said) = run(&ansible(), root.path()).await;
    assert!(matches!(result, Err(DeployError::Failed { .. })), "{result:?} {said:#?}");
}

#[tokio::test]
async fn a_failing_playbook_fails_the_deployment() {
    let root = playbook("    - ansible.builtin.fail:\n        msg: no disk left\n");
    let (result, said) = run(&ansible(), root.path()).await;
    assert!(matches!(result, Err(DeployError::Failed { .. })), "{result:?}");
    assert!(said.iter().any(|line| line.contains("no disk left")), "{said:#?}");
}
