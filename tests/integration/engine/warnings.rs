//! What BuildKit's linter says of a Dockerfile: told once, with its line and its page.

use dtbuild::events::{BuildWarning, Event};

use super::bridge::{Bridge, Side};
use super::fixture::{Files, build, docker, engine, failure, request, variable};
use crate::support::dtbuild::{CONFIG, Dtbuild};
use crate::support::repo::TestRepo;
use dtbuild::engine::buildkitd::Buildkitd;
use dtbuild::engine::endpoint::Endpoint;
use dtbuild::engine::{Engine, Output};

const ENGINE: &str = "DTBUILD_TEST_ENGINE_28";
const LINTED: &str = "FROM scratch as one\nCOPY busybox /\nENV A b\n";

fn warnings(events: &[Event]) -> Vec<&BuildWarning> {
    let of = |event: &'_ Event| matches!(event, Event::ImageWarning { .. });
    let warnings = events.iter().filter(|event| of(event)).map(|event| match event {
        Event::ImageWarning { warning, .. } => warning,
        _ => unreachable!(),
    });
    warnings.collect()
}

/// The rules that the engine tells of, with their lines.
async fn rules(engine: &impl Engine, text: &str, output: Output) -> Vec<(String, usize)> {
    let mut request = request("linted", text, &Files::with_busybox());
    request.output = output;
    let (result, events) = build(engine, &request).await;
    result.unwrap();
    let told = warnings(&events).into_iter().map(|warning| {
        let page = warning.url.as_deref().unwrap_or_default();
        assert!(page.starts_with("https://docs.docker.com/go/dockerfile/rule/"), "{warning:?}");
        assert!(!warning.message.contains("(line"), "{warning:?}");
        (warning.rule.clone().unwrap(), warning.line.unwrap())
    });
    let mut rules: Vec<(String, usize)> = told.collect();
    rules.sort();
    rules
}

fn expected() -> Vec<(String, usize)> {
    [("FromAsCasing", 1), ("LegacyKeyValueFormat", 3)].map(|(rule, line)| (rule.to_owned(), line)).into()
}

#[tokio::test]
async fn the_linter_is_heard_over_dockers_api_and_over_buildkits() {
    assert_eq!(rules(&engine(ENGINE).await, LINTED, Output::Load).await, expected());
    let bridge = Bridge::to(&variable("DTBUILD_TEST_ENGINE_28_CONTAINERD"), Side::BuildKit, None).await;
    let endpoint = Endpoint::parse(&format!("buildkit+tcp://{}", bridge.address), None).unwrap();
    let buildkitd = Buildkitd::connect(endpoint).await.unwrap();
    assert_eq!(rules(&buildkitd, LINTED, Output::Push).await, expected());
}

#[tokio::test]
async fn engines_without_a_linter_say_nothing() {
    let docker = docker().await;
    let info = docker.describe().await.unwrap();
    let major: u32 = info.version.split('.').next().unwrap().parse().unwrap();
    let linted = info.has_buildkit() && major >= 27;
    let told = rules(&docker, LINTED, Output::Load).await;
    assert_eq!(told, if linted { expected() } else { Vec::new() });
}

#[tokio::test]
async fn the_dockerfile_says_what_the_linter_does() {
    let docker = engine(ENGINE).await;
    let skipped = format!("# check=skip=all\n{LINTED}");
    assert!(rules(&docker, &skipped, Output::Load).await.is_empty());

    let failing = request("linted", &format!("# check=error=true\n{LINTED}"), &Files::with_busybox());
    let failure = failure(build(&docker, &failing).await.0);
    assert_eq!(failure.line, Some(2), "{failure:?}");
    let says = [
        "linted/Dockerfile:2: `# check=error=true`",
        "FromAsCasing (line 2)",
        "LegacyKeyValueFormat (line 4)",
    ];
    assert!(says.iter().all(|text| failure.message.contains(text)), "{failure:?}");
}

#[tokio::test]
async fn every_renderer_shows_a_warning_once() {
    // Two images of one Dockerfile.
    let config = format!("{CONFIG}\n[images.two]\ncontext = \"app\"\nargs = {{ TWO = \"2\" }}\n");
    let text = format!("{LINTED}ARG TWO\n");
    let repo = TestRepo::new().file("build.toml", config).file("app/Dockerfile", text);
    let repo = repo.executable("app/busybox", std::fs::read("/bin/busybox").unwrap());
    let dtbuild = Dtbuild::new(&repo).variable("DOCKER_HOST", variable(ENGINE));
    let told = |dtbuild: &Dtbuild, mode: &str| {
        dtbuild.run(["build", "--force", "--progress", mode]).succeeds().stderr
    };
    let plain = told(&dtbuild, "plain");
    assert_eq!(plain.matches("warning: app/Dockerfile:1: FromAsCasing: ").count(), 1, "{plain}");
    assert_eq!(
        plain.matches("(https://docs.docker.com/go/dockerfile/rule/from-as-casing/)").count(),
        1,
        "{plain}"
    );
    let github = told(&dtbuild.clone().variable("GITHUB_ACTIONS", "true"), "plain");
    let annotations = github.matches("\n::warning file=app/Dockerfile,line=1,title=").count();
    assert_eq!(annotations, 1, "{github}");
    let events = told(&dtbuild, "rawjson");
    let of_rule = |line: &&str| line.contains("\"image-warning\"") && line.contains("FromAsCasing");
    assert_eq!(events.lines().filter(of_rule).count(), 2, "one of each image: {events}");
}
