//! The reasons of a plan in words: why an image is built, reused or kept. Start with [`words`].

use std::fmt;

use crate::changed::ChangedPath;
use crate::dockerfile::RemoteKind;
use crate::plan::{Reason, Unnamed};

use super::text;

/// One reason as a phrase, such as `containers/client/index.html modified`.
#[must_use]
pub fn words(reason: &Reason) -> String {
    match reason {
        Reason::PathChanged(changed) => path(changed),
        Reason::DockerfileChanged { path } => format!("Dockerfile `{}` changed", text::name(path)),
        Reason::SettingChanged { setting, old, new } => {
            format!("`{}` changed from {} to {}", text::name(setting), value(old), value(new))
        }
        Reason::ArgumentChanged { name, old, new } => {
            format!("build argument `{}` {}", text::name(name), change(old.as_deref(), new.as_deref(), value))
        }
        Reason::BaseMoved { name, old, new } => {
            format!("base image `{}` {}", text::name(name), change(old.as_deref(), new.as_deref(), digest))
        }
        Reason::SecretChanged { id } => {
            format!("secret `{}` was declared, dropped or given another version", text::name(id))
        }
        Reason::DependencyChanged { image } => format!("built from `{image}`, which changed"),
        Reason::StaleRemote { file, line, url } => format!(
            "{}:{line} adds `{}`, which nothing fixes, so it is built at every run; {}",
            text::name(file),
            text::name(url),
            match RemoteKind::of(url) {
                Some(RemoteKind::Git) => {
                    "name a full commit in its address, as `#COMMIT` or `?commit=COMMIT`"
                }
                _ => "add `--checksum=sha256:...`",
            }
        ),
        Reason::BaseUnknown(lost) => text::one_line(&lost.to_string()),
        Reason::InputsChanged { why: Unnamed::BaseMissing } => {
            "its inputs changed; which paths, only the base commit could tell".into()
        }
        Reason::InputsChanged { why: Unnamed::Disk } => {
            "its inputs on the disk are not those that run; no commit has them to compare with".into()
        }
        Reason::InputsChanged { why: Unnamed::OtherInputs } => {
            "its inputs are not those that run, and none of them changed since the base: other files count than \
             did, or `--base` names another commit than runs"
                .into()
        }
        Reason::Renamed { from } => format!("renamed: it runs as `{from}`"),
        Reason::Moved { from } => format!("it runs from another repository, `{}`", text::name(&from.to_string())),
        Reason::Vanished => "it runs, and the registry does not have it any more".into(),
        Reason::SchemaChanged => "this version of dtbuild computes keys in another way".into(),
        Reason::NotDeployed => "not deployed yet".into(),
        Reason::NewImage => "a new image: the base declares none of this name".into(),
        Reason::KeyDiffers => "its key differs".into(),
        Reason::NotInCache => "no image of this key exists yet".into(),
        Reason::InCache => "an image of this key exists".into(),
        Reason::Unchanged => "unchanged".into(),
        Reason::Requested => "asked for by `dtbuild deploy`".into(),
        Reason::Forced => "forced by `--force`".into(),
        Reason::LeftOut => "left out by `--only`".into(),
        Reason::DeployPathChanged(changed) => format!("{}, which the deployment reads", path(changed)),
        Reason::DeployInputsChanged => "what the deployment reads changed".into(),
        Reason::DeploySettingsChanged => "the deployment's settings in build.toml changed".into(),
        Reason::LastDeploymentFailed => "the last deployment did not succeed".into(),
        Reason::ReleaseChanged { image } => format!("`{image}` is not the image that runs"),
    }
}

fn path(changed: &ChangedPath) -> String {
    format!("{} {}", text::name(&changed.path.to_string()), changed.status)
}

fn change<T: fmt::Display>(old: Option<&str>, new: Option<&str>, shown: impl Fn(&str) -> T) -> String {
    match (old, new) {
        (Some(old), Some(new)) => format!("changed from {} to {}", shown(old), shown(new)),
        (None, Some(new)) => format!("is new: {}", shown(new)),
        (Some(old), None) => format!("is gone; it was {}", shown(old)),
        (None, None) => "changed".to_owned(),
    }
}

/// A value of `build.toml` in words; an empty value is a word, and not two backticks.
fn value(value: &str) -> String {
    if value.is_empty() { "nothing".to_owned() } else { format!("`{}`", text::name(value)) }
}

/// A base image's digest in words; an empty digest stands for the image's name alone.
fn digest(digest: &str) -> String {
    if digest.is_empty() { "its name alone".to_owned() } else { text::short_digest(digest) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::LostBase;
    use crate::ui::samples::{changed, image};

    fn lost() -> LostBase {
        let tried = ["build.lock does not name it", "no registry answers"].map(str::to_owned).to_vec();
        LostBase { file: "api/Dockerfile".to_owned(), line: 1, name: "debian:12".to_owned(), tried }
    }

    /// A compile error where a variant is new: add a value of it to the list below.
    fn stands_in_the_list(reason: &Reason) {
        match reason {
            Reason::PathChanged(_)
            | Reason::DockerfileChanged { .. }
            | Reason::SettingChanged { .. }
            | Reason::ArgumentChanged { .. }
            | Reason::BaseMoved { .. }
            | Reason::SecretChanged { .. }
            | Reason::DependencyChanged { .. }
            | Reason::StaleRemote { .. }
            | Reason::BaseUnknown(_)
            | Reason::InputsChanged { .. }
            | Reason::Renamed { .. }
            | Reason::SchemaChanged
            | Reason::NotDeployed
            | Reason::NewImage
            | Reason::KeyDiffers
            | Reason::NotInCache
            | Reason::InCache
            | Reason::Unchanged
            | Reason::Requested
            | Reason::Forced
            | Reason::LeftOut
            | Reason::DeployPathChanged(_)
            | Reason::DeployInputsChanged
            | Reason::DeploySettingsChanged
            | Reason::Moved { .. }
            | Reason::Vanished
            | Reason::LastDeploymentFailed
            | Reason::ReleaseChanged { .. } => {}
        }
    }

    /// One value of every variant.
    fn every_reason() -> Vec<Reason> {
        let text = |text: &str| text.to_owned();
        let all = vec![
            Reason::PathChanged(changed("src/a\n.rs")),
            Reason::DockerfileChanged { path: text("api/Dockerfile") },
            Reason::SettingChanged { setting: text("target"), old: text(""), new: text("slim") },
            Reason::ArgumentChanged { name: text("NODE_ENV"), old: None, new: Some(text("production")) },
            Reason::BaseMoved {
                name: text("node:22"),
                old: Some(format!("sha256:{}", "0".repeat(64))),
                new: Some(format!("sha256:{}", "1".repeat(64))),
            },
            Reason::SecretChanged { id: text("npm") },
            Reason::DependencyChanged { image: image("base") },
            Reason::StaleRemote { file: text("api/Dockerfile"), line: 3, url: text("https://a.example/b") },
            Reason::BaseUnknown(lost()),
            Reason::InputsChanged { why: Unnamed::BaseMissing },
            Reason::InputsChanged { why: Unnamed::Disk },
            Reason::InputsChanged { why: Unnamed::OtherInputs },
            Reason::Renamed { from: image("old") },
            Reason::Moved { from: "old.example.com/shop/api".parse().unwrap() },
            Reason::Vanished,
            Reason::SchemaChanged,
            Reason::NotDeployed,
            Reason::NewImage,
            Reason::KeyDiffers,
            Reason::NotInCache,
            Reason::InCache,
            Reason::Unchanged,
            Reason::Requested,
            Reason::Forced,
            Reason::LeftOut,
            Reason::DeployPathChanged(changed("ansible/site.yml")),
            Reason::DeployInputsChanged,
            Reason::DeploySettingsChanged,
            Reason::LastDeploymentFailed,
            Reason::ReleaseChanged { image: image("client") },
        ];
        all.iter().for_each(stands_in_the_list);
        all
    }

    #[test]
    fn every_reason_has_its_words() {
        let words: Vec<String> = every_reason().iter().map(words).collect();
        insta::assert_snapshot!(words.join("\n"), @r"
        src/a\n.rs modified
        Dockerfile `api/Dockerfile` changed
        `target` changed from nothing to `slim`
        build argument `NODE_ENV` is new: `production`
        base image `node:22` changed from sha256:000000000000 to sha256:111111111111
        secret `npm` was declared, dropped or given another version
        built from `base`, which changed
        api/Dockerfile:3 adds `https://a.example/b`, which nothing fixes, so it is built at every run; add `--checksum=sha256:...`
        api/Dockerfile:1: the base image `debian:12` cannot be had: build.lock does not name it; no registry answers
        its inputs changed; which paths, only the base commit could tell
        its inputs on the disk are not those that run; no commit has them to compare with
        its inputs are not those that run, and none of them changed since the base: other files count than did, or `--base` names another commit than runs
        renamed: it runs as `old`
        it runs from another repository, `old.example.com/shop/api`
        it runs, and the registry does not have it any more
        this version of dtbuild computes keys in another way
        not deployed yet
        a new image: the base declares none of this name
        its key differs
        no image of this key exists yet
        an image of this key exists
        unchanged
        asked for by `dtbuild deploy`
        forced by `--force`
        left out by `--only`
        ansible/site.yml modified, which the deployment reads
        what the deployment reads changed
        the deployment's settings in build.toml changed
        the last deployment did not succeed
        `client` is not the image that runs
        ");
    }

    #[test]
    fn every_reason_is_documented() {
        let page = include_str!("../../docs/plan.md");
        for reason in every_reason() {
            let json = serde_json::to_value(&reason).unwrap();
            let name = json["reason"].as_str().unwrap();
            assert!(page.contains(&format!("`{name}`")), "docs/plan.md is silent about `{name}`");
        }
    }

    #[test]
    fn values_that_come_or_go_are_said_so() {
        let gone = Reason::ArgumentChanged { name: "A".into(), old: Some("1".into()), new: None };
        assert_eq!(words(&gone), "build argument `A` is gone; it was `1`");
        let loose = Reason::BaseMoved { name: "b".into(), old: Some(String::new()), new: None };
        assert_eq!(words(&loose), "base image `b` is gone; it was its name alone");
    }
}
