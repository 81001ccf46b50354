//! Rows of the table: what images attest of themselves.

use dtbuild::config::Provenance;
use dtbuild::engine::docker::Docker;
use dtbuild::engine::{BuildRequest, EngineError, Output};

use super::super::fixture::{Files, attested, build, pushed, request, script, unique};

pub(super) async fn provenance(docker: &Docker) -> String {
    let mut request = request("matrix-provenance", &script("true"), &Files::with_busybox());
    request.options.provenance = Some(Provenance::Max);
    attests(docker, request, "https://slsa.dev/provenance").await
}

pub(super) async fn sbom(docker: &Docker) -> String {
    let mut request = request("matrix-sbom", &script("true"), &Files::with_busybox());
    request.options.sbom = Some(scanner(docker).await);
    attests(docker, request, "https://spdx.dev/Document").await
}

/// Whether the image at the registry has a statement of this type.
async fn attests(docker: &Docker, mut request: BuildRequest, kind: &str) -> String {
    request.output = Output::Push;
    let (result, events) = build(docker, &request).await;
    match result {
        Ok(built) => {
            let digest = pushed(docker, &request, built).await;
            let attested = attested(&request.names[0], &digest);
            assert!(attested.iter().any(|found| found.starts_with(kind)), "{attested:?}");
            "yes".to_owned()
        }
        Err(EngineError::Unsupported { .. }) => "refused".to_owned(),
        Err(error) => panic!("{error}\n{events:?}"),
    }
}

/// The image of a scanner, at the registry: it finds one thing in every image.
/// <https://github.com/moby/buildkit/blob/master/docs/attestations/sbom-protocol.md>
async fn scanner(docker: &Docker) -> String {
    let statement = r#"{"_type":"https://in-toto.io/Statement/v0.1","predicateType":"https://spdx.dev/Document",
        "predicate":{"spdxVersion":"SPDX-2.3","name":"one thing"}}"#;
    let files =
        Files::with_busybox().file("statement.json", statement).file("own", unique("scanner").to_string());
    let text = "FROM scratch\nCOPY busybox /bin/busybox\nCOPY statement.json own /\n\
        ENTRYPOINT [\"/bin/busybox\", \"sh\", \"-c\", \
        \"/bin/busybox cp /statement.json $BUILDKIT_SCAN_DESTINATION/found.spdx.json\"]\n";
    let mut request = request("matrix-scanner", text, &files);
    request.output = Output::Push;
    let built = build(docker, &request).await.0.unwrap();
    let digest = pushed(docker, &request, built).await;
    request.names[0].repository().pinned(&digest).to_string()
}
