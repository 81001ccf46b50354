//! The proxies of docker's `config.json` reach `RUN`, and no key.

use super::bench::{Bench, unique};

#[test]
fn run_gets_the_proxies_of_the_machine_and_keys_do_not() {
    let mut bench = Bench::new();
    let told = "echo \"$HTTP_PROXY $https_proxy $NO_PROXY\" > /told";
    bench.write("site/Dockerfile", &format!("FROM busybox:1.36\nCOPY page /page\nRUN {told}\n"));
    // The engine has no such step from an earlier run, which may have had no proxies.
    bench.write("site/page", &unique());
    let key = |bench: &Bench| {
        let plan = bench.run(&["build", "site", "--dry-run", "--json"]).ok().json();
        plan["images"][0]["key"].as_str().unwrap().to_owned()
    };
    let before = key(&bench);
    let proxies = r#"{"proxies":{"default":{"httpProxy":"http://me:hunter2@p:1","httpsProxy":"http://p:2","noProxy":"localhost"}}}"#;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.json"), proxies).unwrap();
    bench.set("DOCKER_CONFIG", folder.path().to_str().unwrap());
    assert_eq!(key(&bench), before);
    let inputs = bench.run(&["inputs", "site", "--disk"]).ok().stdout;
    assert!(inputs.contains("`RUN` gets `HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY` from `proxies`"), "{inputs}");
    let ran = bench.run(&["build", "site", "--progress", "rawjson"]).ok();
    for text in [&inputs, &ran.stdout, &ran.stderr] {
        assert!(!text.contains("hunter2"), "{text}");
    }
    let told = Bench::file_in(&format!("{}/site:local", bench.registry), "/told");
    assert_eq!(told, "http://me:hunter2@p:1 http://p:2 localhost\n");
    assert!(bench.run(&["build", "site", "--progress", "rawjson"]).ok().images("image-started").is_empty());
}
