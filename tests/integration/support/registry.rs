//! Registries for tests: the one that `./dev engine up` started, and those of single tests. Start with
//! [`OwnRegistry`].

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use dtbuild::reference::Repository;
use dtbuild::registry::{Registry, Settings};
use tempfile::TempDir;

/// The registry for tests: host and port.
pub(crate) fn address() -> String {
    std::env::var("DTBUILD_TEST_REGISTRY").unwrap_or_else(|_| panic!("run `./dev engine up` first"))
}

pub(crate) fn client() -> Registry {
    Registry::new(Settings::default()).unwrap()
}

/// A client that is not dtbuild's, for the requests that tests send to a registry themselves.
pub(crate) fn plain_client() -> reqwest::Client {
    // The installation fails if the process has a provider already, which serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

/// A repository that no other test, and no earlier run, has used.
pub(crate) fn fresh_repository(host: &str) -> Repository {
    let folder = tempfile::Builder::new().prefix("r").rand_bytes(12).tempdir().unwrap();
    let unique = folder.path().file_name().unwrap().to_str().unwrap().to_lowercase();
    format!("{host}/tests/{}", unique.trim_matches('.')).parse().unwrap()
}

/// A `docker-registry` of one test. It ends when it is dropped.
pub(crate) struct OwnRegistry {
    process: Child,
    pub(crate) host: String,
    folder: TempDir,
}

impl OwnRegistry {
    /// Starts a registry whose configuration has these lines besides.
    pub(crate) fn start(more: impl FnOnce(&Path) -> String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let host = format!("127.0.0.1:{port}");
        let config = format!(
            "version: 0.1\nlog:\n  level: error\n  accesslog:\n    disabled: true\nstorage:\n  filesystem:\n    \
             rootdirectory: {}\nhttp:\n  addr: {host}\n{}",
            folder.path().join("data").display(),
            more(folder.path()),
        );
        std::fs::write(folder.path().join("config.yml"), config).unwrap();
        let process = Command::new("docker-registry")
            .arg("serve")
            .arg(folder.path().join("config.yml"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("install the package `docker-registry`: {error}"));
        for _ in 0..200 {
            if std::net::TcpStream::connect(&host).is_ok() {
                break;
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        Self { process, host, folder }
    }

    /// A registry that lets `me` in with the password `opensesame`.
    pub(crate) fn with_password() -> Self {
        Self::start(|folder| {
            let line = "me:$2y$05$abcdefghijklmnopqrstuuQbLfdQZSxZ9gjhA5V9o8Tyc6aQRO0Qi\n";
            std::fs::write(folder.join("htpasswd"), line).unwrap();
            format!("auth:\n  htpasswd:\n    realm: test\n    path: {}\n", folder.join("htpasswd").display())
        })
    }

    /// A folder with docker's configuration as `docker login` writes it; `auth` is base64 of `user:password`.
    pub(crate) fn docker_config(&self, auth: &str) -> PathBuf {
        write_config(self.folder.path(), &self.host, auth)
    }

    /// A client with these credentials.
    pub(crate) fn client(&self, auth: &str) -> Registry {
        let docker_config = Some(self.docker_config(auth));
        Registry::new(Settings { docker_config, ..Settings::default() }).unwrap()
    }
}

impl Drop for OwnRegistry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A folder below `folder` with docker's configuration as `docker login` writes it; `auth` is base64 of `user:password`.
pub(crate) fn write_config(folder: &Path, host: &str, auth: &str) -> PathBuf {
    let config = format!(r#"{{"auths":{{"{host}":{{"auth":"{auth}"}}}}}}"#);
    let folder = tempfile::tempdir_in(folder).unwrap().keep();
    std::fs::write(folder.join("config.json"), config).unwrap();
    folder
}

/// The tags of a repository, sorted; none if there is no such repository.
pub(crate) fn tags(repository: &str) -> Vec<String> {
    let (host, path) = repository.split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    write!(stream, "GET /v2/{path}/tags/list HTTP/1.0\r\nHost: {host}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    let tags = body["tags"].as_array().into_iter().flatten();
    let mut tags: Vec<String> = tags.map(|tag| tag.as_str().unwrap().to_owned()).collect();
    tags.sort();
    tags
}
