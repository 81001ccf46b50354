//! Tests of the plan's view in both formats.

use super::*;
use crate::plan::{LostBase, NoDeploy, Unnamed};
use crate::ui::samples::{changed, image, planned};
use crate::ui::schemas::assert_valid;
use crate::ui::view::{self, json_of};

const OLD: &str = "9f8e7d6c5b4a39281706f5e4d3c2b1a099887766";
const NEW: &str = "a1b2c3d4e5f60718293a4b5c6d7e8f9001122334";

fn plan(base: Base, images: Vec<PlannedImage>, deploy: DeployDecision) -> Plan {
    let environment = "staging".parse().ok();
    let head = Head::Commit { id: NEW.into() };
    let (unknown, removed, notes) = (Vec::new(), Vec::new(), Vec::new());
    Plan {
        environment,
        base,
        head,
        images,
        unknown,
        removed,
        deploy,
        deploy_inputs: None,
        deploy_settings: None,
        notes,
    }
}

fn known() -> Base {
    Base::Known { commit: OLD.into() }
}

fn nothing(reason: NoDeploy) -> DeployDecision {
    DeployDecision::Nothing { reason }
}

fn deploy(reasons: Vec<Reason>) -> DeployDecision {
    DeployDecision::Deploy { reasons }
}

fn shown(plan: &Plan) -> String {
    view::shown(plan, false)
}

#[test]
fn every_decision_names_its_reasons() {
    let mut base = planned("base", Decision::Reuse, vec![Reason::InCache]);
    base.released = false;
    let mut reasons = vec![Reason::NotInCache];
    reasons
        .extend((0..7).map(|number| Reason::PathChanged(changed(&format!("containers/client/{number}.js")))));
    reasons.push(Reason::DependencyChanged { image: image("base") });
    let images = vec![
        base,
        planned("client", Decision::Build, reasons),
        planned("api", Decision::Keep, vec![Reason::Unchanged]),
    ];
    let client = Reason::ReleaseChanged { image: image("client") };
    let site = Reason::DeployPathChanged(changed("ansible/site.yml"));
    insta::assert_snapshot!(shown(&plan(known(), images, deploy(vec![client, site]))), @r"
    staging: 9f8e7d6..a1b2c3d
      base    reuse  an image of this key exists
                     not deployed itself: other images are built from it
      client  build  built from `base`, which changed
                     containers/client/0.js modified
                     containers/client/1.js modified
                     containers/client/2.js modified
                     containers/client/3.js modified
                     containers/client/4.js modified
                     and 2 more
      api     keep   unchanged
    deploy staging  `client` is not the image that runs
                    ansible/site.yml modified, which the deployment reads
    1 to build, 1 reused, 1 kept; deploys staging
    ");
}

#[test]
fn notes_that_belong_to_no_image_stand_below_the_images() {
    let images = vec![planned("api", Decision::Keep, vec![Reason::Unchanged])];
    let notes = vec!["build.toml:9: `nope/**` in `deploy.paths` matches nothing".to_owned()];
    let told = Plan { notes, ..plan(known(), images, nothing(NoDeploy::Unchanged)) };
    insta::assert_snapshot!(shown(&told), @r"
    staging: 9f8e7d6..a1b2c3d
      api  keep   unchanged
    note: build.toml:9: `nope/**` in `deploy.paths` matches nothing
    nothing to do: staging runs the images of a1b2c3d
    ");
    assert_valid("plan", &serde_json::from_str(&json_of(&told)).unwrap());
    assert!(include_str!("../../../docs/plan.md").contains("\n| `notes` | array, absent"));
}

#[test]
fn an_image_that_left_the_release_stands_in_the_plan() {
    let images = vec![planned("api", Decision::Keep, vec![Reason::Unchanged])];
    let reasons = vec![Reason::ReleaseChanged { image: image("worker") }];
    let smaller = Plan { removed: vec![image("worker")], ..plan(known(), images, deploy(reasons)) };
    insta::assert_snapshot!(shown(&smaller), @r"
    staging: 9f8e7d6..a1b2c3d
      api     keep   unchanged
      worker  drop   no part of the release any more
    deploy staging  `worker` is not the image that runs
    1 kept; deploys staging
    ");
    assert_valid("plan", &serde_json::from_str(&json_of(&smaller)).unwrap());
    assert!(include_str!("../../../docs/plan.md").contains("\n| `removed` | array, absent"));
}

#[test]
fn a_first_deployment_says_so() {
    let reasons = || vec![Reason::NotDeployed, Reason::NotInCache];
    let images =
        vec![planned("client", Decision::Build, reasons()), planned("db", Decision::Build, reasons())];
    insta::assert_snapshot!(shown(&plan(Base::None, images, deploy(vec![Reason::NotDeployed]))), @r"
    staging: a1b2c3d, the first deployment
      client  build  not deployed yet
      db      build  not deployed yet
    deploy staging  not deployed yet
    2 to build; deploys staging
    ");
}

#[test]
fn a_missing_base_says_why_and_what_it_costs() {
    let base = Base::Missing { commit: OLD.into(), reason: "the clone is shallow".into() };
    let images = vec![
        planned(
            "client",
            Decision::Build,
            vec![Reason::InputsChanged { why: Unnamed::BaseMissing }, Reason::NotInCache],
        ),
        planned("db", Decision::Keep, vec![Reason::Unchanged]),
    ];
    insta::assert_snapshot!(shown(&plan(base, images, nothing(NoDeploy::NoDeploy))), @r"
    staging: 9f8e7d6..a1b2c3d
      9f8e7d6 is not in this clone: the clone is shallow; keys alone decide, causes are not named
      client  build  its inputs changed; which paths, only the base commit could tell
      db      keep   unchanged
    1 to build, 1 kept; no deployment: `--no-deploy` was given
    ");
}

#[test]
fn nothing_to_do_is_one_clear_line() {
    let images = || vec![planned("client", Decision::Keep, vec![Reason::Unchanged])];
    let idle = || nothing(NoDeploy::Unchanged);
    insta::assert_snapshot!(shown(&plan(known(), images(), idle())), @r"
    staging: 9f8e7d6..a1b2c3d
      client  keep   unchanged
    nothing to do: staging runs the images of a1b2c3d
    ");
    let left_out = planned("api", Decision::Keep, vec![Reason::LeftOut]);
    let some = plan(known(), [images(), vec![left_out]].concat(), idle());
    assert!(shown(&some).ends_with("\nnothing to do: staging runs the images that `--only` names\n"));
}

#[test]
fn a_local_plan_names_no_environment() {
    let images = vec![planned("client", Decision::Build, vec![Reason::NotInCache])];
    let mut plan = plan(Base::None, images, nothing(NoDeploy::LocalBuild));
    plan.environment = None;
    plan.head = Head::WorkingTree { commit: Some(NEW.into()) };
    insta::assert_snapshot!(shown(&plan), @r"
    the working tree (on a1b2c3d)
      client  build  no image of this key exists yet
    1 to build; no deployment: a local build is not deployed
    ");
}

#[test]
fn a_path_cannot_write_to_the_terminal() {
    let reasons = vec![Reason::PathChanged(changed("a\u{1b}[2J\nb"))];
    let images = vec![planned("client", Decision::Build, reasons)];
    let shown = shown(&plan(known(), images, nothing(NoDeploy::Unchanged)));
    assert!(shown.contains("a\\u{1b}[2J\\nb modified"), "{shown}");
}

#[test]
fn an_unknown_image_says_what_was_tried_and_the_ways_out() {
    let lost = LostBase {
        file: "containers/api/Dockerfile".into(),
        line: 1,
        name: "debian:12".into(),
        tried: vec!["build.lock does not name it".into(), "no\nregistry answers".into()],
    };
    let reasons = vec![Reason::BaseUnknown(lost)];
    let (name, repository) = (image("api"), "registry.example.com/datatube/api".parse().unwrap());
    let mut plan = plan(
        known(),
        vec![planned("client", Decision::Keep, vec![Reason::Unchanged])],
        nothing(NoDeploy::Undecided),
    );
    plan.unknown = vec![UnknownImage { name, reasons, notes: Vec::new(), repository }];
    insta::assert_snapshot!(shown(&plan), @r#"
    staging: 9f8e7d6..a1b2c3d
      client  keep   unchanged
      api     unknown  containers/api/Dockerfile:1: the base image `debian:12` cannot be had: build.lock does not name it; no registry answers
    hint: any of these makes a base image known: `dtbuild lock` where its registry can be reached, and build.lock committed; a mirror that the engine pulls Docker Hub's images from; `bases = "name"` in build.toml, which asks nobody; for `dtbuild build`, an image of that name on this machine's engine
    1 kept, 1 unknown; no deployment: an image is unknown
    "#);
    let json: serde_json::Value = serde_json::from_str(&json_of(&plan)).unwrap();
    assert_valid("plan", &json);
    let (client, api) = (json["images"][0].as_object().unwrap(), json["images"][1].as_object().unwrap());
    assert!(client.keys().eq(api.keys()), "both have the same fields");
    assert_eq!((&api["decision"], &api["key"]), (&"unknown".into(), &serde_json::Value::Null));
}

#[test]
fn json_is_the_plan_with_a_version() {
    let images = vec![planned("client", Decision::Build, vec![Reason::PathChanged(changed("a"))])];
    let printed = json_of(&plan(known(), images, nothing(NoDeploy::NoDeploy)));
    let json: serde_json::Value = serde_json::from_str(&printed).unwrap();
    assert_valid("plan", &json);
    assert_eq!(json["version"], 1);
    assert_eq!(json["base"]["commit"], OLD);
    assert_eq!(json["images"][0]["reasons"][0]["path"], "a");
    let page = include_str!("../../../docs/plan.md");
    let image = json["images"][0].as_object().unwrap();
    for field in json.as_object().unwrap().keys().chain(image.keys()) {
        assert!(page.contains(&format!("\n| `{field}` |")), "docs/plan.md is silent about `{field}`");
    }
}
