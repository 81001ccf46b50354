//! Files that a checkout converts: a build sees the bytes of the disk, and the key holds them.

use dtbuild_content::tree::Everything;

use super::input_trees::{agree, commit_digest, commit_snapshot, disk_digest, disk_snapshot, sent};
use crate::support::repo::TestRepo;

/// A fresh checkout of one file with an attribute, committed with `content`.
fn checkout(attribute: &str, content: &str) -> TestRepo {
    let repo = TestRepo::new().file(".gitattributes", format!("f {attribute}\n")).file("f", content);
    repo.commit("first").cloned(&[])
}

#[test]
fn file_that_a_checkout_leaves_as_it_is_has_the_key_of_its_commit() {
    for (attribute, content) in [
        ("text", "1\n2\n"),
        ("text eol=lf", "1\n2\n"),
        ("text=auto", "1\n"),
        ("-text", "1\r\n"),
        ("eol=crlf", "no end of a line"),
        ("ident", "no keyword\n"),
        ("working-tree-encoding=UTF-8", "\u{e9}\n"),
        ("working-tree-encoding=UTF-16", ""),
        ("filter=unknown", "1\n"),
    ] {
        let repo = checkout(attribute, content);
        assert_eq!(agree(&repo, &Everything)[&b"f"[..]].1, content.as_bytes(), "{attribute}");
    }
}

#[test]
fn file_that_a_checkout_converts_has_a_key_of_its_own() {
    let utf16: Vec<u8> = "a\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let id = "$Id: e9fb3b9a2d0ac1f7a6bb1d5ae7e4ba5ce8b3b8d8 $\n".len();
    for (attribute, written, stored) in [
        ("text eol=crlf", &b"1\r\n2\r\n"[..], &b"1\n2\n"[..]),
        ("text working-tree-encoding=UTF-16LE", &utf16, b"a\n"),
        ("ident", b"$Id$\n", b"$Id$\n"),
    ] {
        let origin = TestRepo::new().file(".gitattributes", format!("f {attribute}\n")).file("f", written);
        let repo = origin.commit("first").cloned(&[]);
        let commit = sent(&commit_snapshot(&repo, &Everything).unwrap()).unwrap();
        assert_eq!(commit[&b"f"[..]].1, stored, "{attribute}: a commit is built from what git stores");
        let disk = sent(&disk_snapshot(&repo, &Everything).unwrap()).unwrap();
        if attribute == "ident" {
            assert_eq!(disk[&b"f"[..]].1.len(), id);
        } else {
            assert_eq!(disk[&b"f"[..]].1, written, "{attribute}: the disk from what it holds");
        }
        assert_ne!(commit_digest(&repo, &Everything), disk_digest(&repo, &Everything), "{attribute}");
        // The same disk has the same key twice, with git's index or without it.
        let digest = disk_digest(&repo, &Everything);
        repo.git(["rm", "--quiet", "--cached", "f"]);
        assert_eq!(digest, disk_digest(&repo, &Everything), "{attribute}");
    }
}
