//! Takes the fingerprint of the code: what one dtbuild remembered is never an answer for another.
//!
//! All sources of the workspace count, and the versions of all that is linked: which of them decide on keys is nothing that a
//! list would stay right about. The price is one cold plan for each upgrade. BLAKE3 gives the same fingerprint whatever compiler
//! built this program, which the standard library does not promise of its own hasher, and two versions never share one.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// What counts of each package of the workspace.
const OF_PACKAGE: [&str; 3] = ["Cargo.toml", "build.rs", "src"];

fn main() -> io::Result<()> {
    let mut files = BTreeSet::from([PathBuf::from("Cargo.lock")]);
    for package in members(&fs::read_to_string("Cargo.toml")?)? {
        for name in OF_PACKAGE {
            collect(&Path::new(&package).join(name), &mut files)?;
        }
    }
    let mut hasher = blake3::Hasher::new();
    for file in files {
        for part in [file.as_os_str().as_encoded_bytes(), &fs::read(&file)?] {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
        }
    }
    println!("cargo::rerun-if-changed=Cargo.lock");
    println!("cargo::rustc-env=DTBUILD_FINGERPRINT={}", hasher.finalize());
    // A program that starts a hundred times a day saves what moving it to another address costs at every start.
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|set| set == value);
    if is("PROFILE", "release") && is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu") {
        println!("cargo::rustc-link-arg-bins=-no-pie");
    }
    Ok(())
}

/// The folders of the workspace's packages, as its `Cargo.toml` lists them.
fn members(manifest: &str) -> io::Result<Vec<String>> {
    let list = manifest.split_once("members = [").and_then(|(_, rest)| rest.split_once(']'));
    let (list, _) = list.ok_or_else(|| io::Error::other("Cargo.toml lists no members of the workspace"))?;
    let members: Vec<String> = list.split('"').skip(1).step_by(2).map(str::to_owned).collect();
    if members.iter().any(|member| member.contains('*')) {
        return Err(io::Error::other(
            "Cargo.toml names members by a pattern: list each, so that its sources count",
        ));
    }
    Ok(members)
}

/// Adds the file at `path`, or the files below it, where there is something.
fn collect(path: &Path, files: &mut BTreeSet<PathBuf>) -> io::Result<()> {
    if !path.exists() {
        return Ok(());
    }
    println!("cargo::rerun-if-changed={}", path.display());
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            collect(&entry?.path(), files)?;
        }
    } else {
        files.insert(path.to_owned());
    }
    Ok(())
}
