use super::*;

#[test]
fn addresses_are_those_of_docker_host_and_of_buildkit() {
    for written in [
        "unix:///run/docker.sock",
        "tcp://127.0.0.1:1/",
        "tcp://build.lan",
        "http://build.lan:2375",
        "ssh://me@build.lan:2222/run/docker.sock",
        "ssh://build.lan",
        "buildkit+unix:///run/buildkit/buildkitd.sock",
        "buildkit+tcp://127.0.0.1",
        "buildkit+tcp://[::1]:1234",
        "buildkit+http://build.lan:1",
        "buildkit+ssh://me@build.lan",
    ] {
        assert_eq!(Endpoint::parse(written, None).unwrap().to_string(), written, "shown as it was written");
    }
    assert_eq!(Endpoint::parse("buildkit+unix:///a", None).unwrap().protocol(), Protocol::BuildKit);
    assert_eq!(Endpoint::parse("unix:///a", None).unwrap().protocol(), Protocol::Docker);
}

#[test]
fn what_is_no_address_says_what_one_is() {
    for (written, says) in [
        ("unix://relative", "expected `unix:///path`"),
        ("build.lan:2375", "expected `unix:///path`"),
        ("npipe:////./pipe/docker_engine", "expected `unix:///path`"),
        ("tcp://", "expected a host and a port"),
        ("tcp://me@build.lan", "expected a host and a port"),
        ("https://build.lan", "`ca.pem`, `cert.pem` and `key.pem`"),
        ("ssh://", "expected `ssh://user@host`"),
        ("ssh://-oProxyCommand=x", "expected `ssh://user@host`"),
        ("ssh://-l@build.lan", "expected `ssh://user@host`"),
        ("ssh://me:secret@build.lan", "a password has no place in it"),
        ("ssh://build.lan/run/$(id)", "the socket's path"),
        ("ssh://build.lan:x", "`x` is not a port"),
        ("buildkit+tcp://build.lan", "in the clear"),
    ] {
        let error = Endpoint::parse(written, None).unwrap_err();
        assert!(matches!(error, EngineError::Address { .. }), "{written}");
        assert!(error.to_string().contains(says), "{written}: {error}");
    }
}

#[test]
fn ssh_runs_what_dials_the_engine_there() {
    let arguments = |target: &str, protocol| Ssh::parse(target, protocol).unwrap().arguments().join(" ");
    assert_eq!(
        arguments("me@build.lan:2222/run/docker.sock", Protocol::Docker),
        "-o ConnectTimeout=10 -T -l me -p 2222 -- build.lan docker --host unix:///run/docker.sock system dial-stdio"
    );
    assert_eq!(
        arguments("[fe80::1]", Protocol::BuildKit),
        "-o ConnectTimeout=10 -T -- fe80::1 buildctl dial-stdio"
    );
}

#[tokio::test]
async fn an_engine_that_is_not_there_is_unreachable() {
    let endpoint = Endpoint::parse("unix:///nonexistent/docker.sock", None).unwrap();
    let error = endpoint.upgrade("/grpc", &[]).await.unwrap_err();
    assert!(error.to_string().contains("cannot reach the engine at `unix:///nonexistent/docker.sock`"));
    let error = endpoint.api().await.unwrap_err();
    assert_eq!(error.to_string().matches("cannot reach").count(), 1, "the reason alone: {error}");
}

#[test]
fn certificates_that_cannot_be_used_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let parse = || Endpoint::parse("tcp://build.lan", Some(folder.path())).unwrap_err().to_string();
    assert!(parse().contains("ca.pem`"), "{}", parse());
    std::fs::write(folder.path().join("ca.pem"), "nothing").unwrap();
    assert!(parse().contains("holds no certificate"), "{}", parse());
}

/// A folder of docker's configuration with a context `far`, current or not.
fn contexts(current: Option<&str>, endpoint: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let config = current.map(|name| format!(r#"{{"auths":{{}},"currentContext":"{name}"}}"#));
    std::fs::write(folder.path().join("config.json"), config.unwrap_or_else(|| "{}".to_owned())).unwrap();
    let id = super::locate::folder_of("far");
    let meta = folder.path().join("contexts/meta").join(id);
    std::fs::create_dir_all(&meta).unwrap();
    let text = format!(r#"{{"Name":"far","Metadata":{{}},"Endpoints":{{"docker":{endpoint}}}}}"#);
    std::fs::write(meta.join("meta.json"), text).unwrap();
    folder
}

#[test]
fn docker_contexts_lead_to_their_engine() {
    let folder = contexts(Some("far"), r#"{"Host":"ssh://me@far.lan","SkipTLSVerify":false}"#);
    let environment = Environment { docker_folder: Some(folder.path().to_owned()), ..Environment::default() };
    let shown = |environment: &Environment| environment.endpoint().map(|endpoint| endpoint.to_string());
    assert_eq!(shown(&environment).unwrap(), "ssh://me@far.lan");
    let named = |name: &str| Environment { docker_context: Some(name.to_owned()), ..environment.clone() };
    assert_eq!(shown(&named("default")).unwrap(), "unix:///var/run/docker.sock");
    let error = shown(&named("near")).unwrap_err().to_string();
    assert!(error.contains("`docker context near`") && error.contains("docker context ls"), "{error}");
    let host = Environment { docker_host: Some("unix:///a".to_owned()), ..named("far") };
    assert_eq!(shown(&host).unwrap(), "unix:///a");
    let engine = Environment { engine: Some("buildkit+unix:///b".to_owned()), ..host };
    assert_eq!(shown(&engine).unwrap(), "buildkit+unix:///b");
}

#[test]
fn a_context_that_does_not_verify_is_refused() {
    let folder = contexts(None, r#"{"Host":"tcp://far.lan:2376","SkipTLSVerify":true}"#);
    let environment = Environment {
        docker_folder: Some(folder.path().to_owned()),
        docker_context: Some("far".to_owned()),
        ..Environment::default()
    };
    let error = environment.endpoint().unwrap_err().to_string();
    assert!(error.contains("not to verify TLS"), "{error}");
}

#[test]
fn who_has_no_configuration_gets_the_default_socket() {
    let environment = Environment::default();
    assert_eq!(environment.endpoint().unwrap().to_string(), "unix:///var/run/docker.sock");
    let nowhere = Environment { docker_folder: Some("/nonexistent".into()), ..environment };
    assert_eq!(nowhere.endpoint().unwrap().to_string(), "unix:///var/run/docker.sock");
}
