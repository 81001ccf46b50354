//! Tests of the scheduler, on an engine that plays builds by a script.
//!
//! Every test runs on one thread, so the scheduler has done all that it can do once it has been yielded to
//! often enough: no test waits for a time.

use std::time::Duration;

use proptest::prelude::*;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;

use super::*;
use crate::engine::fake::{Call, FakeEngine, digest, request};
use crate::events::Event;

mod builders;

type Outcomes = BTreeMap<ImageName, JobOutcome>;

fn name(image: &str) -> ImageName {
    image.parse().unwrap()
}

/// A job that is pushed, from its text: `"api: base db"` is the image `api`, which needs two others.
fn job(text: &str) -> Job {
    let (image, needs) = text.split_once(':').unwrap_or((text, ""));
    let request = request(image);
    let push = BTreeMap::from([(name(image), request.names[0].clone())]);
    Job { request, twins: Vec::new(), needs: needs.split_whitespace().map(name).collect(), push }
}

/// A run of a scheduler.
struct Run {
    engine: Arc<FakeEngine>,
    cancel: CancellationToken,
    events: UnboundedReceiver<Event>,
    task: JoinHandle<Outcomes>,
}

/// The only builder of a run, without limits of its own.
fn alone(engine: &Arc<FakeEngine>) -> Vec<Builder<FakeEngine>> {
    let builder = Builder {
        name: "alone".to_owned(),
        engine: Arc::clone(engine),
        platforms: Vec::new(),
        jobs: 99,
        answers: true,
    };
    vec![builder]
}

impl Run {
    fn start(engine: FakeEngine, jobs: &[&str], parallel: usize, keep_going: bool) -> Self {
        let jobs: Vec<Job> = jobs.iter().map(|text| job(text)).collect();
        let engine = Arc::new(engine);
        Self::on(alone(&engine), jobs, parallel, keep_going)
    }

    fn on(builders: Vec<Builder<FakeEngine>>, jobs: Vec<Job>, parallel: usize, keep_going: bool) -> Self {
        let (events, receiver) = EventSink::channel();
        let (engine, cancel) = (Arc::clone(&builders[0].engine), CancellationToken::new());
        let scheduler = Scheduler {
            builders,
            jobs: parallel,
            keep_going,
            events,
            cancel: cancel.clone(),
            attempts: Attempts { most: 3, pause: Duration::ZERO },
        };
        let task = tokio::spawn(async move { scheduler.run(jobs).await });
        Self { engine, cancel, events: receiver, task }
    }

    /// Lets the scheduler do all that it can do now, and returns the images whose builds were started so far.
    async fn settle(&self) -> String {
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
        self.engine.started().join(" ")
    }

    /// Waits for the first event that is `wanted`.
    async fn until(&mut self, wanted: impl Fn(&Event) -> bool) {
        while !wanted(&self.events.recv().await.expect("the run goes on")) {}
    }

    /// Waits for the end of the run; returns a line per image with its outcome, and the events.
    async fn end(mut self) -> (String, Vec<Event>) {
        let outcomes = self.task.await.unwrap();
        let mut events = Vec::new();
        while let Some(event) = self.events.recv().await {
            events.push(event);
        }
        let lines = outcomes.iter().map(|(image, outcome)| match outcome {
            JobOutcome::Done { digest: pushed } => {
                assert_eq!(pushed.as_ref(), Some(&digest(image.as_str())));
                format!("{image} done")
            }
            JobOutcome::Failed(error) => format!("{image} failed: {error}"),
            JobOutcome::Skipped { reason } => format!("{image} skipped: {reason}"),
        });
        (lines.collect::<Vec<_>>().join("\n"), events)
    }
}

#[tokio::test]
async fn dependents_wait_for_what_they_are_built_from() {
    let engine = FakeEngine::default().holds_build("base").holds_build("db");
    let run = Run::start(engine, &["api: base db", "base", "db", "site: api"], 4, false);
    assert_eq!(run.settle().await, "base db");
    run.engine.let_build("db");
    assert_eq!(run.settle().await, "base db", "one of two needs is not enough");
    run.engine.let_build("base");
    assert_eq!(run.settle().await, "base db api site");
    assert_eq!(run.end().await.0, "api done\nbase done\ndb done\nsite done");
}

#[tokio::test]
async fn independent_images_are_built_at_once_up_to_the_number_of_jobs() {
    let engine =
        ["a", "b", "c"].iter().fold(FakeEngine::default(), |engine, image| engine.holds_build(image));
    let run = Run::start(engine, &["a", "b", "c"], 2, false);
    assert_eq!(run.settle().await, "a b");
    run.engine.let_build("b");
    assert_eq!(run.settle().await, "a b c");
    run.engine.let_build("a");
    run.engine.let_build("c");
    assert_eq!(run.engine.most_running(), 2);
    assert_eq!(run.end().await.0, "a done\nb done\nc done");
}

#[tokio::test]
async fn the_head_of_the_longest_chain_starts_first() {
    let jobs = ["a", "b", "w", "x: w", "y: x", "z: y", "c: b"];
    let run = Run::start(FakeEngine::default(), &jobs, 1, false);
    run.settle().await;
    assert_eq!(run.engine.started(), ["w", "x", "b", "y", "a", "c", "z"]);
    run.end().await;
}

#[tokio::test]
async fn a_push_overlaps_the_next_build() {
    let run = Run::start(FakeEngine::default().holds_push("a"), &["a", "b"], 1, false);
    assert_eq!(run.settle().await, "a b");
    let pushed = |image: &str| Call::Pushed(job(image).push[&name(image)].clone());
    assert!(run.engine.calls().contains(&pushed("b")) && !run.engine.calls().contains(&pushed("a")));
    run.engine.let_push("a");
    assert_eq!(run.end().await.0, "a done\nb done");
}

#[tokio::test]
async fn an_engine_that_pushes_by_itself_is_not_asked_to() {
    let run = Run::start(FakeEngine::default().pushing_by_itself(), &["a"], 1, false);
    run.settle().await;
    assert_eq!(run.engine.calls(), [Call::Started(name("a")), Call::Finished(name("a"))]);
    assert_eq!(run.end().await.0, "a done");
}

#[tokio::test]
async fn a_dependent_takes_what_was_pushed_by_its_digest() {
    let mut api = job("api: base");
    api.request.dockerfile = Arc::from(&b"FROM localhost/base:key\n"[..]);
    let engine = Arc::new(FakeEngine::default().pushing_by_itself());
    let run = Run::on(alone(&engine), vec![job("base"), api], 1, false);
    run.settle().await;
    assert_eq!(run.engine.dockerfile("api"), format!("FROM localhost/base@{}\n", digest("base")));
    assert_eq!(run.end().await.0, "api done\nbase done");
}

#[tokio::test]
async fn after_a_failure_nothing_more_starts_but_what_runs_ends() {
    let engine = FakeEngine::default().fails("a").holds_build("b");
    let run = Run::start(engine, &["a", "b", "c", "d: a"], 2, false);
    assert_eq!(run.settle().await, "a b");
    run.engine.let_build("b");
    let (outcomes, _) = run.end().await;
    insta::assert_snapshot!(outcomes, @"
    a failed: a/Dockerfile:2: `RUN false` exited with code 1
    b done
    c skipped: another image failed; add `--keep-going` to build it all the same
    d skipped: `a`, which it is built from, was not built
    ");
}

#[tokio::test]
async fn with_keep_going_only_what_needs_a_failed_image_is_skipped() {
    let engine = FakeEngine::default().fails("a");
    let run = Run::start(engine, &["a", "b", "c: b", "d: a b", "e: d"], 1, true);
    let engine = Arc::clone(&run.engine);
    let (outcomes, _) = run.end().await;
    insta::assert_snapshot!(outcomes, @"
    a failed: a/Dockerfile:2: `RUN false` exited with code 1
    b done
    c done
    d skipped: `a`, which it is built from, was not built
    e skipped: `d`, which it is built from, was not built
    ");
    assert_eq!(engine.started(), ["a", "b", "c"], "a step that failed is not tried again");
}

#[tokio::test]
async fn a_push_that_fails_for_a_passing_reason_is_tried_again() {
    let engine = FakeEngine::default().fails_pushing("localhost/a:key", 2);
    let (outcomes, events) = Run::start(engine, &["a"], 1, false).end().await;
    assert_eq!(outcomes, "a done");
    let attempts = events.iter().filter_map(|event| match event {
        Event::Retrying { attempt, reason, .. } => Some(format!("{attempt}: {reason}")),
        _ => None,
    });
    let reason = "failed to push `localhost/a:key`: connection reset";
    assert_eq!(attempts.collect::<Vec<_>>(), [format!("2: {reason}"), format!("3: {reason}")]);
}

#[tokio::test]
async fn a_push_that_fails_every_time_is_given_up() {
    let engine = FakeEngine::default().fails_pushing("localhost/a:key", usize::MAX);
    let run = Run::start(engine, &["a", "b"], 2, false);
    let engine = Arc::clone(&run.engine);
    let (outcomes, _) = run.end().await;
    assert_eq!(outcomes, "a failed: failed to push `localhost/a:key`: connection reset\nb done");
    assert_eq!(engine.started(), ["a", "b"], "the build is not repeated for the push's sake");
}

#[tokio::test]
async fn cancelling_ends_what_runs_and_skips_the_rest() {
    let engine = FakeEngine::default().holds_build("a").holds_push("b");
    let run = Run::start(engine, &["a", "b", "c: a"], 2, true);
    assert_eq!(run.settle().await, "a b");
    run.cancel.cancel();
    let engine = Arc::clone(&run.engine);
    let (outcomes, _) = run.end().await;
    let interrupted = "skipped: the run was interrupted";
    assert_eq!(outcomes, format!("a {interrupted}\nb {interrupted}\nc {interrupted}"));
    let (a, b) = (name("a"), name("b"));
    let expected =
        [Call::Started(a.clone()), Call::Started(b.clone()), Call::Finished(b), Call::Cancelled(a)];
    assert_eq!(engine.calls(), expected);
}

#[tokio::test]
async fn a_run_that_was_cancelled_before_starts_nothing() {
    let run = Run::start(FakeEngine::default(), &["a"], 1, false);
    run.cancel.cancel();
    assert_eq!(run.settle().await, "");
    assert_eq!(run.end().await.0, "a skipped: the run was interrupted");
}

/// A random plan: images that may need those before them, the images that fail, the number of builds at a
/// time, and the switch `keep_going`.
fn any_plan() -> impl Strategy<Value = (Vec<Vec<bool>>, Vec<bool>, usize, bool)> {
    (1_usize..9).prop_flat_map(|count| {
        let needs = prop::collection::vec(prop::collection::vec(prop::bool::weighted(0.3), count), count);
        let failing = prop::collection::vec(prop::bool::weighted(0.15), count);
        (needs, failing, 1_usize..4, any::<bool>())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_job_is_accounted_for_in_the_order_of_needs((needs, failing, parallel, keep_going) in any_plan()) {
        let needs = &needs;
        let needs_of = |image: usize| (0..image).filter(move |other| needs[image][*other]).collect::<Vec<_>>();
        let jobs: Vec<String> = (0..failing.len())
            .map(|image| {
                let needs: Vec<String> = needs_of(image).iter().map(|need| format!("i{need}")).collect();
                format!("i{image}: {}", needs.join(" "))
            })
            .collect();
        let failed: Vec<usize> = (0..failing.len()).filter(|image| failing[*image]).collect();
        let engine = failed.iter().fold(FakeEngine::default(), |engine, image| engine.fails(&format!("i{image}")));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (engine, (outcomes, events)) = runtime.block_on(async {
            let jobs: Vec<&str> = jobs.iter().map(String::as_str).collect();
            let run = Run::start(engine, &jobs, parallel, keep_going);
            (Arc::clone(&run.engine), run.end().await)
        });
        let calls = engine.calls();
        let at = |call: &Call| calls.iter().position(|other| other == call);
        prop_assert!(engine.most_running() <= parallel);
        prop_assert_eq!(outcomes.lines().count(), jobs.len());
        for (image, line) in outcomes.lines().enumerate() {
            let this = name(&format!("i{image}"));
            let finished = |event: &&Event| matches!(event, Event::ImageFinished { image, .. } if *image == this);
            prop_assert_eq!(events.iter().filter(finished).count(), 1, "{}", this);
            let started = at(&Call::Started(this.clone()));
            prop_assert_eq!(started.is_none(), line.contains(" skipped: "), "{}", line);
            prop_assert!(line.ends_with(" done") || line.contains(" skipped: ") || failing[image], "{}", line);
            let built = |need: &usize| at(&Call::Finished(name(&format!("i{need}"))));
            if let Some(started) = started {
                let before = |need: &usize| built(need).is_some_and(|end| end < started);
                prop_assert!(needs_of(image).iter().all(before), "{}", line);
            } else if keep_going {
                prop_assert!(!needs_of(image).iter().all(|need| built(need).is_some()), "{}", line);
            } else {
                prop_assert!(!failed.is_empty());
            }
        }
    }
}
