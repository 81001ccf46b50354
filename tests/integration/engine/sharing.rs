//! What builds share: one session per context, unless their secrets differ.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use dtbuild::config::{SecretSource, SecretValue};
use dtbuild::engine::EngineError;

use super::fixture::{Files, build, docker, has_buildkit, logs, noise, request, script, unique};

#[tokio::test(flavor = "multi_thread")]
async fn one_context_of_many_images_is_sent_once() {
    let docker = Arc::new(docker().await);
    let name = unique("shared").to_string();
    let files = Files::with_busybox().file("large.bin", noise(8 << 20)).file("mark", name.as_str());
    let (snapshot, fetched) = files.snapshot();
    let builds = (0..4).map(|number| {
        let text = script(&format!("echo {number} of {name}"));
        let mut request = request(&format!("shared-{number}"), &text, &files);
        request.context = snapshot.clone();
        request.context_name = Some(name.clone());
        let docker = Arc::clone(&docker);
        tokio::spawn(async move { build(&*docker, &request).await.0.unwrap() })
    });
    for building in builds.collect::<Vec<_>>() {
        building.await.unwrap();
    }
    let size: usize = snapshot.entries.iter().map(|entry| usize::try_from(entry.size).unwrap()).sum();
    // Without sessions, each build sends it.
    let times = if has_buildkit(&docker).await { 1 } else { 4 };
    assert_eq!(fetched.load(Ordering::Relaxed), times * size as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn builds_with_other_secrets_share_nothing() {
    let docker = Arc::new(docker().await);
    let folder = tempfile::tempdir().unwrap();
    let run = unique("mine").tag().unwrap().to_owned();
    let files = Files::with_busybox();
    // The engine takes two steps for one where they differ in their secrets alone: these differ in more.
    let text = |length: usize| {
        format!(
            "FROM scratch\nCOPY busybox /bin/busybox\nRUN --mount=type=secret,id=token,required \
             [\"/bin/busybox\", \"sh\", \"-c\", \"/bin/busybox sleep 1; /bin/busybox wc -c < /run/secrets/token; : {length}\"]\n"
        )
    };
    let builds = [3, 9].map(|length: usize| {
        let path = folder.path().join(length.to_string());
        std::fs::write(&path, "x".repeat(length)).unwrap();
        let mut request = request(&format!("mine-{length}"), &text(length), &files);
        request.context_name = Some(run.clone());
        request.no_cache = true;
        request.secrets =
            vec![SecretSource { id: "token".to_owned(), value: SecretValue::File(path), version: None }];
        let docker = Arc::clone(&docker);
        tokio::spawn(async move {
            let (result, events) = build(&*docker, &request).await;
            if has_buildkit(&docker).await {
                result.unwrap();
                assert_eq!(logs(&events), [length.to_string()]);
            } else {
                assert!(matches!(result, Err(EngineError::Unsupported { .. })), "{result:?}");
            }
        })
    });
    for building in builds {
        building.await.unwrap();
    }
}
