//! A secret reaches the step that asks for it, and is seen nowhere else.

use super::bench::{Bench, text, unique};
use crate::engine::fixture::{docker, has_buildkit};

#[tokio::test]
async fn a_secret_is_seen_by_its_step_alone() {
    let mut bench = Bench::new();
    let canary = unique();
    let dockerfile = "FROM busybox:1.36\nCOPY page /page\n\
                      RUN --mount=type=secret,id=token wc -c < /run/secrets/token > /size\n";
    bench.write("site/Dockerfile", dockerfile);
    // The engine has no such step from an earlier run, whose secret was of another length.
    bench.write("site/page", &unique());
    let config = std::fs::read_to_string(bench.repo.path("build.toml")).unwrap();
    let secret = "context = \"site\"\nsecrets = [{ id = \"token\", env = \"TOKEN\", version = \"1\" }]";
    bench.write("build.toml", &config.replace("context = \"site\"", secret));
    bench.commit("a secret");
    bench.set("TOKEN", &canary);
    let mut seen = vec![bench.plan().to_string()];
    if !has_buildkit(&docker().await).await {
        let refused = bench.run(&["--env", "staging", "--progress", "rawjson"]).code(3).stderr;
        assert!(refused.contains("`secrets` of `site` is not supported by podman"), "{refused}");
        assert!(!refused.contains(&canary) && !seen[0].contains(&canary), "{refused}");
        return;
    }
    let ran = bench.run(&["--env", "staging", "--json", "--progress", "rawjson"]).ok();
    let release = ran.json();
    let site = text(&release["images"]["site"]);
    assert_eq!(Bench::file_in(site, "/size").trim(), canary.len().to_string());
    seen.extend([ran.stdout, ran.stderr]);
    let shown = [&["image", "inspect", site][..], &["history", "--no-trunc", site]];
    seen.extend(shown.iter().map(|arguments| {
        let output = Bench::docker(arguments);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }));
    seen.push(bench.record().to_string());
    seen.push(bench.run(&["status", "--json"]).ok().stdout);

    // A step that fails is told at length; its secret is not.
    bench.write("site/Dockerfile", &dockerfile.replace("wc -c", "false; wc -x"));
    bench.commit("a failing step");
    for progress in ["plain", "rawjson"] {
        let failed = bench.run(&["--env", "staging", "--progress", progress]).code(1);
        seen.push(failed.stderr);
    }
    for text in seen {
        assert!(!text.contains(&canary), "{text}");
    }
}

#[tokio::test]
async fn a_secret_of_another_value_rebuilds_nothing_and_of_another_version_does() {
    let mut bench = Bench::new();
    let config = std::fs::read_to_string(bench.repo.path("build.toml")).unwrap();
    let with = |version: &str| {
        let secret = format!(
            "context = \"site\"\nsecrets = [{{ id = \"token\", env = \"TOKEN\", version = \"{version}\" }}]"
        );
        config.replace("context = \"site\"", &secret)
    };
    bench.write("build.toml", &with("1"));
    bench.commit("a secret");
    bench.set("TOKEN", "one");
    if !has_buildkit(&docker().await).await {
        bench.run(&["--env", "staging"]).code(3);
        assert_eq!(bench.decisions(), ["api reuse", "site build"]);
        return;
    }
    bench.run(&["--env", "staging"]).ok();
    bench.set("TOKEN", "two");
    assert_eq!(bench.decisions(), ["api keep", "site keep"]);
    bench.write("build.toml", &with("2"));
    bench.commit("another version");
    assert_eq!(bench.decisions(), ["api keep", "site build"]);
}
