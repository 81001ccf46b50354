//! What the engine at `DOCKER_HOST` can do, held against its column of the table in `docs/engines.md`.
//!
//! `UPDATE_DOCS=1` writes the column instead. `./dev test engines` does this for every engine there is.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use dtbuild::config::{Config, Network, Platform, SecretSource, SecretValue};
use dtbuild::engine::docker::{Docker, EngineInfo, Store};
use dtbuild::engine::{
    Archive, ArchiveKind, BuildRequest, ContextFolder, Engine, EngineError, NamedContext, Output,
};

use super::fixture::{
    Files, another_second, build, digest_at_registry, docker, image, logs, noise, pushed, request, script,
    unique,
};
use super::options::Agent;
use crate::support::dtbuild::{CONFIG, Dtbuild};
use crate::support::repo::TestRepo;

mod attestations;
mod caches;

#[tokio::test]
async fn the_table_says_what_this_engine_can() {
    let docker = docker().await;
    let found = [
        ("build arguments, target and labels", arguments(&docker).await),
        ("every step again (`--force`)", yes(every_step_again(&docker).await)),
        ("the platform of the engine, by name", own_platform(&docker).await),
        ("several platforms in one build", several_platforms(&docker).await),
        ("named contexts", named_context(&docker).await),
        ("secrets", secrets(&docker).await),
        ("ssh agents", agents()),
        ("steps without a network", no_network(&docker).await),
        ("`cache_from` a registry", caches::from_registry(&docker).await),
        ("`cache_from` a folder", caches::from_folder(&docker).await),
        ("`cache_to` the image itself (`type=inline`)", caches::to_image(&docker).await),
        ("`cache_to` a registry", caches::to_registry(&docker).await),
        ("`cache_to` a folder", caches::to_folder(&docker).await),
        ("provenance", attestations::provenance(&docker).await),
        ("SBOM", attestations::sbom(&docker).await),
        ("the commit's time is the image's (`SOURCE_DATE_EPOCH`)", yes(time_of_commit(&docker).await)),
        (
            "one digest each time, with a time of the image's own (`SOURCE_DATE_EPOCH`)",
            yes(times(&docker).await),
        ),
        ("an image in a file, as `docker load` takes it", archive(&docker, ArchiveKind::Docker).await),
        ("an image in a file, as an OCI layout", archive(&docker, ArchiveKind::Oci).await),
        ("what is sent when one file of a context changed", sent(&docker).await),
        ("unchanged steps come from its cache", yes(cached(&docker).await)),
        ("pushes", pushes(&docker).await),
        ("the digest that is recorded is the registry's", yes(digest(&docker).await)),
    ];
    let name = column_name(docker.describe().await.unwrap());
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/engines.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let updated = with_column(&page, &name, &found);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, updated).unwrap();
    } else if page.contains(&format!("| {name} |")) {
        // Another version of a developer's own machine has no column, and no claim to hold it to.
        assert_eq!(
            page, updated,
            "docs/engines.md is not what the engine does: UPDATE_DOCS=1 ./dev test engines"
        );
    }
}

#[test]
fn a_column_is_filled_or_added() {
    let page = "text\n\n| | a |\n| --- | --- |\n| x | no |\n\nmore\n";
    let found = [("x", "yes".to_owned()), ("y", "no".to_owned())];
    let filled = "text\n\n| | a |\n| --- | --- |\n| x | yes |\n| y | no |\n\nmore\n";
    assert_eq!(with_column(page, "a", &found), filled);
    let added = "text\n\n| | a | b |\n| --- | --- | --- |\n| x | no | yes |\n| y |  | no |\n\nmore\n";
    assert_eq!(with_column(page, "b", &found), added);
}

/// Such as `docker 28.5, containerd store`.
fn column_name(info: &EngineInfo) -> String {
    let version: Vec<&str> = info.version.split('.').take(2).collect();
    let store = if info.store == Store::Containerd { ", containerd store" } else { "" };
    format!("{} {}{store}", info.name, version.join("."))
}

/// The page with the first table's column `name` as it was found.
fn with_column(page: &str, name: &str, found: &[(&str, String)]) -> String {
    let is_row = |line: &&str| line.starts_with('|');
    let cells = |line: &str| -> Vec<String> {
        let inner = line.trim().trim_start_matches('|').trim_end_matches('|');
        inner.split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let start = page.lines().position(|line| line.starts_with('|')).expect("the page has a table");
    let before: Vec<&str> = page.lines().take(start).collect();
    let mut rows: Vec<Vec<String>> = page.lines().skip(start).take_while(is_row).map(cells).collect();
    let after: Vec<&str> = page.lines().skip(start + rows.len()).collect();
    for (row, _) in found {
        if !rows.iter().any(|cells| cells[0] == *row) {
            rows.push(vec![(*row).to_owned()]);
        }
    }
    let column = rows[0].iter().position(|cell| cell == name).unwrap_or(rows[0].len());
    let width = rows[0].len().max(column + 1);
    for (index, cells) in rows.iter_mut().enumerate() {
        cells.resize(width, if index == 1 { "---".to_owned() } else { String::new() });
        if let Some((_, cell)) = found.iter().find(|(row, _)| *row == cells[0]) {
            cells[column].clone_from(cell);
        }
    }
    name.clone_into(&mut rows[0][column]);
    // The first cell of the table is empty.
    let line = |cells: &Vec<String>| format!("| {} |", cells.join(" | "));
    let rows = rows
        .iter()
        .map(line)
        .map(|line| line.strip_prefix("|  |").map_or(line.clone(), |rest| format!("| |{rest}")));
    let lines = before.into_iter().map(str::to_owned).chain(rows).chain(after.into_iter().map(str::to_owned));
    lines.map(|line| line + "\n").collect()
}

fn yes(can: bool) -> String {
    if can { "yes" } else { "no" }.to_owned()
}

/// `yes`, or `refused`: what cannot be done is said before anything is sent.
async fn outcome(docker: &Docker, request: &BuildRequest) -> String {
    let (result, events) = build(docker, request).await;
    match result {
        Ok(_) => "yes".to_owned(),
        Err(EngineError::Unsupported { .. }) => "refused".to_owned(),
        Err(error) => panic!("{error}\n{events:?}"),
    }
}

async fn arguments(docker: &Docker) -> String {
    let text = "FROM scratch AS one\nARG WHO\nCOPY busybox /bin/busybox\n\
        RUN [\"/bin/busybox\", \"sh\", \"-c\", \"echo hello $WHO\"]\nFROM one AS two\nRUN false\n";
    let mut request = request("matrix-arguments", text, &Files::with_busybox());
    request.args.insert("WHO".to_owned(), "you = \"x\"".to_owned());
    request.labels.insert("org.example.a".to_owned(), "b c".to_owned());
    request.target = Some("one".to_owned());
    request.no_cache = true;
    let (result, events) = build(docker, &request).await;
    result.unwrap();
    let labels = image(&request.names[0]).await.config.unwrap().labels.unwrap();
    yes(logs(&events) == ["hello you = \"x\""] && labels["org.example.a"] == "b c")
}

async fn every_step_again(docker: &Docker) -> bool {
    // A file of its own: engines do once what several builds do at the same time.
    let files = Files::with_busybox().file("own", unique("again").to_string());
    let text = "FROM scratch\nCOPY . /bin/\nRUN [\"/bin/busybox\", \"echo\", \"ran\"]\n";
    let mut request = request("matrix-again", text, &files);
    request.no_cache = true;
    build(docker, &request).await.0.unwrap();
    let (result, events) = build(docker, &request).await;
    result.unwrap().steps.cached == 0 && logs(&events) == ["ran"]
}

fn platforms(names: &[&str]) -> Vec<Platform> {
    let text = format!(
        "[project]\nname = \"a\"\nregistry = \"r.example/a\"\n[images.a]\ncontext = \"a\"\nplatforms = {names:?}\n"
    );
    let config = Config::parse(&text, None).unwrap();
    config.images.into_values().next().unwrap().platforms
}

async fn own_platform(docker: &Docker) -> String {
    let own = docker.describe().await.unwrap().platform.clone();
    let mut request = request("matrix-platform", &script("true"), &Files::with_busybox());
    request.platforms = platforms(&[&own]);
    outcome(docker, &request).await
}

async fn several_platforms(docker: &Docker) -> String {
    let mut request = request("matrix-platforms", "FROM scratch\nCOPY busybox /\n", &Files::with_busybox());
    request.platforms = platforms(&["linux/amd64", "linux/arm64"]);
    request.output = Output::Push;
    outcome(docker, &request).await
}

/// Named contexts, or how the build comes out the same without them.
async fn named_context(docker: &Docker) -> String {
    let folder = Files::default().file("marker", unique("x").to_string()).snapshot().0;
    let folder = ContextFolder::new(folder, &[]).unwrap();
    let image = folder.image.clone();
    let text = "FROM scratch\nCOPY --from=lib marker /\n";
    let mut request = request("matrix-context", text, &Files::default());
    request.contexts.dockerfile = Some(text.replace("lib", &image.to_string()).into_bytes().into());
    request.contexts.named.insert("lib".to_owned(), NamedContext::Folder(folder));
    build(docker, &request).await.0.unwrap();
    if docker.holds(&image).await.unwrap() { "as images" } else { "yes" }.to_owned()
}

async fn secrets(docker: &Docker) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, "correct-horse").unwrap();
    let text = "FROM scratch\nCOPY busybox /bin/busybox\nRUN --mount=type=secret,id=token,required \
        [\"/bin/busybox\", \"grep\", \"-q\", \"correct-horse\", \"/run/secrets/token\"]\n";
    let mut request = request("matrix-secrets", text, &Files::with_busybox());
    request.no_cache = true;
    request.secrets =
        vec![SecretSource { id: "token".to_owned(), value: SecretValue::File(path), version: None }];
    outcome(docker, &request).await
}

fn agents() -> String {
    let agent = Agent::start();
    let text = "FROM scratch\nCOPY busybox /bin/busybox\nRUN --mount=type=ssh,required \
        [\"/bin/busybox\", \"sh\", \"-c\", \"[ -S \\\"$SSH_AUTH_SOCK\\\" ]\"]\n";
    let config = CONFIG.replace("\"app\"", "\"app\"\nssh = [{ id = \"default\" }]");
    let repo = TestRepo::new().file("build.toml", config).file("app/Dockerfile", text);
    let repo = repo.executable("app/busybox", std::fs::read("/bin/busybox").unwrap());
    // The agent is that of the process's environment, so this is one of the program itself.
    let ended = Dtbuild::new(&repo).variable("SSH_AUTH_SOCK", agent.socket()).run(["build"]);
    match ended.code {
        Some(0) => "yes".to_owned(),
        Some(3) if ended.stderr.contains("`ssh` of `app` is not supported") => "refused".to_owned(),
        _ => panic!("{}", ended.stderr),
    }
}

async fn no_network(docker: &Docker) -> String {
    let text = script("[ \"$(/bin/busybox ls /sys/class/net)\" = lo ]");
    let mut request = request("matrix-network", &text, &Files::with_busybox());
    request.options.network = Some(Network::None);
    request.no_cache = true;
    outcome(docker, &request).await
}

async fn time_of_commit(docker: &Docker) -> bool {
    let files = Files::with_busybox().file("own", unique("time").to_string());
    let mut request = request("matrix-time", "FROM scratch\nCOPY . /\n", &files);
    request.source_date_epoch = Some(1_700_000_000);
    build(docker, &request).await.0.unwrap();
    format!("{:?}", image(&request.names[0]).await.created).contains("2023-11-14")
}

async fn times(docker: &Docker) -> bool {
    let mut request = request("matrix-times", &script("echo a > /a"), &Files::with_busybox());
    request.args.insert("SOURCE_DATE_EPOCH".to_owned(), "1234567890".to_owned());
    request.output = Output::Push;
    request.no_cache = true;
    let mut digests = Vec::new();
    for _ in 0..2 {
        another_second().await;
        let built = build(docker, &request).await.0.unwrap();
        digests.push(pushed(docker, &request, built).await);
    }
    digests[0] == digests[1]
}

async fn archive(docker: &Docker, kind: ArchiveKind) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image.tar");
    let mut request = request("matrix-archive", "FROM scratch\nCOPY busybox /\n", &Files::with_busybox());
    request.output = Output::File(Archive { kind, path: path.clone() });
    let outcome = outcome(docker, &request).await;
    assert_eq!(path.exists(), outcome == "yes");
    outcome
}

async fn sent(docker: &Docker) -> String {
    let files = Files::with_busybox().file("large", noise(4 << 20));
    let mut request = request("matrix-sent", "FROM scratch\nCOPY . /\n", &files);
    build(docker, &request).await.0.unwrap();
    let (snapshot, fetched) = files.file("small", unique("x").to_string()).snapshot();
    request.context = snapshot;
    build(docker, &request).await.0.unwrap();
    let whole = fetched.load(Ordering::Relaxed) > 4 << 20;
    if whole { "the whole context" } else { "the changed file" }.to_owned()
}

async fn cached(docker: &Docker) -> bool {
    // A file of its own in every step: one that another build does at the same time is told under that one's name, too.
    let files = Files::with_busybox().file("own", unique("cached").to_string());
    let text = "FROM scratch\nCOPY . /bin/\nRUN [\"/bin/busybox\", \"true\"]\n";
    let request = request("matrix-cached", text, &files);
    build(docker, &request).await.0.unwrap();
    let steps = build(docker, &request).await.0.unwrap().steps;
    steps.total == steps.cached
}

async fn pushes(docker: &Docker) -> String {
    let mut request = request("matrix-pushes", "FROM scratch\nCOPY busybox /\n", &Files::with_busybox());
    request.output = Output::Push;
    let built = build(docker, &request).await.0.unwrap();
    if built.pushed.is_some() { "in the build" } else { "after it, through the API" }.to_owned()
}

async fn digest(docker: &Docker) -> bool {
    let files = Files::with_busybox().file("noise", unique("x").to_string());
    let mut request = request("matrix-digest", "FROM scratch\nCOPY . /\n", &files);
    request.output = Output::Push;
    let built = build(docker, &request).await.0.unwrap();
    let digest = pushed(docker, &request, built).await;
    digest_at_registry(&request.names[0]).await == digest.as_str()
}
