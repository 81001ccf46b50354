//! Notes: the reasons why the inputs are wider than the file, or the build is not exact.

use super::Setup;
use crate::dockerfile::NoteKind;

fn notes(setup: &Setup, text: &str) -> Vec<(usize, NoteKind, String)> {
    setup.analyse(text).notes.into_iter().map(|note| (note.line, note.kind, note.text)).collect()
}

/// Texts, each with its one note.
const NOTES: &[(&str, usize, NoteKind, &str)] = &[
    ("FROM scratch\n\nCOPY . /", 3, NoteKind::WholeContext, "`COPY . /` reads the whole context"),
    (
        "FROM scratch\nRUN --mount=target=/x y",
        2,
        NoteKind::WholeContext,
        "`RUN --mount=target=/x y` reads the whole context",
    ),
    (
        "FROM scratch\nCOPY $PATH \\\n  /",
        2,
        NoteKind::Unresolved,
        "`COPY $PATH /` needs `PATH`, whose value the file does not tell: the whole context counts",
    ),
    (
        "FROM scratch\nCOYP a /",
        2,
        NoteKind::UnknownInstruction,
        "`COYP a /`: the instruction is not known; did you mean `COPY`?",
    ),
    (
        "FROM scratch\nTELEPORT a /",
        2,
        NoteKind::UnknownInstruction,
        "`TELEPORT a /`: the instruction is not known",
    ),
    (
        "FROM scratch\nCOPY --new a /",
        2,
        NoteKind::UnknownFlag,
        "`COPY --new a /`: the flag `--new` is not known",
    ),
    ("FROM a", 1, NoteKind::UnknownTriggers, "the ONBUILD instructions of `a`, if it has any, are not known"),
    (
        "FROM scratch\nADD https://a.example/b /",
        2,
        NoteKind::StaleRemote,
        "nothing fixes the content of `https://a.example/b`: give a `--checksum`, else it is stale",
    ),
    (
        "FROM scratch\nADD https://a.example/b.git#main /",
        2,
        NoteKind::StaleRemote,
        "nothing fixes the content of `https://a.example/b.git#main`: name a full commit in its address, as `#COMMIT` or \
         `?commit=COMMIT`, else it is stale",
    ),
    (
        "FROM scratch\nRUN --mount=type=new,target=/x y",
        2,
        NoteKind::Unresolved,
        "`RUN --mount=type=new,target=/x y`: mounts of the type `new` are not known, so everything counts",
    ),
    (
        "FROM scratch\nRUN --mount=new=1,target=/x y",
        2,
        NoteKind::Unresolved,
        "`RUN --mount=new=1,target=/x y`: `new` is not a known key of a mount, so everything counts",
    ),
    (
        "# syntax=me/mine:1\nFROM scratch\nCOPY a /",
        1,
        NoteKind::ForeignSyntax,
        "the frontend `me/mine:1` is not known: all that is given counts",
    ),
];

#[test]
fn notes_name_the_line_and_the_instruction() {
    for (text, line, kind, note) in NOTES {
        assert_eq!(notes(&Setup::default(), text), [(*line, *kind, (*note).to_owned())], "{text}");
    }
}

#[test]
fn what_is_not_known_makes_everything_count() {
    let setup = Setup::default().args(&[("A", "1"), ("HTTP_PROXY", "p")]).contexts(&["lib"]);
    for text in [
        "FROM scratch\nTELEPORT a /",
        "TELEPORT a /\nFROM scratch",
        "FROM scratch\nCOPY --new=1 a /",
        "FROM --new=1 scratch",
        "FROM scratch\nRUN --mount=type=new x",
        "FROM scratch\nRUN --mount='source=\"a\"' x",
        "# syntax=me/mine\nFROM scratch",
        "# syntax=me/mine\nINCLUDE x\nnot a Dockerfile <<EOF",
        "// syntax=me/mine\nwhatever",
        "{\"syntax\": \"me/mine\"}",
    ] {
        let found = setup.analyse(text);
        assert!(found.inputs.whole && found.contexts["lib"].whole, "{text}");
        assert_eq!(found.declared_args.iter().collect::<Vec<_>>(), ["A"], "{text}");
        assert!(found.undeclared_args.is_empty(), "{text}");
        assert!(found.notes.iter().any(|note| note.kind.widens()), "{text}");
    }
}

#[test]
fn what_is_not_reached_does_not_widen() {
    let setup = Setup::default();
    assert_eq!(setup.summary("FROM scratch\nCOPY --new=1 a /\nFROM scratch\nCOPY b /"), "b");
    assert_eq!(setup.summary("FROM scratch\nRUN --mount=type=new x\nFROM scratch\nCOPY b /"), "b");
}

#[test]
fn the_frontend_can_be_an_argument() {
    let foreign = Setup::default().args(&[("BUILDKIT_SYNTAX", "me/mine")]);
    assert_eq!(foreign.summary("FROM scratch\nCOPY a /"), "all?");
    let own = Setup::default().args(&[("BUILDKIT_SYNTAX", "docker/dockerfile:1")]);
    assert_eq!(own.summary("# syntax=me/mine\nFROM scratch\nCOPY a /"), "a");
}

#[test]
fn a_known_image_leaves_nothing_to_note() {
    let setup = Setup::default().base("a", &[], &[]);
    assert_eq!(notes(&setup, "FROM a\nCOPY x /"), []);
}
