//! Any bytes: read, analysed and pinned without a panic, and read again as they were.
//!
//! `cargo +nightly fuzz run dockerfile`; the module is taken in by its path, so that the engines and registries
//! need not be built with it.

#![no_main]

use std::collections::{BTreeMap, BTreeSet};

use libfuzzer_sys::fuzz_target;

#[expect(dead_code, unused_imports, reason = "the target uses a part of the module")]
#[path = "../../src/dockerfile/mod.rs"]
mod dockerfile;
#[path = "../../src/suggestion.rs"]
mod suggestion;

use dockerfile::{
    Analysis, BaseConfig, Configs, Dockerfile, NamedContext, Options, PlatformImage, Rest,
};

fn analyse(file: &Dockerfile, images: &BTreeSet<String>, known_as: &str) -> Option<Analysis> {
    let args = BTreeMap::from([("A".to_owned(), "a/b.c".to_owned()), ("B".to_owned(), String::new())]);
    let onbuild = vec!["COPY t /".to_owned(), "RUN --mount=from=x,source=y,target=/z q".to_owned()];
    let env = BTreeMap::from([("E".to_owned(), Some("e".to_owned()))]);
    let known = BaseConfig { env, rest: Rest::Nothing, onbuild };
    let image = PlatformImage { name: known_as.to_owned(), platform: "linux/arm64".to_owned() };
    let options = Options {
        target: None,
        args: &args,
        platform: "linux/arm64",
        build_platform: "linux/amd64",
        images,
        contexts: &BTreeMap::from([("ctx".to_owned(), NamedContext::Files)]),
        bases: &Configs::from([(image, known)]),
        built: &Configs::new(),
    };
    file.analyse(&options).ok()
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(file) = Dockerfile::parse(bytes) else { return };
    let images = BTreeSet::from(["api".to_owned()]);
    let Some(found) = analyse(&file, &images, "known") else { return };

    let same = file.pinned(&[&found], &BTreeMap::new()).expect("nothing is to be replaced");
    assert_eq!(same.source, bytes);

    let names = found.bases.iter().map(|base| &base.name);
    let pins: BTreeMap<String, String> =
        names.enumerate().map(|(i, name)| (name.clone(), format!("r.example/i{i}@sha256:0"))).collect();
    let pinned = file.pinned(&[&found], &pins).expect("references can be written");
    let breaks = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b'\n').count();
    assert_eq!(breaks(&pinned.source), breaks(bytes));

    let again = Dockerfile::parse(&pinned.source).expect("a pinned file can be read");
    // What is known of an image is known by its name.
    let known_as = pins.get("known").map_or("known", String::as_str);
    let after = analyse(&again, &images, known_as).expect("a pinned file can be analysed");
    assert_eq!(after.stages, found.stages);
    assert_eq!(after.inputs.follow_paths(), found.inputs.follow_paths());
});
