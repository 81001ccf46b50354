use std::collections::BTreeMap;

use bstr::BString;
use dtbuild_content::snapshot::Contents;
use dtbuild_content::tree::ContentId;
use tokio_stream::StreamExt as _;

use super::*;

/// The contents of files in memory, by path; those in `changed` are not the contents that were hashed.
struct Memory(BTreeMap<BString, Vec<u8>>);

impl Contents for Memory {
    fn open(&self, entry: &SnapshotEntry) -> io::Result<Box<dyn Read + Send>> {
        let bytes = self.0.get(&entry.path).cloned().ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(io::Cursor::new(bytes)))
    }
}

fn entry(path: &str, kind: Kind, content: &str) -> SnapshotEntry {
    SnapshotEntry {
        path: path.into(),
        kind,
        id: ContentId::Sha1([7; 20]),
        size: if kind == Kind::Folder { 0 } else { content.len() as u64 },
        link: (kind == Kind::Symlink).then(|| content.into()),
    }
}

fn snapshot(entries: &[(&str, Kind, &str)], changed: &[(&str, &str)]) -> Snapshot {
    let contents = entries.iter().map(|(path, _, content)| (*path, *content)).chain(changed.iter().copied());
    let contents = contents.map(|(path, content)| (path.into(), content.as_bytes().to_vec())).collect();
    let entries: Vec<SnapshotEntry> =
        entries.iter().map(|(path, kind, content)| entry(path, *kind, content)).collect();
    Snapshot::new(entries, Arc::new(Memory(contents)))
}

async fn sent(snapshot: Snapshot) -> Result<Vec<u8>, String> {
    let fault = Arc::new(OnceLock::new());
    let archive = Archive::new(snapshot, Arc::from(&b"FROM scratch\n"[..]));
    let mut stream = archive.stream(Arc::clone(&fault));
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.next().await {
        match chunk {
            Ok(chunk) => bytes.extend_from_slice(&chunk),
            Err(error) => {
                assert_eq!(fault.get(), Some(&error.to_string()));
                return Err(error.to_string());
            }
        }
    }
    Ok(bytes)
}

#[tokio::test]
async fn an_archive_has_normal_modes_no_owner_and_links_as_they_are() {
    let (long, deep) = (format!("../{}/x", "l".repeat(150)), format!("d/{}", "n".repeat(200)));
    let bytes = sent(snapshot(
        &[
            ("a", Kind::File, "content"),
            ("d", Kind::Folder, ""),
            (&deep, Kind::Symlink, &long),
            ("link", Kind::Symlink, "d/./x//"),
            ("run", Kind::Executable, "#!"),
        ],
        &[],
    ));
    let bytes = bytes.await.unwrap();
    let mut archive = tar::Archive::new(&*bytes);
    let mut lines = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let header = entry.header();
        assert_eq!((header.uid().unwrap(), header.gid().unwrap()), (0, 0));
        let mode = header.mode().unwrap();
        let path = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
        let link = entry.link_name_bytes().map(|text| String::from_utf8(text.into_owned()).unwrap());
        let mut content = String::new();
        entry.read_to_string(&mut content).unwrap();
        lines.push(format!("{mode:o} {path} {}{content}", link.unwrap_or_default()));
    }
    let expected = [
        "644 .dtbuild.Dockerfile FROM scratch\n",
        "644 .dtbuild.Dockerfile.dockerignore .dtbuild.Dockerfile\n.dtbuild.Dockerfile.dockerignore\n",
        "644 a content",
        "755 d ",
        &format!("777 {deep} {long}"),
        "777 link d/./x//",
        "755 run #!",
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn the_dockerfile_has_a_name_that_no_file_has() {
    let taken = snapshot(&[(".dtbuild.Dockerfile.dockerignore", Kind::File, "x")], &[]);
    assert_eq!(Archive::new(taken, Arc::from(&b""[..])).name, "._dtbuild.Dockerfile");
}

#[tokio::test]
async fn what_is_not_as_it_was_hashed_is_not_sent() {
    for other in ["short", "far too long for it"] {
        let error = sent(snapshot(&[("a", Kind::File, "content")], &[("a", other)])).await.unwrap_err();
        assert_eq!(error, "`a` changed while it was sent: expected 7 bytes");
    }
}

#[tokio::test]
async fn an_archive_that_nobody_reads_ends() {
    let content = "x".repeat(4 * CHUNK * WAITING);
    let archive = Archive::new(snapshot(&[("a", Kind::File, &content)], &[]), Arc::from(&b""[..]));
    let fault = Arc::new(OnceLock::new());
    drop(archive.stream(Arc::clone(&fault)));
    // The runtime's end waits for the writer.
    assert!(fault.get().is_none());
}
