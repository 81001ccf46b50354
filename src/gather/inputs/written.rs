//! The folders of a checkout that runs write to, such as caches: they are in no context, and in no key.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use bstr::BString;
use dtbuild_content::globs::Globs;

use crate::error::{Code, Error, Result};

/// The folder of a checkout that is dtbuild's own.
const OWN_FOLDER: &str = ".dtbuild";

/// The ignore rules that leave the folders which runs write to out of the context; empty where the context has
/// none of them. Without these rules the working tree would never have the key of its commit.
pub(super) fn rules(context: &BString, written: &BTreeSet<PathBuf>) -> String {
    let own = Path::new(OWN_FOLDER);
    let folders = written.iter().map(|folder| if folder.starts_with(own) { own } else { folder });
    let inside = folders.filter_map(|folder| folder.strip_prefix(context.to_string()).ok());
    let mut lines = String::new();
    for folder in inside.filter(|folder| !folder.as_os_str().is_empty()).collect::<BTreeSet<_>>() {
        lines.push_str("\n/");
        for character in folder.to_string_lossy().chars() {
            if matches!(character, '*' | '?' | '[' | '\\') {
                lines.push('\\');
            }
            lines.push(character);
        }
        lines.push('\n');
    }
    lines
}

/// The folders that runs write to, as globs, but for those below dtbuild's own folder, which its ignore rule takes as a
/// whole. A folder that ignore rules empty stays, as for BuildKit; a folder that is there for these folders alone has no
/// twin in the commit.
pub(super) fn below_others(written: &BTreeSet<PathBuf>) -> Result<Option<Globs>> {
    let folders =
        written.iter().filter(|folder| folder.components().count() > 1 && !folder.starts_with(OWN_FOLDER));
    let folders: Vec<_> = folders.map(|folder| folder.to_string_lossy()).collect();
    if folders.is_empty() {
        return Ok(None);
    }
    let globs = Globs::of_paths(folders);
    Ok(Some(globs.map_err(|error| Error::new(Code::ConfigInvalid, error.to_string()))?))
}
