//! The abilities in which engines differ. Start with [`Abilities::check`].
//!
//! An engine silently drops options that it does not support, and builds an image that is not the one that
//! was asked for. So the [needs](Needs) of a build are compared with the abilities of its engine before
//! anything is built.

use super::{ArchiveKind, BuildRequest, EngineError, Output};
use crate::config::{BuildOptions, Image, ImageName, Network};

/// The abilities of an engine that other engines lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Abilities {
    /// The features that the engine has.
    pub(crate) features: &'static [Feature],
    /// The kinds of cache that the engine exports build steps to, as `type` of `cache_to` names them.
    pub(crate) cache_exports: &'static [&'static str],
    /// The kinds of cache that the engine imports build steps from, as `type` of `cache_from` names them.
    pub(crate) cache_imports: &'static [&'static str],
    /// The engines that can do more, for the hint of an error.
    pub(crate) better: &'static str,
}

/// A feature that not every engine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Feature {
    /// Secrets and ssh agents for steps.
    Secrets,
    /// Steps without a network.
    Isolation,
    /// Images with several manifests: for several platforms, or with attestations.
    Indexes,
    /// Images in files as OCI layouts.
    Layouts,
    /// One time for all files that steps make, as `SOURCE_DATE_EPOCH` gives it.
    Times,
}

impl Feature {
    /// The name of the feature for programs.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Secrets => "secrets",
            Self::Isolation => "isolation",
            Self::Indexes => "indexes",
            Self::Layouts => "layouts",
            Self::Times => "times",
        }
    }
}

/// The needs of a build that not every engine meets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Needs<'a> {
    image: &'a ImageName,
    platforms: usize,
    secrets: bool,
    options: &'a BuildOptions,
    archive: Option<ArchiveKind>,
}

impl Abilities {
    /// Engines with Docker's API but without BuildKit: podman.
    pub(super) const CLASSIC: Self = Self {
        features: &[],
        cache_exports: &[],
        cache_imports: &[],
        better: "an engine with BuildKit: Docker 20.10 or newer, or a buildkitd",
    };
    /// dockerd with a graph driver as its store.
    pub(super) const GRAPH_DRIVER: Self = Self {
        features: &[Feature::Secrets, Feature::Isolation],
        cache_exports: &["inline"],
        cache_imports: &["registry", "local"],
        better: "Docker with the containerd image store, or a buildkitd",
    };
    /// dockerd with containerd's store.
    pub(super) const CONTAINERD: Self = Self {
        features: &[Feature::Secrets, Feature::Isolation, Feature::Indexes, Feature::Layouts, Feature::Times],
        cache_exports: &["inline", "registry", "local", "gha"],
        cache_imports: &["registry", "local", "gha"],
        better: "a buildkitd",
    };
    /// A buildkitd.
    pub(super) const BUILDKITD: Self = Self {
        cache_exports: &["inline", "registry", "local", "gha", "s3", "azblob"],
        cache_imports: &["registry", "local", "gha", "s3", "azblob"],
        ..Self::CONTAINERD
    };

    /// These abilities of an engine with a BuildKit that is, or may be, older than 0.15. It can change the times of
    /// files since 0.13, but not for layers of `COPY --link` (until 0.14), and may then fail to push (until 0.15).
    pub(super) fn before_times(self) -> Self {
        let features = &[Feature::Secrets, Feature::Isolation, Feature::Indexes, Feature::Layouts];
        Self { features, ..self }
    }

    /// Refuses a request with needs that `engine` does not meet; `engine` is the engine's name in the error.
    pub(super) fn check(self, request: &BuildRequest, engine: &str) -> Result<(), EngineError> {
        match self.lacks(Needs::of(request)).next() {
            None => Ok(()),
            Some(feature) => Err(EngineError::Unsupported {
                feature,
                engine: engine.to_owned(),
                hint: format!("use {}", self.better),
            }),
        }
    }

    /// The needs that the engine does not meet, each as the subject of "is not supported".
    pub(crate) fn lacks(self, needs: Needs<'_>) -> impl Iterator<Item = String> {
        let Needs { image, options, .. } = needs;
        let export = options.cache_to.iter().find(|entry| !self.cache_exports.contains(&&*entry.kind));
        let import = options.cache_from.iter().find(|entry| !self.cache_imports.contains(&&*entry.kind));
        let absent = |needed: bool, feature: Feature| needed && !self.features.contains(&feature);
        let of_image = |lacking: bool, what: &str| lacking.then(|| format!("{what} of `{image}`"));
        let isolated = options.network == Some(Network::None);
        [
            absent(needs.platforms > 1, Feature::Indexes)
                .then(|| "building for several platforms at once".to_owned()),
            of_image(absent(needs.secrets, Feature::Secrets), "`secrets`"),
            of_image(absent(!options.ssh.is_empty(), Feature::Secrets), "`ssh`"),
            of_image(absent(isolated, Feature::Isolation), "`network = \"none\"`"),
            of_image(absent(options.provenance.is_some(), Feature::Indexes), "`provenance`"),
            of_image(absent(options.sbom.is_some(), Feature::Indexes), "`sbom`"),
            absent(needs.archive == Some(ArchiveKind::Oci), Feature::Layouts)
                .then(|| "an OCI layout (`type=oci`)".to_owned()),
            export.map(|entry| format!("`cache_to` with `type={}` of `{image}`", entry.kind)),
            import.map(|entry| format!("`cache_from` with `type={}` of `{image}`", entry.kind)),
        ]
        .into_iter()
        .flatten()
    }
}

impl<'a> Needs<'a> {
    fn of(request: &'a BuildRequest) -> Self {
        let archive = match &request.output {
            Output::File(archive) => Some(archive.kind),
            Output::Load | Output::Push | Output::Stay => None,
        };
        Self {
            image: &request.image,
            platforms: request.platforms.len(),
            secrets: !request.secrets.is_empty(),
            options: &request.options,
            archive,
        }
    }

    /// The needs of every build of a declared image.
    pub(crate) fn of_image(image: &'a Image) -> Self {
        Self {
            image: &image.name,
            platforms: image.platforms.len(),
            secrets: !image.secrets.is_empty(),
            options: &image.options,
            archive: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{CacheEntry, Platform, Provenance, SecretSource, SecretValue, SshAgent};
    use crate::engine::{Archive, fake};
    use crate::error::Failure as _;

    const ENGINES: [Abilities; 4] =
        [Abilities::CLASSIC, Abilities::GRAPH_DRIVER, Abilities::CONTAINERD, Abilities::BUILDKITD];

    type Change<'a> = Box<dyn Fn(&mut BuildRequest) + 'a>;

    fn refusal(abilities: Abilities, change: impl Fn(&mut BuildRequest)) -> Option<String> {
        let mut request = fake::request("api");
        change(&mut request);
        let error = abilities.check(&request, "the engine").err()?;
        assert!(error.is_unusable(), "another engine may do it: {error}");
        Some(error.advice())
    }

    fn boxed<'a>(change: impl Fn(&mut BuildRequest) + 'a) -> Change<'a> {
        Box::new(change)
    }

    #[test]
    fn what_would_be_dropped_is_refused_with_an_engine_that_has_it() {
        let cache = |kind: &str| CacheEntry { kind: kind.to_owned(), attributes: [].into() };
        let platforms = ["linux/amd64", "linux/arm64"].map(|text| Platform(text.to_owned()));
        let value = SecretValue::Env("TOKEN".to_owned());
        let secret = SecretSource { id: "token".to_owned(), value, version: None };
        let agent = SshAgent { id: "default".to_owned(), version: None };
        let file = |kind| Output::File(Archive { kind, path: "a.tar".into() });
        let cases: Vec<(Change<'_>, &str, [bool; 4])> = vec![
            (boxed(|_| ()), "", [true; 4]),
            (boxed(|r| r.platforms = platforms.to_vec()), "several platforms", [false, false, true, true]),
            (boxed(|r| r.secrets.push(secret.clone())), "`secrets` of `api`", [false, true, true, true]),
            (boxed(|r| r.options.ssh.push(agent.clone())), "`ssh` of `api`", [false, true, true, true]),
            (
                boxed(|r| r.options.network = Some(Network::None)),
                "`network = \"none\"` of `api`",
                [false, true, true, true],
            ),
            (boxed(|r| r.options.network = Some(Network::Host)), "", [true; 4]),
            (
                boxed(|r| r.options.provenance = Some(Provenance::Min)),
                "`provenance` of `api`",
                [false, false, true, true],
            ),
            (boxed(|r| r.options.sbom = Some(String::new())), "`sbom` of `api`", [false, false, true, true]),
            (boxed(|r| r.output = file(ArchiveKind::Oci)), "`type=oci`", [false, false, true, true]),
            (boxed(|r| r.output = file(ArchiveKind::Docker)), "", [true; 4]),
            (boxed(|r| r.options.cache_to.push(cache("inline"))), "`type=inline`", [false, true, true, true]),
            (
                boxed(|r| r.options.cache_to.push(cache("registry"))),
                "`cache_to` with `type=registry`",
                [false, false, true, true],
            ),
            (
                boxed(|r| r.options.cache_from.push(cache("registry"))),
                "`cache_from` with `type=registry`",
                [false, true, true, true],
            ),
            (
                boxed(|r| r.options.cache_to.push(cache("local"))),
                "`cache_to` with `type=local`",
                [false, false, true, true],
            ),
            (boxed(|r| r.options.cache_from.push(cache("local"))), "`type=local`", [false, true, true, true]),
            (boxed(|r| r.options.cache_from.push(cache("s3"))), "`type=s3`", [false, false, false, true]),
        ];
        for (change, says, can) in cases {
            for (abilities, can) in ENGINES.into_iter().zip(can) {
                let refusal = refusal(abilities, &change);
                assert_eq!(refusal.is_none(), can, "{says}: {refusal:?}");
                let Some(refusal) = refusal else { continue };
                assert!(refusal.contains(says), "{refusal}");
                let hint = format!("is not supported by the engine; use {}", abilities.better);
                assert!(refusal.ends_with(&hint) && hint.contains("a buildkitd"), "{refusal}");
            }
        }
    }
}
