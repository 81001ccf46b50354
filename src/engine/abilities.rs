//! What engines differ in. Start with [`Abilities::check`].
//!
//! Engines drop silently what they cannot do: an image comes out that is not what was asked for. So what a request
//! needs is held against what its engine can, before anything is built.

use super::{ArchiveKind, BuildRequest, EngineError, Output};

/// What to do on an engine that lacks something.
const HINT: &str = "use Docker with the containerd image store, or a buildkitd";

/// What an engine can do that others cannot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Abilities {
    /// Images with several manifests: for several platforms, or with attestations.
    indexes: bool,
    /// OCI layouts.
    layouts: bool,
    /// The kinds of cache that steps can be brought to; none for all.
    cache_exports: Option<&'static [&'static str]>,
    /// The kinds of cache that steps can be looked for in; none for all.
    cache_imports: Option<&'static [&'static str]>,
}

impl Abilities {
    /// dockerd with a graph driver as its store.
    pub(super) const GRAPH_DRIVER: Self = Self {
        indexes: false,
        layouts: false,
        cache_exports: Some(&["inline"]),
        cache_imports: Some(&["registry"]),
    };
    /// dockerd with containerd's store.
    pub(super) const CONTAINERD: Self = Self {
        indexes: true,
        layouts: true,
        cache_exports: Some(&["inline", "registry", "gha"]),
        cache_imports: Some(&["registry", "gha"]),
    };
    /// A buildkitd.
    pub(super) const BUILDKITD: Self =
        Self { indexes: true, layouts: true, cache_exports: None, cache_imports: None };

    /// Refuses what `engine` would leave out.
    pub(super) fn check(self, request: &BuildRequest, engine: &str) -> Result<(), EngineError> {
        let options = &request.options;
        let lacks = |kinds: Option<&[&str]>, kind: &str| kinds.is_some_and(|kinds| !kinds.contains(&kind));
        let export = options.cache_to.iter().find(|entry| lacks(self.cache_exports, &entry.kind));
        let import = options.cache_from.iter().find(|entry| lacks(self.cache_imports, &entry.kind));
        let feature = if request.platforms.len() > 1 && !self.indexes {
            "building for several platforms at once".to_owned()
        } else if options.provenance.is_some() && !self.indexes {
            format!("`provenance` of `{}`", request.image)
        } else if options.sbom.is_some() && !self.indexes {
            format!("`sbom` of `{}`", request.image)
        } else if !self.layouts
            && matches!(&request.output, Output::File(file) if file.kind == ArchiveKind::Oci)
        {
            "an OCI layout (`type=oci`)".to_owned()
        } else if let Some(entry) = export {
            format!("`cache_to` with `type={}` of `{}`", entry.kind, request.image)
        } else if let Some(entry) = import {
            format!("`cache_from` with `type={}` of `{}`", entry.kind, request.image)
        } else {
            return Ok(());
        };
        Err(EngineError::Unsupported { feature, engine: engine.to_owned(), hint: HINT.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{CacheEntry, Platform, Provenance};
    use crate::engine::fake;

    type Change<'a> = Box<dyn Fn(&mut BuildRequest) + 'a>;

    fn lacking(abilities: Abilities, change: impl Fn(&mut BuildRequest)) -> Option<String> {
        let mut request = fake::request("api");
        change(&mut request);
        abilities.check(&request, "docker 20").err().map(|error| error.to_string())
    }

    #[test]
    fn what_would_be_dropped_is_refused_with_an_engine_that_has_it() {
        let cache = |kind: &str| CacheEntry { kind: kind.to_owned(), attributes: [].into() };
        let platforms = ["linux/amd64", "linux/arm64"].map(|text| Platform(text.to_owned()));
        let cases: Vec<(Change<'_>, &str, [bool; 3])> = vec![
            (Box::new(|_| ()), "", [true; 3]),
            (
                Box::new(|request| request.platforms = platforms.to_vec()),
                "several platforms",
                [false, true, true],
            ),
            (
                Box::new(|request| request.options.provenance = Some(Provenance::Min)),
                "`provenance` of `api`",
                [false, true, true],
            ),
            (
                Box::new(|request| request.options.sbom = Some(String::new())),
                "`sbom` of `api`",
                [false, true, true],
            ),
            (Box::new(|request| request.options.cache_to.push(cache("inline"))), "", [true; 3]),
            (
                Box::new(|request| request.options.cache_to.push(cache("registry"))),
                "`type=registry`",
                [false, true, true],
            ),
            (Box::new(|request| request.options.cache_from.push(cache("registry"))), "", [true; 3]),
            (
                Box::new(|request| request.options.cache_from.push(cache("s3"))),
                "`type=s3`",
                [false, false, true],
            ),
        ];
        for (change, says, can) in cases {
            let engines = [Abilities::GRAPH_DRIVER, Abilities::CONTAINERD, Abilities::BUILDKITD];
            for (abilities, can) in engines.into_iter().zip(can) {
                let error = lacking(abilities, &change);
                assert_eq!(error.is_none(), can, "{says}: {error:?}");
                let error = error.unwrap_or_else(|| says.to_owned());
                assert!(error.contains(says), "{error}");
                assert!(can || error.contains("not supported by docker 20; use Docker with"), "{error}");
            }
        }
    }
}
