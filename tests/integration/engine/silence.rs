//! Engines that hang, and engines that have nothing to say.

use std::time::Duration;

use dtbuild::engine::buildkitd::Buildkitd;
use dtbuild::engine::docker::Docker;
use dtbuild::engine::endpoint::Endpoint;
use dtbuild::engine::{AnyEngine, EngineError, Output};
use dtbuild::error::Failure as _;

use super::bridge::{Bridge, Side};
use super::fixture::{Files, build, mark, request, script, sleeping, variable};

/// No wait of these tests takes so long.
const BOUND: Duration = Duration::from_mins(2);

const SIDES: [(Side, &str); 2] =
    [(Side::Docker, "DTBUILD_TEST_ENGINE_28"), (Side::BuildKit, "DTBUILD_TEST_ENGINE_28_CONTAINERD")];

/// A bridge to an engine, and the engine's endpoint at the bridge.
async fn bridge(side: Side, engine: &str, limit: u64) -> (Bridge, Endpoint) {
    let bridge = Bridge::to(&variable(engine), side, None).await;
    let scheme = if matches!(side, Side::BuildKit) { "buildkit+tcp" } else { "tcp" };
    let endpoint = Endpoint::parse(&format!("{scheme}://{}", bridge.address), None).unwrap();
    (bridge, endpoint.with_silence_limit(Duration::from_secs(limit)))
}

/// A build of a step that sleeps.
fn sleeper(name: &str, seconds: &str) -> dtbuild::engine::BuildRequest {
    let mut request =
        request(name, &script(&format!("/bin/busybox sleep {seconds}")), &Files::with_busybox());
    (request.output, request.no_cache) = (Output::Stay, true);
    request
}

#[track_caller]
fn is_silent<T: std::fmt::Debug>(result: Result<T, EngineError>, endpoint: &Endpoint) {
    let error = result.unwrap_err();
    assert!(matches!(error, EngineError::Silent { .. }) && error.is_lost(), "{error}");
    let told = format!(
        "nothing was heard of the engine at `{endpoint}` for 2 seconds; see its log, restart it if it hangs, or \
         raise `--silence-limit`"
    );
    assert_eq!(error.advice(), told);
}

#[tokio::test]
async fn an_engine_that_hangs_in_a_silent_step_is_given_up() {
    for (side, engine) in SIDES {
        let (bridge, endpoint) = bridge(side, engine, 2).await;
        let engine = AnyEngine::connect(endpoint.clone()).await.unwrap();
        let mark = mark();
        let request = sleeper("hangs", &mark);
        let freezing = async {
            sleeping(&mark, 1).await;
            bridge.freeze();
            bridge.connections()
        };
        let (built, before) =
            tokio::time::timeout(BOUND, async { tokio::join!(build(&engine, &request), freezing) })
                .await
                .unwrap();
        is_silent(built.0, &endpoint);
        assert_eq!(bridge.connections(), before, "it is given up, not asked once more");
    }
}

#[tokio::test]
async fn an_engine_that_is_there_is_waited_for_however_long_a_step_says_nothing() {
    for (side, engine) in SIDES {
        let (_bridge, endpoint) = bridge(side, engine, 4).await;
        let engine = AnyEngine::connect(endpoint).await.unwrap();
        build(&engine, &sleeper("silent", "5")).await.0.unwrap();
    }
}

#[tokio::test]
async fn an_engine_that_hangs_before_the_build_is_given_up() {
    for (side, engine) in SIDES {
        let (bridge, endpoint) = bridge(side, engine, 2).await;
        let engine = AnyEngine::connect(endpoint.clone()).await.unwrap();
        bridge.freeze();
        is_silent(build(&engine, &sleeper("hangs-before", "1")).await.0, &endpoint);
        is_silent(AnyEngine::connect(endpoint.clone()).await, &endpoint);
        match side {
            Side::Docker => is_silent(Docker::at(endpoint.clone()).await.map(drop), &endpoint),
            Side::BuildKit => is_silent(Buildkitd::connect(endpoint.clone()).await.map(drop), &endpoint),
        }
    }
}
