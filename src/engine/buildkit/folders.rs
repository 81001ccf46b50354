//! The folders of a session, by the names that the engine asks for. Start with [`Folders::add`].

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dtbuild_content::snapshot::Snapshot;

/// The folders that the engine may fetch in a session; clones share the same folders.
#[derive(Clone, Default)]
pub(super) struct Folders(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    folders: BTreeMap<String, Snapshot>,
    /// The reasons for which folders could not be sent, by folder: the engine's own error loses the cause.
    faults: BTreeMap<String, String>,
}

impl Folders {
    /// Offers `files` under `name`, or under a similar name if other files have that one; returns the name
    /// that the files got.
    ///
    /// The engine keeps its copy of a folder by this name, and is sent only the files that differ from the
    /// copy.
    pub(super) fn add(&self, name: &str, files: &Snapshot) -> String {
        let mut state = self.state();
        let mut own = name.to_owned();
        let mut number = 1;
        while state.folders.get(&own).is_some_and(|taken| !same_files(taken, files)) {
            number += 1;
            own = format!("{name}-{number}");
        }
        state.folders.entry(own.clone()).or_insert_with(|| files.clone());
        own
    }

    /// The files of the folder `name`.
    pub(super) fn get(&self, name: &str) -> Option<Snapshot> {
        self.state().folders.get(name).cloned()
    }

    /// Records the reason for which the folder `name` could not be sent; the first reason stays.
    pub(super) fn fail(&self, name: &str, reason: &str) {
        self.state().faults.entry(name.to_owned()).or_insert_with(|| reason.to_owned());
    }

    /// The reason for which one of these folders could not be sent; none if there was no such failure.
    pub(super) fn fault<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Option<String> {
        let state = self.state();
        names.into_iter().find_map(|name| state.faults.get(name).cloned())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// True if two snapshots are the same files.
pub(super) fn same_files(left: &Snapshot, right: &Snapshot) -> bool {
    Arc::ptr_eq(&left.entries, &right.entries) || left.entries == right.entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::buildkit::folder::dockerfile;

    #[test]
    fn the_same_files_have_one_name_and_others_another() {
        let folders = Folders::default();
        let (one, other) = (dockerfile(Arc::from(&b"1"[..])), dockerfile(Arc::from(&b"2"[..])));
        assert_eq!(folders.add("a", &one), "a");
        assert_eq!(folders.add("a", &one.clone()), "a");
        assert_eq!(folders.add("a", &other), "a-2");
        assert_eq!(folders.add("a", &dockerfile(Arc::from(&b"2"[..]))), "a-2");
        assert!(folders.get("a-2").is_some() && folders.get("b").is_none());
        folders.fail("a", "gone");
        assert_eq!(folders.fault(["b", "a"]).as_deref(), Some("gone"));
        assert_eq!(folders.fault(["b"]), None);
    }
}
