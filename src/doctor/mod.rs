//! `dtbuild doctor`: a look at everything that a run needs, before the run. Start with [`look`].
//!
//! The doctor is for broken setups: a failed check does not keep the other checks from running.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::clients::Clients;
use crate::config::Config;
use crate::credentials;
use crate::error::{Error, Kind};
use crate::gather::globs;
use crate::git::Repository;
use crate::reference::Repository as ImageRepository;
use crate::ui::doctor::{DoctorView, Finding};
use crate::workspace::{Location, Workspace};

mod bases;
mod engines;
mod triggers;

/// A tag that no image has: only the registry's answer counts.
const PROBE: &str = "dtbuild-doctor";

/// Looks at git, the repository, `build.toml`, the engines, the registries and the programs that deploy. Where the clients are offline, nobody is
/// asked.
pub(crate) async fn look(clients: &Clients, location: &Location) -> DoctorView {
    let mut findings = Vec::new();
    let in_repository = repository(location, &mut findings);
    let workspace = if in_repository { declared(location, &mut findings) } else { None };
    let engines = engines::look(clients, workspace.as_ref(), &mut findings).await;
    if let Some(workspace) = &workspace {
        registries(clients, &workspace.config, &mut findings).await;
        bases::look(clients, workspace, &mut findings).await;
        triggers::look(workspace, &mut findings);
    }
    DoctorView { findings, engines }
}

/// The finding for an error, with the error's causes and hint.
fn failed(about: &'static str, error: &Error) -> Finding {
    let causes = error.causes.iter().map(|cause| format!(": {cause}"));
    Finding::broken(about, format!("{}{}", error.message, causes.collect::<String>()), error.hint.clone())
}

/// Checks git itself, the clone and the clone's files. True if there is a repository.
fn repository(location: &Location, findings: &mut Vec<Finding>) -> bool {
    match said(&["--version"]) {
        Some(version) => findings.push(Finding::good("git", version)),
        None => findings.push(Finding::note(
            "git",
            "there is no `git` program",
            "install it: dtbuild reads repositories by itself, but cannot fetch what a clone lacks",
        )),
    }
    let repository = match Repository::discover(&location.directory, location.code) {
        Ok(repository) => repository,
        Err(error) => {
            findings.push(failed("repository", &error.into()));
            return false;
        }
    };
    match repository.root() {
        Ok(root) => {
            findings.push(Finding::good("repository", root.display().to_string()));
            contents(root, findings);
        }
        Err(error) => findings.push(failed("repository", &error.into())),
    }
    match repository.head() {
        Ok(Some(head)) => {
            let branch = head.branch.map_or("HEAD is detached".to_owned(), |branch| format!("on `{branch}`"));
            findings.push(Finding::good("commit", format!("{}, {branch}", head.commit.short())));
        }
        Ok(None) => findings.push(Finding::note(
            "commit",
            "the repository has no commits yet",
            "commit first; `dtbuild build` builds what is on the disk without one",
        )),
        Err(error) => findings.push(failed("commit", &error.into())),
    }
    if repository.is_shallow() {
        findings.push(Finding::note(
            "history",
            "the clone is shallow",
            "nothing to do: keys need one commit alone; what changed since the last deployment may not be told",
        ));
    }
    true
}

/// Checks a work tree for submodules and Git LFS, which need more than git's objects.
fn contents(root: &Path, findings: &mut Vec<Finding>) {
    let holds = |name: &str, text: &str| {
        std::fs::read(root.join(name)).is_ok_and(|bytes| String::from_utf8_lossy(&bytes).contains(text))
    };
    if holds(".gitmodules", "[submodule") {
        findings.push(Finding::note(
            "submodules",
            "the repository has submodules",
            "check them out where an image's context holds one: `git submodule update --init --recursive`",
        ));
    }
    if holds(".gitattributes", "filter=lfs") {
        let fix = match said(&["lfs", "version"]) {
            Some(_) => "fetch the contents that images need: `git lfs pull`",
            None => "install `git-lfs`, then `git lfs pull`: images need the contents",
        };
        findings.push(Finding::note("lfs", "files are kept in Git LFS", fix));
    }
}

/// The first line that `git` prints; none where `git` cannot be run, or fails.
fn said(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    output.status.success().then(|| text.lines().next().unwrap_or_default().to_owned())
}

/// Checks `build.toml` and `build.lock`, as they are on the disk. None where `build.toml` cannot be read.
fn declared(location: &Location, findings: &mut Vec<Finding>) -> Option<Workspace> {
    let workspace = match Workspace::on_disk(location) {
        Ok(workspace) => workspace,
        Err(error) => {
            findings.push(failed("build.toml", &error));
            return None;
        }
    };
    let Config { images, environments, .. } = &*workspace.config;
    let counted = format!("images: {}, environments: {}", images.len(), environments.len());
    findings.push(Finding::good("build.toml", counted));
    if workspace.lock.bases.is_empty() {
        let found = "no base image is locked";
        let fix = "`dtbuild lock` writes their digests, so that no plan asks the registries for them";
        findings.push(Finding::note("build.lock", found, fix));
    } else {
        let counted = format!("base images: {}", workspace.lock.bases.len());
        findings.push(Finding::good("build.lock", counted));
    }
    unmatched(&workspace, findings);
    Some(workspace)
}

/// Adds the globs that match nothing. A missing context is reported by the part that reads the context.
fn unmatched(workspace: &Workspace, findings: &mut Vec<Finding>) {
    let (repository, files) = (&workspace.repository, workspace.files);
    let images = workspace.config.images.values().map(|image| globs::of_image(repository, files, image));
    let deployed = workspace.config.environments.values().filter_map(|environment| {
        Some(globs::of_deployment(repository, files, environment.deploy.as_ref()?.paths.as_ref()?))
    });
    for note in images.chain(deployed).flatten().flatten() {
        findings.push(Finding::note("build.toml", note, "correct the glob, or take it out"));
    }
}

/// Checks the registries that images are pushed to: the credentials, and if the registry answers.
async fn registries(clients: &Clients, config: &Config, findings: &mut Vec<Finding>) {
    let mut hosts: BTreeMap<&str, &ImageRepository> = BTreeMap::new();
    for image in config.images.values() {
        hosts.entry(image.repository.registry()).or_insert(&image.repository);
    }
    for (host, repository) in hosts {
        findings.push(login(clients, repository).await);
        let asked = async { Ok(clients.registry()?.digest(&repository.tagged(PROBE)?).await?) };
        findings.push(match asked.await {
            Ok(_) => Finding::good(
                "registry",
                format!("{host} answers; whether it may be pushed to, a push shows"),
            ),
            Err(error) => failed("registry", &error),
        });
    }
}

/// The finding about the credentials for a registry: their source, and if they can be read.
async fn login(clients: &Clients, repository: &ImageRepository) -> Finding {
    let host = repository.registry();
    let source = credentials::docker_folder().and_then(|folder| credentials::source(&folder, host));
    let found = match clients.registry() {
        Ok(registry) => registry.has_login(repository).await.map_err(Error::from),
        // Credentials lie on this machine, so they are read where nobody is to be asked.
        Err(_) => credentials::stored_login(host)
            .await
            .map(|login| login.is_some())
            .map_err(|error| Error::new(Kind::Environment, error.to_string()).hint(error.hint)),
    };
    match (found, source) {
        (Err(error), _) => failed("credentials", &error),
        (Ok(true), Some(source)) => Finding::good("credentials", format!("for {host}: from {source}")),
        (Ok(true), None) => Finding::good("credentials", format!("for {host}")),
        (Ok(false), _) => Finding::note(
            "credentials",
            format!("none for {host}: it is asked anonymously"),
            format!("`docker login {host}`, if it wants to know who asks"),
        ),
    }
}
