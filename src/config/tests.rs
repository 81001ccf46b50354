//! What `build.toml` may say, and what is said back where it may not.

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
    assert_eq!(config.records, RecordStore::Folder(".dtbuild/records".into()));
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
    let name = config.environment_of_branch("main").unwrap();
    let staging = &config.environments[name];
    assert_eq!(staging.tag, "staging");
    assert_eq!(staging.images.len(), 1);
    assert!(config.environment_of_branch("other").is_none());
}

/// Each line: what is added to the minimal file, the line of the error counted from there, a part of the
/// message and of the hint.
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
fn every_error_has_a_line() {
    for text in
        ["", "#", "[project]\n", "[images]\n", "images = 1", "\u{feff}", "a = \"\\u0\"", "[[project]]"]
    {
        assert!(parse(text).unwrap_err().line.is_some(), "{text:?}");
        assert!(Lock::parse(text).unwrap_err().line.is_some(), "{text:?}");
    }
}
