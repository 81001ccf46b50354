//! The reads of older frontends, which count besides those of the newest; a note names the line and the versions.

use super::Setup;
use crate::dockerfile::{EntitlementKind, NoteKind};

/// Texts, each with its summary, in which `before 1.x` marks the files that only older versions read, and with the
/// version that its `# syntax=` names, if it names one.
const OLDER: &[(&str, &str, &str)] = &[
    (
        "ARG TARGETARCH\nFROM scratch\nARG TARGETARCH\nCOPY bin/${TARGETARCH} /",
        "bin/amd64; before 1.11: bin",
        "",
    ),
    ("ARG X=a\nARG X\nFROM scratch\nARG X\nCOPY bin/$X /", "bin/a; before 1.11: bin", ""),
    ("ARG X=a\nARG X\nARG X=b\nFROM scratch\nARG X\nCOPY bin/$X /", "bin/b", ""),
    ("ARG X\nFROM scratch\nENV X=e\nARG X\nCOPY bin/$X /", "bin/e", ""),
    ("ARG X=a\nARG X\nFROM scratch\nENV X=e\nARG X\nCOPY bin/$X /", "bin/a; before 1.11: bin/e", ""),
    ("FROM scratch AS web\nARG TARGETSTAGE\nCOPY conf/$TARGETSTAGE /", "conf/web; before 1.11: conf", ""),
    ("FROM scratch\nARG TARGETOSVERSION\nCOPY x${TARGETOSVERSION-y} /", "x; before 1.13: xy", ""),
    ("FROM scratch\nARG A=a B=$A\nCOPY x$B /", "xa; before 1.8: x", ""),
    ("FROM scratch\nARG A=a\nARG B=$A\nCOPY x$B /", "xa", ""),
    ("ARG A=va\nARG B=${A#v}\nFROM scratch\nARG B\nCOPY x/$B /", "x/a; before 1.7: x", ""),
    ("ARG A\nARG B=${A-b}\nFROM scratch\nARG B\nCOPY x/$B /", "x/b; before 1.11: x", ""),
    ("ARG B=${A-b}\nFROM scratch\nARG B\nCOPY x/$B /", "x/b; before 1.6: x", ""),
    ("FROM scratch\nCOPY [\"a\", \"/\"] b", "[a, ]; before 1.9: a", ""),
    ("FROM scratch\nRUN --mount=source=a$B,target=/x y", "a; before 1.3: a$B", ""),
    ("FROM scratch\nARG T=cache\nRUN --mount=type=$T,source=a,target=/x y", "", ""),
    ("# check=skip=all\n# escape=`\nFROM scratch\nCOPY a\\b /", "a\\b; before 1.8: ab", ""),
    ("# escape=`\nFROM scratch\nRUN --mount=source=a\\b,target=/x y", "a\\b; before 1.15: ab", ""),
    ("FROM scratch\nRUN cat <<RUN\nCOPY a /\nRUN", "before 1.4: a", ""),
    ("FROM scratch\nRUN <<EOF\nCOPY a /\nEOF", "", ""),
    ("FROM scratch\nADD git@a.example:b /", "fetches: git@a.example:b; before 1.6: git@a.example:b", ""),
    (
        "FROM scratch\nARG BUILDKIT_SBOM_SCAN_STAGE=a\nCOPY x$BUILDKIT_SBOM_SCAN_STAGE /",
        "x; before 1.5: xa",
        "",
    ),
    // Before 1.2, and only where that is named.
    ("FROM scratch\nENV A=a\nARG A=b\nCOPY $A /", "b", ""),
    ("FROM scratch\nENV A=a\nARG A=b\nCOPY $A /", "b; before 1.2: a", "1.0-experimental"),
    ("FROM scratch\nARG A=a\nARG A=b\nCOPY $A /", "b; before 1.2: a", "1.1"),
    ("FROM scratch AS a\nARG A=a\nFROM a\nCOPY x$A /", "xa; before 1.2: x", "experimental"),
    // `/./`, where the labs may be older.
    ("FROM scratch\nCOPY --parents **/./*.txt /", "*/*.txt", ""),
    ("FROM scratch\nCOPY --parents **/./*.txt /", "*/*.txt; before 1.8: **/*.txt", "1-labs"),
    ("FROM scratch\nCOPY --parents a/./**/b /", "a/**/b", "1-labs"),
    // A version that is named is the one that reads.
    ("ARG X=a\nARG X\nFROM scratch\nARG X\nCOPY bin/$X /", "bin/a", "1.11"),
    ("ARG X=a\nARG X\nFROM scratch\nARG X\nCOPY bin/$X /", "bin/a; before 1.11: bin", "1.10"),
    ("ARG X=a\nARG X\nFROM scratch\nARG X\nCOPY bin/$X /", "bin/a; before 1.11: bin", "1"),
];

#[test]
fn what_older_frontends_read_counts_too() {
    for (text, expected, tag) in OLDER {
        let syntax =
            if tag.is_empty() { String::new() } else { format!("# syntax=docker/dockerfile:{tag}\n") };
        assert_eq!(Setup::default().summary(&format!("{syntax}{text}")), *expected, "{syntax}{text}");
    }
}

#[test]
fn notes_name_the_versions_and_the_way_out() {
    let found =
        Setup::default().analyse("ARG TARGETARCH\nFROM scratch\nARG TARGETARCH\nCOPY bin/$TARGETARCH /");
    let notes: Vec<_> = found.notes.iter().map(|note| (note.line, note.kind, note.text.as_str())).collect();
    let text = "`COPY bin/$TARGETARCH /` reads `bin` to frontends before 1.11: an ARG without a default before the first \
                FROM empties the name; `# syntax=docker/dockerfile:1.11` in the first line would settle it";
    assert_eq!(notes, [(4, NoteKind::OlderFrontend, text)]);
    let whole = Setup::default().analyse("ARG X=a\nARG X\nFROM scratch\nARG X\nCOPY ./$X /");
    assert!(whole.inputs.whole);
    let notes: Vec<_> = whole.notes.iter().map(|note| (note.line, note.kind)).collect();
    assert_eq!(notes, [(5, NoteKind::OlderFrontend)]);
    assert!(
        whole.notes[0].text.contains("reads the whole context to frontends before 1.11: "),
        "{:?}",
        whole.notes
    );
}

#[test]
fn stages_that_older_frontends_stand_on_count_too() {
    let text =
        "ARG X=1\nARG X\nFROM scratch AS s\nCOPY a /\nFROM scratch AS s1\nCOPY b /\nFROM s$X\nCOPY c /";
    let found = Setup::default().analyse(text);
    assert_eq!(found.stages.iter().map(|stage| stage.number).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(Setup::default().summary(text), "b c; before 1.11: a");
}

/// Faults of 1.11 and 1.12.
#[test]
fn what_two_versions_inherited_counts_too() {
    let setup = Setup::default().base("node:onbuild", &[], &["COPY x$A /"]);
    let text = "FROM node:onbuild AS a\nENV A=a\nFROM a\nCOPY b /";
    assert_eq!(setup.summary(text), "b x; on: node:onbuild; before 1.13: xa");
    let text =
        "FROM scratch AS a\nCOPY a /\nFROM a AS b\nCOPY b /\nFROM scratch\nCOPY --from=b c /\nCOPY d /";
    assert_eq!(Setup::default().contexts(&["b"]).summary(text), "d; from b: c; before 1.13: a");
}

/// The word of a stage is replaced where an older frontend would take an image for it.
#[test]
fn words_are_settled() {
    let text = "ARG X=1\nARG X\nFROM scratch AS s-1\nCOPY b /\nFROM s-$X\nCOPY c /\n";
    let setup = Setup::default();
    let (file, found) = (crate::dockerfile::Dockerfile::parse(text.as_bytes()).unwrap(), setup.analyse(text));
    assert_eq!(setup.summary(text), "b c");
    let pinned = file.pinned(&[&found], &std::collections::BTreeMap::new()).unwrap();
    assert_eq!(String::from_utf8(pinned.source).unwrap(), text.replace("FROM s-$X", "FROM s-1"));
    // Not where the stage differs by platform.
    let text =
        "ARG TARGETARCH\nFROM scratch AS s-amd64\nFROM scratch AS s-arm64\nFROM s-$TARGETARCH\nCOPY c /\n";
    let file = crate::dockerfile::Dockerfile::parse(text.as_bytes()).unwrap();
    let (amd, arm) = (setup.analyse(text), Setup::default().platform("linux/arm64").analyse(text));
    let pinned = file.pinned(&[&amd, &arm], &std::collections::BTreeMap::new()).unwrap();
    assert!(pinned.unpinned.is_empty());
    assert_eq!(pinned.source, text.as_bytes());
}

#[test]
fn images_keep_the_names_that_they_are_pinned_to() {
    Setup::default().check(&[
        ("ARG X=1\nARG X\nFROM a:$X\nCOPY c /", "c; on: a:1"),
        ("ARG TARGETARCH\nFROM a-$TARGETARCH\nCOPY c /", "c; on: a-amd64"),
        ("ARG X=va\nFROM b${X#v}\nCOPY c /", "c; on: ba"),
    ]);
}

#[test]
fn what_images_keep_is_not_certain_where_versions_differ() {
    let found =
        Setup::default().analyse("FROM scratch AS web\nARG TARGETSTAGE\nENV A=$TARGETSTAGE B=b\nCOPY c /");
    let config = found.config.unwrap();
    assert_eq!(config.env["A"], None);
    assert_eq!(config.env["B"].as_deref(), Some("b"));
}

#[test]
fn source_date_epoch_may_name_what_is_read() {
    let named = |name: &str| Setup::default().args(&[("SOURCE_DATE_EPOCH", name)]).contexts(&["lib"]);
    let text = "FROM scratch AS src\nADD https://a.example/b.git#main /\nFROM scratch\nCOPY a /";
    assert_eq!(named("0").summary(text), "a");
    assert_eq!(named("").summary(text), "a");
    assert_eq!(named("nothing").summary(text), "a");
    assert_eq!(named("context").summary(text), "all");
    assert_eq!(named("lib").summary(text), "a; from lib: all");
    assert_eq!(named("SRC").summary(text), "a; fetches: https://a.example/b.git#main");
    let global = format!("ARG SOURCE_DATE_EPOCH=src\n{text}");
    assert_eq!(Setup::default().summary(&global), "a; fetches: https://a.example/b.git#main");
    let image = named("kit").context("kit", crate::dockerfile::NamedContext::External("b:1".to_owned()));
    assert_eq!(image.summary(text), "a; on: b:1");
    let found = named("context").analyse(&format!("ARG SOURCE_DATE_EPOCH\n{text}"));
    assert_eq!((found.notes[0].line, found.notes[0].kind), (1, NoteKind::WholeContext));
}

#[test]
fn what_an_engine_has_to_allow_is_known_by_line() {
    let found = Setup::default().analyse(
        "FROM scratch AS unused\nRUN --network=host a\nFROM scratch\nRUN --network=none a\nRUN --network=host a\n\
         RUN --security=insecure --network=default a",
    );
    let needs: Vec<_> = found.entitlements.iter().map(|needs| (needs.line, needs.kind)).collect();
    assert_eq!(needs, [(5, EntitlementKind::NetworkHost), (6, EntitlementKind::SecurityInsecure)]);
}

#[test]
fn the_frontend_within_the_engine_can_be_named() {
    let own = Setup::default().args(&[("BUILDKIT_SYNTAX", "dockerfile.v0")]);
    assert_eq!(own.summary("# syntax=me/mine\nFROM scratch\nCOPY a /"), "a");
}
