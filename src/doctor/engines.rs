//! The engines: the machine's own engine and each of `[[builders]]`, and the needs of the declared images.
//! Start with [`look`].

use std::collections::{BTreeMap, BTreeSet};

use bstr::ByteSlice as _;
use futures_util::future::join_all;

use super::failed;
use crate::clients::Clients;
use crate::config::{Builder, Image, ImageName, Platform};
use crate::dockerfile::EntitlementKind;
use crate::engine::endpoint::{Environment, Protocol};
use crate::engine::{AnyEngine, Description, EngineError, Feature, Needs, entitlements};
use crate::error::{Error, Result};
use crate::gather;
use crate::release::builders;
use crate::ui::doctor::{EngineReport, Finding, State};
use crate::workspace::Workspace;

/// An engine that was asked for its description.
struct Looked<'a> {
    /// The builder as `build.toml` declares it; none for the machine's own engine.
    builder: Option<&'a Builder>,
    address: String,
    described: Result<Description>,
    /// The entitlements that images need and the engine does not allow.
    forbidden: BTreeSet<EntitlementKind>,
}

/// The answers of an engine: its description, and the entitlements that it does not allow.
type Answers = (Description, BTreeSet<EntitlementKind>);

/// The entitlements that each image needs, with the words for what needs them.
type Entitled = BTreeMap<ImageName, BTreeMap<EntitlementKind, String>>;

/// Asks all engines at the same time, adds the findings, and returns a report on each engine.
pub(super) async fn look(
    clients: &Clients,
    workspace: Option<&Workspace>,
    findings: &mut Vec<Finding>,
) -> Vec<EngineReport> {
    let entitled = match workspace {
        Some(workspace) => entitled(clients, workspace).await,
        None => Entitled::new(),
    };
    let kinds = entitled.values().flat_map(BTreeMap::keys).copied().collect();
    let own = own(clients, &kinds).await;
    let builders = match workspace {
        Some(workspace) => reach(clients, workspace, &kinds).await,
        None => Vec::new(),
    };
    let stands_in = Environment::read().engine.is_some() && !builders.is_empty();
    let all: Vec<&Looked<'_>> = std::iter::once(&own).chain(&builders).collect();
    let mut reports = Vec::new();
    for looked in &all {
        let told = looked.findings(!builders.is_empty() && !stands_in);
        reports.push(looked.report(&told));
        findings.extend(told);
    }
    if stands_in {
        let found = "`DTBUILD_ENGINE` stands in for all builders of build.toml";
        findings.push(Finding::note("builders", found, "unset it for a run that is to use them"));
    }
    for image in workspace.iter().flat_map(|workspace| workspace.config.images.values()) {
        if builders.is_empty() || stands_in {
            findings.extend(demand((image, &entitled), &[&own]));
        } else {
            findings.extend(demand((image, &entitled), &builders.iter().collect::<Vec<_>>()));
        }
    }
    reports
}

/// The entitlements of all images. Images whose Dockerfiles cannot be read have none: another finding tells of them.
async fn entitled(clients: &Clients, workspace: &Workspace) -> Entitled {
    let lines = gather::entitlements(clients, workspace).await.unwrap_or_default();
    let of = |(name, image): (&ImageName, &Image)| {
        let lines = lines.get(name).map(Vec::as_slice).unwrap_or_default();
        let needs = entitlements::entitled(name, image.dockerfile.as_bstr(), lines, image.options.network);
        (name.clone(), needs)
    };
    workspace.config.images.iter().map(of).collect()
}

async fn own(clients: &Clients, kinds: &BTreeSet<EntitlementKind>) -> Looked<'static> {
    let asked = async { Ok(answers(clients.engine().await?.as_ref(), kinds).await?) };
    Looked::new(None, Clients::engine_name(), asked.await)
}

/// The builders of `build.toml`, with their answers.
async fn reach<'a>(
    clients: &Clients,
    workspace: &'a Workspace,
    kinds: &BTreeSet<EntitlementKind>,
) -> Vec<Looked<'a>> {
    let one = |builder: &'a Builder| async move {
        let asked = async {
            let engine = builders::connect(clients, workspace, builder).await?;
            answers(&engine, kinds).await
        };
        Looked::new(Some(builder), builder.address.clone(), asked.await.map_err(Error::from))
    };
    join_all(workspace.config.builders.iter().map(one)).await
}

/// The engine's description, and the entitlements among `kinds` that it does not allow, as far as it tells.
async fn answers(
    engine: &AnyEngine,
    kinds: &BTreeSet<EntitlementKind>,
) -> std::result::Result<Answers, EngineError> {
    let description = engine.describe().await?;
    let mut forbidden = BTreeSet::new();
    for kind in kinds {
        if let Ok(false) = engine.allows(*kind).await {
            forbidden.insert(*kind);
        }
    }
    Ok((description, forbidden))
}

impl<'a> Looked<'a> {
    fn new(builder: Option<&'a Builder>, address: String, answers: Result<Answers>) -> Self {
        let (described, forbidden) = match answers {
            Ok((description, forbidden)) => (Ok(description), forbidden),
            Err(error) => (Err(error), BTreeSet::new()),
        };
        Self { builder, address, described, forbidden }
    }

    /// The findings about the engine. `is_spare` is true where builders build the images that are published.
    fn findings(&self, is_spare: bool) -> Vec<Finding> {
        let about = if self.builder.is_some() { "builder" } else { "engine" };
        let mut findings = match &self.described {
            Ok(description) => {
                let named =
                    self.builder.map(|builder| format!("`{}` at {}: ", builder.name, builder.address));
                vec![described(about, &named.unwrap_or_default(), description)]
            }
            Err(error) if self.builder.is_none() && is_spare => {
                let fix =
                    "for `dtbuild build` alone: what is published is built on the builders of build.toml";
                vec![Finding::note(about, failed(about, error).found, fix)]
            }
            Err(error) => vec![self.broken(failed(about, error))],
        };
        if let (None, Ok(Description { mirrors, .. })) = (self.builder, &self.described)
            && !mirrors.is_empty()
        {
            findings.push(Finding::good("mirrors", mirrors.join(", ")));
        }
        findings
    }

    /// The finding that the engine cannot be used, with the ways out for a builder.
    fn broken(&self, finding: Finding) -> Finding {
        let Some(builder) = self.builder else { return finding };
        let hint = finding.fix.map(|hint| format!("; {hint}")).unwrap_or_default();
        // The error names the address already.
        let found = format!("`{}`: {}{hint}", builder.name, finding.found);
        let fix = "start it, or take it out of build.toml".to_owned();
        Finding::broken(finding.about, found, Some(fix))
    }

    fn report(&self, told: &[Finding]) -> EngineReport {
        let description = self.described.as_ref().ok();
        let list = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect();
        let abilities = description.map(|description| description.abilities);
        let features = abilities.iter().flat_map(|abilities| abilities.features);
        EngineReport {
            builder: self.builder.map(|builder| builder.name.clone()),
            address: self.address.clone(),
            state: told.first().map_or(State::Good, |finding| finding.state),
            engine: description.map(|description| description.kind.clone()),
            version: description.and_then(|description| description.version.clone()),
            store: description.and_then(|description| description.store.clone()),
            platforms: description.map(|description| description.platforms.clone()).unwrap_or_default(),
            features: features.map(|feature| feature.name()).collect(),
            cache_from: abilities.map(|abilities| list(abilities.cache_imports)).unwrap_or_default(),
            cache_to: abilities.map(|abilities| list(abilities.cache_exports)).unwrap_or_default(),
        }
    }

    /// The features that an image needs and the engine lacks; none for an engine that does not answer.
    fn lacks(&self, image: &Image, entitled: &Entitled) -> Option<Vec<String>> {
        let description = self.described.as_ref().ok()?;
        let known = self.builder.map(|builder| &*builder.platforms).unwrap_or_default();
        let others = image.platforms.iter().filter(|asked| !known.is_empty() && !known.contains(asked));
        let others = others.map(|platform: &Platform| format!("builds for {}", platform.as_str()));
        let lacks = others.chain(description.abilities.lacks(Needs::of_image(image)));
        let entitled = entitled.get(&image.name).into_iter().flatten();
        let forbidden = entitled.filter(|(kind, _)| self.forbidden.contains(kind));
        let forbidden = forbidden.map(|(kind, what)| format!("the entitlement `{}` for {what}", kind.name()));
        Some(lacks.chain(forbidden).collect())
    }

    /// The setting of the engine that an image needs, where its `lacks` are one entitlement alone.
    fn to_allow(&self, image: &Image, entitled: &Entitled, lacks: &[String]) -> Option<String> {
        let kind = entitled.get(&image.name)?.keys().find(|kind| self.forbidden.contains(kind))?;
        let description = self.described.as_ref().ok().filter(|_| lacks.len() == 1)?;
        let is_buildkitd = description.kind == "buildkitd";
        Some(entitlements::way_out(*kind, if is_buildkitd { Protocol::BuildKit } else { Protocol::Docker }))
    }
}

/// The finding about an engine that answered.
fn described(about: &'static str, named: &str, description: &Description) -> Finding {
    let version = description.version.as_deref().unwrap_or_default();
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or_default());
    let version = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let has = |feature: Feature| description.abilities.features.contains(&feature);
    if !has(Feature::Secrets) {
        return Finding::note(
            about,
            format!(
                "{named}{description}: no BuildKit; it builds without secrets, for one platform at a time"
            ),
            format!("for these, use {}", description.abilities.better),
        );
    }
    if description.kind == "docker" && version < (20, 10) {
        let fix = "install Docker 20.10 or newer".to_owned();
        return Finding::broken(about, format!("{named}{description}: too old"), Some(fix));
    }
    let means = if has(Feature::Indexes) {
        "pushes in the build, several platforms at once"
    } else {
        "pushes through the API, one platform at a time"
    };
    let keeps = if description.store.is_some() { "" } else { "; keeps no images" };
    let platforms = description.platforms.join(", ");
    Finding::good(about, format!("{named}{description}, {platforms}: BuildKit; {means}{keeps}"))
}

/// The finding that none of the engines that answer can build an image, with the features that each lacks.
fn demand((image, entitled): (&Image, &Entitled), engines: &[&Looked<'_>]) -> Option<Finding> {
    let lacking: Vec<(&Looked<'_>, Vec<String>)> =
        engines.iter().filter_map(|looked| Some((*looked, looked.lacks(image, entitled)?))).collect();
    if lacking.is_empty() || lacking.iter().any(|(_, lacks)| lacks.is_empty()) {
        return None;
    }
    let told = lacking.iter().filter_map(|(looked, lacks)| {
        let description = looked.described.as_ref().ok()?;
        let name =
            looked.builder.map_or_else(|| description.to_string(), |builder| format!("`{}`", builder.name));
        Some(format!("{name} lacks {}", lacks.join(", ")))
    });
    let found = format!("`{}` can be built nowhere: {}", image.name, told.collect::<Vec<_>>().join("; "));
    let better = lacking.iter().find_map(|(looked, _)| looked.described.as_ref().ok());
    let ask_less =
        || better.map(|description| format!("use {}, or ask less of it", description.abilities.better));
    let fix =
        lacking.iter().find_map(|(looked, lacks)| looked.to_allow(image, entitled, lacks)).or_else(ask_less);
    Some(Finding::broken("images", found, fix))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::dockerfile::Entitlement;
    use crate::engine::docker::{EngineInfo, Store};
    use crate::error::Kind;

    const HEAD: &str = "[project]\nname = \"a\"\nregistry = \"r.example/a\"\n[images.a]\ncontext = \"a\"\n";

    fn description(name: &str, version: &str, store: Store) -> Description {
        Description::from(&EngineInfo {
            name: name.to_owned(),
            version: version.to_owned(),
            store,
            mirrors: Vec::new(),
            insecure_registries: Vec::new(),
            platform: "linux/amd64".to_owned(),
        })
    }

    fn overlay() -> Store {
        Store::GraphDriver("overlay2".to_owned())
    }

    fn looked(builder: Option<&Builder>, description: Description) -> Looked<'_> {
        Looked {
            builder,
            address: "unix:///s".to_owned(),
            described: Ok(description),
            forbidden: BTreeSet::new(),
        }
    }

    #[test]
    fn engines_are_told_by_what_they_can() {
        for (engine, state, says) in [
            (description("docker", "28.5.2", overlay()), State::Good, "through the API"),
            (description("docker", "28.5.2", Store::Containerd), State::Good, "several platforms"),
            (description("docker", "20.10.24+dfsg1", overlay()), State::Good, "BuildKit"),
            (description("docker", "19.03.15", overlay()), State::Broken, "too old"),
            (description("podman", "4.3.1", overlay()), State::Note, "no BuildKit"),
        ] {
            let finding = looked(None, engine).findings(false).remove(0);
            assert_eq!((finding.about, finding.state), ("engine", state), "{finding:?}");
            assert!(finding.found.contains(says), "{finding:?}");
        }
    }

    #[test]
    fn an_engine_that_does_not_answer_is_broken_unless_others_build() {
        let lost = |builder| Looked {
            builder,
            address: String::new(),
            described: Err(Error::new(Kind::Environment, "cannot reach it")),
            forbidden: BTreeSet::new(),
        };
        let config =
            Config::parse(&format!("{HEAD}[[builders]]\nname = \"big\"\naddress = \"unix:///b\"\n"), None);
        let config = config.unwrap();
        let told = |looked: Looked<'_>, is_spare| {
            let finding = looked.findings(is_spare).remove(0);
            (finding.state, finding.found, finding.fix.unwrap_or_default())
        };
        assert_eq!(told(lost(None), false).0, State::Broken);
        let (state, _, fix) = told(lost(None), true);
        assert!(state == State::Note && fix.contains("`dtbuild build` alone"), "{fix}");
        let (state, found, fix) = told(lost(Some(&config.builders[0])), true);
        assert_eq!((state, found.as_str()), (State::Broken, "`big`: cannot reach it"));
        assert!(fix.contains("take it out of build.toml"), "{fix}");
    }

    #[test]
    fn an_image_that_no_engine_builds_is_broken() {
        let text = "platforms = [\"linux/amd64\", \"linux/arm64\"]\nsecrets = [{ id = \"t\", env = \"T\" }]\n\
            [[builders]]\nname = \"one\"\naddress = \"unix:///1\"\nplatforms = [\"linux/amd64\"]\n\
            [[builders]]\nname = \"two\"\naddress = \"unix:///2\"\n";
        let config = Config::parse(&format!("{HEAD}{text}"), None).unwrap();
        let image = config.images.values().next().unwrap();
        let [one, two] = &config.builders[..] else { panic!("two builders") };
        let demand = |image, engines: &[&Looked<'_>]| demand((image, &Entitled::new()), engines);
        let podman = looked(None, description("podman", "4.3.1", overlay()));
        let found = demand(image, &[&podman]).unwrap().found;
        assert!(found.contains("several platforms at once, `secrets` of `a`"), "{found}");
        let containerd = || description("docker", "28.5.2", Store::Containerd);
        let one = looked(Some(one), containerd());
        let found = demand(image, &[&one]).unwrap();
        assert!(found.found.ends_with("`one` lacks builds for linux/arm64"), "{found:?}");
        assert_eq!(demand(image, &[&one, &looked(Some(two), containerd())]), None);
        let found = demand(image, &[&one, &looked(Some(two), description("docker", "20.10.24", overlay()))]);
        assert!(found.unwrap().found.contains("; `two` lacks building for several platforms at once"));
    }

    #[test]
    fn an_entitlement_that_no_engine_allows_is_told_with_its_line_and_its_setting() {
        let config = Config::parse(HEAD, None).unwrap();
        let image = config.images.values().next().unwrap();
        let kind = EntitlementKind::SecurityInsecure;
        let lines = [Entitlement { line: 7, kind }];
        let needs = entitlements::entitled(&image.name, "a/Dockerfile".into(), &lines, None);
        let entitled = Entitled::from([(image.name.clone(), needs)]);
        let allows = looked(None, description("docker", "28.5.2", overlay()));
        let denies = Looked {
            forbidden: BTreeSet::from([kind]),
            ..looked(None, description("docker", "28.5.2", overlay()))
        };
        let finding = demand((image, &entitled), &[&denies]).unwrap();
        let found =
            "the entitlement `security.insecure` for `RUN --security=insecure` of `a` (a/Dockerfile:7)";
        assert!(finding.found.ends_with(found), "{finding:?}");
        assert!(finding.fix.unwrap().contains("\"security-insecure\": true"));
        assert_eq!(demand((image, &entitled), &[&denies, &allows]), None);
    }
}
