//! Logins from docker's credential helpers: they open registries, and nothing shows them.

use std::os::unix::fs::PermissionsExt as _;

use crate::support::dtbuild::{Dtbuild, project};
use crate::support::registry::OwnRegistry;

/// The password of [`OwnRegistry::with_password`].
const PASSWORD: &str = "opensesame";

/// A folder with a credential helper `test`, and with docker's configuration.
fn helper(config: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let script = format!(
        "#!/bin/sh\nread -r host\nprintf '{{\"ServerURL\":\"%s\",\"Username\":\"me\",\"Secret\":\"{PASSWORD}\"}}' \"$host\"\n"
    );
    let path = folder.path().join("docker-credential-test");
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::write(folder.path().join("config.json"), config).unwrap();
    folder
}

/// Everything that a run leaves to read, records included.
fn traces(dtbuild: &Dtbuild) -> Vec<String> {
    let ran = dtbuild.run(["--env", "staging", "--progress", "rawjson", "--json"]).succeeds();
    let plan = dtbuild.plan("staging").to_string();
    let record = std::fs::read_to_string(dtbuild.record()).unwrap();
    vec![ran.stdout, ran.stderr, plan, record]
}

#[test]
fn helpers_open_registries_and_what_they_say_is_never_seen() {
    let registry = OwnRegistry::with_password();
    let engines = ["DOCKER_HOST", "DTBUILD_TEST_ENGINE_28_CONTAINERD"];
    let engines = engines.map(|name| std::env::var(name).unwrap_or_else(|_| panic!("`{name}` is not set")));
    let host = &registry.host;
    let configs =
        [format!(r#"{{"credHelpers":{{"{host}":"test"}}}}"#), r#"{"credsStore":"test"}"#.to_owned()];
    for (number, (engine, config)) in
        engines.iter().flat_map(|engine| configs.iter().map(move |config| (engine, config))).enumerate()
    {
        let repo = project().commit("first");
        let folder = helper(config);
        let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
        let dtbuild =
            Dtbuild::new(&repo).pushing_to(format!("{host}/team-{number}")).variable("DOCKER_HOST", engine);
        let anonymous = dtbuild.run(["--env", "staging"]);
        assert_eq!(anonymous.code, Some(3), "{}", anonymous.stderr);
        let dtbuild = dtbuild.variable("PATH", path).variable("DOCKER_CONFIG", folder.path());
        for trace in traces(&dtbuild) {
            assert!(!trace.contains(PASSWORD), "{trace}");
        }
    }
}
