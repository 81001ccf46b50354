//! An engine that builds nothing, for tests of the code that schedules builds. Start with [`FakeEngine`].
//!
//! Scripted durations are real time: a few milliseconds are enough to fix an order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bstr::BString;
use dtbuild_content::snapshot::{Contents, Snapshot, SnapshotEntry};
use tokio::sync::Semaphore;

use super::{BuildFailure, BuildRequest, Built, Contexts, Engine, EngineError, Output, StepCount};
use crate::config::ImageName;
use crate::events::EventSink;
use crate::reference::{Digest, Reference};

/// One call of a [`FakeEngine`], or the end of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// A build began.
    Started(ImageName),
    /// A build ended well.
    Finished(ImageName),
    /// A build ended badly.
    Failed(ImageName),
    /// A build was dropped before it ended.
    Cancelled(ImageName),
    /// A push ended well.
    Pushed(Reference),
    /// An image got another name.
    Tagged(Reference, Reference),
}

/// An engine that plays builds by a script.
#[derive(Default)]
pub(crate) struct FakeEngine {
    durations: BTreeMap<ImageName, Duration>,
    failing: BTreeSet<ImageName>,
    lost: BTreeSet<ImageName>,
    unsupported: BTreeSet<ImageName>,
    panicking: BTreeSet<ImageName>,
    pushes_by_itself: bool,
    builds_held: BTreeMap<ImageName, Semaphore>,
    pushes_held: BTreeMap<ImageName, Semaphore>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    calls: Vec<Call>,
    running: usize,
    most_running: usize,
    held: BTreeSet<Reference>,
    failing_pushes: BTreeMap<Reference, usize>,
    dockerfiles: BTreeMap<ImageName, Arc<[u8]>>,
    gone: bool,
    asked: usize,
}

impl FakeEngine {
    /// Makes builds of `image` take `duration` rather than no time.
    #[must_use]
    pub(crate) fn takes(mut self, image: &str, duration: Duration) -> Self {
        self.durations.insert(name(image), duration);
        self
    }

    /// Makes builds of `image` fail.
    #[must_use]
    pub(crate) fn fails(mut self, image: &str) -> Self {
        self.failing.insert(name(image));
        self
    }

    /// Makes the engine disappear when it is asked to build `image`, until [`FakeEngine::comes_back`].
    #[must_use]
    pub(crate) fn loses_itself_at(mut self, image: &str) -> Self {
        self.lost.insert(name(image));
        self
    }

    /// Makes the engine refuse `image`, as an image that needs a feature which the engine lacks.
    #[must_use]
    pub(crate) fn refuses(mut self, image: &str) -> Self {
        self.unsupported.insert(name(image));
        self
    }

    /// Makes builds of `image` end with a panic.
    #[must_use]
    pub(crate) fn panics_at(mut self, image: &str) -> Self {
        self.panicking.insert(name(image));
        self
    }

    /// Makes the first `times` pushes of `reference` fail for a reason that may pass.
    #[must_use]
    pub(crate) fn fails_pushing(self, reference: &str, times: usize) -> Self {
        let reference = reference.parse().expect("a reference");
        self.state().failing_pushes.insert(reference, times);
        self
    }

    /// Makes builds push in the same step, as engines with the containerd store do.
    #[must_use]
    pub(crate) fn pushing_by_itself(mut self) -> Self {
        self.pushes_by_itself = true;
        self
    }

    /// The Dockerfile that the last build of `image` was started with.
    pub(crate) fn dockerfile(&self, image: &str) -> String {
        let dockerfile = Arc::clone(&self.state().dockerfiles[&name(image)]);
        String::from_utf8_lossy(&dockerfile).into_owned()
    }

    /// Holds builds of `image` until [`FakeEngine::let_build`] lets them end.
    #[must_use]
    pub(crate) fn holds_build(mut self, image: &str) -> Self {
        self.builds_held.insert(name(image), Semaphore::new(0));
        self
    }

    /// Holds pushes of `image` until [`FakeEngine::let_push`] lets them end.
    #[must_use]
    pub(crate) fn holds_push(mut self, image: &str) -> Self {
        self.pushes_held.insert(name(image), Semaphore::new(0));
        self
    }

    /// Lets the running build of `image` end, or the next one if none runs.
    pub(crate) fn let_build(&self, image: &str) {
        self.builds_held[&name(image)].add_permits(1);
    }

    /// Lets the running push of `image` end, or the next one if none runs.
    pub(crate) fn let_push(&self, image: &str) {
        self.pushes_held[&name(image)].add_permits(1);
    }

    /// Makes an engine that never answered.
    #[must_use]
    pub(crate) fn gone(self) -> Self {
        self.state().gone = true;
        self
    }

    /// Lets an engine that disappeared answer again.
    pub(crate) fn comes_back(&self) {
        self.state().gone = false;
    }

    /// The number of questions whether the engine is there.
    pub(crate) fn asked(&self) -> usize {
        self.state().asked
    }

    /// The calls so far, in order.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    /// The images in the order in which their builds began.
    pub(crate) fn started(&self) -> Vec<String> {
        let calls = self.calls();
        let started = calls.iter().filter_map(|call| match call {
            Call::Started(image) => Some(image.to_string()),
            _ => None,
        });
        started.collect()
    }

    /// The most builds that ran at one time.
    pub(crate) fn most_running(&self) -> usize {
        self.state().most_running
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A guard that records the end of a build, even of a build that is dropped.
struct Running<'a> {
    engine: &'a FakeEngine,
    end: Option<Call>,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let mut state = self.engine.state();
        state.running -= 1;
        state.calls.extend(self.end.take());
    }
}

impl Engine for FakeEngine {
    async fn build(&self, request: &BuildRequest, _: &EventSink) -> Result<Built, EngineError> {
        let image = request.image.clone();
        {
            let mut state = self.state();
            state.running += 1;
            state.most_running = state.most_running.max(state.running);
            state.calls.push(Call::Started(image.clone()));
            state.dockerfiles.insert(image.clone(), Arc::clone(&request.dockerfile));
        }
        let mut running = Running { engine: self, end: Some(Call::Cancelled(image.clone())) };
        // Even a build that takes no time lets others begin.
        tokio::task::yield_now().await;
        if let Some(duration) = self.durations.get(&image) {
            tokio::time::sleep(*duration).await;
        }
        pass(&self.builds_held, &image).await;
        assert!(!self.panicking.contains(&image), "it was told to panic");
        if self.lost.contains(&image) {
            running.end = Some(Call::Failed(image.clone()));
            self.state().gone = true;
            return Err(EngineError::Lost("connection reset".to_owned()));
        }
        if self.unsupported.contains(&image) {
            running.end = Some(Call::Failed(image.clone()));
            let (feature, engine) = ("provenance".to_owned(), "a fake".to_owned());
            return Err(EngineError::Unsupported { feature, engine, hint: "use another".to_owned() });
        }
        if self.failing.contains(&image) {
            running.end = Some(Call::Failed(image.clone()));
            return Err(EngineError::Failed(Box::new(failure(&image))));
        }
        running.end = Some(Call::Finished(image.clone()));
        self.state().held.extend(request.names.iter().cloned());
        let pushed =
            (self.pushes_by_itself && request.output == Output::Push).then(|| digest(image.as_str()));
        Ok(Built { pushed, steps: StepCount { total: 1, cached: 0 } })
    }

    async fn push(
        &self,
        image: &ImageName,
        reference: &Reference,
        _: &EventSink,
    ) -> Result<Digest, EngineError> {
        pass(&self.pushes_held, image).await;
        let mut state = self.state();
        if let Some(left) = state.failing_pushes.get_mut(reference).filter(|left| **left > 0) {
            *left -= 1;
            let reason = "connection reset".to_owned();
            return Err(EngineError::Push {
                reference: reference.clone(),
                reason,
                hint: None,
                transient: true,
            });
        }
        state.calls.push(Call::Pushed(reference.clone()));
        Ok(digest(image.as_str()))
    }

    async fn answers(&self) -> Result<(), EngineError> {
        let mut state = self.state();
        state.asked += 1;
        if state.gone { Err(EngineError::Lost("connection refused".to_owned())) } else { Ok(()) }
    }

    async fn names(&self, reference: &Reference) -> Result<Option<Vec<String>>, EngineError> {
        Ok(self.state().held.contains(reference).then(|| vec![reference.to_string()]))
    }

    async fn tag(&self, source: &Reference, name: &Reference) -> Result<(), EngineError> {
        let mut state = self.state();
        state.calls.push(Call::Tagged(source.clone(), name.clone()));
        state.held.insert(name.clone());
        Ok(())
    }
}

/// Waits until `image` is let go on, if it is held.
async fn pass(held: &BTreeMap<ImageName, Semaphore>, image: &ImageName) {
    if let Some(gate) = held.get(image) {
        gate.acquire().await.expect("gates are never closed").forget();
    }
}

fn name(image: &str) -> ImageName {
    image.parse().expect("an image's name")
}

/// The digest that the fake engine pushes `image` with.
pub(crate) fn digest(image: &str) -> Digest {
    format!("sha256:{}", blake3::hash(image.as_bytes()).to_hex()).parse().expect("a digest")
}

fn failure(image: &ImageName) -> BuildFailure {
    BuildFailure {
        message: format!("{image}/Dockerfile:2: `RUN false` exited with code 1"),
        step: Some("[1/1] RUN false".to_owned()),
        line: Some(2),
        exit_code: Some(1),
        log: vec!["it was told to fail".to_owned()],
        passing: false,
    }
}

/// A request to build `image`, with an empty context, under the name `localhost/<image>:key`.
pub(crate) fn request(image: &str) -> BuildRequest {
    BuildRequest {
        image: name(image),
        context: Snapshot { entries: Arc::new([]), contents: Arc::new(Nothing) },
        context_name: None,
        dockerfile: Arc::from(&b"FROM scratch\n"[..]),
        dockerfile_path: BString::from(format!("{image}/Dockerfile")),
        target: None,
        args: BTreeMap::new(),
        platforms: Vec::new(),
        labels: BTreeMap::new(),
        secrets: Vec::new(),
        options: crate::config::BuildOptions::default(),
        entitlements: Vec::new(),
        source_date_epoch: None,
        tells_base_layers: true,
        no_cache: false,
        names: vec![format!("localhost/{image}:key").parse().expect("a reference")],
        output: Output::Push,
        contexts: Contexts::default(),
    }
}

struct Nothing;

impl Contents for Nothing {
    fn open(&self, _: &SnapshotEntry) -> std::io::Result<Box<dyn std::io::Read + Send>> {
        Err(std::io::ErrorKind::NotFound.into())
    }
}

mod tests {
    use super::*;

    async fn build(engine: &FakeEngine, image: &str) -> Result<Built, EngineError> {
        engine.build(&request(image), &EventSink::channel().0).await
    }

    #[tokio::test]
    async fn builds_follow_the_script() {
        let unit = Duration::from_millis(20);
        let engine =
            FakeEngine::default().takes("a", 3 * unit).takes("b", unit).fails("b").pushing_by_itself();
        let (a, b) = tokio::join!(build(&engine, "a"), build(&engine, "b"));
        assert_eq!(a.unwrap().pushed, Some(digest("a")));
        assert!(matches!(b, Err(EngineError::Failed(_))));
        let (a, b) = (name("a"), name("b"));
        let expected =
            [Call::Started(a.clone()), Call::Started(b.clone()), Call::Failed(b), Call::Finished(a)];
        assert_eq!(engine.calls(), expected);
        assert_eq!((engine.started().join(" ").as_str(), engine.most_running()), ("a b", 2));
    }

    #[tokio::test]
    async fn a_dropped_build_is_noted() {
        let engine = FakeEngine::default().takes("a", Duration::from_secs(9));
        let limit = tokio::time::timeout(Duration::from_millis(20), build(&engine, "a")).await;
        assert!(limit.is_err());
        assert_eq!(engine.calls(), [Call::Started(name("a")), Call::Cancelled(name("a"))]);
    }

    #[tokio::test]
    async fn images_are_held_tagged_and_pushed() {
        let engine = FakeEngine::default().fails_pushing("localhost/a:key", 1);
        let (key, other): (Reference, Reference) =
            ("localhost/a:key".parse().unwrap(), "localhost/a:other".parse().unwrap());
        assert!(!engine.holds(&key).await.unwrap());
        build(&engine, "a").await.unwrap();
        assert!(engine.holds(&key).await.unwrap());
        engine.tag(&key, &other).await.unwrap();
        assert!(engine.holds(&other).await.unwrap());
        let sink = EventSink::channel().0;
        let first = engine.push(&name("a"), &key, &sink).await;
        assert!(matches!(first, Err(EngineError::Push { transient: true, .. })));
        assert_eq!(engine.push(&name("a"), &key, &sink).await.unwrap(), digest("a"));
        assert_eq!(engine.calls()[2..], [Call::Tagged(key.clone(), other), Call::Pushed(key)]);
    }
}
