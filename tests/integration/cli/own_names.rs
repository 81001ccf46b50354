//! The images of a project by their own repositories: as each other's base images.

use serde_json::{Value, json};

use crate::support::base::BaseTag;
use crate::support::dtbuild::{CONFIG, Dtbuild, image, project};
use crate::support::registry::address;
use crate::support::repo::TestRepo;

/// The repository that `build.toml` gives `lib`; another registry stands in for it.
const LIB: &str = "registry.example.com/demo/lib";

/// `app` with this Dockerfile, and `lib`; the environment moves the tag `stage`.
fn app(dockerfile: &str) -> TestRepo {
    let config = format!("{CONFIG}tag = \"stage\"\n\n[images.lib]\ncontext = \"lib\"\n");
    let repo = project().file("build.toml", config).file("lib/Dockerfile", "FROM scratch\nCOPY y /\n");
    repo.file("lib/y", "1").file("app/a", "1").file("app/Dockerfile", dockerfile).commit("first")
}

/// What `app` is built from, its base images, and what is said of it.
fn stands_on(dtbuild: &Dtbuild) -> (Value, Value, Value) {
    let plan = dtbuild.plan("staging");
    let app = image(&plan, "app");
    (app["dependencies"].clone(), app["fields"]["bases"].clone(), app["notes"].clone())
}

#[test]
fn a_repository_means_the_image_whatever_stands_in_for_its_registry() {
    let repo = app("FROM lib\n");
    let dtbuild = Dtbuild::new(&repo);
    let pushed = format!("{}/lib", dtbuild.registry());
    let mut names = vec!["lib".to_owned()];
    for repository in [LIB, &pushed] {
        names.extend(["", ":latest", ":stage", ":local"].map(|tag| format!("{repository}{tag}")));
    }
    for name in names {
        for dockerfile in [
            format!("FROM {name}\n"),
            format!("ARG BASE={name}\nFROM $BASE\n"),
            format!("FROM scratch\nCOPY --from={name} /y /\n"),
            format!("FROM scratch\nRUN --mount=from={name},target=/l /l/y\n"),
        ] {
            repo.write("app/Dockerfile", &dockerfile, 0o644);
            repo.git(["commit", "--quiet", "--all", "--allow-empty", "--message", "next"]);
            assert_eq!(stands_on(&dtbuild), (json!(["lib"]), json!({}), json!([])), "{dockerfile}");
        }
    }
}

#[test]
fn another_tag_or_a_digest_is_an_image_from_elsewhere_and_a_note_says_so() {
    let repo = app("FROM lib\n");
    let released = BaseTag::new(&address());
    let digest = released.serves(&json!({}));
    let repository = released.to_string().rsplit_once(':').unwrap().0.to_owned();
    let config = std::fs::read_to_string(repo.path("build.toml")).unwrap();
    let repo = repo.file("build.toml", format!("{config}repository = \"{repository}\"\n"));
    let dtbuild = Dtbuild::new(&repo);
    for name in [format!("{repository}:1"), format!("{repository}@{digest}")] {
        repo.write("app/Dockerfile", format!("\nFROM {name}\n"), 0o644);
        repo.git(["commit", "--quiet", "--all", "--message", "next"]);
        let note = format!(
            "app/Dockerfile:2: `{name}` is in the repository of `lib` and counts as an image from elsewhere; the image that is \
             built here is meant by `lib`, and by its repository without a tag or with one that dtbuild moves"
        );
        assert_eq!(stands_on(&dtbuild), (json!([]), json!({ name: digest }), json!([note])));
    }
}

#[test]
fn what_an_image_hands_on_is_known_by_each_of_its_names() {
    let repo = app(&format!("FROM {LIB}:stage\nCOPY $DIST /\n"));
    let repo = repo.file("lib/Dockerfile", "FROM scratch\nENV DIST=a\n").commit("variable");
    let inputs = Dtbuild::new(&repo).run(["inputs", "app", "--json"]).json();
    assert_eq!(inputs["inputs"].as_array().unwrap().len(), 1, "{inputs:#}");
}
