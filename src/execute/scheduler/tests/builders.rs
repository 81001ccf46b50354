//! Tests of runs with several builders, with images that share a key, and with tasks that break.

use super::*;

/// Builders by name; each builds one image at a time.
fn builders(engines: Vec<(&str, FakeEngine)>) -> Vec<Builder<FakeEngine>> {
    let builder = |(name, engine): (&str, FakeEngine)| Builder {
        name: name.to_owned(),
        engine: Arc::new(engine),
        platforms: Vec::new(),
        jobs: 1,
        answers: true,
    };
    engines.into_iter().map(builder).collect()
}

/// The builder of two, `left` and `right`, that an image prefers.
fn favourite(image: &str) -> &'static str {
    let pool = Pool::new(builders(vec![("left", FakeEngine::default()), ("right", FakeEngine::default())]));
    let image = name(image);
    let wish = crate::execute::pool::Wish { image: &image, platforms: &[], refused: None, lost_with: &[] };
    match pool.place(wish, None) {
        crate::execute::pool::Place::On(0) => "left",
        _ => "right",
    }
}

/// Two builders with these engines; the first is the builder that `image` prefers.
fn two(image: &str, first: FakeEngine, second: FakeEngine) -> Vec<Builder<FakeEngine>> {
    let (one, other) = if favourite(image) == "left" { ("left", "right") } else { ("right", "left") };
    builders(vec![(one, first), (other, second)])
}

fn lost_builders(events: &[Event]) -> Vec<String> {
    let lost = events.iter().filter_map(|event| match event {
        Event::BuilderLost { builder, reason } => Some(format!("{builder}: {reason}")),
        _ => None,
    });
    lost.collect()
}

#[tokio::test]
async fn a_builder_that_dies_in_mid_build_loses_no_image() {
    let pool = two("a", FakeEngine::default().loses_itself_at("a"), FakeEngine::default());
    let (first, second) = (Arc::clone(&pool[0].engine), Arc::clone(&pool[1].engine));
    let run = Run::on(pool, ["a", "b", "c: a"].map(job).into(), 2, false);
    let (outcomes, events) = run.end().await;
    assert_eq!(outcomes, "a done\nb done\nc done");
    let reason = "the engine stopped answering: connection reset";
    assert_eq!(lost_builders(&events), [format!("{}: {reason}", favourite("a"))]);
    assert!(first.started().contains(&"a".to_owned()));
    let elsewhere = second.started();
    assert!(elsewhere.contains(&"a".to_owned()) && elsewhere.contains(&"c".to_owned()), "{elsewhere:?}");
}

#[tokio::test]
async fn a_lost_builder_that_answers_again_builds_again() {
    let pool = two("a", FakeEngine::default().loses_itself_at("a"), FakeEngine::default().holds_build("b"));
    let (first, second) = (Arc::clone(&pool[0].engine), Arc::clone(&pool[1].engine));
    let mut run = Run::on(pool, ["a", "b", "c"].map(job).into(), 4, false);
    run.until(|event| matches!(event, Event::BuilderLost { .. })).await;
    run.settle().await;
    assert_eq!((first.started(), second.started()), (vec!["a".to_owned()], vec!["b".to_owned()]));
    first.comes_back();
    run.until(|event| matches!(event, Event::BuilderBack { .. })).await;
    run.settle().await;
    assert_eq!(first.started(), ["a", "c"], "what it was lost with is built elsewhere");
    second.let_build("b");
    assert_eq!(run.end().await.0, "a done\nb done\nc done");
    assert_eq!(second.started(), ["b", "a"]);
}

/// Two builders for different platforms, the second of which does not answer, and an image for the second.
fn far_away() -> (Vec<Builder<FakeEngine>>, Job) {
    let platform = |text: &str| crate::config::Platform(text.to_owned());
    let mut pool = builders(vec![("near", FakeEngine::default()), ("far", FakeEngine::default().gone())]);
    pool[0].platforms = vec![platform("linux/amd64")];
    pool[1].answers = false;
    let mut image = job("a");
    image.request.platforms = vec![platform("linux/arm64")];
    (pool, image)
}

#[tokio::test]
async fn an_image_waits_for_the_only_builder_of_its_platform() {
    let (pool, image) = far_away();
    let far = Arc::clone(&pool[1].engine);
    let mut run = Run::on(pool, vec![image, job("b")], 4, false);
    run.until(|event| matches!(event, Event::PushFinished { image, .. } if *image == name("b"))).await;
    far.comes_back();
    run.until(|event| matches!(event, Event::BuilderBack { builder } if builder == "far")).await;
    assert_eq!(run.end().await.0, "a done\nb done");
    assert_eq!(far.started(), ["a"]);
}

#[tokio::test]
async fn a_builder_that_stays_away_is_waited_for_a_few_times_alone() {
    let (pool, image) = far_away();
    let far = Arc::clone(&pool[1].engine);
    let (outcomes, _) = Run::on(pool, vec![image], 4, false).end().await;
    let reason = "building for linux/arm64 is not supported by the builders that are left";
    assert_eq!(outcomes, format!("a failed: {reason}"));
    assert_eq!(far.asked(), 5);
}

#[tokio::test]
async fn what_a_lost_builder_alone_kept_is_built_again_for_its_dependents() {
    let kept = |text: &str| Job { push: BTreeMap::new(), ..job(text) };
    let pool = two("base", FakeEngine::default().loses_itself_at("api"), FakeEngine::default());
    let second = Arc::clone(&pool[1].engine);
    let run = Run::on(pool, ["base", "api: base"].map(kept).into(), 1, false);
    let outcomes = run.task.await.unwrap();
    assert!(outcomes.values().all(|outcome| matches!(outcome, JobOutcome::Done { .. })), "{outcomes:?}");
    assert_eq!(second.started(), ["base", "api"]);
}

#[tokio::test]
async fn when_the_last_builder_is_lost_the_image_fails_for_that_reason() {
    let gone = || FakeEngine::default().loses_itself_at("a");
    let (outcomes, events) = Run::on(two("a", gone(), gone()), vec![job("a")], 2, false).end().await;
    assert_eq!(outcomes, "a failed: the engine stopped answering: connection reset");
    assert_eq!(lost_builders(&events).len(), 2, "both are asked again, and do not answer");
}

#[tokio::test]
async fn what_a_builder_cannot_do_another_does() {
    let pool = two("a", FakeEngine::default().refuses("a"), FakeEngine::default());
    let (outcomes, events) = Run::on(pool, vec![job("a")], 2, false).end().await;
    assert_eq!(outcomes, "a done");
    assert_eq!(lost_builders(&events), [""; 0]);
}

#[tokio::test]
async fn what_only_one_builder_has_is_built_on_there() {
    let pool = two("base", FakeEngine::default().holds_push("base"), FakeEngine::default());
    let first = Arc::clone(&pool[0].engine);
    let run = Run::on(pool, ["base", "api: base", "web: base"].map(job).into(), 4, false);
    assert_eq!(run.settle().await, "base api web", "one after the other, where the base is");
    assert_eq!(first.most_running(), 1);
    first.let_push("base");
    assert_eq!(run.end().await.0, "api done\nbase done\nweb done");
}

#[tokio::test]
async fn from_the_registry_every_builder_has_it() {
    let both = || FakeEngine::default().pushing_by_itself().holds_build("api").holds_build("web");
    let pool = two("base", both(), both());
    let (one, other) = (Arc::clone(&pool[0].engine), Arc::clone(&pool[1].engine));
    let run = Run::on(pool, ["base", "api: base", "web: base"].map(job).into(), 4, false);
    run.settle().await;
    assert_eq!(one.started().len() + other.started().len(), 3, "both dependents are built at once");
    for engine in [one, other] {
        engine.let_build("api");
        engine.let_build("web");
    }
    assert_eq!(run.end().await.0, "api done\nbase done\nweb done");
}

#[tokio::test]
async fn images_of_the_same_key_are_built_once_and_pushed_each() {
    let mut one = job("a");
    let other = job("b");
    one.twins.push(name("b"));
    one.push.extend(other.push);
    let mut dependent = job("c: a");
    dependent.needs.insert(name("a"));
    let engine = Arc::new(FakeEngine::default());
    let run = Run::on(alone(&engine), vec![one, dependent], 2, false);
    let mut outcomes = run.task.await.unwrap();
    assert_eq!(engine.started(), ["a", "c"]);
    let pushed = engine.calls().into_iter().filter(|call| matches!(call, Call::Pushed(_))).count();
    assert_eq!(pushed, 3);
    assert!(matches!(outcomes.remove(&name("b")), Some(JobOutcome::Done { digest: Some(_) })));
}

#[tokio::test]
async fn a_twin_of_what_failed_is_skipped() {
    let mut one = job("a");
    one.twins.push(name("b"));
    let engine = Arc::new(FakeEngine::default().fails("a"));
    let (outcomes, _) = Run::on(alone(&engine), vec![one], 2, true).end().await;
    insta::assert_snapshot!(outcomes, @"
    a failed: a/Dockerfile:2: `RUN false` exited with code 1
    b skipped: `a`, whose key it shares, was not built
    ");
}

#[tokio::test]
async fn a_task_that_panics_fails_its_image_and_no_other() {
    let (outcomes, events) =
        Run::start(FakeEngine::default().panics_at("a"), &["a", "b", "c: a"], 1, true).end().await;
    assert!(outcomes.starts_with("a failed: dtbuild failed inside ("), "{outcomes}");
    assert!(
        outcomes.ends_with("b done\nc skipped: `a`, which it is built from, was not built"),
        "{outcomes}"
    );
    let ends = events.iter().filter(|event| matches!(event, Event::ImageFinished { .. })).count();
    assert_eq!(ends, 3);
}

#[tokio::test]
async fn a_push_that_fails_is_told_as_such_and_the_build_stays_told_once() {
    let engine = FakeEngine::default().fails_pushing("localhost/a:key", usize::MAX);
    let (_, events) = Run::start(engine, &["a"], 1, false).end().await;
    let told = events.iter().filter_map(|event| match event {
        Event::ImageFinished { outcome: ImageOutcome::Built { .. }, .. } => Some("built"),
        Event::ImageFinished { .. } => Some("finished otherwise"),
        Event::PushFailed { .. } => Some("push failed"),
        _ => None,
    });
    assert_eq!(told.collect::<Vec<_>>(), ["built", "push failed"]);
}
