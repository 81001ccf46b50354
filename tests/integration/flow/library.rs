//! The CD step without a command line: two repositories, side by side in one process, as a server would run them.

use dtbuild::clients::{Clients, Options};
use dtbuild::deploy::Release;
use dtbuild::events::{Event, EventSink};
use dtbuild::gather::{Query, ReleaseOptions};
use dtbuild::git::CommitId;
use dtbuild::process::Timings;
use dtbuild::release::{BuildSettings, CdStep, Ended, Observer};
use dtbuild::workspace::{Location, Workspace};
use dtbuild_content::fingerprint::Fingerprint;

use super::bench::Bench;

const CONFIG: &str = r#"
[project]
name = "shop"
registry = "registry.invalid/shop"

[images.site]
context = "site"

[records]
folder = ".dtbuild/records"

[environments.staging]
branch = "main"

[environments.staging.deploy]
command = ["sh", "-c", "mkdir -p .dtbuild; cat \"$DTBUILD_RELEASE\" >> .dtbuild/released"]
"#;

/// A run of the CD step: its release, where there was something to do, and the images that it built.
struct Ran {
    release: Option<Release>,
    built: Vec<String>,
}

async fn run(clients: &Clients, bench: &Bench) -> Ran {
    let location = Location {
        directory: bench.repo.root().to_owned(),
        registry: Some(bench.registry.clone()),
        code: Fingerprint::of("a test"),
    };
    let workspace = Workspace::at_commit(&location, "HEAD").unwrap();
    let environment = Some("staging".parse().unwrap());
    let query = Query::release(&workspace, ReleaseOptions { environment, ..ReleaseOptions::default() });
    let (query, timings) = (query.unwrap(), Timings::default());
    let settings = BuildSettings::default();
    let (workspace, query, wait) = (&workspace, &query, std::time::Duration::ZERO);
    let step = CdStep { clients, workspace, query, settings, wait, timings: &timings };
    let prepared = step.prepare().await.unwrap();
    if prepared.plan.is_nothing() {
        return Ran { release: None, built: Vec::new() };
    }
    let (events, mut told) = EventSink::channel();
    let observer = Observer { events, cancel: tokio_util::sync::CancellationToken::new() };
    let Ended::Released(release) = step.execute(prepared, &observer).await.unwrap() else {
        panic!("somebody else deployed")
    };
    drop(observer);
    let mut built = Vec::new();
    while let Some(event) = told.recv().await {
        if let Event::ImageStarted { image, .. } = event {
            built.push(image.to_string());
        }
    }
    Ran { release: Some(release), built }
}

fn deployed(bench: &Bench) -> usize {
    let released = std::fs::read_to_string(bench.repo.path(".dtbuild/released")).unwrap();
    released.matches("\"images\"").count()
}

#[test]
fn two_repositories_are_released_twice_in_one_process_side_by_side() {
    let (one, two) = (Bench::with(CONFIG), Bench::with(CONFIG));
    two.write("site/page", "another shop\n");
    two.commit("another page");
    let clients = Clients::new(Options::default());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let both = || runtime.block_on(async { tokio::join!(run(&clients, &one), run(&clients, &two)) });

    let (first, second) = both();
    for (bench, ran) in [(&one, &first), (&two, &second)] {
        assert_eq!(ran.built, ["site"]);
        let release = ran.release.as_ref().unwrap();
        let commit = release.commit.as_deref().map(str::parse::<CommitId>);
        assert_eq!(commit.unwrap().unwrap().to_string(), bench.repo.head());
        let reference = release.images.values().next().unwrap().to_string();
        assert_eq!(
            reference.split_once('@').unwrap().1,
            bench.digest("site", "staging").unwrap(),
            "the tag names what was released"
        );
        assert_eq!(bench.outcome(), "succeeded");
        assert_eq!(deployed(bench), 1);
    }
    assert_ne!(first.release.unwrap().images, second.release.unwrap().images);

    let (first, second) = both();
    assert!(first.release.is_none() && second.release.is_none(), "nothing is to do");

    one.write("site/page", "hello again\n");
    one.commit("a new page");
    let (first, second) = both();
    assert_eq!((first.built, second.release.is_none()), (vec!["site".to_owned()], true));
    assert_eq!((deployed(&one), deployed(&two)), (2, 1));
}
