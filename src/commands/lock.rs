//! `dtbuild lock`: the digests of the base images, written into `build.lock`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;

use super::print;
use crate::cli::{Global, LockArgs};
use crate::clients::Clients;
use crate::config::{Lock, lock};
use crate::error::{Code, Error, Result};
use crate::gather::{Bases, Source, Sources};
use crate::reference::Digest;
use crate::workspace::Workspace;

/// The exit code of `--check` when the lock is not what the registries serve.
const MOVED: u8 = 10;

/// Runs `dtbuild lock`.
pub(super) fn lock(global: &Global, args: &LockArgs) -> Result<u8> {
    let clients = Clients::default();
    let workspace = Workspace::on_disk(global)?;
    let old = &workspace.lock;
    let all = workspace.config.images.keys().cloned().collect();
    let mut bases = Bases::moved(&clients, &workspace, kept(args, old));
    let sources = Sources::read(&workspace, &mut bases, &all)?;
    let sources = || sources.images.values();
    let names: BTreeSet<String> = sources().flat_map(Source::bases).map(str::to_owned).collect();
    check(args, &names)?;
    let platforms = if names.is_empty() {
        BTreeSet::new()
    } else {
        old.platforms.iter().cloned().chain(sources().flat_map(Source::base_platforms)).collect()
    };
    let new = bases.lock(&names, platforms)?;
    let (moved, completed) = (moved(old, &new), completed(old, &new));
    let told = || moved.iter().chain(completed.iter().filter(|_| !args.check));
    print(|out, _| told().try_for_each(|line| writeln!(out, "{line}")))?;
    match (told().next(), args.check) {
        (None, _) => Ok(0),
        (Some(_), true) => Ok(MOVED),
        (Some(_), false) => write(workspace.repository.root()?, &new).map(|()| 0),
    }
}

/// The digests that nobody asks anew for.
fn kept(args: &LockArgs, old: &Lock) -> BTreeMap<String, Digest> {
    let update: &[String] = args.update.as_deref().unwrap_or_default();
    let all = args.check || args.update.as_ref().is_some_and(Vec::is_empty);
    let keeps = |name: &String| !all && !update.contains(name);
    let kept = old.bases.iter().filter(|(name, _)| keeps(name));
    kept.map(|(name, base)| (name.clone(), base.digest.clone())).collect()
}

/// Checks that the names that are to be updated are there.
fn check(args: &LockArgs, names: &BTreeSet<String>) -> Result<()> {
    match args.update.iter().flatten().find(|name| !names.contains(*name)) {
        None => Ok(()),
        Some(unknown) => {
            let known: Vec<&str> = names.iter().map(String::as_str).collect();
            let message = format!("no Dockerfile names the base image `{unknown}`");
            Err(Error::new(Code::NotDeclared, message).hint(format!("they name: {}", known.join(", "))))
        }
    }
}

/// The images whose digests are others than before.
fn moved(old: &Lock, new: &Lock) -> Vec<String> {
    let names: BTreeSet<&String> = old.bases.keys().chain(new.bases.keys()).collect();
    let digest = |lock: &Lock, name: &String| lock.bases.get(name).map(|base| base.digest.clone());
    let change = |name: &String| match (digest(old, name), digest(new, name)) {
        (None, Some(digest)) => Some(format!("{name}  added    {digest}")),
        (Some(_), None) => Some(format!("{name}  dropped")),
        (Some(old), Some(new)) if old != new => Some(format!("{name}  moved    {old} -> {new}")),
        _ => None,
    };
    names.into_iter().filter_map(change).collect()
}

/// What else is another than before: what is known of images that did not move.
fn completed(old: &Lock, new: &Lock) -> Vec<String> {
    let mut lines = Vec::new();
    if old.platforms != new.platforms {
        let platforms: Vec<&str> = new.platforms.iter().map(String::as_str).collect();
        lines.push(format!("read for  {}", platforms.join(", ")));
    }
    for (name, base) in &new.bases {
        if old.bases.get(name).is_some_and(|old| old.digest == base.digest && old.configs != base.configs) {
            lines.push(format!("{name}  read     its ONBUILD instructions and variables"));
        }
    }
    lines
}

/// Replaces the file as a whole.
fn write(root: &Path, new: &Lock) -> Result<()> {
    let path = root.join(lock::FILE_NAME);
    let attempt = || {
        let mut file = tempfile::NamedTempFile::new_in(root)?;
        file.write_all(new.to_string().as_bytes())?;
        file.persist(&path).map_err(|error| error.error)?;
        Ok::<_, std::io::Error>(())
    };
    attempt().map_err(|error| {
        Error::new(Code::OutputUnwritable, format!("cannot write {}: {error}", path.display()))
    })
}
