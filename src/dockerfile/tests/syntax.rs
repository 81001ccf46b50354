//! The shape of files: line ends, continuations, comments, encodings.

use super::Setup;
use crate::dockerfile::Dockerfile;

#[test]
fn lines_are_read_as_they_are_written_everywhere() {
    Setup::default().check(&[
        ("FROM scratch\r\nCOPY a /\r\n", "a"),
        ("\u{feff}FROM scratch\nCOPY a /", "a"),
        ("\n\n  FROM scratch\n\tCOPY a /\n\n", "a"),
        ("# c\nFROM scratch\n# COPY b /\nCOPY a / # no comment", "all"),
        ("FROM scratch\nCOPY a \\\n# b \\\n\n  c \\\n\n/\nCOPY d /", "a c d"),
        ("FROM scratch\nCOPY a\\\nb /", "ab"),
        ("FROM scratch\nCOPY a \\ \n b /", "a b"),
        ("# escape=`\nFROM scratch\nCOPY a `\n b\\c /", "a b\\c"),
        ("# syntax=docker/dockerfile:1.7-labs\n# escape=`\nFROM scratch\nCOPY a `\n b /", "a b"),
        ("# check=skip=all\nFROM scratch\nCOPY a /", "a"),
        ("#escape = ` \nFROM scratch\nCOPY a `\n b /", "a b"),
        ("# hello\n# escape=`\nFROM scratch\nCOPY a \\\n b /", "a b"),
        ("FROM scratch\nRUN echo \\\\\nCOPY a /", "a"),
        ("FROM scratch\nRUN a && \\\n    # why\n    b\nCOPY c /", "c"),
        ("FROM scratch\nLABEL a=b \\\n c=\"d e\"\nMAINTAINER me\nCOPY c /", "c"),
        ("FROM scratch\nHEALTHCHECK --interval=5s CMD curl x || exit 1\nCOPY c /", "c"),
        ("FROM scratch\nHEALTHCHECK NONE\nSTOPSIGNAL 9\nUSER u\nVOLUME [\"/v\"]\nEXPOSE 80\nCOPY c /", "c"),
        ("FROM scratch\nSHELL [\"/bin/sh\", \"-c\"]\nENTRYPOINT [\"x\"]\nCMD [\"y\"]\nWORKDIR /w\nCOPY c /", "c"),
        ("FROM scratch\nRUN --mount=type=cache,target=/a \\\n    --mount=source=b,target=/b \\\n    x\n", "b"),
        ("FROM scratch\nCOPY d\u{e9}j\u{e0} /", "d\u{e9}j\u{e0}"),
        ("FROM scratch\nCOPY c /", "c"),
        ("FROM scratch
\
COPY c /", "c"),
    ]);
}

#[test]
fn bytes_that_are_not_utf8_are_legal_where_they_do_not_matter() {
    let file = Dockerfile::parse(b"# caf\xe9\nFROM scratch\nRUN echo \xff\nCOPY a /").unwrap();
    let found = Setup::default().try_analyse(&file).unwrap();
    assert_eq!(found.inputs.follow_paths(), Some(vec!["a"]));
    let file = Dockerfile::parse(b"FROM scratch\nCOPY a\xe9 /").unwrap();
    let found = Setup::default().try_analyse(&file).unwrap();
    assert!(found.inputs.whole && found.notes[0].kind.widens());
}

#[test]
fn the_file_tells_its_frontend_and_its_stages() {
    let file =
        Dockerfile::parse(b"# syntax=docker/dockerfile:1\nFROM a AS One\nFROM b\nFROM c AS two").unwrap();
    assert_eq!(file.syntax(), Some("docker/dockerfile:1"));
    assert_eq!(file.stage_names().collect::<Vec<_>>(), ["one", "two"]);
}
