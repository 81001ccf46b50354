//! Named contexts, from `build.toml` to the image: the same on every engine.

use super::bench::{Bench, text};

const CONFIG: &str = r#"
[project]
name = "shop"
registry = "registry.invalid/shop"

[images.api]
context = "api"
contexts = { shared = "libs/shared", pages = "image:site", os = "docker-image://busybox:1.37" }

[images.site]
context = "site"
contexts = { build = "libs/shared" }

[environments.staging]
branch = "main"
"#;

#[test]
fn folders_and_images_are_built_from_by_their_names() {
    let bench = Bench::new();
    bench.write("build.toml", CONFIG);
    bench.write("libs/shared/words", "words\n");
    bench.write("libs/shared/notes.md", "not sent\n");
    bench.write("libs/shared/.dockerignore", "*.md\n");
    bench.write(
        "api/Dockerfile",
        "FROM os\nCOPY --from=shared . /shared/\nCOPY data /\n\
         RUN --mount=from=pages,source=/page,target=/p cat /p /shared/words /data > /all && ls -A /shared > /list\n",
    );
    // The stage is not built: the folder takes its place.
    bench.write(
        "site/Dockerfile",
        "FROM scratch AS build\nRUN missing\nFROM busybox:1.36\nCOPY --from=build words /page\n",
    );
    bench.run(&["lock"]).ok();
    let build = || bench.run(&["build", "--progress", "rawjson"]).ok().images("image-started");
    let file = |path: &str| Bench::file_in(&format!("{}/api:local", bench.registry), path);
    assert_eq!(build(), ["api", "site"]);
    assert_eq!(file("/all"), "words\nwords\nregions\n");
    assert_eq!(file("/list"), ".dockerignore\nwords\n");
    assert_eq!(build(), [""; 0]);

    bench.write("libs/shared/notes.md", "still not sent\n");
    assert_eq!(build(), [""; 0]);
    bench.write("libs/shared/words", "other words\n");
    assert_eq!(build(), ["api", "site"]);
    assert_eq!(file("/all"), "other words\nother words\nregions\n");

    bench.commit("contexts");
    let release = bench.run(&["--env", "staging", "--json"]).ok().json();
    assert_eq!(
        Bench::file_in(text(&release["images"]["api"]), "/all"),
        "other words\nother words\nregions\n"
    );
}

#[test]
fn a_stage_stands_on_a_stage_that_a_folder_replaces() {
    let bench = Bench::new();
    bench.write(
        "build.toml",
        &CONFIG.replace("os = \"docker-image", "rootfs = \"libs/rootfs\", os = \"docker-image"),
    );
    bench.write("libs/shared/words", "words\n");
    bench.write("libs/rootfs/etc/name", "from the folder\n");
    bench.write("api/Dockerfile", "FROM scratch AS rootfs\nRUN missing\nFROM rootfs AS both\nCOPY data /\nFROM busybox:1.36\nCOPY --from=both / /both/\n");
    bench.run(&["build", "api"]).ok();
    let name = format!("{}/api:local", bench.registry);
    assert_eq!(Bench::file_in(&name, "/both/etc/name"), "from the folder\n");
    assert_eq!(Bench::file_in(&name, "/both/data"), "regions\n");
}
