//! The plan that is decided from given facts.

use std::collections::BTreeMap;

use dtbuild_content::key::{ImageKey, KeyFields, SharedFields};
use proptest::prelude::*;

use super::*;
use crate::changed::{ChangeStatus, ChangedPath};
use crate::config::ImageName;

fn name(text: &str) -> ImageName {
    text.parse().unwrap()
}

fn key(seed: u8) -> ImageKey {
    ImageKey::from_bytes([seed; 32])
}

fn digest(seed: u8) -> Digest {
    format!("sha256:{}", format!("{seed:02x}").repeat(32)).parse().unwrap()
}

fn fields(tree: &str) -> KeyFields {
    KeyFields {
        schema: 1,
        dockerfile: "d".into(),
        target: None,
        platforms: Vec::new(),
        network: None,
        args: BTreeMap::new(),
        bases: BTreeMap::new(),
        secrets: BTreeMap::new(),
        contexts: [(String::new(), tree.to_owned())].into(),
        paths: None,
        attestations: BTreeMap::new(),
        images: BTreeMap::new(),
    }
}

fn image(text: &str, seed: u8) -> ImageFacts {
    ImageFacts {
        name: name(text),
        repository: format!("registry.example.com/{text}").parse().unwrap(),
        dockerfile: format!("{text}/Dockerfile"),
        key: key(seed),
        fields: fields(&format!("{text}{seed}")).into(),
        dependencies: [].into(),
        notes: Vec::new(),
        unknown_triggers: Vec::new(),
        lost: Vec::new(),
        changes: Vec::new(),
        unnamed: Unnamed::BaseMissing,
        stale: Vec::new(),
        cached: false,
        digest: None,
        released: true,
    }
}

fn runs(images: &[&ImageFacts]) -> Deployed {
    let image = |image: &&ImageFacts| {
        let running = DeployedImage {
            key: image.key,
            fields: image.fields.clone(),
            digest: Some(digest(1)),
            absent: None,
        };
        (image.name.clone(), running)
    };
    Deployed { deploy_inputs: None, deploy_settings: None, images: images.iter().map(image).collect() }
}

fn facts(images: Vec<ImageFacts>, current: Option<Deployed>) -> Facts {
    Facts {
        environment: Some("staging".parse().unwrap()),
        base: Base::None,
        head: Head::Commit { id: "0".repeat(40) },
        images,
        current,
        removed: Vec::new(),
        last_failed: false,
        deploy_inputs: None,
        deploy_settings: None,
        deploy_changes: Vec::new(),
        notes: Vec::new(),
        request: Request::default(),
    }
}

fn changed(path: &str) -> ChangedPath {
    ChangedPath { path: path.into(), status: ChangeStatus::Modified }
}

fn decisions(plan: &Plan) -> Vec<(&str, Decision)> {
    plan.images.iter().map(|image| (image.name.as_str(), image.decision)).collect()
}

#[test]
fn a_first_deployment_builds_what_the_cache_has_not_and_reuses_the_rest() {
    let hit = ImageFacts { cached: true, digest: Some(digest(7)), ..image("api", 1) };
    let plan = Plan::decide(&facts(vec![hit, image("client", 2)], None)).unwrap();
    assert_eq!(decisions(&plan), [("api", Decision::Reuse), ("client", Decision::Build)]);
    assert_eq!(plan.images[0].digest, Some(digest(7)));
    assert_eq!(plan.images[1].reasons, [Reason::NotDeployed, Reason::NotInCache]);
    assert_eq!(plan.deploy, DeployDecision::Deploy { reasons: vec![Reason::NotDeployed] });
}

#[test]
fn the_running_key_is_kept_without_asking_the_cache() {
    let api = image("api", 1);
    let plan = Plan::decide(&facts(vec![api.clone()], Some(runs(&[&api])))).unwrap();
    assert_eq!(decisions(&plan), [("api", Decision::Keep)]);
    assert!(plan.is_nothing());
}

#[test]
fn changed_paths_name_the_cause_but_never_decide() {
    let old = image("api", 1);
    let same = ImageFacts { changes: vec![changed("api/a.js")], ..old.clone() };
    let plan = Plan::decide(&facts(vec![same], Some(runs(&[&old])))).unwrap();
    assert_eq!(decisions(&plan), [("api", Decision::Keep)]);

    let new = ImageFacts { changes: vec![changed("api/a.js")], ..image("api", 2) };
    let plan = Plan::decide(&facts(vec![new], Some(runs(&[&old])))).unwrap();
    assert_eq!(plan.images[0].reasons, [Reason::PathChanged(changed("api/a.js")), Reason::NotInCache]);
}

#[test]
fn without_a_diff_the_fields_still_say_what_changed() {
    let old = image("api", 1);
    let mut new = image("api", 2);
    let changed = KeyFields {
        dockerfile: "other".into(),
        target: Some("prod".into()),
        args: [("A".into(), "2".into())].into(),
        bases: [("node:22".into(), "sha256:b".into())].into(),
        secrets: [("npm".into(), "2".into())].into(),
        images: [("base".into(), key(3))].into(),
        ..fields("api2")
    };
    new.fields = changed.into();
    let plan = Plan::decide(&facts(vec![new], Some(runs(&[&old])))).unwrap();
    let expected = [
        Reason::DockerfileChanged { path: "api/Dockerfile".into() },
        Reason::SettingChanged { setting: "target".into(), old: "default".into(), new: "prod".into() },
        Reason::ArgumentChanged { name: "A".into(), old: None, new: Some("2".into()) },
        Reason::BaseMoved { name: "node:22".into(), old: None, new: Some("sha256:b".into()) },
        Reason::SecretChanged { id: "npm".into() },
        Reason::DependencyChanged { image: name("base") },
        Reason::InputsChanged { why: Unnamed::BaseMissing },
        Reason::NotInCache,
    ];
    assert_eq!(plan.images[0].reasons, expected);
}

#[test]
fn fields_that_a_record_has_damaged_say_no_more_than_that_inputs_changed() {
    let mut running = runs(&[&image("api", 1)]);
    let damaged: SharedFields = serde_json::from_str("{\"schema\": 1}").unwrap();
    running.images.values_mut().for_each(|image| image.fields = damaged.clone());
    let plan = Plan::decide(&facts(vec![image("api", 2)], Some(running))).unwrap();
    assert_eq!(
        plan.images[0].reasons,
        [Reason::InputsChanged { why: Unnamed::BaseMissing }, Reason::NotInCache]
    );
}

#[test]
fn an_image_that_only_others_need_is_planned_when_one_of_them_is_built() {
    let base = ImageFacts { released: false, ..image("base", 1) };
    let app = ImageFacts { dependencies: [name("base")].into(), ..image("app", 2) };
    let plan = Plan::decide(&facts(vec![base.clone(), app.clone()], None)).unwrap();
    assert_eq!(decisions(&plan), [("base", Decision::Build), ("app", Decision::Build)]);
    assert_eq!(plan.images[1].dependencies, [name("base")]);

    let plan = Plan::decide(&facts(vec![base, app.clone()], Some(runs(&[&app])))).unwrap();
    assert_eq!(decisions(&plan), [("app", Decision::Keep)]);
}

#[test]
fn only_leaves_the_other_images_as_they_run() {
    let (old, client) = (image("api", 1), image("client", 2));
    let mut facts = facts(vec![image("api", 3), client], Some(runs(&[&old, &image("client", 4)])));
    facts.request.only = Some([name("client")].into());
    let plan = Plan::decide(&facts).unwrap();
    assert_eq!(decisions(&plan), [("api", Decision::Keep), ("client", Decision::Build)]);
    assert_eq!((plan.images[0].key, &plan.images[0].reasons[..]), (key(1), &[Reason::LeftOut][..]));

    facts.current = None;
    assert!(matches!(Plan::decide(&facts), Err(PlanError::Incomplete { .. })));
    facts.request.deploying = Deploying::No(NoDeploy::NoDeploy);
    assert_eq!(decisions(&Plan::decide(&facts).unwrap()), [("client", Decision::Build)]);
}

/// The reason to build an image with unpinned remote content.
fn fetched() -> Vec<Reason> {
    vec![Reason::StaleRemote { file: "lib/Dockerfile".into(), line: 2, url: "https://a.example/b".into() }]
}

#[test]
fn what_nothing_fixes_is_built_at_every_run_and_so_is_what_is_built_from_it() {
    let hit = |text: &str, seed| ImageFacts { cached: true, digest: Some(digest(1)), ..image(text, seed) };
    let lib = ImageFacts { stale: fetched(), released: false, ..hit("lib", 1) };
    let app = ImageFacts { dependencies: [name("lib")].into(), ..hit("app", 2) };
    let other = hit("other", 3);
    let running = runs(&[&app, &other]);
    let plan = Plan::decide(&facts(vec![lib, other, app], Some(running))).unwrap();
    let expected = [("lib", Decision::Build), ("other", Decision::Keep), ("app", Decision::Build)];
    assert_eq!(decisions(&plan), expected);
    assert_eq!(plan.images[2].reasons, fetched());
    let reasons = vec![Reason::ReleaseChanged { image: name("app") }];
    assert_eq!(plan.deploy, DeployDecision::Deploy { reasons });
}

#[test]
fn a_deployment_that_is_asked_for_takes_what_was_built_last_of_what_nothing_fixes() {
    let api = ImageFacts { stale: fetched(), cached: true, digest: Some(digest(7)), ..image("api", 1) };
    let mut facts = facts(vec![api.clone()], Some(runs(&[&api])));
    facts.request.deploying = Deploying::Anyway;
    let plan = Plan::decide(&facts).unwrap();
    assert_eq!(decisions(&plan), [("api", Decision::Reuse)]);
    assert_eq!(plan.images[0].digest, Some(digest(7)), "not the one that runs");
}

#[test]
fn force_builds_what_the_cache_has() {
    let api = ImageFacts { cached: true, digest: Some(digest(1)), ..image("api", 1) };
    let mut facts = facts(vec![api.clone()], Some(runs(&[&api])));
    facts.request.force = true;
    let plan = Plan::decide(&facts).unwrap();
    assert_eq!(plan.images[0].reasons, [Reason::Forced]);
    assert!(matches!(plan.deploy, DeployDecision::Deploy { .. }));
}

#[test]
fn a_failed_deployment_is_done_again_though_nothing_changed() {
    let api = image("api", 1);
    let mut facts = facts(vec![api.clone()], Some(runs(&[&api])));
    facts.last_failed = true;
    let plan = Plan::decide(&facts).unwrap();
    assert_eq!(plan.deploy, DeployDecision::Deploy { reasons: vec![Reason::LastDeploymentFailed] });
    assert_eq!(plan.builds().count(), 0);
}

#[test]
fn a_change_to_the_playbook_deploys_and_builds_nothing() {
    let api = image("api", 1);
    let mut facts = facts(vec![api.clone()], Some(runs(&[&api])));
    facts.deploy_inputs = Some("2".into());
    facts.deploy_changes = vec![changed("ansible/site.yml")];
    let plan = Plan::decide(&facts).unwrap();
    let reasons = vec![Reason::DeployPathChanged(changed("ansible/site.yml"))];
    assert_eq!(plan.deploy, DeployDecision::Deploy { reasons });
    assert_eq!(plan.builds().count(), 0);
}

#[test]
fn an_image_that_left_the_environment_deploys() {
    let (api, gone) = (image("api", 1), image("gone", 2));
    let plan = Plan::decide(&facts(vec![api.clone()], Some(runs(&[&api, &gone])))).unwrap();
    let reasons = vec![Reason::ReleaseChanged { image: name("gone") }];
    assert_eq!(plan.deploy, DeployDecision::Deploy { reasons });
}

fn lost(file: &str) -> Reason {
    let (file, name, tried) = (file.to_owned(), "debian:12".to_owned(), vec!["nobody tells".to_owned()]);
    Reason::BaseUnknown(LostBase { file, line: 1, name, tried })
}

#[test]
fn an_image_whose_key_is_not_known_is_unknown_and_the_others_are_decided() {
    let base = ImageFacts { lost: vec![lost("base/Dockerfile")], released: false, ..image("base", 1) };
    let app = ImageFacts {
        lost: vec![lost("base/Dockerfile")],
        dependencies: [name("base")].into(),
        ..image("app", 2)
    };
    let facts = facts(vec![base, image("api", 3), app], None);
    let plan = Plan::decide(&facts).unwrap();
    assert_eq!(decisions(&plan), [("api", Decision::Build)]);
    let unknown: Vec<_> =
        plan.unknown.iter().map(|image| (image.name.as_str(), image.reasons.clone())).collect();
    assert_eq!(unknown, [("app", vec![lost("base/Dockerfile")])]);
    assert!(plan.lacks_decisions() && !plan.is_nothing());
    assert_eq!(plan.deploy, DeployDecision::Nothing { reason: NoDeploy::Undecided });
    let told = plan.check_decided().unwrap_err().to_string();
    assert_eq!(
        told,
        "`app` is unknown: base/Dockerfile:1: the base image `debian:12` cannot be had: nobody tells"
    );
}

#[test]
fn what_only_leaves_out_need_not_be_known_where_it_runs_or_nothing_is_deployed() {
    let app = ImageFacts { lost: vec![lost("app/Dockerfile")], ..image("app", 2) };
    let only = |current, deploying| {
        let request = Request { only: Some([name("api")].into()), deploying, ..Request::default() };
        let facts = Facts { request, ..facts(vec![image("api", 3), app.clone()], current) };
        Plan::decide(&facts).unwrap()
    };
    let runs_it = only(Some(runs(&[&app])), Deploying::AsPlanned);
    assert_eq!(decisions(&runs_it), [("api", Decision::Build), ("app", Decision::Keep)]);
    assert!(runs_it.check_decided().is_ok());
    assert!(only(None, Deploying::No(NoDeploy::NoDeploy)).check_decided().is_ok());
    let never_ran = only(None, Deploying::AsPlanned);
    assert!(!never_ran.lacks_decisions(), "nobody asked for it");
    assert!(never_ran.check_decided().is_err(), "the release would lack it");
}

proptest! {
    /// The law: an image is built if and only if its key is neither running nor in the cache.
    #[test]
    fn the_key_decides(running in proptest::option::of(0u8..3), now in 0u8..3, hit: bool, noise: bool) {
        let facts_of = |seed| image("api", seed);
        let mut new = facts_of(now);
        new.cached = hit;
        if noise { new.changes.push(changed("api/x")); }
        let plan = Plan::decide(&facts(vec![new], running.map(|seed| runs(&[&facts_of(seed)])))).unwrap();
        let expected = match (running == Some(now), hit) {
            (true, _) => Decision::Keep,
            (false, true) => Decision::Reuse,
            (false, false) => Decision::Build,
        };
        prop_assert_eq!(plan.images[0].decision, expected);
    }
}
