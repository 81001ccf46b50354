//! What changes a content key, and what does not.
//!
//! Every key is asked for twice, of the commit and of the files on the disk: one content has one key.

use std::fs::File;
use std::process::Command;
use std::time::SystemTime;

use serde_json::Value;

use crate::support::dtbuild::{CONFIG, Dtbuild, image, project};
use crate::support::registry::{address, client, fresh_repository};
use crate::support::repo::TestRepo;

/// The plan of the commit; the disk's must have the same keys.
#[track_caller]
fn plan(dtbuild: &Dtbuild) -> Value {
    let (commit, disk) = (dtbuild.plan("staging"), dtbuild.plan_of_disk());
    for planned in commit["images"].as_array().unwrap() {
        let name = planned["name"].as_str().unwrap();
        assert_eq!(planned["key"], image(&disk, name)["key"], "{commit:#}\n{disk:#}");
    }
    commit
}

/// The key of `app`.
#[track_caller]
fn key(repo: &TestRepo) -> String {
    image(&plan(&Dtbuild::new(repo)), "app")["key"].as_str().unwrap().to_owned()
}

#[track_caller]
fn before_and_after(repo: TestRepo, change: impl FnOnce(TestRepo) -> TestRepo) -> (String, String) {
    let repo = repo.commit("before");
    let before = key(&repo);
    (before, key(&change(repo).commit("after")))
}

#[track_caller]
fn changes(repo: TestRepo, change: impl FnOnce(TestRepo) -> TestRepo) {
    let (before, after) = before_and_after(repo, change);
    assert_ne!(before, after);
}

#[track_caller]
fn keeps(repo: TestRepo, change: impl FnOnce(TestRepo) -> TestRepo) {
    let (before, after) = before_and_after(repo, change);
    assert_eq!(before, after);
}

/// `build.toml` with more lines for the image.
fn config(more: &str) -> String {
    CONFIG.replace("context = \"app\"\n", &format!("context = \"app\"\n{more}\n"))
}

#[test]
fn a_fresh_clone_in_another_folder_has_the_same_key() {
    let repo = project().commit("first");
    assert_eq!(key(&repo), key(&repo.cloned(&[])));
}

#[test]
fn another_umask_has_the_same_key() {
    let repo = project().executable("app/start", "#!/bin/sh\n").commit("first");
    let clone = repo.cloned(&[]);
    // What a checkout under the umask 077 leaves.
    let status = Command::new("chmod").args(["-R", "go-rwx"]).arg(clone.root()).status().unwrap();
    assert!(status.success());
    assert_eq!(key(&repo), key(&clone));
}

#[test]
fn touch_keeps_the_key() {
    keeps(project(), |repo| {
        let file = File::options().append(true).open(repo.path("app/greeting.txt")).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        repo
    });
}

#[test]
fn a_dirty_tree_with_the_content_of_a_commit_has_its_key() {
    let repo = project().commit("first").file("app/greeting.txt", "good day\n").commit("second");
    let committed = key(&repo);
    // The disk keeps what the second commit holds; HEAD and the index go back.
    repo.git(["reset", "--quiet", "--mixed", "HEAD~1"]);
    let dtbuild = Dtbuild::new(&repo);
    assert_eq!(image(&dtbuild.plan_of_disk(), "app")["key"], committed);
    assert_ne!(image(&dtbuild.plan("staging"), "app")["key"], committed);
}

#[test]
fn another_registry_has_the_same_key() {
    let repo = project().commit("first");
    let other = Dtbuild::new(&repo).pushing_to(format!("{}/other", address()));
    assert_eq!(image(&plan(&other), "app")["key"], key(&repo));
}

#[test]
fn a_commit_of_what_is_outside_of_the_context_keeps_the_key() {
    keeps(project(), |repo| repo.file("README.md", "read me\n"));
}

#[test]
fn the_records_of_a_run_keep_the_key_of_a_context_that_holds_them() {
    let repo = project().file("build.toml", CONFIG.replace("\"app\"", "\".\""));
    let repo = repo.file("Dockerfile", "FROM scratch\nCOPY . /\n").commit("first");
    let dtbuild = Dtbuild::new(&repo);
    let before = plan(&dtbuild);
    dtbuild.run(["--env", "staging"]).succeeds();
    assert_eq!(image(&plan(&dtbuild), "app")["key"], image(&before, "app")["key"]);
}

#[test]
fn a_byte_changes_the_key() {
    changes(project(), |repo| repo.file("app/greeting.txt", "hallo\n"));
}

#[test]
fn an_executable_bit_changes_the_key() {
    changes(project(), |repo| repo.executable("app/greeting.txt", "hello\n"));
}

#[test]
fn a_renamed_file_changes_the_key() {
    changes(project(), |repo| repo.remove("app/greeting.txt").file("app/welcome.txt", "hello\n"));
}

#[test]
fn the_target_of_a_symbolic_link_changes_the_key() {
    let repo = project().link("app/link", "greeting.txt");
    changes(repo, |repo| repo.remove("app/link").link("app/link", "Dockerfile"));
}

#[test]
fn a_declared_build_argument_changes_the_key() {
    let repo = project().file("app/Dockerfile", "FROM scratch\nARG MODE\nCOPY . /\n");
    changes(repo.file("build.toml", config("args = { MODE = \"a\" }")), |repo| {
        repo.file("build.toml", config("args = { MODE = \"b\" }"))
    });
}

#[test]
fn an_undeclared_build_argument_keeps_the_key_and_is_noted() {
    keeps(project(), |repo| repo.file("build.toml", config("args = { MODE = \"a\" }")));
    let repo = project().file("build.toml", config("args = { MODE = \"a\" }")).commit("first");
    let plan = Dtbuild::new(&repo).plan("staging");
    let note = "the build argument `MODE` has no effect: the Dockerfile has no ARG of that name";
    assert_eq!(image(&plan, "app")["notes"], serde_json::json!([note]));
}

#[test]
fn the_dockerfile_changes_the_key() {
    // A comment cannot alter the image, but the bytes are what is promised.
    changes(project(), |repo| repo.file("app/Dockerfile", "# A comment.\nFROM scratch\nCOPY . /\n"));
}

#[test]
fn a_dockerfile_outside_of_the_context_changes_the_key() {
    let repo = project().file("build.toml", config("dockerfile = \"docker/app\""));
    let repo = repo.file("docker/app", "FROM scratch\nCOPY greeting.txt /\n");
    changes(repo, |repo| repo.file("docker/app", "FROM scratch\nCOPY . /\n"));
}

#[test]
fn the_target_changes_the_key() {
    let repo =
        project().file("app/Dockerfile", "FROM scratch AS one\nCOPY . /\nFROM one AS two\nLABEL a=b\n");
    changes(repo, |repo| repo.file("build.toml", config("target = \"one\"")));
}

#[test]
fn the_platform_changes_the_key() {
    let of = |platform: &str| config(&format!("platforms = [\"{platform}\"]"));
    changes(project().file("build.toml", of("linux/amd64")), |repo| {
        repo.file("build.toml", of("linux/arm64"))
    });
}

/// A `build.lock` that pins busybox to a digest of 64 times the digit.
fn lock(digit: &str) -> String {
    let all = "platforms = [\"linux/amd64\", \"linux/arm64\"]";
    format!("version = 2\n{all}\n\n[bases]\n\"busybox:1.36\" = \"sha256:{}\"\n", digit.repeat(64))
}

#[test]
fn the_digest_of_a_base_image_in_the_lock_changes_the_key() {
    let repo = project().file("app/Dockerfile", "FROM busybox:1.36\nCOPY . /\n");
    changes(repo.file("build.lock", lock("a")), |repo| repo.file("build.lock", lock("b")));
}

#[test]
fn a_base_image_that_moved_at_its_registry_changes_the_key() {
    let base = fresh_repository(&address()).tagged("1").unwrap();
    let repo = project().file("app/Dockerfile", format!("FROM {base}\nCOPY . /\n")).commit("first");
    let serve = |content: &[u8]| {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(client().push_artifact(&base, "application/vnd.example.base", content)).unwrap();
    };
    serve(b"old");
    let before = key(&repo);
    serve(b"new");
    // Each call is a machine of its own, so no answer of the last hour is in the way.
    assert_ne!(before, key(&repo));
}

#[test]
fn what_dockerignore_leaves_out_keeps_the_key() {
    let repo = project().file("app/.dockerignore", "*.md\n").file("app/NOTES.md", "old\n");
    keeps(repo, |repo| repo.file("app/NOTES.md", "new\n"));
}

#[test]
fn what_the_image_ignores_keeps_the_key() {
    let repo = project().file("build.toml", config("ignore = [\"app/**/*.md\"]"));
    keeps(repo.file("app/docs/NOTES.md", "old\n"), |repo| repo.file("app/docs/NOTES.md", "new\n"));
}

#[test]
fn a_declared_path_outside_of_the_context_changes_the_key() {
    let repo = project().file("build.toml", config("paths = [\"openapi/**\"]"));
    changes(repo.file("openapi/api.yml", "old\n"), |repo| repo.file("openapi/api.yml", "new\n"));
}

/// `build.toml` with a secret of this version.
fn secret(version: &str) -> String {
    config(&format!("secrets = [{{ id = \"npm\", env = \"NPM_TOKEN\", version = \"{version}\" }}]"))
}

#[test]
fn the_version_of_a_secret_changes_the_key() {
    changes(project().file("build.toml", secret("1")), |repo| repo.file("build.toml", secret("2")));
}

#[test]
fn the_value_of_a_secret_keeps_the_key_and_is_not_told() {
    let repo = project().file("build.toml", secret("1")).commit("first");
    let with = |value: &str| plan(&Dtbuild::new(&repo).variable("NPM_TOKEN", value));
    let (one, other) = (with("hunter1"), with("hunter2"));
    assert_eq!(image(&one, "app")["key"], image(&other, "app")["key"]);
    assert!(!one.to_string().contains("hunter"), "{one:#}");
}

#[test]
fn an_image_changes_with_the_image_that_it_is_built_from() {
    let chain = format!("{CONFIG}\n[images.lib]\ncontext = \"lib\"\n");
    let repo = project().file("build.toml", chain).file("app/Dockerfile", "FROM lib\nCOPY . /\n");
    let repo = repo.file("lib/Dockerfile", "FROM scratch\nCOPY . /\n").file("lib/code", "old\n");
    changes(repo, |repo| repo.file("lib/code", "new\n"));
}
