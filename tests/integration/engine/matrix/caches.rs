//! Rows of the table: caches outside of the engine, from which another engine has all steps.

use std::path::Path;

use dtbuild::config::CacheEntry;
use dtbuild::engine::docker::Docker;
use dtbuild::engine::{EngineError, Output};
use dtbuild::events::{Event, StepState};

use super::super::fixture::{Files, Means, build, engine, means, pushed, request, unique};

const CONTAINERD: &str = "DTBUILD_TEST_ENGINE_28_CONTAINERD";

pub(super) async fn from_registry(docker: &Docker) -> String {
    let other = other(docker).await;
    carried(&other, entry("inline", &[]), docker, None).await
}

pub(super) async fn from_folder(docker: &Docker) -> String {
    let folder = tempfile::tempdir().unwrap();
    let (to, from) = in_folder(folder.path());
    // No graph driver brings steps to a folder.
    carried(&engine(CONTAINERD).await, to, docker, Some(from)).await
}

pub(super) async fn to_image(docker: &Docker) -> String {
    carried(docker, entry("inline", &[]), &other(docker).await, None).await
}

pub(super) async fn to_registry(docker: &Docker) -> String {
    let cache = unique("cache").to_string();
    let to = entry("registry", &[("ref", &cache)]);
    carried(docker, to, &other(docker).await, Some(entry("registry", &[("ref", &cache)]))).await
}

pub(super) async fn to_folder(docker: &Docker) -> String {
    let folder = tempfile::tempdir().unwrap();
    let (to, from) = in_folder(folder.path());
    carried(docker, to, &other(docker).await, Some(from)).await
}

/// An engine that has none of this one's steps.
async fn other(docker: &Docker) -> Docker {
    let is_containerd = means(docker).await == Means::Containerd;
    engine(if is_containerd { "DTBUILD_TEST_ENGINE_28" } else { CONTAINERD }).await
}

/// `yes` when `importer` has all steps of a build from the cache that `exporter` brought `to` somewhere; without a place
/// to have them `from`, the image is that.
async fn carried(exporter: &Docker, to: CacheEntry, importer: &Docker, from: Option<CacheEntry>) -> String {
    // Files of its own, and none that runs: BuildKits of other versions do not take each other's `RUN` for the same.
    let mark = unique("mark").to_string();
    let files = Files::default().file("one", mark.as_str()).file("two", mark.as_str());
    let text = "FROM scratch\nCOPY one /\nCOPY two /\n";
    let mut first = request("matrix-cache", text, &files);
    first.options.cache_to = vec![to];
    first.output = Output::Push;
    let (result, events) = build(exporter, &first).await;
    let built = match result {
        Ok(built) => built,
        Err(EngineError::Unsupported { .. }) => return "refused".to_owned(),
        Err(error) => panic!("{error}\n{events:?}"),
    };
    assert_eq!(built.steps.cached, 0);
    pushed(exporter, &first, built).await;

    let mut second = request("matrix-cache", text, &files);
    let image = || entry("registry", &[("ref", &first.names[0].to_string())]);
    second.options.cache_from = vec![from.unwrap_or_else(image)];
    let (result, events) = build(importer, &second).await;
    let steps = match result {
        Ok(built) => built.steps,
        Err(EngineError::Unsupported { .. }) => return "refused".to_owned(),
        Err(error) => panic!("{error}\n{events:?}"),
    };
    let was_found = events.iter().any(|event| {
        matches!(event, Event::ImageStep { step, state: StepState::Done, .. } if step.starts_with("importing cache"))
    });
    super::yes(was_found && steps.cached == steps.total)
}

fn in_folder(folder: &Path) -> (CacheEntry, CacheEntry) {
    let folder = folder.join("cache").display().to_string();
    (entry("local", &[("dest", &folder), ("image-manifest", "false")]), entry("local", &[("src", &folder)]))
}

fn entry(kind: &str, attributes: &[(&str, &str)]) -> CacheEntry {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    CacheEntry { kind: kind.to_owned(), attributes: attributes.iter().map(own).collect() }
}
