//! The registries of base images: whether they answer who is to build on their images. Start with [`look`].

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;

use super::failed;
use crate::clients::Clients;
use crate::engine::AnyEngine;
use crate::error::{Code, Error, Result};
use crate::gather;
use crate::reference::Reference;
use crate::ui::doctor::Finding;
use crate::workspace::Workspace;

/// The ways out where Docker Hub does not answer, but the builder's mirror of it may.
const BY_MIRROR: &str = "a builder's mirror cannot be used, as a buildkitd does not tell its mirrors (`buildkitd.toml`), and \
    no dockerd is here to tell its own (`registry-mirrors`): run `dtbuild lock` where Docker Hub or such a dockerd \
    answers and commit build.lock, or set `bases = \"name\"`, or name the mirror in `FROM`";

/// Looks at the registry of each base image that a Dockerfile names, once per registry.
pub(super) async fn look(clients: &Clients, workspace: &Workspace, findings: &mut Vec<Finding>) {
    if clients.is_offline() {
        return;
    }
    let names = match gather::base_images(clients, workspace).await {
        Ok(names) => names,
        Err(error) => return findings.push(failed("images", &error)),
    };
    let mut hosts: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for name in &names {
        let reference = name.split('@').next().unwrap_or_default().parse::<Reference>();
        let host = reference.map(|reference| reference.repository().registry().to_owned());
        hosts.entry(host.unwrap_or_default()).or_default().insert(name);
    }
    let hosts = hosts.iter().map(|(host, names)| of_host(clients, host, names));
    findings.extend(join_all(hosts).await);
}

/// True if an engine may get the images of `host` from mirrors that nobody here knows.
async fn is_mirror_unknown(clients: &Clients, host: &str) -> bool {
    host == "docker.io" && !matches!(clients.engine().await.as_deref(), Ok(AnyEngine::Docker(_)))
}

async fn of_host(clients: &Clients, host: &str, names: &BTreeSet<&str>) -> Finding {
    let mirrors = clients.mirrors().await;
    let ask = async |name: &str| -> Result<()> {
        // A name that carries its digest answers itself: its repository is asked instead.
        let (asked, pinned) = name.split_once('@').map_or((name, false), |(name, _)| (name, true));
        match clients.registry()?.resolve_base(asked, &mirrors).await.map_err(Error::from) {
            Err(error) if !(pinned && error.code == Code::RegistryNotFound) => Err(error),
            _ => Ok(()),
        }
    };
    for name in names {
        if let Err(error) = ask(name).await {
            let error = if is_mirror_unknown(clients, host).await { error.hint(BY_MIRROR) } else { error };
            return failed("base images", &error);
        }
    }
    let counted =
        if names.len() == 1 { "1 base image".to_owned() } else { format!("{} base images", names.len()) };
    Finding::good("base images", format!("{host} answers for {counted}"))
}
