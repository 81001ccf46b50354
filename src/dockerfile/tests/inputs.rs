//! The files that COPY, ADD and mounts read.

use super::Setup;
use crate::dockerfile::{Dockerfile, NamedContext, SourceKind};

#[test]
fn copies_read_their_sources() {
    Setup::default().check(&[
        ("FROM scratch\nCOPY a /", "a"),
        ("FROM scratch\ncopy a b c/ /x/", "a b c"),
        ("FROM scratch\nCOPY ./a ./b/../c /", "a c"),
        ("FROM scratch\nCOPY /a /", "a"),
        ("FROM scratch\nCOPY ../a /", "a"),
        ("FROM scratch\nCOPY a/ /", "a"),
        ("FROM scratch\nCOPY a\t b  /", "a b"),
        ("FROM scratch\nCOPY *.json src/*.rs /", "*.json src/*.rs"),
        ("FROM scratch\nCOPY a?[bc] /", "a?[bc]"),
        ("FROM scratch\nCOPY package*.json ./", "package*.json"),
        ("FROM scratch\nCOPY [\"a b\", \"c\", \"/\"]", "a b c"),
        ("FROM scratch\nCOPY [ \"a\",\"/\" ]", "a"),
        ("FROM scratch\nCOPY [a /", "[a"),
        ("FROM scratch\nCOPY \"a\" 'b' /", "a b"),
        ("FROM scratch\nCOPY a\\ b /", "a b"),
        ("FROM scratch\nCOPY . /", "all"),
        ("FROM scratch\nCOPY ./ /", "all"),
        ("FROM scratch\nCOPY / /", "all"),
        ("FROM scratch\nCOPY a/.. /", "all"),
        ("FROM scratch\nCOPY a .\nCOPY . .", "all"),
        ("FROM scratch\nADD a b /", "a b"),
        ("FROM scratch\nADD a.tar.gz /", "a.tar.gz"),
        ("FROM scratch\nADD . /", "all"),
        ("FROM scratch\nRUN make\nCMD [\"x\"]", ""),
    ]);
}

#[test]
fn flags_do_not_hide_sources() {
    Setup::default().check(&[
        ("FROM scratch\nCOPY --chown=1:1 a /", "a"),
        ("FROM scratch\nCOPY --chown=\"a b\" --chmod=755 a /", "a"),
        ("FROM scratch\nCOPY --link a /", "a"),
        ("FROM scratch\nCOPY --link=false --chmod=u+x a /", "a"),
        ("FROM scratch\nCOPY --exclude=*.md --exclude=b a /", "a"),
        ("FROM scratch\nCOPY --exclude=*.md . /", "."),
        ("FROM scratch\nCOPY --parents a/b/*.c /", "a/b/*.c"),
        ("FROM scratch\nCOPY --parents a/./b/**/c /", "a/b/**/c"),
        ("FROM scratch\nCOPY --parents . /", "all"),
        ("FROM scratch\nCOPY -- a /", "a"),
        ("FROM scratch\nCOPY --from= a /", "a"),
        ("FROM scratch\nADD --chown=1 --keep-git-dir=true --link a /", "a"),
        ("FROM scratch\nADD --unpack=true a.tgz /", "a.tgz"),
        ("FROM scratch\nCOPY --chown=$X a /", "a"),
        ("FROM scratch\nCOPY \\\n --link \\\n a \\\n /", "a"),
    ]);
}

#[test]
fn excludes_and_parents_are_kept_with_the_source() {
    let found = Setup::default().analyse(
        "FROM scratch\nCOPY --exclude=*.md --exclude='a b' . /\nCOPY --parents x/**/y /\nCOPY --exclude=é z /\n\
         RUN --mount=source=m,target=/m x",
    );
    let sources = &found.inputs.sources;
    assert_eq!(sources[0].excludes, ["*.md", "a b"]);
    assert_eq!((sources[0].kind, sources[0].line), (SourceKind::Copy, 2));
    assert_eq!((sources[1].kind, sources[1].line), (SourceKind::Parents, 3));
    assert_eq!(sources[2].excludes, ["\u{c3}\u{a9}"], "as BuildKit reads it, byte by byte");
    assert_eq!((sources[3].kind, sources[3].line), (SourceKind::Mount, 5));
    assert_eq!(sources[1].instruction, "COPY --parents x/**/y /");
    assert_eq!(found.inputs.follow_paths(), None);
}

#[test]
fn heredocs_are_no_sources() {
    Setup::default().check(&[
        ("FROM scratch\nCOPY <<EOF /a\nCOPY b /\nEOF\nCOPY c /", "c"),
        ("FROM scratch\nCOPY <<a <<b /d/\nx\na\ny\nb\nCOPY c /", "c"),
        ("FROM scratch\nCOPY a <<EOF b /d/\nx\nEOF", "a b"),
        ("FROM scratch\nADD <<-EOF /a\n\tCOPY b /\n\tEOF\nCOPY c /", "c"),
        ("FROM scratch\nRUN <<EOF\nCOPY b /\nEOF\nCOPY c /", "c"),
        ("FROM scratch\nRUN <<'EOF' cat\nCOPY b /\nEOF\nCOPY c /", "c"),
        ("FROM scratch\nRUN cat <<\"A\" <<B\nCOPY b /\nA\nB\nCOPY c /", "c"),
        ("FROM scratch\nRUN x && cat <<-EOF > f\n\tCOPY b /\n\tEOF\nCOPY c /", "c"),
        ("FROM scratch\nRUN python3 - <<PY\nimport os\nPY\nCOPY c /", "c"),
        ("FROM scratch\nRUN cat <<< word\nCOPY c /", "c"),
        ("FROM scratch\nRUN [\"cat\", \"<<EOF\"]\nCOPY c /", "c"),
        ("FROM scratch\nRUN <<EOF\r\nCOPY b /\r\nEOF\r\nCOPY c /", "c"),
        ("FROM scratch\nRUN echo $((1<<2))\nCOPY c /", "c"),
        ("FROM scratch\nCMD cat <<EOF\nCOPY c /", "c"),
        ("FROM scratch\nRUN --mount=source=m,target=/m <<EOF\nx\nEOF", "m"),
    ]);
}

#[test]
fn bind_mounts_read_their_source() {
    Setup::default().check(&[
        ("FROM scratch\nRUN --mount=type=bind,source=a,target=/a x", "a"),
        ("FROM scratch\nRUN --mount=source=a,target=/a x", "a"),
        ("FROM scratch\nRUN --mount=src=/a/b/,dst=/a,rw x", "a/b"),
        ("FROM scratch\nRUN --mount=target=/a x", "all"),
        ("FROM scratch\nRUN --mount=type=bind,target=. x", "all"),
        ("FROM scratch\nRUN --mount=type=bind,source=.,target=/a x", "all"),
        ("FROM scratch\nRUN --mount=type=cache,target=/a x", ""),
        ("FROM scratch\nRUN --mount=type=tmpfs,target=/a,size=1g x", ""),
        ("FROM scratch\nRUN --mount=type=secret,id=a,target=/b,required x", ""),
        ("FROM scratch\nRUN --mount=type=ssh x", ""),
        ("FROM scratch\nRUN --mount=source=a,target=/a --mount=source=b,target=/b x", "a b"),
        ("FROM scratch\nRUN --mount=source=a,target=/a \\\n --mount=source=b,target=/b x", "a b"),
        ("FROM scratch\nRUN --network=none --mount=source=a,target=/a --security=insecure x", "a"),
        ("FROM scratch\nRUN --mount=\"type=bind,source=a b,target=/a\" x", "a b"),
        ("FROM scratch\nRUN --mount='\"source=a,b\",target=/a' x", "a,b"),
        ("FROM scratch\nRUN --mount=TYPE=BIND,Source=a,target=/a x", "a"),
        ("FROM scratch\nRUN --mount=source=a,source=b,target=/a x", "b"),
        ("FROM scratch\nARG D=d\nRUN --mount=source=$D/e,target=/a x", "d/e; before 1.3: $D/e"),
        ("FROM scratch\nARG T=cache\nRUN --mount=type=$T,target=/a x", ""),
        ("FROM scratch\nRUN --mount=type=bind,from=,source=a,target=/a x", "a"),
        ("FROM scratch\nRUN --mount=type=cache,from=scratch,target=/a x", ""),
    ]);
}

#[test]
fn addresses_are_fetched_and_not_read() {
    let sha = "ab".repeat(20);
    Setup::default().check(&[
        ("FROM scratch\nADD https://a.example/b.tgz /", "fetches: https://a.example/b.tgz"),
        ("FROM scratch\nADD a https://a.example/b /", "a; fetches: https://a.example/b"),
        ("FROM scratch\nADD https://a.example/b.git#v1 /", "fetches: https://a.example/b.git#v1"),
        (
            "FROM scratch\nADD git@a.example:b.git /",
            "fetches: git@a.example:b.git; before 1.6: git@a.example:b.git",
        ),
        ("FROM scratch\nARG V=2\nADD https://a.example/b-${V}.tgz /", "fetches: https://a.example/b-2.tgz"),
        ("FROM scratch\nADD github.com/a/b /", "github.com/a/b"),
    ]);
    let found = Setup::default().analyse(&format!(
        "FROM scratch\nADD --checksum=sha256:1 https://a.example/b /\nADD https://a.example/b.git#{sha} /"
    ));
    let checksums: Vec<_> = found.remotes.iter().map(|remote| remote.checksum.as_deref()).collect();
    assert_eq!(checksums, [Some("sha256:1"), Some(sha.as_str())]);
    assert!(found.notes.is_empty());
}

#[test]
fn named_contexts_have_inputs_of_their_own() {
    Setup::default().contexts(&["lib", "other"]).check(&[
        ("FROM scratch\nCOPY --from=lib a b /\nCOPY c /", "c; from lib: a b"),
        ("FROM scratch\nCOPY --from=lib . /", "from lib: all"),
        ("FROM scratch\nCOPY --from=LIB a /", "on: LIB"),
        ("FROM scratch\nRUN --mount=from=lib,source=a,target=/a x", "from lib: a"),
        ("FROM scratch\nRUN --mount=from=lib,target=/a x", "from lib: all"),
        ("FROM scratch\nRUN --mount=type=cache,from=lib,source=a,target=/a x", "from lib: a"),
        ("FROM scratch\nRUN --mount=type=tmpfs,from=lib,target=/a x", ""),
        ("FROM lib\nCOPY a /", "a; from lib: all"),
        ("FROM lib:latest\nCOPY a /", "a; from lib: all"),
        ("FROM docker.io/library/lib\nCOPY a /", "a; from lib: all"),
        ("FROM lib:1\nCOPY a /", "a; on: lib:1"),
        // A context takes the place of the stage that has its name.
        ("FROM alpine AS lib\nCOPY x /\nFROM scratch\nCOPY --from=lib a /", "from lib: a"),
        ("FROM alpine AS lib\nCOPY x /\nFROM lib\nCOPY a /", "a; from lib: all"),
        ("FROM alpine AS lib\nCOPY x /\nFROM scratch\nCOPY --from=0 a /", "from lib: a"),
    ]);
}

#[test]
fn named_contexts_can_stand_for_images() {
    Setup::default()
        .images(&["tools"])
        .context("kit", NamedContext::Image("tools".to_owned()))
        .context("node:22", NamedContext::External("node:22-slim".to_owned()))
        .check(&[
            ("FROM kit\nCOPY a /", "a; after: tools"),
            ("FROM scratch\nCOPY --from=kit /x /", "after: tools"),
            ("FROM scratch\nRUN --mount=from=kit,target=/a x", "after: tools"),
            ("FROM node:22\nCOPY a /", "a; on: node:22-slim"),
            ("FROM docker.io/library/node:22\nCOPY a /", "a; on: node:22-slim"),
            ("FROM node:22-alpine", "on: node:22-alpine"),
            ("FROM alpine AS kit\nCOPY x /\nFROM scratch\nCOPY --from=kit a /", "after: tools"),
            ("FROM kit AS unused\nFROM scratch\nCOPY a /", "a"),
            // What is not understood may use any of them.
            ("FROM scratch\nBOGUS kit", "all?; on: node:22-slim; after: tools"),
        ]);
    let file = Dockerfile::parse(b"FROM alpine AS build\nRUN x").unwrap();
    let error = Setup::default().contexts(&["build"]).try_analyse(&file).unwrap_err();
    assert!(error.to_string().starts_with("line 1: the stage `build` is the target"), "{error}");
}
