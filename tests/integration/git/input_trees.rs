//! Digests and snapshots of the two input trees: a commit, and the disk.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io::{self, Read as _};
use std::time::{Duration, Instant};

use bstr::{BStr, BString};
use dtbuild::git::{GitError, Repository};
use dtbuild_content::snapshot::Snapshot;
use dtbuild_content::tree::{ContentId, Filter, Kind};

use crate::support::repo::{TestRepo, code};

/// The files of a build: what they are and hold; a link holds its text.
pub(crate) type Sent = BTreeMap<BString, (Kind, Vec<u8>)>;

pub(crate) fn commit_digest(repo: &TestRepo, filter: &impl Filter) -> ContentId {
    let opened = Repository::discover(repo.root(), code()).unwrap();
    let head = opened.resolve("HEAD").unwrap();
    opened.commit_tree(head, BStr::new("")).unwrap().unwrap().digest(filter).unwrap()
}

pub(crate) fn disk_digest(repo: &TestRepo, filter: &impl Filter) -> ContentId {
    let opened = Repository::discover(repo.root(), code()).unwrap();
    opened.working_tree(BStr::new("")).unwrap().unwrap().digest(filter).unwrap()
}

pub(crate) fn commit_snapshot(repo: &TestRepo, filter: &impl Filter) -> Result<Snapshot, GitError> {
    let opened = Repository::discover(repo.root(), code()).unwrap();
    let head = opened.resolve("HEAD").unwrap();
    opened.commit_tree(head, BStr::new("")).unwrap().unwrap().snapshot(filter)
}

pub(crate) fn disk_snapshot(repo: &TestRepo, filter: &impl Filter) -> Result<Snapshot, GitError> {
    let opened = Repository::discover(repo.root(), code()).unwrap();
    opened.working_tree(BStr::new("")).unwrap().unwrap().snapshot(filter)
}

/// Looks at the disk until what was found is noted for the next look, which takes a moment after a file was changed. All
/// looks must find the same.
pub(crate) fn until_noted<T: PartialEq + Debug>(repo: &TestRepo, look: impl Fn() -> T) -> T {
    let (found, begin) = (look(), Instant::now());
    while !repo.found_out("stat").exists() {
        assert!(begin.elapsed() < Duration::from_secs(10), "nothing is ever noted");
        assert_eq!(look(), found);
    }
    found
}

/// What a build is sent of a snapshot.
pub(crate) fn sent(snapshot: &Snapshot) -> io::Result<Sent> {
    let entry = |entry: &dtbuild_content::snapshot::SnapshotEntry| {
        let mut content = Vec::new();
        match (&entry.link, entry.kind) {
            (Some(link), _) => content.extend_from_slice(link),
            (None, Kind::Folder) => {}
            _ => drop(snapshot.contents.open(entry)?.read_to_end(&mut content)?),
        }
        assert_eq!(entry.size, content.len() as u64, "{entry:?}");
        Ok((entry.path.clone(), (entry.kind, content)))
    };
    snapshot.entries.iter().map(entry).collect()
}

/// The paths of the files that are sent.
pub(crate) fn files(sent: &Sent) -> Vec<String> {
    let files = sent.iter().filter(|(_, (kind, _))| *kind != Kind::Folder);
    files.map(|(path, _)| path.to_string()).collect()
}

/// Asserts that the commit and the disk have one key and send one content, which is given back.
#[track_caller]
pub(crate) fn agree(repo: &TestRepo, filter: &impl Filter) -> Sent {
    assert_eq!(commit_digest(repo, filter), disk_digest(repo, filter));
    let (commit, disk) = (commit_snapshot(repo, filter).unwrap(), disk_snapshot(repo, filter).unwrap());
    assert_eq!(commit.entries, disk.entries);
    let sent_of_commit = sent(&commit).unwrap();
    assert_eq!(sent_of_commit, sent(&disk).unwrap());
    sent_of_commit
}
