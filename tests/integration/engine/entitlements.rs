//! Steps that an engine has to allow: refused before the first step, with their line and the engine's setting.

use dtbuild::dockerfile::{Entitlement, EntitlementKind};
use dtbuild::engine::EngineError;
use dtbuild::error::Failure as _;

use super::fixture::{Files, build, docker, has_buildkit, request, script, variable};
use crate::support::dtbuild::{CONFIG, Dtbuild};
use crate::support::repo::TestRepo;

fn project(run: &str) -> TestRepo {
    let text = format!("FROM scratch\nCOPY busybox /bin/busybox\n{run}\n");
    let repo = TestRepo::new().file("build.toml", CONFIG).file("app/Dockerfile", text);
    repo.executable("app/busybox", std::fs::read("/bin/busybox").unwrap())
}

#[tokio::test]
async fn what_the_engine_does_not_allow_is_refused_before_the_first_step() {
    let docker = docker().await;
    let mut request = request("insecure", &script("true"), &Files::with_busybox());
    request.entitlements = vec![Entitlement { line: 4, kind: EntitlementKind::SecurityInsecure }];
    let (result, events) = build(&docker, &request).await;
    if !has_buildkit(&docker).await {
        result.unwrap();
        return;
    }
    let error = result.unwrap_err();
    assert!(matches!(error, EngineError::NotAllowed { .. }), "{error}");
    let advice = error.advice();
    for text in
        ["`RUN --security=insecure` of `insecure` (insecure/Dockerfile:4)", "\"security-insecure\": true"]
    {
        assert!(advice.contains(text), "{advice}");
    }
    assert!(events.is_empty(), "{events:?}");
}

#[tokio::test]
async fn a_step_gets_the_machines_network_where_the_engine_allows_it() {
    let repo = project("RUN --network=host [\"/bin/busybox\", \"ls\", \"/sys/class/net\"]");
    let dtbuild = Dtbuild::new(&repo).variable("DOCKER_HOST", variable("DTBUILD_TEST_ENGINE_28"));
    dtbuild.run(["build"]).succeeds();
    let told = dtbuild.run(["doctor"]).stdout;
    assert!(!told.contains("entitlement"), "{told}");
}

#[tokio::test]
async fn doctor_tells_of_an_entitlement_that_is_needed() {
    let repo = project("RUN --security=insecure [\"/bin/busybox\", \"true\"]");
    for engine in ["DTBUILD_TEST_ENGINE_28", "DOCKER_HOST"] {
        let dtbuild = Dtbuild::new(&repo).variable("DOCKER_HOST", variable(engine));
        let told = dtbuild.run(["doctor"]).stdout;
        if told.contains("no BuildKit") {
            continue;
        }
        for text in [
            "`app` can be built nowhere",
            "the entitlement `security.insecure` for `RUN --security=insecure` of `app` (app/Dockerfile:3)",
            "\"security-insecure\": true",
        ] {
            assert!(told.contains(text), "no `{text}` in:\n{told}");
        }
        dtbuild.run(["build"]).fails(3, &["(app/Dockerfile:3) needs the entitlement `security.insecure`"]);
    }
}
