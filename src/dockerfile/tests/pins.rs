//! Images pinned in the file's bytes.

use std::collections::BTreeMap;

use super::Setup;
use crate::dockerfile::{Dockerfile, Pinned};

const PINS: [(&str, &str); 4] =
    [("a", "a@sha256:1"), ("a:1", "a:1@sha256:2"), ("b", "b@sha256:3"), ("api", "r.example/api:key-4")];

fn pins() -> BTreeMap<String, String> {
    PINS.iter().map(|(name, pin)| ((*name).to_owned(), (*pin).to_owned())).collect()
}

fn pinned(setups: &[Setup], text: &str) -> Pinned {
    let file = Dockerfile::parse(text.as_bytes()).unwrap();
    let analyses: Vec<_> = setups.iter().map(|setup| setup.try_analyse(&file).unwrap()).collect();
    file.pinned(&analyses.iter().collect::<Vec<_>>(), &pins()).unwrap()
}

#[test]
fn names_are_replaced_where_they_stand() {
    let table = [
        ("FROM a", "FROM a@sha256:1"),
        ("FROM a AS x\nFROM x", "FROM a@sha256:1 AS x\nFROM x"),
        ("# a\r\nfrom  a   as x\r\n", "# a\r\nfrom  a@sha256:1   as x\r\n"),
        ("FROM --platform=linux/amd64 a AS x", "FROM --platform=linux/amd64 a@sha256:1 AS x"),
        ("ARG V=1\nFROM a:${V}", "ARG V=1\nFROM a:1@sha256:2"),
        ("FROM \"a\"", "FROM a@sha256:1"),
        ("FROM \\\n  a \\\n  AS x\n", "FROM \\\n  a@sha256:1 \\\n  AS x\n"),
        ("FROM a\\\n:1\nRUN x", "FROM \\\na:1@sha256:2\nRUN x"),
        ("FROM \\\n# c\na\\\n\n:1 AS x", "FROM \\\n# c\n\\\n\na:1@sha256:2 AS x"),
        ("# escape=`\nFROM `\n a", "# escape=`\nFROM `\n a@sha256:1"),
        ("\u{feff}FROM a", "\u{feff}FROM a@sha256:1"),
        ("FROM c\nCOPY --from=a /x /", "FROM c\nCOPY --from=a@sha256:1 /x /"),
        ("FROM c\nCOPY --link --from=\"a\" /x /", "FROM c\nCOPY --link --from=a@sha256:1 /x /"),
        ("FROM c\nCOPY --from='a:1' a /", "FROM c\nCOPY --from=a:1@sha256:2 a /"),
        (
            "FROM c\nRUN --mount=from=a,source=a,target=/a a",
            "FROM c\nRUN --mount=from=a@sha256:1,source=a,target=/a a",
        ),
        ("FROM c\nRUN --mount=\"target=/a,from=b\" x", "FROM c\nRUN --mount=\"target=/a,from=b@sha256:3\" x"),
        (
            "FROM c\nRUN --mount=from=a,target=/a \\\n  --mount=from=b,target=/b x",
            "FROM c\nRUN --mount=from=a@sha256:1,target=/a \\\n  --mount=from=b@sha256:3,target=/b x",
        ),
        (
            "FROM c\nRUN --mount='\"from=a\",target=/a' x",
            "FROM c\nRUN --mount='\"from=a@sha256:1\",target=/a' x",
        ),
        (
            "FROM a AS x\nONBUILD COPY --from=b / /\nFROM x",
            "FROM a@sha256:1 AS x\nONBUILD COPY --from=b@sha256:3 / /\nFROM x",
        ),
        ("FROM b AS unused\nFROM a", "FROM b AS unused\nFROM a@sha256:1"),
        ("FROM scratch AS a\nFROM a", "FROM scratch AS a\nFROM a"),
        ("FROM c\nRUN <<E\nFROM a\nE", "FROM c\nRUN <<E\nFROM a\nE"),
    ];
    for (text, expected) in table {
        let pinned = pinned(&[Setup::default()], text);
        assert_eq!(String::from_utf8(pinned.source).unwrap(), expected, "{text}");
        assert_eq!(pinned.unpinned, [], "{text}");
    }
}

#[test]
fn dependencies_are_pinned_too() {
    let setup = Setup::default().images(&["api"]);
    let pinned = pinned(&[setup], "FROM c\nCOPY --from=api /x /");
    assert_eq!(pinned.source, b"FROM c\nCOPY --from=r.example/api:key-4 /x /");
}

#[test]
fn a_pinned_file_reads_as_before() {
    let text =
        "FROM a AS x\nCOPY y /\nFROM \\\n# c\nb\nCOPY --from=x /y /\nRUN --mount=from=a:1,target=/z q\n";
    let before = Setup::default().analyse(text);
    let pinned = String::from_utf8(pinned(&[Setup::default()], text).source).unwrap();
    let after = Setup::default().analyse(&pinned);
    assert_eq!(after.inputs, before.inputs);
    assert_eq!(after.stages, before.stages);
    let names: Vec<_> = after.bases.iter().map(|base| base.name.as_str()).collect();
    assert_eq!(names, ["a@sha256:1", "b@sha256:3", "a:1@sha256:2"]);
    let lines = |found: &crate::dockerfile::Analysis| {
        found.bases.iter().map(|base| base.lines.clone()).collect::<Vec<_>>()
    };
    assert_eq!(lines(&after), lines(&before));
}

#[test]
fn one_word_cannot_stand_for_two_pins() {
    let platforms = ["linux/amd64", "linux/arm64"].map(|name| Setup::default().platform(name));
    let text = "ARG TARGETARCH\nFROM ${TARGETARCH:+a}";
    assert_eq!(pinned(&platforms, text).source, b"ARG TARGETARCH\nFROM a@sha256:1");
    let text = "FROM b\nCOPY x /\nFROM a${TARGETARCH#amd64}";
    let outcome = pinned(&platforms, text);
    assert_eq!(outcome.source, text.as_bytes());
    assert_eq!(outcome.unpinned.len(), 1);
    assert_eq!(
        (outcome.unpinned[0].line, &outcome.unpinned[0].names),
        (3, &vec!["a".into(), "aarm64".into()])
    );
}

#[test]
fn what_has_no_place_is_reported() {
    let setup = Setup::default().base("c", &[], &["COPY --from=a /x /"]);
    let outcome = pinned(std::slice::from_ref(&setup), "FROM c");
    assert_eq!(
        (outcome.unpinned[0].names.as_slice(), outcome.source),
        (&["a".to_owned()][..], b"FROM c".to_vec())
    );
    let outcome = pinned(&[Setup::default()], "FROM c\nRUN --mount=from=\"\"a\"\",target=/b x");
    assert_eq!(outcome.unpinned, []);
    let outcome = pinned(&[Setup::default()], "FROM c\nRUN --mount=target=/b,from=a\":1\" x");
    assert_eq!(outcome.unpinned[0].line, 2);
}

#[test]
fn references_that_would_be_read_otherwise_are_refused() {
    let file = Dockerfile::parse(b"FROM a").unwrap();
    let analysis = Setup::default().try_analyse(&file).unwrap();
    for reference in ["", "a b", "$A", "a\nRUN x", "--platform=x", "a,b", "a\\"] {
        let pins = BTreeMap::from([("a".to_owned(), reference.to_owned())]);
        assert!(file.pinned(&[&analysis], &pins).is_err(), "{reference}");
    }
}

#[test]
fn contexts_are_replaced_wherever_they_are_used() {
    let word = super::super::context_word("lib");
    let pins = [(word, "local.example/lib:1".to_owned()), ("lib".to_owned(), "another".to_owned())].into();
    let setup = Setup::default().contexts(&["lib"]);
    let table = [
        ("FROM lib\nCOPY --from=lib a /", "FROM local.example/lib:1\nCOPY --from=local.example/lib:1 a /"),
        (
            "FROM a\nRUN --mount=from=lib,target=/x y",
            "FROM a\nRUN --mount=from=local.example/lib:1,target=/x y",
        ),
        // A stage of the name is not built: what uses it is.
        (
            "FROM a AS lib\nRUN x\nFROM b\nCOPY --from=0 a /\nCOPY --from=LIB b /",
            "FROM a AS lib\nRUN x\nFROM b\nCOPY --from=local.example/lib:1 a /\nCOPY --from=local.example/lib:1 b /",
        ),
    ];
    for (text, expected) in table {
        let file = Dockerfile::parse(text.as_bytes()).unwrap();
        let pinned = file.pinned(&[&setup.try_analyse(&file).unwrap()], &pins).unwrap();
        assert_eq!(String::from_utf8(pinned.source).unwrap(), expected);
        assert!(pinned.unpinned.is_empty());
    }
}
