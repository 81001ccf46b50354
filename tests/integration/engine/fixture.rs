//! Contexts in memory, requests, and what a build told.

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bstr::BString;
use dtbuild::config::BuildOptions;
use dtbuild::engine::docker::{Docker, Store};
use dtbuild::engine::{BuildRequest, Built, Contexts, Engine, EngineError, Output};
use dtbuild::events::{Event, EventSink};
use dtbuild::reference::{Digest, Reference};
use dtbuild_content::snapshot::{Contents, Snapshot, SnapshotEntry};
use dtbuild_content::tree::{ContentId, Kind};
use rustix::process::Pid;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const BUSYBOX: &str = "/bin/busybox";

/// A context that is held in memory.
#[derive(Clone, Default)]
pub(crate) struct Files(BTreeMap<Vec<String>, (Kind, Vec<u8>)>);

/// Contents of [`Files`], and how many bytes the engine fetched of them.
struct Memory {
    files: BTreeMap<BString, Vec<u8>>,
    fetched: Arc<AtomicU64>,
}

impl Files {
    pub(super) fn with_busybox() -> Self {
        let busybox = std::fs::read(BUSYBOX).expect("busybox-static is installed");
        Self::default().add("busybox", Kind::Executable, busybox)
    }

    pub(crate) fn add(mut self, path: &str, kind: Kind, bytes: impl Into<Vec<u8>>) -> Self {
        let components: Vec<String> = path.split('/').map(str::to_owned).collect();
        for end in 1..components.len() {
            self.0.entry(components[..end].to_vec()).or_insert((Kind::Folder, Vec::new()));
        }
        self.0.insert(components, (kind, bytes.into()));
        self
    }

    pub(super) fn file(self, path: &str, bytes: impl Into<Vec<u8>>) -> Self {
        self.add(path, Kind::File, bytes)
    }

    pub(super) fn snapshot(&self) -> (Snapshot, Arc<AtomicU64>) {
        let fetched = Arc::new(AtomicU64::new(0));
        let path = |components: &[String]| BString::from(components.join("/"));
        let entries = self.0.iter().map(|(components, (kind, bytes))| {
            let mut id = [0; 20];
            id.copy_from_slice(&blake3::hash(bytes).as_bytes()[..20]);
            SnapshotEntry {
                path: path(components),
                kind: *kind,
                id: ContentId::Sha1(id),
                size: bytes.len() as u64,
                link: (*kind == Kind::Symlink).then(|| bytes.as_slice().into()),
            }
        });
        let files = self.0.iter().map(|(components, (_, bytes))| (path(components), bytes.clone()));
        let contents = Memory { files: files.collect(), fetched: Arc::clone(&fetched) };
        (Snapshot { entries: entries.collect(), contents: Arc::new(contents) }, fetched)
    }
}

impl Contents for Memory {
    fn open(&self, entry: &SnapshotEntry) -> io::Result<Box<dyn io::Read + Send>> {
        let bytes = self.files.get(&entry.path).ok_or(io::ErrorKind::NotFound)?;
        self.fetched.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(Box::new(io::Cursor::new(bytes.clone())))
    }
}

pub(crate) fn variable(name: &str) -> String {
    let engine = match name {
        "DTBUILD_TEST_ENGINE_28" | "DTBUILD_TEST_BUILDX" => " 28",
        "DTBUILD_TEST_ENGINE_28_CONTAINERD" => " 28-containerd",
        _ => "",
    };
    std::env::var(name).unwrap_or_else(|_| panic!("`{name}` is not set: run `./dev engine up{engine}` first"))
}

pub(crate) async fn docker() -> Docker {
    Docker::connect(Some(&variable("DOCKER_HOST"))).await.expect("the engine answers")
}

/// Whether the engine builds with BuildKit; those that do not can less.
pub(crate) async fn has_buildkit(docker: &Docker) -> bool {
    docker.describe().await.unwrap().has_buildkit()
}

/// The kinds of engine that differ in what they can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub(super) enum Means {
    /// Docker's API without BuildKit.
    Classic,
    /// BuildKit over a graph driver.
    GraphDriver,
    /// BuildKit over containerd's store.
    Containerd,
}

/// What the engine builds and keeps images with.
pub(super) async fn means(docker: &Docker) -> Means {
    match docker.describe().await.unwrap() {
        info if !info.has_buildkit() => Means::Classic,
        info if info.store == Store::Containerd => Means::Containerd,
        _ => Means::GraphDriver,
    }
}

/// Another engine of the tests.
pub(super) async fn engine(variable_name: &str) -> Docker {
    Docker::connect(Some(&variable(variable_name))).await.expect("the engine answers")
}

/// What the engine says of an image of its store.
pub(super) async fn image(name: &Reference) -> bollard::models::ImageInspect {
    let host = variable("DOCKER_HOST");
    let socket = host.strip_prefix("unix://").expect("the engine for tests has a socket");
    let api = bollard::Docker::connect_with_unix(socket, 60, bollard::API_DEFAULT_VERSION).unwrap();
    let api = api.negotiate_version().await.unwrap();
    api.inspect_image(&name.to_string()).await.unwrap()
}

/// Names that no other test and no earlier run uses.
pub(crate) fn unique(name: &str) -> Reference {
    let registry = variable("DTBUILD_TEST_REGISTRY");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    format!("{registry}/engine-test/{name}:{}", now.as_nanos()).parse().unwrap()
}

pub(crate) fn request(image: &str, dockerfile: &str, files: &Files) -> BuildRequest {
    BuildRequest {
        image: image.parse().unwrap(),
        context: files.snapshot().0,
        context_name: None,
        dockerfile: Arc::from(dockerfile.as_bytes()),
        dockerfile_path: format!("{image}/Dockerfile").into(),
        target: None,
        args: BTreeMap::new(),
        platforms: Vec::new(),
        labels: BTreeMap::new(),
        secrets: Vec::new(),
        options: BuildOptions::default(),
        entitlements: Vec::new(),
        source_date_epoch: None,
        tells_base_layers: true,
        no_cache: false,
        names: vec![unique(image)],
        output: Output::Load,
        contexts: Contexts::default(),
    }
}

/// Bytes that compress badly, the same every time.
pub(super) fn noise(bytes: usize) -> Vec<u8> {
    let mut noise = vec![0; bytes];
    blake3::Hasher::new().finalize_xof().fill(&mut noise);
    noise
}

/// Pushes what a build left in the store, where the build itself did not push it; the digest at the registry.
pub(super) async fn pushed(docker: &Docker, request: &BuildRequest, built: Built) -> Digest {
    match built.pushed {
        Some(digest) => digest,
        None => docker
            .push(&request.image, &request.names[0], &EventSink::channel().0)
            .await
            .expect("it is pushed"),
    }
}

/// Builds, and gives back what was told on the way.
pub(crate) async fn build(
    engine: &impl Engine,
    request: &BuildRequest,
) -> (Result<Built, EngineError>, Vec<Event>) {
    let (sink, mut events) = EventSink::channel();
    let result = engine.build(request, &sink).await;
    drop(sink);
    let mut told = Vec::new();
    while let Some(event) = events.recv().await {
        told.push(event);
    }
    (result, told)
}

pub(super) fn logs(events: &[Event]) -> Vec<&str> {
    let line = |event: &'_ Event| matches!(event, Event::ImageLog { .. });
    let lines = events.iter().filter(|event| line(event)).map(|event| match event {
        Event::ImageLog { line, .. } => line.as_str(),
        _ => unreachable!(),
    });
    lines.collect()
}

/// A Dockerfile that runs `script` with busybox over the whole context in `/c`.
pub(super) fn script(script: &str) -> String {
    let script = serde_json::to_string(script).unwrap();
    format!(
        "FROM scratch\nCOPY busybox /bin/busybox\nCOPY . /c\nRUN [\"/bin/busybox\", \"sh\", \"-c\", {script}]\n"
    )
}

/// How long a step sleeps that nobody else's does: its process is known by it.
pub(super) fn mark() -> String {
    let now = unique("mark").tag().unwrap().to_owned();
    // Years, in a number of seconds that busybox can read.
    format!("1{}", &now[now.len() - 8..])
}

/// The processes of steps that sleep for a time that starts with `mark`.
pub(super) fn sleepers(mark: &str) -> Vec<Pid> {
    let start = format!("/bin/busybox\0sleep\0{mark}");
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let sleeping = processes.filter(|process| {
        std::fs::read(process.path().join("cmdline")).is_ok_and(|line| line.starts_with(start.as_bytes()))
    });
    sleeping.filter_map(|process| Pid::from_raw(process.file_name().to_str()?.parse().ok()?)).collect()
}

/// Waits until so many steps sleep at one time.
pub(super) async fn sleeping(mark: &str, count: usize) -> Vec<Pid> {
    let start = Instant::now();
    loop {
        let found = sleepers(mark);
        if found.len() >= count {
            return found;
        }
        assert!(start.elapsed() < Duration::from_mins(2), "{} of {count} steps run", found.len());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until the clock shows another second: times in images have no smaller parts.
pub(super) async fn another_second() {
    let second = || std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let start = second();
    while second() == start {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub(super) fn failure(result: Result<Built, EngineError>) -> dtbuild::engine::BuildFailure {
    match result {
        Err(EngineError::Failed(failure)) => *failure,
        other => panic!("expected a failed build: {other:?}"),
    }
}

/// `Docker-Content-Digest` of the registry's answer to a HEAD.
pub(super) async fn digest_at_registry(name: &Reference) -> String {
    let repository = name.repository();
    let mut stream = tokio::net::TcpStream::connect(repository.registry()).await.unwrap();
    let head = format!(
        "HEAD /v2/{}/manifests/{} HTTP/1.0\r\nHost: {}\r\n\
         Accept: application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json\r\n\r\n",
        repository.path(),
        name.tag().unwrap(),
        repository.registry()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let header = answer.lines().find_map(|line| line.strip_prefix("Docker-Content-Digest: "));
    header.unwrap_or_else(|| panic!("{answer}")).to_owned()
}

/// What the attestations of an image at the registry are about, by the types of their statements.
pub(super) fn attested(name: &Reference, digest: &Digest) -> Vec<String> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let is_attestation =
        |manifest: &Value| manifest["annotations"]["vnd.docker.reference.type"] == "attestation-manifest";
    let index = manifest(name, digest.as_str());
    let attestations = list(&index["manifests"]).into_iter().filter(is_attestation);
    let layers = attestations.flat_map(|attestation| {
        list(&manifest(name, attestation["digest"].as_str().expect("a digest"))["layers"])
    });
    let kind = |layer: Value| layer["annotations"]["in-toto.io/predicate-type"].as_str().map(str::to_owned);
    layers.filter_map(kind).collect()
}

/// A manifest at the registry.
pub(super) fn manifest(name: &Reference, digest: &str) -> Value {
    let (host, path) = (name.repository().registry(), name.repository().path());
    let mut stream = std::net::TcpStream::connect(host).unwrap();
    let accept = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
                  application/vnd.docker.distribution.manifest.list.v2+json, \
                  application/vnd.docker.distribution.manifest.v2+json";
    write!(stream, "GET /v2/{path}/manifests/{digest} HTTP/1.0\r\nHost: {host}\r\nAccept: {accept}\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}
