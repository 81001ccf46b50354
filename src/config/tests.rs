//! The accepted forms of `build.toml`, and the errors for all others.

use super::*;

const MINIMAL: &str = r#"
[project]
name = "datatube"
registry = "registry.example.com/datatube"

[images.client]
context = "containers/client"
"#;

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, None)
}

fn image(config: &Config, name: &str) -> Image {
    config.images[&name.parse::<ImageName>().unwrap()].clone()
}

#[test]
fn the_context_is_the_only_required_key_of_an_image() {
    let config = parse(MINIMAL).unwrap();
    let client = image(&config, "client");
    assert_eq!(client.context, "containers/client");
    assert_eq!(client.dockerfile, "containers/client/Dockerfile");
    assert_eq!(client.repository.to_string(), "registry.example.com/datatube/client");
    assert_eq!(config.records, RecordStore::Machine("registry.example.com/datatube".into()));
}

#[test]
fn the_root_can_be_a_context() {
    let config = parse(&MINIMAL.replace("containers/client", "./")).unwrap();
    assert_eq!(image(&config, "client").context, "");
    assert_eq!(image(&config, "client").dockerfile, "Dockerfile");
}

#[test]
fn another_registry_stands_in_for_the_project_s() {
    let config = Config::parse(MINIMAL, Some("127.0.0.1:5000/fork/")).unwrap();
    assert_eq!(image(&config, "client").repository.to_string(), "127.0.0.1:5000/fork/client");
}

#[test]
fn an_environment_has_all_images_and_its_own_name_as_tag_unless_it_says_otherwise() {
    let config = parse(&format!("{MINIMAL}\n[environments.staging]\nbranch = \"main\"\n")).unwrap();
    let name = &config.environment_of_branch("main").unwrap().name;
    let staging = &config.environments[name];
    assert_eq!(staging.tag.moved(), Some("staging"));
    assert_eq!(staging.images.len(), 1);
    assert!(config.environment_of_branch("other").is_none());
}

/// Each row: the text that is added to the minimal file, the line of the error counted from there, a part of
/// the message and a part of the hint.
#[test]
fn every_mistake_is_named_with_its_line_and_a_hint() {
    let table: &[(&str, usize, &str, &str)] = &[
        ("contex = \"x\"", 1, "unknown field `contex`", "did you mean `context`?"),
        (
            "[images.api]\ncontext = \"../api\"",
            2,
            "`../api` leads out of the repository",
            "inside the repository",
        ),
        ("[images.api]\ncontext = \"/api\"", 2, "not a path from the repository's root", "relative"),
        ("[images.Api]\ncontext = \"api\"", 1, "`Api` is not a name", ""),
        ("[images.api]\ndockerfile = \"Dockerfile\"", 1, "missing field `context`", ""),
        (
            "[images.api]\ncontext = \"api\"\nrepository = \"registry.example.com/datatube/client\"",
            1,
            "images `api` and `client` have one repository",
            "another `repository`",
        ),
        ("contexts = { Lib = \"lib\" }", 1, "`Lib` cannot name a context", "lower-case"),
        ("contexts = { scratch = \"lib\" }", 1, "`scratch` means something else", "another name"),
        ("contexts = { context = \"lib\" }", 1, "`context` means something else", "another name"),
        ("contexts = { \"a b\" = \"lib\" }", 1, "`a b` cannot name a context", "lower-case"),
        ("contexts = { a = \"lib\", \"a:latest\" = \"lib\" }", 1, "two contexts are named `a`", ""),
        ("contexts = { lib = \"../lib\" }", 1, "`../lib` leads out of the repository", "inside"),
        ("contexts = { lib = \"/lib\" }", 1, "not a path from the repository's root", "relative"),
        ("contexts = { lib = \"image:client\" }", 1, "`client` cannot be built from itself", ""),
        ("contexts = { lib = \"image:tools\" }", 1, "no image is named `tools`", "declare it"),
        ("contexts = { lib = \"image:A\" }", 1, "`A` is not a name", "`image:NAME`"),
        ("contexts = { lib = \"target:tools\" }", 1, "`target:tools` cannot be a context", "`image:NAME`"),
        (
            "contexts = { lib = \"docker-image://A\" }",
            1,
            "cannot be a context",
            "`docker-image://alpine:3.20`",
        ),
        (
            "contexts = { lib = \"oci-layout://a\" }",
            1,
            "`oci-layout://a` cannot be a context",
            "push the layout",
        ),
        ("contexts = { lib = \"ssh://git@h/a.git\" }", 1, "cannot be a context", "`git@HOST:PATH`"),
        ("contexts = { lib = \"https://h/a.tgz\" }", 1, "cannot be a context", "`ADD --checksum=... URL`"),
        ("contexts = { lib = \"ftp://h/a\" }", 1, "cannot be a context", "it is a folder"),
        (
            "[images.api]\ncontext = \"api\"\ncontexts = { c = \"image:cliemt\" }",
            3,
            "no image is named `cliemt`",
            "did you mean `image:client`?",
        ),
        ("platforms = [\"arm64\"]", 1, "`arm64` is not a platform", "os/architecture"),
        ("paths = [\"a[\"]", 1, "`a[` is not a valid glob", ""),
        ("paths = [\"../**\"]", 1, "leads out of the repository", ""),
        ("secrets = [{ id = \"npm\" }]", 1, "the secret `npm` needs either `env` or `file`", ""),
        (
            "[environments.staging]\nimages = [\"clinet\"]",
            2,
            "no image is named `clinet`",
            "did you mean `client`?",
        ),
        ("[environments.staging]\ntag = \"a b\"", 2, "`a b` is not a tag", ""),
        ("[environments.staging]\ntag = \"key-1\"", 2, "start with `key-`", ""),
        (
            "[environments.staging]\ndeploy = {}",
            2,
            "`deploy` needs either a `command` or `ansible`",
            "argument",
        ),
        ("[environments.staging.deploy]\ncommand = []", 1, "`deploy` needs either", ""),
        ("[record]\nstore = \"folder\"", 1, "unknown field `record`", "did you mean `records`?"),
        ("[records]\nstore = \"registri\"", 2, "unknown variant `registri`", "did you mean `registry`?"),
        ("platforms = \"linux/amd64\"", 1, "invalid type", ""),
        ("nonsense", 1, "", ""),
    ];
    assert_mistakes(table);
}

#[test]
fn variables_and_names_of_before_are_checked() {
    assert_mistakes(&[
        (
            "args = { A = \"a\",\n B = \"v-${VERSION:-1}\" }",
            2,
            "`${VERSION:-1}` in the argument `B` would be taken word by word",
            "write the value",
        ),
        ("renamed-from = \"client\"", 1, "`client` is an image still", "leave `renamed-from` out"),
        ("renamed-from = \"Old\"", 1, "`Old` is not a name", ""),
        (
            "renamed-from = \"old\"\n[images.api]\ncontext = \"api\"\nrenamed-from = \"old\"",
            4,
            "`old` was one image alone",
            "leave",
        ),
    ]);
}

#[track_caller]
fn assert_mistakes(table: &[(&str, usize, &str, &str)]) {
    let first = MINIMAL.lines().count();
    for (added, line, message, hint) in table {
        let error = parse(&format!("{MINIMAL}{added}\n")).expect_err(added);
        assert_eq!(error.line, Some(first + line), "{added}: {error}");
        assert!(error.message.contains(message), "{added}: {error}");
        assert!(error.hint.clone().unwrap_or_default().contains(hint), "{added}: {:?}", error.hint);
        assert!(error.to_string().starts_with(&format!("build.toml:{}: ", first + line)), "{error}");
    }
}

#[test]
fn the_later_of_two_that_cannot_be_together_is_named_however_it_is_written() {
    let environments = "[environments]\nb = { branch = \"x\" }\na.branch = \"x\"\n";
    let images = "[images.api]\ncontext = \"api\"\nrepository = \"r.example/a\"\n[images.\"a-b\"]\n\
                  context = \"b\"\nrepository = \"r.example/a\"\n";
    let first = MINIMAL.lines().count();
    for (added, line, message) in [
        (environments, 3, "environments `a` and `b` follow one branch, `x`"),
        (images, 4, "images `a-b` and `api` have one repository, `r.example/a`"),
    ] {
        let error = parse(&format!("{MINIMAL}{added}")).unwrap_err();
        assert_eq!((error.message.as_str(), error.line), (message, Some(first + line)));
    }
}

#[test]
fn two_images_of_a_deployment_never_share_a_variable() {
    let images = "[images.web_api]\ncontext = \"a\"\n[images.\"web.api\"]\ncontext = \"b\"\n";
    let deploy = "[environments.staging]\ndeploy = { command = [\"true\"] }\n";
    let error = parse(&format!("{MINIMAL}{images}{deploy}")).unwrap_err();
    let (first, second) = (MINIMAL.lines().count() + 1, MINIMAL.lines().count() + 3);
    assert_eq!(
        error.to_string(),
        format!(
            "build.toml:{second}: images `web.api` (line {second}) and `web_api` (line {first}) would both be \
             `DTBUILD_IMAGE_WEB_API` for the deployment of `staging`"
        )
    );
    assert_eq!(error.hint.unwrap(), "rename one of them, or leave it out of the environment's `images`");
    // Without a deployment, or with only one of the images in it, no two variables are equal.
    for environment in [
        "[environments.staging]\nbranch = \"main\"\n".to_owned(),
        deploy.replace("deploy", "images = [\"web_api\", \"client\"]\ndeploy"),
    ] {
        parse(&format!("{MINIMAL}{images}{environment}")).unwrap();
    }
}

#[test]
fn every_error_has_a_line() {
    for text in
        ["", "#", "[project]\n", "[images]\n", "images = 1", "\u{feff}", "a = \"\\u0\"", "[[project]]"]
    {
        assert!(parse(text).unwrap_err().line.is_some(), "{text:?}");
        assert!(Lock::parse(text).unwrap_err().line.is_some(), "{text:?}");
    }
}

#[test]
fn a_context_is_a_folder_an_image_or_a_repository() {
    let commit = "0f".repeat(20);
    let text = format!(
        "{MINIMAL}contexts = {{ shared = \"./libs/shared/\", root = \".\", tools = \"image:tools\",
  \"docker.io/library/node:22\" = \"docker-image://node:22-slim\", \"a/b:1\" = \"docker-image://a@sha256:{digest}\",
  git = \"https://example.com/a.git#{commit}:sub\", branch = \"git@example.com:a/b.git#main\" }}
[images.tools]
context = \"tools\"
",
        digest = "ab".repeat(32)
    );
    let contexts = image(&parse(&text).unwrap(), "client").contexts;
    let origin = |name: &str| contexts[name].origin.clone();
    assert_eq!(contexts.len(), 7);
    assert_eq!(origin("shared"), ContextOrigin::Folder("libs/shared".into()));
    assert_eq!(origin("root"), ContextOrigin::Folder("".into()));
    assert_eq!(origin("tools"), ContextOrigin::Image("tools".parse().unwrap()));
    assert_eq!(origin("node:22"), ContextOrigin::External("node:22-slim".to_owned()));
    assert!(matches!(origin("a/b:1"), ContextOrigin::External(name) if name.starts_with("a@sha256:")));
    let exact = |name: &str| matches!(origin(name), ContextOrigin::Repository { exact: true, .. });
    assert_eq!((exact("git"), exact("branch")), (true, false));
}
