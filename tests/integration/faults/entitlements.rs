//! An engine whose own configuration says what it allows.

use serde_json::json;

use super::dockerd::OwnEngine;
use crate::support::dtbuild::{CONFIG, Dtbuild};
use crate::support::repo::TestRepo;

#[test]
fn an_engine_is_asked_what_it_allows() {
    let entitlements = json!({ "network-host": false, "security-insecure": true });
    let engine = OwnEngine::with(json!({ "builder": { "entitlements": entitlements } }));
    let config = CONFIG.replace("context = \"app\"", "context = \"app\"\nnetwork = \"host\"");
    let config = format!("{config}\n[images.insecure]\ncontext = \"insecure\"\n");
    let repo = TestRepo::new()
        .file("build.toml", config)
        .file("app/Dockerfile", "FROM scratch\nCOPY Dockerfile /\n")
        .file("insecure/Dockerfile", "FROM scratch\nRUN --security=insecure [\"/true\"]\n");
    let dtbuild = Dtbuild::new(&repo).variable("DOCKER_HOST", &engine.address);
    let told = dtbuild.run(["doctor"]).stdout;
    let needed = "the entitlement `network.host` for `network = \"host\"` of `app` (build.toml)";
    assert!(told.contains(needed) && told.contains("\"network-host\": true"), "{told}");
    assert!(!told.contains("security.insecure"), "{told}");
    dtbuild.run(["build", "app"]).fails(3, &["`network.host`, which docker", "\"network-host\": true"]);
}
