//! The paths that differ between two states of the files, such as two commits. Start with [`ChangedPath`].

use std::fmt;

use bstr::{BStr, BString, ByteSlice as _};
use schemars::JsonSchema;
use serde::Serialize;

/// A path that differs between base and head.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct ChangedPath {
    /// The path from the repository's root.
    #[serde(serialize_with = "lossy")]
    #[schemars(with = "String")]
    pub path: BString,
    /// The kind of the change.
    pub status: ChangeStatus,
}

/// The kind of a path's change; a rename is a deletion and an addition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeStatus {
    /// The path is new.
    Added,
    /// The file's content or its executable bit differs.
    Modified,
    /// The path is gone.
    Deleted,
    /// The path became a link, a file or a submodule.
    TypeChanged,
}

/// The changed paths below a folder, all of them for the root. The changed paths must be sorted.
pub(crate) fn below<'c>(changes: &'c [ChangedPath], folder: &BStr) -> &'c [ChangedPath] {
    if folder.is_empty() {
        return changes;
    }
    let start = [folder.as_bytes(), b"/"].concat();
    let rest = &changes[changes.partition_point(|change| change.path < start)..];
    &rest[..rest.partition_point(|change| change.path.starts_with(&start))]
}

/// The change of exactly this path, if the path is among the changed paths, which must be sorted.
pub(crate) fn of_path<'c>(changes: &'c [ChangedPath], path: &BStr) -> Option<&'c ChangedPath> {
    let found = changes.binary_search_by(|change| change.path.as_bstr().cmp(path)).ok()?;
    changes.get(found)
}

fn lossy<S: serde::Serializer>(path: &BString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string())
}

impl fmt::Display for ChangeStatus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Added => "added",
            Self::Modified => "modified",
            Self::Deleted => "deleted",
            Self::TypeChanged => "type changed",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_below_a_folder_is_found_among_what_sorts_beside_it() {
        let paths = ["a", "b", "b-c", "b.d/e", "b/", "b/c", "b/d/e", "b0", "bb/c", "c/b/c"];
        let changes: Vec<ChangedPath> = paths
            .iter()
            .map(|path| ChangedPath { path: (*path).into(), status: ChangeStatus::Modified })
            .collect();
        for folder in ["", "a", "b", "b/d", "c", "c/b", "d", "bb"] {
            let start = if folder.is_empty() { String::new() } else { format!("{folder}/") };
            let expected: Vec<_> =
                changes.iter().filter(|change| change.path.starts_with(start.as_bytes())).collect();
            assert_eq!(below(&changes, folder.into()).iter().collect::<Vec<_>>(), expected, "{folder}");
        }
        for path in paths {
            assert_eq!(
                of_path(&changes, path.into()).map(|change| change.path.as_bstr()),
                Some(BStr::new(path))
            );
        }
        assert_eq!(of_path(&changes, "b/d".into()), None);
    }
}
