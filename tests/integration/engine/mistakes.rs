//! Addresses behind which something else is than they say: what is told, word for word.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use dtbuild::engine::endpoint::Endpoint;
use dtbuild::engine::{AnyEngine, EngineError};
use dtbuild::error::Failure as _;

use super::bridge::{Bridge, Certificates, Side};
use super::fixture::variable;
use crate::support::dtbuild::{Dtbuild, project};

/// The reason for which an address leads to no engine.
async fn reason(address: &str, certificates: Option<&Path>) -> String {
    let error = AnyEngine::connect(Endpoint::parse(address, certificates).unwrap()).await.unwrap_err();
    assert!(matches!(error, EngineError::Address { .. }) && !error.is_lost(), "{error}");
    let told = error.advice();
    let before = format!("`{address}` does not lead to an engine: ");
    told.strip_prefix(&before).unwrap_or_else(|| panic!("{told}")).to_owned()
}

#[tokio::test]
async fn the_other_kind_of_engine_is_told() {
    let docker = variable("DOCKER_HOST");
    assert_eq!(
        reason(&format!("buildkit+{docker}"), None).await,
        format!("dockerd answers there, not a buildkitd; write `{docker}`")
    );
    let bridge = Bridge::to(&docker, Side::BuildKit, None).await;
    let address = format!("tcp://{}", bridge.address);
    assert_eq!(
        reason(&address, None).await,
        format!("a buildkitd answers there, not dockerd; write `buildkit+{address}`")
    );
}

/// An ssh agent, which ends when it is dropped.
struct Agent(Child);

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn what_is_no_engine_at_all_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("agent");
    let mut agent = Command::new("ssh-agent");
    agent.arg("-D").arg("-a").arg(&socket).stdin(Stdio::null()).stdout(Stdio::null());
    let _agent = Agent(agent.spawn().unwrap());
    for _ in 0..1000 {
        if socket.exists() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    for scheme in ["unix", "buildkit+unix"] {
        let told = reason(&format!("{scheme}://{}", socket.display()), None).await;
        assert_eq!(told, "an ssh agent listens there, no engine; name the engine's own socket");
    }
    let registry = variable("DTBUILD_TEST_REGISTRY");
    for scheme in ["tcp", "buildkit+http"] {
        let told = reason(&format!("{scheme}://{registry}"), None).await;
        assert_eq!(told, "a web server answers there, no engine; name the engine's own address");
    }
}

#[tokio::test]
async fn tls_that_one_side_speaks_alone_is_told() {
    let certificates = Certificates::new();
    for (side, scheme) in [(Side::Docker, "tcp"), (Side::BuildKit, "buildkit+tcp")] {
        let with = Bridge::to(&variable("DOCKER_HOST"), side, Some(&certificates)).await;
        assert_eq!(
            reason(&format!("{scheme}://{}", with.address), None).await,
            "it speaks TLS, and was spoken to without; name the folder of its certificates: `certificates` of a \
             builder, `DTBUILD_ENGINE_CERTS` for `DTBUILD_ENGINE`, `DOCKER_CERT_PATH` with `DOCKER_TLS_VERIFY=1` for \
             `DOCKER_HOST`"
        );
        let http = scheme.replace("tcp", "http");
        assert_eq!(
            reason(&format!("{http}://{}", with.address), None).await,
            format!(
                "it speaks TLS, and was spoken to without; write `{scheme}://`, and name the folder of its certificates"
            )
        );
        let without = Bridge::to(&variable("DOCKER_HOST"), side, None).await;
        assert_eq!(
            reason(&format!("{scheme}://{}", without.address), Some(&certificates.client())).await,
            format!(
                "it does not speak TLS, and there are certificates for it; let it speak TLS, or write `{http}://` if \
                 it shall stay so"
            )
        );
    }
}

#[tokio::test]
async fn certificates_that_one_side_does_not_accept_are_told() {
    let (certificates, other) = (Certificates::new(), Certificates::new());
    for (side, scheme) in [(Side::Docker, "tcp"), (Side::BuildKit, "buildkit+tcp")] {
        let bridge = Bridge::to(&variable("DOCKER_HOST"), side, Some(&certificates)).await;
        let address = format!("{scheme}://{}", bridge.address);
        let told = |folder: std::path::PathBuf| {
            let address = address.clone();
            async move { reason(&address, Some(&folder)).await.replace(&folder.display().to_string(), "certs") }
        };
        assert_eq!(
            told(other.client()).await,
            "the authority in `certs/ca.pem` did not sign its certificate; put the authority's there that did"
        );
        assert_eq!(
            told(certificates.stranger()).await,
            "it wants to know who asks; put the client's `cert.pem` and `key.pem` into `certs`"
        );
        let another = certificates.of_another(&other);
        assert_eq!(
            told(another.clone()).await,
            "it does not accept `certs/cert.pem`; have it signed by the authority that the engine trusts"
        );
        std::fs::remove_dir_all(another).unwrap();
        let (_, port) = bridge.address.split_once(':').unwrap();
        let named = format!("{scheme}://localhost:{port}");
        assert_eq!(
            reason(&named, Some(&certificates.client())).await,
            "its certificate is not for `localhost`; use a name or address that is in it, or add this one"
        );
    }
}

#[test]
fn addresses_are_shown_as_they_were_written() {
    let repo = project().commit("first");
    for written in ["http://127.0.0.1:1/", "buildkit+http://127.0.0.1:1", "buildkit+tcp://localhost:1"] {
        let dtbuild = Dtbuild::new(&repo).variable("DTBUILD_ENGINE", written);
        dtbuild.run(["build"]).fails(3, &[&format!("cannot reach the engine at `{written}`")]);
        let told = dtbuild.run(["doctor"]).stdout;
        assert!(told.contains(&format!("cannot reach the engine at `{written}`")), "{told}");
    }
}
