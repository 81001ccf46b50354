//! Registries: what is asked of a real `docker-registry`, with and without credentials.
//!
//! Most tests use the one that `./dev engine up` started; those about credentials start their own.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use dtbuild::error::Failure as _;
use dtbuild::reference::{Digest, Reference, Repository};
use dtbuild::registry::Kind;
use dtbuild::registry::base::BaseCache;

use crate::support::registry::{OwnRegistry, address, client, fresh_repository, plain_client};

const TYPE: &str = "application/vnd.example.note.v1+json";

/// The bytes of a manifest and the digest that the registry states.
async fn raw_manifest(reference: &Reference) -> (Vec<u8>, String) {
    let repository = reference.repository();
    let url = format!(
        "http://{}/v2/{}/manifests/{}",
        repository.registry(),
        repository.path(),
        reference.tag().unwrap()
    );
    let accept = "application/vnd.oci.image.manifest.v1+json";
    let answer = plain_client().get(url).header("accept", accept).send().await.unwrap();
    let digest = answer.headers()["docker-content-digest"].to_str().unwrap().to_owned();
    (answer.bytes().await.unwrap().to_vec(), digest)
}

#[tokio::test]
async fn what_is_not_there_is_no_error() {
    let (registry, repository) = (client(), fresh_repository(&address()));
    let missing = repository.tagged("v1").unwrap();
    assert_eq!(registry.digest(&missing).await.unwrap(), None, "no repository");
    let digest = registry.push_artifact(&missing, TYPE, b"1").await.unwrap();
    assert_eq!(registry.digest(&missing).await.unwrap(), Some(digest.clone()));
    assert_eq!(registry.digest(&repository.tagged("v2").unwrap()).await.unwrap(), None, "no tag");
    assert_eq!(registry.digest(&repository.pinned(&digest)).await.unwrap(), Some(digest));
    let other: Digest = format!("sha256:{}", "0f".repeat(32)).parse().unwrap();
    assert_eq!(registry.digest(&repository.pinned(&other)).await.unwrap(), None, "no digest");
}

#[tokio::test]
async fn many_are_looked_up_at_once_in_their_order() {
    let (registry, repository) = (client(), fresh_repository(&address()));
    let references: Vec<_> = (0..70).map(|n| repository.tagged(&format!("t{n}")).unwrap()).collect();
    let third = registry.push_artifact(&references[3], TYPE, b"3").await.unwrap();
    let last = registry.push_artifact(&references[69], TYPE, b"69").await.unwrap();
    // Spawned: callers do that, so the future must be fit for it.
    let digests = tokio::spawn(async move { registry.digests(&references).await }).await.unwrap().unwrap();
    let found: Vec<_> =
        digests.into_iter().enumerate().filter_map(|(n, digest)| Some((n, digest?))).collect();
    assert_eq!(found, [(3, third), (69, last)]);
}

#[tokio::test]
async fn the_tags_of_a_repository_are_listed() {
    let (registry, repository) = (client(), fresh_repository(&address()));
    assert!(registry.tags(&repository).await.unwrap().is_empty(), "no repository");
    for tag in ["staging", "production"] {
        registry.push_artifact(&repository.tagged(tag).unwrap(), TYPE, b"1").await.unwrap();
    }
    let mut tags = registry.tags(&repository).await.unwrap();
    tags.sort();
    assert_eq!(tags, ["production", "staging"]);
}

#[tokio::test]
async fn a_list_of_tags_in_pages_is_read_to_its_end() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let repository: Repository = format!("{}/r", listener.local_addr().unwrap()).parse().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(&stream).lines().map(Result::unwrap);
            let asked = lines.next().unwrap();
            lines.take_while(|line| !line.is_empty()).for_each(drop);
            let (link, body) = if asked.contains("?n=1000 ") {
                ("Link: </v2/r/tags/list?n=2&last=b>; rel=\"next\"\r\n", r#"{"tags":["a","b"]}"#)
            } else {
                assert!(asked.contains("?n=1000&last=b "), "{asked}");
                ("", r#"{"tags":["c"]}"#)
            };
            let length = body.len();
            let head = format!("{link}Content-Length: {length}\r\nConnection: close");
            write!(stream, "HTTP/1.1 200 OK\r\n{head}\r\n\r\n{body}").unwrap();
        }
    });
    assert_eq!(client().tags(&repository).await.unwrap(), ["a", "b", "c"]);
}

#[tokio::test]
async fn a_registry_that_does_not_run_is_unreachable() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let reference: Reference = format!("127.0.0.1:{port}/a:b").parse().unwrap();
    let error = client().digest(&reference).await.unwrap_err();
    assert!(error.is_transient());
    let expected =
        format!("failed to look up `{reference}`: cannot reach `127.0.0.1:{port}`: Connection refused");
    assert!(error.to_string().starts_with(&expected), "{error}");
    assert_eq!(error.hint().unwrap(), "is the registry running?");
}

#[tokio::test]
async fn a_tag_moves_byte_for_byte_and_only_when_it_must() {
    let (registry, repository) = (client(), fresh_repository(&address()));
    let (first, second) = (repository.tagged("v1").unwrap(), repository.tagged("v2").unwrap());
    let one = registry.push_artifact(&first, TYPE, b"1").await.unwrap();
    let two = registry.push_artifact(&second, TYPE, b"2").await.unwrap();
    let staging = repository.tagged("staging").unwrap();
    for (source, digest) in [(&first, &one), (&repository.pinned(&two), &two), (&second, &two)] {
        assert_eq!(registry.move_tag(source, "staging").await.unwrap(), *digest);
        let (bytes, stated) = raw_manifest(&staging).await;
        let original = if *digest == one { &first } else { &second };
        assert_eq!((bytes, stated), raw_manifest(original).await);
    }
    let missing = registry.move_tag(&repository.tagged("v3").unwrap(), "staging").await.unwrap_err();
    assert!(matches!(missing.kind(), Kind::NotFound { .. }), "{missing}");
    assert!(!missing.is_transient());
}

#[tokio::test]
async fn an_artifact_reads_back_within_its_bound() {
    let (registry, repository) = (client(), fresh_repository(&address()));
    let note = repository.tagged("note").unwrap();
    assert_eq!(registry.pull_artifact(&note, TYPE, 100).await.unwrap(), None);
    let digest = registry.push_artifact(&note, TYPE, b"remember").await.unwrap();
    let read = registry.pull_artifact(&note, TYPE, 100).await.unwrap().unwrap();
    assert_eq!((read.digest, read.content.as_slice()), (digest, &b"remember"[..]));
    let too_large = registry.pull_artifact(&note, TYPE, 7).await.unwrap_err();
    assert!(matches!(too_large.kind(), Kind::Invalid { .. }), "{too_large}");
    let other = registry.pull_artifact(&note, "application/vnd.other", 100).await.unwrap_err();
    assert!(other.to_string().contains(TYPE), "{other}");
}

#[tokio::test]
async fn who_has_not_logged_in_is_told_to() {
    let own = OwnRegistry::with_password();
    let repository = fresh_repository(&own.host);
    let error = client().digest(&repository.tagged("v1").unwrap()).await.unwrap_err();
    assert!(matches!(error.kind(), Kind::Unauthorized { .. }), "{error}");
    assert_eq!(error.hint().unwrap(), format!("run `docker login {}`", own.host));
    let push = client().check_push(&repository).await.unwrap_err();
    assert!(matches!(push.kind(), Kind::Unauthorized { .. }), "{push}");
}

#[tokio::test]
async fn stored_credentials_let_in_and_wrong_ones_are_told_without_being_shown() {
    let own = OwnRegistry::with_password();
    let repository = fresh_repository(&own.host);
    let tag = repository.tagged("v1").unwrap();
    // `me:opensesame` and `me:hunter2`.
    let (right, wrong) = (own.client("bWU6b3BlbnNlc2FtZQ=="), own.client("bWU6aHVudGVyMg=="));
    right.check_push(&repository).await.unwrap();
    let digest = right.push_artifact(&tag, TYPE, b"1").await.unwrap();
    assert_eq!(right.digest(&tag).await.unwrap(), Some(digest));
    let error = wrong.digest(&tag).await.unwrap_err();
    assert!(matches!(error.kind(), Kind::Denied { .. }), "{error}");
    for text in [format!("{error} {error:?}"), format!("{wrong:?} {right:?}")] {
        for secret in ["hunter2", "opensesame", "aHVudGVyMg", "bWU6"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

#[tokio::test]
async fn a_base_image_is_asked_of_the_mirrors_in_their_order() {
    let host = address();
    let registry = client();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mirrors = [format!("http://{closed}"), format!("http://{host}")];
    let path = fresh_repository(&host).path().to_owned();
    let held: Repository = format!("{host}/{path}").parse().unwrap();
    let digest = registry.push_artifact(&held.tagged("12").unwrap(), TYPE, b"base").await.unwrap();
    assert_eq!(registry.resolve_base(&format!("{path}:12"), &mirrors).await.unwrap(), digest);
    assert_eq!(registry.resolve_base(&format!("docker.io/{path}:12"), &mirrors).await.unwrap(), digest);
    assert_eq!(registry.resolve_base(&format!("{host}/{path}:12"), &[]).await.unwrap(), digest);
    let missing = registry.resolve_base(&format!("{host}/{path}:13"), &mirrors).await.unwrap_err();
    assert!(matches!(missing.kind(), Kind::NotFound { .. }), "{missing}");
}

#[tokio::test]
async fn a_base_image_is_asked_for_once_an_hour() {
    let (registry, repository) = (client(), fresh_repository(&address()));
    let tag = repository.tagged("12").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let cache = BaseCache::new(&folder.path().join("cache"), "one engine");
    let names = BTreeSet::from([tag.to_string()]);
    assert!(cache.recall(&names).is_empty());
    let first = registry.push_artifact(&tag, TYPE, b"1").await.unwrap();
    assert_eq!(cache.ask(&registry, &names, &[]).await[&tag.to_string()].as_ref().unwrap(), &first);
    registry.push_artifact(&tag, TYPE, b"2").await.unwrap();
    assert_eq!(cache.recall(&names)[&tag.to_string()], first);
    let another = BaseCache::new(&folder.path().join("cache"), "another engine");
    assert!(another.recall(&names).is_empty(), "its mirrors may serve something else");
    std::fs::write(folder.path().join("cache/bases.json"), "{").unwrap();
    assert!(cache.recall(&names).is_empty());
}

/// A token server as <https://distribution.github.io/distribution/spec/auth/token/> wants it: who knows the
/// password may do what is asked, everybody else nothing. Returns its address; every token request is noted.
fn token_server(folder: &Path) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (requests, folder) = (Arc::new(Mutex::new(Vec::new())), folder.to_owned());
    let noted = Arc::clone(&requests);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let lines = BufReader::new(&stream).lines().map(Result::unwrap);
            let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            let known = head.iter().any(|line| line.ends_with("Basic bWU6b3BlbnNlc2FtZQ=="));
            let scope = head[0].split("scope=").nth(1).unwrap().split(['&', ' ']).next().unwrap();
            let scope = scope.replace("%3A", ":").replace("%2F", "/").replace("%2C", ",");
            let body = format!(r#"{{"token":"{}","expires_in":300}}"#, token(&folder, &scope, known));
            noted.lock().unwrap().push(scope);
            let length = body.len();
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
                .unwrap();
        }
    });
    (address, requests)
}

/// A token for `repository:NAME:ACTIONS`, signed with the key of the folder.
fn token(folder: &Path, scope: &str, known: bool) -> String {
    let parts: Vec<_> = scope.split(':').collect();
    let actions: Vec<_> = parts[2].split(',').collect();
    let access = serde_json::json!([{ "type": "repository", "name": parts[1], "actions": actions }]);
    let certificate = std::fs::read_to_string(folder.join("token.crt")).unwrap();
    let certificate: String = certificate.lines().filter(|line| !line.starts_with('-')).collect();
    let header = serde_json::json!({ "typ": "JWT", "alg": "RS256", "x5c": [certificate] });
    let claims = serde_json::json!({
        "iss": "test", "sub": "me", "aud": "registry", "jti": "1", "nbf": 0, "iat": 0, "exp": 4_000_000_000_u32,
        "access": if known { access } else { serde_json::json!([]) },
    });
    let encode = |bytes: &[u8]| {
        let text = openssl(folder, &["base64", "-A"], bytes);
        String::from_utf8(text).unwrap().replace('+', "-").replace('/', "_").replace('=', "")
    };
    let signed =
        format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims.to_string().as_bytes()));
    let signature = openssl(folder, &["dgst", "-sha256", "-sign", "token.key"], signed.as_bytes());
    format!("{signed}.{}", encode(&signature))
}

fn openssl(folder: &Path, words: &[&str], input: &[u8]) -> Vec<u8> {
    let mut command = Command::new("openssl");
    command
        .args(words)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut process = command.spawn().unwrap();
    process.stdin.take().unwrap().write_all(input).unwrap();
    let output = process.wait_with_output().unwrap();
    assert!(output.status.success(), "openssl {words:?}");
    output.stdout
}

#[tokio::test]
async fn a_token_is_fetched_once_per_repository_and_right() {
    let keys = tempfile::tempdir().unwrap();
    let request = "req -x509 -newkey rsa:2048 -nodes -keyout token.key -out token.crt -days 2 -subj /CN=test";
    openssl(keys.path(), &request.split(' ').collect::<Vec<_>>(), b"");
    let (server, requests) = token_server(keys.path());
    let own = OwnRegistry::start(|_| {
        let bundle = keys.path().join("token.crt");
        format!(
            "auth:\n  token:\n    realm: http://{server}/token\n    service: registry\n    issuer: test\n    \
             rootcertbundle: {}\n",
            bundle.display()
        )
    });
    let repository = fresh_repository(&own.host);
    let tag = repository.tagged("v1").unwrap();
    let me = own.client("bWU6b3BlbnNlc2FtZQ==");
    let digest = me.push_artifact(&tag, TYPE, b"1").await.unwrap();
    let same = vec![tag.clone(); 40];
    assert!(me.digests(&same).await.unwrap().into_iter().all(|found| found.as_ref() == Some(&digest)));
    let mut scopes = std::mem::take(&mut *requests.lock().unwrap());
    scopes.sort();
    let path = repository.path();
    assert_eq!(scopes, [format!("repository:{path}:pull"), format!("repository:{path}:pull,push")]);
    // Whoever gets a token that does not open a repository is told what is told of one that is not there; a push tells.
    assert_eq!(client().digest(&tag).await.unwrap(), None);
    let anonymous = client().check_push(&repository).await.unwrap_err();
    assert!(matches!(anonymous.kind(), Kind::Unauthorized { .. }), "{anonymous}");
    let stranger = own.client("bWU6aHVudGVyMg==");
    assert_eq!(stranger.digest(&tag).await.unwrap(), None);
    let stranger = stranger.check_push(&repository).await.unwrap_err();
    assert!(matches!(stranger.kind(), Kind::Denied { .. }), "{stranger}");
}
