//! The preview: what a run would do and why, for people and for programs; and the help.

use crate::support::dtbuild::{CONFIG, Dtbuild, decisions, image, project, reasons};
use crate::support::registry::tags;
use crate::support::repo::TestRepo;

/// Two images, `app` and `lib`.
fn two_images() -> TestRepo {
    let more = format!("{CONFIG}\n[images.lib]\ncontext = \"lib\"\n");
    project()
        .file("build.toml", more)
        .file("lib/Dockerfile", "FROM scratch\nCOPY . /\n")
        .file("lib/code", "1\n")
}

/// Two images, deployed to `staging`; then a commit that changes `app`.
fn app_changed() -> (TestRepo, Dtbuild) {
    let repo = two_images().commit("first");
    let dtbuild = Dtbuild::new(&repo);
    dtbuild.run(["--env", "staging"]).succeeds();
    (repo.file("app/greeting.txt", "good day\n").commit("second"), dtbuild)
}

#[test]
fn a_dry_run_is_the_plan_and_changes_nothing() {
    let repo = project().commit("first");
    let dtbuild = Dtbuild::new(&repo);
    let dry = dtbuild.run(["--env", "staging", "--dry-run", "--json"]).json();
    assert_eq!(dry, dtbuild.plan("staging"));
    assert_eq!(dry["version"], 1);
    assert!(tags(&format!("{}/app", dtbuild.registry())).is_empty());
    assert_eq!(repo.git(["status", "--porcelain", "--ignored"]), "");
}

#[test]
fn the_changed_path_is_the_cause() {
    let (repo, dtbuild) = app_changed();
    let plan = dtbuild.plan("staging");
    assert_eq!(plan["base"]["state"], "known");
    assert_eq!(plan["base"]["commit"], repo.git(["rev-parse", "HEAD~1"]));
    assert_eq!(decisions(&plan), ["app build", "lib keep"]);
    let cause = &image(&plan, "app")["reasons"][0];
    let expected =
        serde_json::json!({ "reason": "path-changed", "path": "app/greeting.txt", "status": "modified" });
    assert_eq!(*cause, expected);
    assert_eq!(reasons(&plan["deploy"]["reasons"]), ["release-changed"]);
    let shown = dtbuild.run(["plan", "--env", "staging"]).succeeds().stdout;
    assert!(shown.contains("app  build  app/greeting.txt modified"), "{shown}");
    assert!(shown.ends_with("1 to build, 1 kept; deploys staging\n"), "{shown}");
}

#[test]
fn the_detailed_exit_code_says_whether_something_is_to_be_built() {
    let repo = project().commit("first");
    let dtbuild = Dtbuild::new(&repo);
    let plan = ["plan", "--env", "staging", "--detailed-exitcode"];
    let dry_run = ["--env", "staging", "--dry-run", "--detailed-exitcode"];
    assert_eq!((dtbuild.run(plan).code, dtbuild.run(dry_run).code), (Some(10), Some(10)));
    assert_eq!(dtbuild.run(["plan", "--env", "staging"]).code, Some(0), "nobody asked");
    dtbuild.run(["--env", "staging"]).succeeds();
    assert_eq!((dtbuild.run(plan).code, dtbuild.run(dry_run).code), (Some(0), Some(0)));
}

#[test]
fn only_leaves_the_other_images_as_they_run() {
    let (repo, dtbuild) = app_changed();
    let _repo = repo.file("lib/code", "2\n").commit("third");
    let plan = dtbuild.run(["plan", "--env", "staging", "--only", "lib", "--json"]).json();
    assert_eq!(decisions(&plan), ["app keep", "lib build"]);
    assert_eq!(reasons(&image(&plan, "app")["reasons"]), ["left-out"]);
}

#[test]
fn only_cannot_leave_out_what_never_ran() {
    let repo = two_images().commit("first");
    let texts =
        ["`--only` leaves out `app`, which `staging` does not run yet", "deploy all of its images once"];
    Dtbuild::new(&repo).run(["plan", "--env", "staging", "--only", "lib"]).fails(2, &texts);
}

#[test]
fn force_builds_what_is_there() {
    let repo = project().commit("first");
    let dtbuild = Dtbuild::new(&repo);
    dtbuild.run(["--env", "staging"]).succeeds();
    let plan = dtbuild.run(["plan", "--env", "staging", "--force", "--json"]).json();
    assert_eq!(decisions(&plan), ["app build"]);
    assert_eq!(reasons(&image(&plan, "app")["reasons"]), ["forced"]);
}

#[test]
fn a_base_that_is_named_explains_and_decides_nothing() {
    let (repo, dtbuild) = app_changed();
    let head = repo.head();
    let plan = dtbuild.run(["plan", "--env", "staging", "--base", &head, "--json"]).json();
    assert_eq!(plan["base"]["commit"], head);
    assert_eq!(decisions(&plan), ["app build", "lib keep"], "the key decides, not the empty diff");
}

#[test]
fn nothing_to_do_says_what_runs_and_not_what_was_compared() {
    let (repo, dtbuild) = app_changed();
    dtbuild.run(["--env", "staging"]).succeeds();
    let head = &repo.head()[..7];
    let idle = format!("nothing to do: staging runs the images of {head}\n");
    for arguments in [&["--env", "staging"][..], &["plan", "--env", "staging", "--base", "HEAD~1"]] {
        let shown = dtbuild.run(arguments.iter().copied()).succeeds().stdout;
        assert!(shown.ends_with(&idle), "{shown}");
    }
    let repo = repo.file("app/greeting.txt", "good night\n").commit("third");
    let shown = dtbuild.run(["plan", "--env", "staging", "--only", "lib"]).succeeds().stdout;
    assert!(shown.ends_with("nothing to do: staging runs the images that `--only` names\n"), "{shown}");
    drop(repo);
}

#[test]
fn a_base_that_is_no_commit_is_refused() {
    let repo = project().commit("first");
    let texts = ["`v1` names no commit", "git branch --all"];
    Dtbuild::new(&repo).run(["plan", "--env", "staging", "--base", "v1"]).fails(3, &texts);
}

#[test]
fn a_head_that_is_named_is_what_is_planned() {
    let (repo, dtbuild) = app_changed();
    let plan = dtbuild.run(["plan", "--env", "staging", "--head", "HEAD~1", "--json"]).json();
    assert_eq!(plan["head"]["id"], repo.git(["rev-parse", "HEAD~1"]));
    assert_eq!(decisions(&plan), ["app keep", "lib keep"]);
    assert_eq!(plan["deploy"]["decision"], "nothing");
}

#[test]
fn the_environment_runs_the_images_of_the_head_it_is_given() {
    let (_repo, dtbuild) = app_changed();
    dtbuild.run(["--env", "staging"]).succeeds();
    let back = ["plan", "--env", "staging", "--head", "HEAD~1", "--json"];
    let plan = dtbuild.run(back).json();
    assert_eq!((decisions(&plan), &plan["deploy"]["decision"]), (Vec::new(), &"nothing".into()));
    let shown = dtbuild.run(&back[..5]).succeeds().stdout;
    assert!(shown.contains("superseded: staging runs a newer commit"), "{shown}");
    let plan = dtbuild.run(back.iter().chain(&["--allow-older"])).json();
    assert_eq!(decisions(&plan), ["app reuse", "lib keep"], "going back builds nothing");
}

#[test]
fn another_folder_is_as_good_as_being_there() {
    let repo = project().commit("first");
    let dtbuild = Dtbuild::new(&repo);
    let elsewhere = tempfile::tempdir().unwrap();
    let root = repo.root().to_str().unwrap();
    let away = dtbuild.at(elsewhere.path());
    let named = away.run(["-C", root, "plan", "--env", "staging", "--json"]).json();
    let behind = away.run(["plan", "--env", "staging", "--json", "-C", root]).json();
    let below = dtbuild.at(&repo.path("app")).plan("staging");
    let there = dtbuild.plan("staging");
    assert_eq!([&named, &behind, &below], [&there; 3]);
}

#[test]
fn what_every_command_has_may_stand_before_the_command() {
    let repo = project().commit("first");
    let dtbuild = Dtbuild::new(&repo);
    assert_eq!(dtbuild.run(["--json", "plan", "--env", "staging"]).json(), dtbuild.plan("staging"));
}

#[test]
fn an_option_of_the_cd_step_before_a_command_is_refused() {
    let repo = project().commit("first");
    let texts = ["`--env` stands before `plan`; write the options of `plan` after it"];
    Dtbuild::new(&repo).run(["--env", "staging", "plan"]).fails(2, &texts);
}

#[test]
fn an_error_is_json_on_stdout_for_programs() {
    let repo = project().commit("first");
    let ended = Dtbuild::new(&repo).run(["plan", "--env", "stagging", "--json"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(2), ""));
    let told: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    let error = serde_json::json!({
        "message": "build.toml declares no environment `stagging`",
        "causes": [],
        "code": "not-declared",
        "hint": "did you mean `staging`?",
    });
    assert_eq!(told, serde_json::json!({ "version": 1, "error": error }));
}

#[test]
fn every_help_has_examples() {
    let repo = TestRepo::new();
    let dtbuild = Dtbuild::new(&repo);
    let help = dtbuild.run(["--help"]).succeeds().stdout;
    assert!(help.contains("Examples:\n  dtbuild --env staging "), "{help}");
    assert!(help.contains("Exit codes:\n  0 done"), "{help}");
    for command in ["plan", "build", "deploy", "status", "lock"] {
        assert!(help.contains(&format!("\n  {command} ")), "{help}");
        let help = dtbuild.run([command, "--help"]).succeeds().stdout;
        assert!(help.contains(&format!("Examples:\n  dtbuild {command} ")) || command == "deploy", "{help}");
        assert!(help.contains(&format!("dtbuild {command} ")), "{help}");
    }
}

#[test]
fn a_word_that_is_no_option_is_refused_with_what_was_meant() {
    let repo = project().commit("first");
    let texts = ["unexpected argument '--enviroment'", "--help"];
    Dtbuild::new(&repo).run(["plan", "--enviroment", "staging"]).fails(2, &texts);
}
