//! Any text as `build.toml` and as `build.lock`: a configuration, or an error with a line of the text.
//!
//! `cargo +nightly fuzz run config`; the modules are taken in by their path, so that the engines and registries need
//! not be built with them.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[expect(dead_code, unused_imports, reason = "the target uses a part of the module")]
#[path = "../../src/config/mod.rs"]
mod config;
#[expect(dead_code, unused_imports, reason = "the target uses a part of the module")]
#[path = "../../src/dockerfile/mod.rs"]
mod dockerfile;
#[path = "../../src/reference.rs"]
mod reference;
#[path = "../../src/suggestion.rs"]
mod suggestion;
#[path = "../../src/text.rs"]
mod text;

use config::{Config, ConfigError, Lock};

fn has_a_place(error: &ConfigError, text: &str) {
    let line = error.line.unwrap_or_else(|| panic!("no line: {error}"));
    assert!((1..=text.matches('\n').count() + 1).contains(&line), "{error}");
    assert!(!error.message.is_empty());
}

fn check(config: &Config) {
    for (name, environment) in &config.environments {
        assert!(environment.images.iter().all(|image| config.images.contains_key(image)), "{name}");
        if let Some(branch) = &environment.branch {
            assert_eq!(config.environment_of_branch(branch).map(|found| &found.name), Some(name));
        }
    }
    for image in config.images.values() {
        let inside =
            |path: &[u8]| !path.starts_with(b"/") && !path.split(|b| *b == b'/').any(|part| part == b"..");
        assert!(inside(&image.context) && inside(&image.dockerfile) && !image.dockerfile.is_empty());
    }
}

fuzz_target!(|text: &str| {
    match Config::parse(text, None) {
        Ok(config) => {
            check(&config);
            check(&Config::parse(text, Some("localhost:5000/fork")).expect("any registry will do"));
        }
        Err(error) => has_a_place(&error, text),
    }
    match Lock::parse(text) {
        Ok(lock) => assert_eq!(Lock::parse(&lock.to_string()).expect("what was written can be read"), lock),
        Err(error) => has_a_place(&error, text),
    }
});
