//! What a build sends, tells and leaves behind, on the engine at `DOCKER_HOST`.
//!
//! Images are made `FROM scratch` with the machine's static busybox, so that nothing is pulled.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use dtbuild::config::{SecretSource, SecretValue};
use dtbuild::engine::{Engine, EngineError, Output};
use dtbuild::events::{Event, EventSink, StepState};
use dtbuild::reference::Reference;
use dtbuild_content::tree::Kind;
use rustix::process::{Signal, kill_process};

use self::fixture::{
    Files, build, digest_at_registry, docker, failure, has_buildkit, logs, mark, noise, request, script,
    sleepers, sleeping, unique,
};

mod archives;
pub(crate) mod bridge;
mod contexts;
mod endpoints;
mod entitlements;
mod failures;
pub(crate) mod fixture;
mod matrix;
mod mistakes;
mod options;
mod sharing;
mod silence;
mod times;
mod warnings;

#[tokio::test]
async fn engine_describes_itself() {
    let docker = docker().await;
    let info = docker.describe().await.unwrap();
    assert_eq!(info.name, if info.has_buildkit() { "docker" } else { "podman" });
    assert!(info.version.starts_with(|c: char| c.is_ascii_digit()), "{info:?}");
    assert!(info.platform.starts_with("linux/"), "{info:?}");
    let loopback = info.insecure_registries.iter().any(|range| range == "127.0.0.0/8");
    assert_eq!(loopback, info.has_buildkit(), "{info:?}");
}

#[tokio::test]
async fn context_arrives_as_it_was_hashed() {
    let mut files = Files::with_busybox()
        .file("src/deep/er/a.txt", "deep")
        .file("src.txt", "sorts after the folder's files")
        .file("src-x/b", "x")
        .add("bin/run.sh", Kind::Executable, "#!/bin/sh\n")
        .add("link", Kind::Symlink, "src/deep/er/a.txt")
        .file("with space/and \u{fc}ml\u{e4}ut \u{1f980}.txt", "utf8")
        .add("empty", Kind::Folder, "")
        .file("none", "")
        .file(".dockerignore", "src\n");
    files = files.file("large.bin", noise(30 << 20));
    let check = "set -e; b=/bin/busybox; cd /c
        [ \"$($b cat src/deep/er/a.txt)\" = deep ]; [ \"$($b cat src-x/b)\" = x ]
        [ \"$($b stat -c '%a %u:%g' bin/run.sh)\" = '755 0:0' ]
        [ \"$($b stat -c '%a %u:%g' src.txt)\" = '644 0:0' ]
        [ \"$($b stat -c %a src/deep)\" = 755 ]
        [ \"$($b readlink link)\" = src/deep/er/a.txt ]; [ \"$($b cat link)\" = deep ]
        [ \"$($b cat 'with space/and \u{fc}ml\u{e4}ut \u{1f980}.txt')\" = utf8 ]
        [ -d empty ]; [ -z \"$($b ls empty)\" ]; [ -f none ]; [ ! -s none ]
        [ \"$($b stat -c %s large.bin)\" = 31457280 ]; $b sha256sum large.bin; $b ls -la --full-time .";
    let mut request = request("context", &script(check), &files);
    // A folder that the engine has no copy of.
    request.dockerfile_path = unique("context").to_string().into();
    let (snapshot, fetched) = files.snapshot();
    request.context = snapshot;
    let docker = docker().await;
    let (result, events) = build(&docker, &request).await;
    assert!(result.is_ok(), "{result:?}\n{}", logs(&events).join("\n"));
    // A step that another build does at the same time is told under that one's name, too.
    assert!(result.unwrap().steps.total >= 3, "{events:?}");
    assert!(docker.holds(&request.names[0]).await.unwrap());

    assert!(fetched.swap(0, Ordering::Relaxed) > 30 << 20);

    let (result, _) = build(&docker, &request).await;
    assert!(result.unwrap().steps.cached >= 3);
    assert_eq!(fetched.load(Ordering::Relaxed) == 0, has_buildkit(&docker).await);
}

#[tokio::test]
async fn only_what_is_copied_is_fetched() {
    let docker = docker().await;
    let files = Files::with_busybox()
        .file("unused/large.bin", noise(8 << 20))
        .file("src/a b.txt", "spaces")
        .file("\u{fc}bung/x", "utf8")
        .file(".dockerignore", "src\n")
        .add("via", Kind::Symlink, "src");
    let check = r#"RUN ["/bin/busybox", "sh", "-c", "cd /d && /bin/busybox cat 'a b.txt' x .dockerignore"]"#;
    let start = "FROM scratch\nCOPY busybox /bin/busybox\n";
    let copies = "COPY [\"src/a b.txt\", \"\u{fc}bung\", \".dockerignore\", \"/d/\"]\n";
    let links = "COPY via/* /d/\nCOPY \u{fc}bung .dockerignore /d/\n";
    for (copies, all) in [(copies, false), (links, true)] {
        let mut request = request("narrow", &format!("{start}{copies}{check}\n"), &files);
        // A folder that the engine has no copy of.
        request.dockerfile_path = unique("narrow").to_string().into();
        request.no_cache = true;
        let (snapshot, fetched) = files.snapshot();
        request.context = snapshot;
        let (result, events) = build(&docker, &request).await;
        result.unwrap();
        assert_eq!(logs(&events), ["spacesutf8src"]);
        assert_eq!(fetched.load(Ordering::Relaxed) > 8 << 20, all || !has_buildkit(&docker).await);
    }
}

#[tokio::test]
async fn change_of_the_same_size_is_built() {
    let docker = docker().await;
    let text = script("/bin/busybox cat /c/version");
    let mut told = Vec::new();
    let run = unique("same-size").tag().unwrap().to_owned();
    for version in ["one", "two", "six", "two"] {
        let version = format!("{version} of {run}");
        let files = Files::with_busybox().file("version", version.as_str()).file("other", "same");
        let request = request("same-size", &text, &files);
        let (result, events) = build(&docker, &request).await;
        result.unwrap();
        told.extend(logs(&events).into_iter().map(str::to_owned));
    }
    // The second "two" is the engine's: it has the very content.
    assert_eq!(told, ["one", "two", "six"].map(|version| format!("{version} of {run}")));
}

#[tokio::test]
async fn unchanged_build_is_cached_even_from_another_checkout() {
    let docker = docker().await;
    let files = Files::with_busybox().file("a", "1");
    let request = request("unchanged", &script("true"), &files);
    let (first, _) = build(&docker, &request).await;
    first.unwrap();
    let (second, events) = build(&docker, &request).await;
    let steps = second.unwrap().steps;
    // A step that another build does at the same time is told under that one's name, too.
    assert!(steps.total >= 3 && steps.cached >= 3, "{events:?}");
    let cached = events.iter().filter(|event| {
        matches!(event, Event::ImageStep { state: StepState::Cached, step, .. } if !step.contains("[internal]"))
    });
    assert!(cached.count() >= 3);
}

#[tokio::test]
async fn failed_step_names_line_exit_code_and_log() {
    let docker = docker().await;
    let mut text = script("echo first; printf 'no end'; exit 7");
    text.insert_str(0, "# a comment\n\n");
    let mut failing = request("failing", &text, &Files::with_busybox());
    failing.no_cache = true;
    let (result, events) = build(&docker, &failing).await;
    let failure = failure(result);
    assert_eq!((failure.line, failure.exit_code), (Some(6), Some(7)), "{failure:?}");
    // Without BuildKit, `FROM scratch` is a step.
    let step = if has_buildkit(&docker).await { "[3/3] RUN " } else { "[4/4] RUN " };
    assert!(failure.step.as_deref().unwrap().starts_with(step), "{failure:?}");
    assert_eq!(failure.log, ["first", "no end"]);
    assert!(failure.message.starts_with("failing/Dockerfile:6: `RUN "), "{failure:?}");
    assert!(failure.message.ends_with("exited with code 7"), "{failure:?}");
    assert_eq!(logs(&events), ["first", "no end"]);
    let failed = |event: &&Event| matches!(event, Event::ImageStep { state: StepState::Failed, .. });
    assert_eq!(events.iter().filter(failed).count(), 1, "{events:?}");
}

#[tokio::test]
async fn other_failures_name_their_line() {
    let docker = docker().await;
    let cases = [
        ("FROM scratch\nRUM x\n", 2, "unknown instruction"),
        ("FROM scratch\nCOPY busybox /a\nCOPY missing /b\n", 3, "missing"),
        (
            "FROM scratch AS a\nCOPY busybox /\nFROM no-such-base:1\nCOPY --from=a /busybox /\n",
            3,
            "no-such-base:1",
        ),
    ];
    for (text, line, says) in cases {
        let (result, _) = build(&docker, &request("cases", text, &Files::with_busybox())).await;
        let failure = failure(result);
        assert_eq!(failure.line, Some(line), "{failure:?}");
        assert!(failure.message.to_lowercase().contains(says), "{failure:?}");
    }
}

#[tokio::test]
async fn arguments_target_and_labels_reach_the_build() {
    let docker = docker().await;
    let text = "FROM scratch AS one\nARG WHO\nCOPY busybox /bin/busybox\n\
        RUN [\"/bin/busybox\", \"sh\", \"-c\", \"echo hello $WHO\"]\nFROM one AS two\nRUN false\n";
    let mut request = request("arguments", text, &Files::with_busybox());
    request.args.insert("WHO".to_owned(), "w\u{f6}rld = \"x\"".to_owned());
    request.labels.insert("org.example.a".to_owned(), "b c".to_owned());
    request.target = Some("one".to_owned());
    request.no_cache = true;
    let (result, events) = build(&docker, &request).await;
    result.unwrap();
    assert_eq!(logs(&events), ["hello w\u{f6}rld = \"x\""]);
}

#[tokio::test]
async fn secret_is_mounted_and_never_told() {
    const VALUE: &str = "correct-horse-battery";
    let docker = docker().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, VALUE).unwrap();
    let text = "FROM scratch\nCOPY busybox /bin/busybox\nRUN --mount=type=secret,id=token,required \
        [\"/bin/busybox\", \"sh\", \"-c\", \"x=$(/bin/busybox cat /run/secrets/token); echo length ${#x}; echo it is $x; exit 1\"]\n";
    let mut request = request("secret", text, &Files::with_busybox());
    request.no_cache = true;
    request.secrets =
        vec![SecretSource { id: "token".to_owned(), value: SecretValue::File(path), version: None }];
    let (result, events) = build(&docker, &request).await;
    if !has_buildkit(&docker).await {
        assert!(matches!(result, Err(EngineError::Unsupported { .. })), "{result:?}");
        return;
    }
    let mut all = String::new();
    for event in &events {
        writeln!(all, "{event:?}").unwrap();
    }
    let failure = failure(result);
    assert_eq!(failure.log, ["length 21", "it is ***"], "{failure:?}\n{all}");
    assert!(!all.contains(VALUE) && !format!("{failure:?}").contains(VALUE));

    request.secrets[0].value = SecretValue::Env("DTBUILD_TEST_UNSET".to_owned());
    let (result, events) = build(&docker, &request).await;
    assert!(matches!(result, Err(EngineError::Secret { .. })), "{result:?}");
    assert!(events.is_empty());
}

#[tokio::test]
async fn dropped_build_ends_on_the_engine() {
    let docker = docker().await;
    let mark = mark();
    let mut request =
        request("cancelled", &script(&format!("/bin/busybox sleep {mark}")), &Files::with_busybox());
    request.no_cache = true;
    let has_buildkit = has_buildkit(&docker).await;
    let building = tokio::spawn(async move {
        let _ = build(&docker, &request).await;
    });
    let step = sleeping(&mark, 1).await;
    building.abort();
    assert!(building.await.unwrap_err().is_cancelled());
    if !has_buildkit {
        // It has no way to end a step under way: the user's wait ends, and the step when it will.
        kill_process(step[0], Signal::KILL).unwrap();
    }
    let dropped = Instant::now();
    while !sleepers(&mark).is_empty() {
        assert!(dropped.elapsed() < Duration::from_secs(2), "the step still runs");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn builds_run_in_parallel() {
    let docker = Arc::new(docker().await);
    let mark = mark();
    let (sink, mut events) = EventSink::channel();
    let mut tasks = Vec::new();
    for index in 0..4 {
        let (docker, sink, mark) = (Arc::clone(&docker), sink.clone(), mark.clone());
        tasks.push(tokio::spawn(async move {
            let text = script(&format!("/bin/busybox sleep {mark}{index}; echo woken"));
            let mut request = request(&format!("parallel-{index}"), &text, &Files::with_busybox());
            request.no_cache = true;
            docker.build(&request, &sink).await.unwrap();
        }));
    }
    // No step ends before all of them run at one time.
    for step in sleeping(&mark, 4).await {
        kill_process(step, Signal::KILL).unwrap();
    }
    for task in tasks {
        task.await.unwrap();
    }
    drop(sink);
    let mut woken = 0;
    while let Some(event) = events.recv().await {
        woken += usize::from(matches!(event, Event::ImageLog { line, .. } if line == "woken"));
    }
    assert_eq!(woken, 4);
}

#[tokio::test]
async fn changed_content_stops_the_build() {
    let docker = docker().await;
    // The engine asks only for what it does not have from an earlier run.
    let content = unique("moving").to_string();
    let files = Files::with_busybox().file("moving", content.as_str());
    let mut broken = request("changing", &script("true"), &files);
    let (later, _) = Files::with_busybox().file("moving", "other size").snapshot();
    broken.context.contents = later.contents;
    let (result, _) = build(&docker, &broken).await;
    let Err(EngineError::Context(reason)) = result else { panic!("{result:?}") };
    assert!(reason.contains("`moving` changed"), "{reason}");
    // The engine forgets what it got of a folder that could not be sent.
    let again = request("changing", &script("/bin/busybox cat /c/moving"), &files);
    let (result, events) = build(&docker, &again).await;
    result.unwrap();
    assert_eq!(logs(&events), [content]);
}

#[tokio::test]
async fn push_tells_the_digest_of_the_registry() {
    let docker = docker().await;
    let mut files = Files::with_busybox();
    files = files.file("noise", [noise(4 << 20), unique("x").to_string().into_bytes()].concat());
    let mut request = request("pushed", "FROM scratch\nCOPY . /\n", &files);
    request.output = Output::Push;
    let (result, _) = build(&docker, &request).await;
    let built = result.unwrap();
    let name = &request.names[0];
    let other: Reference = name.repository().tagged("other").unwrap();
    let (sink, mut events) = EventSink::channel();
    let built_and_pushed = built.pushed.is_some();
    let digest = match built.pushed {
        Some(digest) => digest,
        None => docker.push(&request.image, name, &sink).await.unwrap(),
    };
    docker.tag(name, &other).await.unwrap();
    assert!(docker.holds(&other).await.unwrap());
    assert!(!docker.holds(&name.repository().tagged("absent").unwrap()).await.unwrap());
    assert_eq!(digest_at_registry(name).await, digest.as_str());
    drop(sink);
    let mut last = (0, 0);
    while let Some(event) = events.recv().await {
        if let Event::PushProgress { sent, total, .. } = event {
            last = (sent, total);
        }
    }
    // An engine that pushes in the build tells of it as a step; podman says nothing on the way.
    let silent = built_and_pushed || !has_buildkit(&docker).await;
    assert!(last.0 == last.1 && (silent || last.0 > 4 << 20), "{last:?}");

    let absent = name.repository().tagged("absent").unwrap();
    let error = docker.push(&request.image, &absent, &EventSink::channel().0).await.unwrap_err();
    assert!(matches!(error, EngineError::Push { transient: false, .. }), "{error:?}");
}

#[tokio::test]
async fn push_that_fails_is_not_a_failed_build() {
    let docker = docker().await;
    let mut request = request("nowhere", "FROM scratch\nCOPY busybox /\n", &Files::with_busybox());
    request.names = vec!["127.0.0.1:9/engine-test/nowhere:1".parse().unwrap()];
    request.output = Output::Push;
    let (result, _) = build(&docker, &request).await;
    let result = match result {
        Ok(_) => docker.push(&request.image, &request.names[0], &EventSink::channel().0).await.map(|_| ()),
        Err(error) => Err(error),
    };
    let Err(EngineError::Push { reason, transient, .. }) = result else { panic!("{result:?}") };
    assert!(transient && reason.contains("connection refused"), "{reason}");
}
