//! `dtbuild lock`: the digests of the base images, written into `build.lock`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;

use super::edges::Edges;
use super::gather;
use super::print;
use super::workspace::Workspace;
use crate::cli::{Global, LockArgs};
use crate::config::{Lock, lock};
use crate::error::{Error, Kind, Result};
use crate::reference::Digest;

/// The exit code of `--check` when the lock is not what the registries serve.
const MOVED: u8 = 10;

/// Runs `dtbuild lock`.
pub(super) fn lock(global: &Global, args: &LockArgs) -> Result<u8> {
    let edges = Edges::default();
    let workspace = Workspace::on_disk(global)?;
    let all = workspace.config.images.keys().cloned().collect();
    let (_, sources) = gather::sources(&workspace, &all)?;
    let bases = sources.values().flat_map(gather::Source::bases);
    let names: BTreeSet<String> = bases.filter(|name| !name.contains('@')).map(str::to_owned).collect();
    let old = &workspace.lock;
    let kept = kept(args, old, &names)?;
    let asked = names.iter().filter(|name| !kept.contains_key(*name)).cloned().collect();
    let mut bases = gather::resolve_anew(&edges, &asked)?;
    bases.extend(kept);
    let new = Lock { bases };
    let changes = changes(old, &new);
    print(|out, _| changes.iter().try_for_each(|line| writeln!(out, "{line}")))?;
    if changes.is_empty() {
        return Ok(0);
    }
    if args.check {
        return Ok(MOVED);
    }
    write(workspace.repository.root()?, &new)?;
    Ok(0)
}

/// The entries that nobody asks anew for.
fn kept(args: &LockArgs, old: &Lock, names: &BTreeSet<String>) -> Result<BTreeMap<String, Digest>> {
    let update: &[String] = args.update.as_deref().unwrap_or_default();
    if let Some(unknown) = update.iter().find(|name| !names.contains(*name)) {
        let known: Vec<&str> = names.iter().map(String::as_str).collect();
        let message = format!("no Dockerfile names the base image `{unknown}`");
        return Err(Error::new(Kind::Usage, message).hint(format!("they name: {}", known.join(", "))));
    }
    let all = args.check || args.update.as_ref().is_some_and(Vec::is_empty);
    let keeps = |name: &String| !all && names.contains(name) && !update.contains(name);
    Ok(old.bases.iter().filter(|(name, _)| keeps(name)).map(|(n, d)| (n.clone(), d.clone())).collect())
}

fn changes(old: &Lock, new: &Lock) -> Vec<String> {
    let names: BTreeSet<&String> = old.bases.keys().chain(new.bases.keys()).collect();
    let change = |name: &String| match (old.bases.get(name), new.bases.get(name)) {
        (None, Some(digest)) => Some(format!("{name}  added    {digest}")),
        (Some(_), None) => Some(format!("{name}  dropped")),
        (Some(old), Some(new)) if old != new => Some(format!("{name}  moved    {old} -> {new}")),
        _ => None,
    };
    names.into_iter().filter_map(change).collect()
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
    attempt()
        .map_err(|error| Error::new(Kind::Environment, format!("cannot write {}: {error}", path.display())))
}
