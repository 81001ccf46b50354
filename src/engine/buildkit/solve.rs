//! The solve request, which asks BuildKit for a build. Start with [`solve_request`].

use std::collections::{BTreeMap, HashMap};

use bollard_buildkit_proto::moby::buildkit::v1::{CacheOptions, SolveRequest};
use bollard_buildkit_proto::pb::Definition;

use super::cache;
use super::content::Caches;
use super::folder::{CONTEXT, DOCKERFILE};
use crate::config::{BuildOptions, Platform};
use crate::dockerfile::EntitlementKind;
use crate::engine::abilities::{Abilities, Feature};
use crate::engine::{ArchiveKind, BuildRequest, NamedContext, Output};
use crate::random;

/// The exporter of a build: the destination of its result on the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exporter {
    /// The store of dockerd. On engines with the graphdriver store this exporter cannot push, and does not
    /// say so.
    Moby,
    /// The registry.
    Push,
    /// A file, which is sent to us.
    File(ArchiveKind),
    /// None: the steps stay in the build cache.
    Nothing,
}

impl Exporter {
    /// The exporter that does what `output` asks; if `is_complete` is false, the engine has dockerd's own
    /// exporter alone.
    pub(crate) fn of(output: &Output, is_complete: bool) -> Self {
        match output {
            Output::Push if is_complete => Self::Push,
            Output::File(archive) if is_complete => Self::File(archive.kind),
            _ => Self::Moby,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Moby => "moby",
            Self::Push => "image",
            Self::Nothing => "",
            Self::File(ArchiveKind::Oci) => "oci",
            Self::File(ArchiveKind::Docker) => "docker",
        }
    }
}

/// The names of a build's folders in its session.
#[derive(Debug, Default)]
pub(super) struct Locals {
    /// The name of the folder with the Dockerfile.
    pub(super) dockerfile: String,
    /// The names of the folders of the named contexts, by the contexts' names.
    pub(super) named: BTreeMap<String, String>,
}

impl Locals {
    /// All names of the build's folders, that of the main context included.
    pub(super) fn all(&self) -> impl Iterator<Item = &str> {
        [CONTEXT, &self.dockerfile].into_iter().chain(self.named.values().map(String::as_str))
    }
}

/// The solve request for the build `reference` of `request`, with the folders `locals` of `session`.
pub(super) fn solve_request(
    request: &BuildRequest,
    (exporter, abilities): (Exporter, Abilities),
    (reference, session, locals): (&str, &str, &Locals),
    caches: &Caches,
) -> SolveRequest {
    let names: Vec<String> = request.names.iter().map(ToString::to_string).collect();
    let mut output = HashMap::from([("name".to_owned(), names.join(","))]);
    if exporter == Exporter::Push {
        output.insert("push".to_owned(), "true".to_owned());
    }
    if let Some(seconds) = request.source_date_epoch {
        // As a build argument it would date the folders of `WORKDIR` too, and each commit would run all steps after
        // one of those again.
        output.insert("source-date-epoch".to_owned(), seconds.to_string());
    }
    // dockerd's own exporter unpacks what it exports, which it refuses to do with other times.
    let can_rewrite = matches!(exporter, Exporter::Push | Exporter::File(_))
        && abilities.features.contains(&Feature::Times);
    if can_rewrite && request.tells_base_layers && has_own_time(request) {
        output.insert("rewrite-timestamp".to_owned(), "true".to_owned());
    }
    SolveRequest {
        r#ref: reference.to_owned(),
        session: session.to_owned(),
        frontend: "dockerfile.v0".to_owned(),
        frontend_attrs: attributes(request, locals, caches),
        // Not all engines know the plural field.
        exporter_deprecated: exporter.as_str().to_owned(),
        exporter_attrs_deprecated: output,
        // BuildKit of Docker 20.10 reads this field without looking whether it is there.
        cache: Some(CacheOptions {
            exports: cache::exports(&request.options.cache_to, caches, variable),
            ..CacheOptions::default()
        }),
        entitlements: request.entitled().into_keys().map(|kind| kind.name().to_owned()).collect(),
        ..SolveRequest::default()
    }
}

/// True if the image's arguments give the time of its files, in seconds since 1970.
fn has_own_time(request: &BuildRequest) -> bool {
    request.args.get("SOURCE_DATE_EPOCH").is_some_and(|time| time.parse::<i64>().is_ok())
}

/// The request for a solve of nothing with an entitlement, which BuildKit looks at first. Newer ones leave it out of their
/// history of builds.
pub(super) fn nothing(kind: EntitlementKind) -> SolveRequest {
    SolveRequest {
        r#ref: random::id(),
        // Without a definition, BuildKit would wait for one.
        definition: Some(Definition::default()),
        cache: Some(CacheOptions::default()),
        entitlements: vec![kind.name().to_owned()],
        internal: true,
        ..SolveRequest::default()
    }
}

fn attributes(request: &BuildRequest, locals: &Locals, caches: &Caches) -> HashMap<String, String> {
    let mut attributes = HashMap::from([
        ("filename".to_owned(), DOCKERFILE.to_owned()),
        ("dockerfilekey".to_owned(), locals.dockerfile.clone()),
    ]);
    attributes.extend(request.args.iter().map(|(name, value)| (format!("build-arg:{name}"), value.clone())));
    attributes.extend(request.labels.iter().map(|(name, value)| (format!("label:{name}"), value.clone())));
    if let Some(target) = &request.target {
        attributes.insert("target".to_owned(), target.clone());
    }
    if !request.platforms.is_empty() {
        let platforms: Vec<&str> = request.platforms.iter().map(Platform::as_str).collect();
        attributes.insert("platform".to_owned(), platforms.join(","));
    }
    attributes.extend(options(&request.options, caches));
    if request.no_cache {
        // An empty list of stages means all.
        attributes.insert("no-cache".to_owned(), String::new());
    }
    attributes.extend(request.contexts.named.iter().map(|(name, context)| {
        let origin = match context {
            NamedContext::Folder(_) => format!("local:{}", locals.named.get(name).unwrap_or(name)),
            NamedContext::Image(reference) => format!("docker-image://{reference}"),
            NamedContext::Remote(url) => url.clone(),
        };
        (format!("context:{name}"), origin)
    }));
    if !request.contexts.named.is_empty() {
        // A frontend that does not know contexts would take their names for images. One that only hands the
        // build on to the frontend of `# syntax=` leaves it to that one to refuse.
        let needs = "moby.buildkit.frontend.contexts+forward";
        attributes.insert("frontend.caps".to_owned(), needs.to_owned());
    }
    attributes
}

/// The frontend's attributes for the build options of an image.
fn options(options: &BuildOptions, caches: &Caches) -> impl Iterator<Item = (String, String)> {
    let network =
        options.network.map(|network| ("force-network-mode".to_owned(), network.as_str().to_owned()));
    let imports = cache::imports(&options.cache_from, caches, variable);
    // BuildKit takes the import of a cache as an attribute alone; the field of the request does nothing.
    let imports = imports.map(|imports| ("cache-imports".to_owned(), imports));
    let provenance =
        options.provenance.map(|mode| ("attest:provenance".to_owned(), format!("mode={}", mode.as_str())));
    let sbom = options.sbom.as_ref().map(|generator| {
        let generator = Some(generator).filter(|name| !name.is_empty());
        ("attest:sbom".to_owned(), generator.map(|name| format!("generator={name}")).unwrap_or_default())
    });
    [network, imports, provenance, sbom].into_iter().flatten()
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Network, Provenance};
    use crate::dockerfile::Entitlement;
    use crate::engine::fake;

    #[test]
    fn a_request_becomes_attributes() {
        let mut request = fake::request("api");
        request.target = Some("run".to_owned());
        request.args.insert("A".to_owned(), "1".to_owned());
        request.labels.insert("l".to_owned(), "2".to_owned());
        request.platforms = vec![Platform("linux/amd64".to_owned()), Platform("linux/arm64".to_owned())];
        request.no_cache = true;
        request.options.network = Some(Network::Host);
        request.options.provenance = Some(Provenance::Max);
        request.options.sbom = Some(String::new());
        let locals = Locals { dockerfile: "d".to_owned(), ..Locals::default() };
        let attributes = attributes(&request, &locals, &Caches::default());
        let expected = [
            ("dockerfilekey", "d"),
            ("force-network-mode", "host"),
            ("attest:provenance", "mode=max"),
            ("attest:sbom", ""),
            ("filename", "Dockerfile"),
            ("target", "run"),
            ("build-arg:A", "1"),
            ("label:l", "2"),
            ("platform", "linux/amd64,linux/arm64"),
            ("no-cache", ""),
        ];
        assert_eq!(attributes.len(), expected.len());
        for (name, value) in expected {
            assert_eq!(attributes[name], value, "{name}");
        }
    }

    #[test]
    fn the_time_of_a_commit_is_of_the_image_and_of_no_step() {
        let mut request = fake::request("api");
        request.source_date_epoch = Some(7);
        let names = ("r", "s", &Locals::default());
        let export = (Exporter::Push, Abilities::CONTAINERD);
        let solve = solve_request(&request, export, names, &Caches::default());
        assert_eq!(solve.exporter_attrs_deprecated["source-date-epoch"], "7");
        assert!(solve.frontend_attrs.values().all(|value| value != "7"), "{:?}", solve.frontend_attrs);
    }

    #[test]
    fn files_get_the_time_of_the_arguments_where_the_layers_of_the_base_stay() {
        let rewrites = |change: &dyn Fn(&mut BuildRequest), exporter, abilities| {
            let mut request = fake::request("api");
            request.args.insert("SOURCE_DATE_EPOCH".to_owned(), "1234567890".to_owned());
            change(&mut request);
            let names = ("r", "s", &Locals::default());
            let solve = solve_request(&request, (exporter, abilities), names, &Caches::default());
            solve.exporter_attrs_deprecated.contains_key("rewrite-timestamp")
        };
        let newest = Abilities::CONTAINERD;
        let push = |change: &dyn Fn(&mut BuildRequest)| rewrites(change, Exporter::Push, newest);
        assert!(push(&|_| ()));
        assert!(rewrites(&|_| (), Exporter::File(ArchiveKind::Oci), Abilities::BUILDKITD));
        assert!(!rewrites(&|_| (), Exporter::Moby, newest));
        assert!(!rewrites(&|_| (), Exporter::Push, newest.before_times()));
        assert!(!push(&|request| request.tells_base_layers = false));
        assert!(!push(&|request| request.args.clear()));
        assert!(!push(
            &|request| _ = request.args.insert("SOURCE_DATE_EPOCH".to_owned(), "context".to_owned())
        ));
    }

    #[test]
    fn what_a_dockerfile_needs_allowed_is_asked_for() {
        let mut request = fake::request("api");
        let asked = |request: &BuildRequest| {
            let names = ("r", "s", &Locals::default());
            let export = (Exporter::Push, Abilities::CONTAINERD);
            solve_request(request, export, names, &Caches::default()).entitlements
        };
        assert!(asked(&request).is_empty());
        request.options.network = Some(Network::Host);
        request.entitlements = EntitlementKind::ALL
            .into_iter()
            .chain(EntitlementKind::ALL)
            .map(|kind| Entitlement { line: 2, kind })
            .collect();
        assert_eq!(asked(&request), ["network.host", "security.insecure"]);
    }

    #[test]
    fn contexts_are_named_and_asked_for() {
        let mut request = fake::request("api");
        let files = request.context.clone();
        let folder = crate::engine::ContextFolder::new(files, &[]).unwrap();
        let named = &mut request.contexts.named;
        named.insert("lib".to_owned(), NamedContext::Folder(folder));
        named.insert("kit".to_owned(), NamedContext::Image("localhost/kit:1".to_owned()));
        named.insert("src".to_owned(), NamedContext::Remote("https://a.example/b.git#c".to_owned()));
        let named = [("lib".to_owned(), "context:lib".to_owned())].into();
        let attributes = attributes(&request, &Locals { named, ..Locals::default() }, &Caches::default());
        for (name, value) in [
            ("context:lib", "local:context:lib"),
            ("context:kit", "docker-image://localhost/kit:1"),
            ("context:src", "https://a.example/b.git#c"),
            ("frontend.caps", "moby.buildkit.frontend.contexts+forward"),
        ] {
            assert_eq!(attributes[name], value, "{name}");
        }
    }

    #[test]
    fn an_engine_that_cannot_push_loads() {
        let request = fake::request("api");
        let solve = |output, can_push| {
            let names = ("r", "s", &Locals::default());
            let export = (Exporter::of(&output, can_push), Abilities::GRAPH_DRIVER);
            solve_request(&request, export, names, &Caches::default())
        };
        let load = solve(Output::Push, false);
        assert_eq!(load.exporter_deprecated, "moby");
        assert!(!load.exporter_attrs_deprecated.contains_key("push"));
        let push = solve(Output::Push, true);
        assert_eq!(
            (push.exporter_deprecated.as_str(), push.exporter_attrs_deprecated["push"].as_str()),
            ("image", "true")
        );
        assert_eq!(push.exporter_attrs_deprecated["name"], request.names[0].to_string());
        assert_eq!(solve(Output::Load, true).exporter_deprecated, "moby");
    }
}
