//! Named contexts: what of them counts, what `explain` and `inputs` say of it, and what is refused.

use serde_json::Value;

use crate::support::dtbuild::{Dtbuild, image};
use crate::support::repo::TestRepo;

const PROJECT: &str = "[project]\nname = \"demo\"\nregistry = \"registry.example.com/demo\"\n\n\
                       [environments.staging]\nbranch = \"staging\"\n";

/// The image `app` with these contexts; the folder `libs/shared` has a library and a page.
fn repo(contexts: &str, dockerfile: &str) -> TestRepo {
    let config = format!("{PROJECT}\n[images.app]\ncontext = \"app\"\ncontexts = {{ {contexts} }}\n");
    TestRepo::new()
        .file("build.toml", config)
        .file("app/Dockerfile", dockerfile)
        .file("app/main", "main\n")
        .file("libs/shared/lib/a", "a\n")
        .file("libs/shared/README.md", "read me\n")
}

fn key(dtbuild: &Dtbuild, name: &str) -> Value {
    image(&dtbuild.plan_of_disk(), name)["key"].clone()
}

const SHARED: &str = "shared = \"libs/shared\"";

#[test]
fn a_file_of_a_folder_counts_where_it_is_read() {
    let repo = repo(SHARED, "FROM scratch\nCOPY --from=shared lib /lib\nCOPY main /\n").commit("first");
    let dtbuild = Dtbuild::new(&repo);
    let first = key(&dtbuild, "app");
    assert_eq!(image(&dtbuild.plan("staging"), "app")["key"], first, "the disk and its commit");

    repo.write("libs/shared/README.md", "changed\n", 0o644);
    assert_eq!(key(&dtbuild, "app"), first);
    repo.write("libs/shared/lib/a", "changed\n", 0o644);
    assert_ne!(key(&dtbuild, "app"), first);
    let told = dtbuild.run(["explain", "app", "--disk"]).succeeds().stdout;
    assert!(told.contains("libs/shared/lib/a modified"), "{told}");
    assert!(told.contains("app/Dockerfile:2  COPY --from=shared lib /lib"), "{told}");

    let of = |path: &str| dtbuild.run(["explain", "--path", path]).succeeds().stdout;
    assert!(of("libs/shared/lib/a").contains("app/Dockerfile:2  COPY --from=shared lib /lib"));
    assert!(of("libs/shared/README.md").contains("nothing copies or mounts it"));
    assert!(of("app/main").contains("app/Dockerfile:3  COPY main /"));

    let inputs = dtbuild.run(["inputs", "app"]).succeeds().stdout;
    let (own, shared) = inputs.split_once("from the context `shared`").unwrap();
    assert!(own.contains("app/main") && shared.contains("libs/shared/lib/a"), "{inputs}");
    let json = dtbuild.run(["inputs", "app", "--json"]).json();
    assert_eq!((&json["context"], &json["contexts"][0]["name"]), (&"app".into(), &"shared".into()));
    assert_eq!(json["inputs"][1]["context"], "shared");
    assert_eq!(json["inputs"][1]["path"], "libs/shared/lib/a");
}

#[test]
fn a_folder_has_its_own_dockerignore() {
    let repo = repo(SHARED, "FROM scratch\nCOPY --from=shared . /\n")
        .file("libs/shared/.dockerignore", "*.md\n")
        .file("app/Dockerfile.dockerignore", "lib\n");
    let dtbuild = Dtbuild::new(&repo);
    let first = key(&dtbuild, "app");
    repo.write("libs/shared/README.md", "changed\n", 0o644);
    assert_eq!(key(&dtbuild, "app"), first);
    repo.write("libs/shared/lib/a", "changed\n", 0o644);
    assert_ne!(key(&dtbuild, "app"), first);
    let told = dtbuild.run(["explain", "--path", "libs/shared/README.md", "--disk"]).succeeds().stdout;
    assert!(told.contains("ignored by libs/shared/.dockerignore:1"), "{told}");
    repo.write("app/Dockerfile", "FROM scratch\nCOPY --from=shared README.md /\n", 0o644);
    dtbuild.run(["build", "--dry-run"]).fails(
        2,
        &["app/Dockerfile:2: COPY README.md: `README.md` is excluded by libs/shared/.dockerignore:1"],
    );
}

#[test]
fn what_is_missing_is_named_with_its_line() {
    let repo = repo(SHARED, "FROM scratch\nRUN --mount=from=shared,source=lob,target=/x true\n");
    let dtbuild = Dtbuild::new(&repo);
    dtbuild
        .run(["build", "--dry-run"])
        .fails(2, &["app/Dockerfile:2: RUN --mount lob: not in the context `libs/shared`"]);
    let other = self::repo("shared = \"libs/shard\"", "FROM shared\n");
    Dtbuild::new(&other)
        .run(["build", "--dry-run"])
        .fails(2, &["build.toml:10: the context `shared` of `app`, `libs/shard`, is not a folder of"]);
    let target = self::repo(SHARED, "FROM scratch AS shared\nCOPY main /\n");
    Dtbuild::new(&target)
        .run(["build", "--dry-run"])
        .fails(2, &["app/Dockerfile: line 1: the stage `shared` is the target"]);
}

#[test]
fn a_context_that_nothing_uses_does_not_count() {
    let dockerfile = "FROM scratch AS unused\nCOPY --from=shared . /\nFROM scratch\nCOPY main /\n";
    let repo = repo(SHARED, dockerfile);
    let dtbuild = Dtbuild::new(&repo);
    let with = key(&dtbuild, "app");
    let config = format!("{PROJECT}\n[images.app]\ncontext = \"app\"\n");
    repo.write("build.toml", config, 0o644);
    assert_eq!(key(&dtbuild, "app"), with);
}

#[test]
fn an_image_as_context_chains_its_key() {
    let more = "[images.tools]\ncontext = \"tools\"\n\n[images.others]\ncontext = \"others\"\n";
    let repo = repo("kit = \"image:tools\"", "FROM scratch\nCOPY --from=kit /tool /\n");
    let config = |kit: &str| {
        format!(
            "{PROJECT}\n{more}\n[images.app]\ncontext = \"app\"\ncontexts = {{ kit = \"image:{kit}\" }}\n"
        )
    };
    let tools = "FROM scratch\nCOPY tool /\n";
    let repo =
        repo.file("tools/Dockerfile", tools).file("tools/tool", "1").file("build.toml", config("tools"));
    let repo = repo.file("others/Dockerfile", tools).file("others/tool", "1").commit("first");
    let dtbuild = Dtbuild::new(&repo);
    let plan = dtbuild.plan_of_disk();
    let app = image(&plan, "app");
    assert_eq!(app["dependencies"], serde_json::json!(["tools"]));
    assert_eq!(app["fields"]["images"]["tools"], image(&plan, "tools")["key"]);
    assert_eq!(app["fields"]["contexts"]["kit"], "image:tools");

    repo.write("build.toml", config("others"), 0o644);
    assert_ne!(key(&dtbuild, "app"), app["key"]);
    repo.write("build.toml", config("tools"), 0o644);
    repo.write("tools/tool", "2", 0o644);
    assert_ne!(key(&dtbuild, "app"), app["key"]);
}

#[test]
fn a_circle_through_contexts_is_shown() {
    let config = "[images.a]\ncontext = \"a\"\ncontexts = { x = \"image:b\" }\n\n\
                  [images.b]\ncontext = \"b\"\ncontexts = { y = \"image:a\" }\n";
    let repo = TestRepo::new()
        .file("build.toml", format!("{PROJECT}\n{config}"))
        .file("a/Dockerfile", "FROM x\n")
        .file("b/Dockerfile", "FROM scratch\nCOPY --from=y / /\n");
    Dtbuild::new(&repo).run(["build", "--dry-run"]).fails(2, &["in a circle: `a` -> `b` -> `a`"]);
}

#[test]
fn an_image_from_elsewhere_is_locked_like_a_base() {
    let digest = format!("sha256:{}", "0f".repeat(32));
    let reference = format!("registry.example.com/os@{digest}");
    let contexts = format!("\"node:22\" = \"docker-image://{reference}\"");
    let repo = repo(&contexts, "FROM node:22\nCOPY main /\n");
    let dtbuild = Dtbuild::new(&repo);
    let config = repo.path("build.toml");
    let named =
        std::fs::read_to_string(&config).unwrap().replace("demo\"\n\n", "demo\"\nbases = \"name\"\n\n");
    repo.write("build.toml", named, 0o644);
    let plan = dtbuild.plan_of_disk();
    let fields = &image(&plan, "app")["fields"];
    assert_eq!(fields["bases"][&reference], digest);
    assert_eq!(fields["contexts"]["node:22"], format!("docker-image://{reference}"));
}

#[test]
fn a_repository_without_a_commit_is_told_to_be_stale() {
    let commit = "0f".repeat(20);
    for (fragment, stale) in [("main", true), (commit.as_str(), false)] {
        let contexts = format!("src = \"https://git.example.com/a.git#{fragment}\"");
        let repo = repo(&contexts, "FROM scratch\nCOPY --from=src a /\n");
        let plan = Dtbuild::new(&repo).plan_of_disk();
        let reasons = image(&plan, "app")["reasons"].as_array().unwrap().clone();
        let told = reasons.iter().find(|reason| reason["reason"] == "stale-remote");
        assert_eq!(told.is_some(), stale, "{reasons:?}");
        assert!(told.is_none_or(|told| told["file"] == "build.toml" && told["line"] == 10), "{told:?}");
    }
}
