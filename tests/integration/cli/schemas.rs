//! What the program prints for programs is what `docs/schemas` says.

use serde_json::{Value, json};

use crate::support::base::BaseTag;
use crate::support::dtbuild::{Dtbuild, project};
use crate::support::registry::address;
use crate::support::schema::assert_valid;

#[test]
fn every_result_is_as_its_schema_says() {
    let base = BaseTag::new(&address());
    base.serves(&json!({"User": "1"}));
    let repo = project().file("app/Dockerfile", format!("FROM {base}\nCOPY . /\n")).commit("first");
    let repo = repo.file("app/greeting.txt", "good morning\n");
    let dtbuild = Dtbuild::new(&repo);
    for (schema, arguments) in [
        ("plan", &["plan", "--env", "staging"][..]),
        ("plan", &["build", "--dry-run"]),
        ("explain-image", &["explain", "app", "--env", "staging"]),
        ("explain-image", &["explain", "app", "--disk"]),
        ("explain-path", &["explain", "--path", "app/greeting.txt"]),
        ("explain-path", &["explain", "--path", "build.toml"]),
        ("inputs", &["inputs", "app"]),
        ("status", &["status"]),
        ("history", &["history", "staging"]),
        ("unlock", &["unlock", "staging", "--reason", "a test"]),
        ("doctor", &["doctor"]),
        ("lock", &["lock"]),
        ("lock", &["lock", "--check"]),
        ("error", &["status", "--env", "stagging"]),
        ("error", &["inputs", "absent"]),
        ("error", &["-C", "/", "plan"]),
    ] {
        let ended = dtbuild.run(arguments.iter().chain(&["--json"]));
        let printed: Value = serde_json::from_str(&ended.stdout)
            .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {}{}", ended.stdout, ended.stderr));
        assert_valid(schema, &printed);
        assert_eq!(printed["version"], 1, "{arguments:?}");
    }
}

#[test]
fn an_error_has_the_code_and_the_exit_code_of_its_kind() {
    let repo = project().commit("first");
    let dtbuild = Dtbuild::new(&repo);
    let unreachable = dtbuild.clone().variable("DOCKER_HOST", "unix:///nonexistent/docker.sock");
    for (code, exit_code, ended) in [
        ("not-declared", 2, dtbuild.run(["status", "--env", "stagging", "--json"])),
        ("repository-missing", 3, dtbuild.run(["-C", "/", "plan", "--json"])),
        ("revision-unknown", 3, dtbuild.run(["plan", "--env", "staging", "--head", "absent", "--json"])),
        ("engine-unreachable", 3, unreachable.run(["build", "--json"])),
        ("image-not-built", 1, dtbuild.run(["deploy", "--env", "staging", "--json"])),
    ] {
        let printed: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!(
            (printed["error"]["code"].as_str(), ended.code),
            (Some(code), Some(exit_code)),
            "{printed:#}"
        );
    }
}
