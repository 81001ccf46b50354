use super::*;

fn info(name: &str, version: &str, store: Store) -> EngineInfo {
    EngineInfo {
        name: name.to_owned(),
        version: version.to_owned(),
        store,
        mirrors: Vec::new(),
        insecure_registries: Vec::new(),
        platform: "linux/amd64".to_owned(),
    }
}

fn overlay() -> Store {
    Store::GraphDriver("overlay2".to_owned())
}

#[test]
fn engines_are_told_by_what_they_can() {
    for (engine, state, says) in [
        (info("docker", "28.5.2", overlay()), State::Good, "through the API"),
        (info("docker", "28.5.2", Store::Containerd), State::Good, "several platforms"),
        (info("docker", "20.10.24+dfsg1", overlay()), State::Good, "BuildKit"),
        (info("docker", "19.03.15", overlay()), State::Broken, "too old"),
        (info("podman", "4.3.1", overlay()), State::Note, "no BuildKit"),
    ] {
        let finding = abilities(&engine).remove(0);
        assert_eq!(finding.state, state, "{finding:?}");
        assert!(finding.found.contains(says), "{finding:?}");
    }
}

#[test]
fn what_images_need_and_an_engine_has_not_is_broken() {
    let text = "[project]\nname = \"a\"\nregistry = \"r.example/a\"\n[images.a]\ncontext = \"a\"\n\
        platforms = [\"linux/amd64\", \"linux/arm64\"]\nsecrets = [{ id = \"t\", env = \"T\" }]\n";
    let config = Config::parse(text, None).unwrap();
    let of = |engine: &EngineInfo| demands(engine, &config).map(|finding| finding.about).collect::<Vec<_>>();
    assert_eq!(of(&info("podman", "4.3.1", overlay())), ["platforms", "secrets"]);
    assert_eq!(of(&info("docker", "20.10.24", overlay())), ["platforms"]);
    assert_eq!(of(&info("docker", "28.5.2", Store::Containerd)), [""; 0]);
}
