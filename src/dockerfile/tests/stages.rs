//! Stages: the stages that are reached, and the images that they stand on.

use super::Setup;
use crate::dockerfile::Dockerfile;

fn reached(setup: &Setup, text: &str) -> Vec<usize> {
    setup.analyse(text).stages.iter().map(|stage| stage.number).collect()
}

#[test]
fn only_what_the_target_needs_counts() {
    Setup::default().check(&[
        ("FROM a", "on: a"),
        ("FROM a AS x\nCOPY x /\nFROM b\nCOPY y /", "y; on: b"),
        ("FROM a AS x\nCOPY x /\nFROM x\nCOPY y /", "x y; on: a"),
        ("FROM a AS x\nCOPY x /\nFROM b\nCOPY --from=x /x y /", "x; on: a b"),
        ("FROM a AS x\nCOPY x /\nFROM b\nCOPY --from=0 /x /", "x; on: a b"),
        ("FROM a AS x\nCOPY x /\nFROM b\nRUN --mount=from=x,target=/x y", "x; on: a b"),
        ("FROM a AS x\nCOPY x /\nFROM b\nRUN --mount=type=cache,from=x,target=/x y", "x; on: a b"),
        ("FROM a AS x\nCOPY x /\nFROM b\nRUN --mount=target=/x,type=bind,from=X,source=/q y", "x; on: a b"),
        ("FROM a AS x\nFROM x AS y\nCOPY y /\nFROM y\nFROM x", "on: a"),
        ("FROM a AS x\nCOPY 1 /\nFROM b AS x\nCOPY 2 /\nFROM c\nCOPY --from=x /x /", "2; on: b c"),
        ("FROM a AS x\nCOPY 1 /\nFROM x AS x\nCOPY 2 /\nFROM x\nCOPY 3 /", "1 2 3; on: a"),
        ("FROM scratch", ""),
        ("FROM scratch AS x\nCOPY x /\nFROM x", "x"),
    ]);
}

#[test]
fn names_fold_case_where_buildkit_folds_it() {
    Setup::default().check(&[
        ("FROM a AS Build\nCOPY x /\nFROM b\nCOPY --from=build /x /", "x; on: a b"),
        ("FROM a as build\nCOPY x /\nFROM b\nCOPY --from=BUILD /x /", "x; on: a b"),
        ("from a As build\nCOPY x /\nFROM build", "x; on: a"),
        // FROM looks the name up as it is written; what starts with upper case can be a host.
        ("FROM a AS build\nCOPY x /\nFROM Build/build", "on: Build/build"),
    ]);
}

#[test]
fn the_target_chooses() {
    let text = "FROM a AS one\nCOPY 1 /\nFROM b AS two\nCOPY 2 /\nFROM one AS three\nCOPY 3 /\n";
    let table = [("one", "1; on: a"), ("TWO", "2; on: b"), ("three", "1 3; on: a"), ("", "1 3; on: a")];
    for (target, expected) in table {
        assert_eq!(Setup::default().target(target).summary(text), expected, "{target}");
    }
    assert_eq!(reached(&Setup::default(), text), [0, 2]);
}

#[test]
fn a_target_that_is_not_there_suggests_one() {
    let file = Dockerfile::parse(b"FROM a AS builder\nFROM b AS runtime").unwrap();
    let error = Setup::default().target("buidler").try_analyse(&file).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the target stage `buidler` does not exist; did you mean `builder`? the stages are `builder`, `runtime`"
    );
    let error = Setup::default().target("0").try_analyse(&file).unwrap_err();
    assert!(error.to_string().ends_with("the stages are `builder`, `runtime`"), "{error}");
    let file = Dockerfile::parse(b"FROM a").unwrap();
    let error = Setup::default().target("x").try_analyse(&file).unwrap_err();
    assert!(error.to_string().contains("no stage of the file has a name"), "{error}");
}

#[test]
fn images_from_elsewhere_are_bases() {
    Setup::default().check(&[
        ("FROM a:1@sha256:b", "on: a:1@sha256:b"),
        ("FROM a\nCOPY --from=b:2 /x /", "on: a b:2"),
        ("FROM a\nCOPY --from=b --link /x /", "on: a b"),
        ("FROM a\nRUN --mount=type=bind,from=c:3,source=/x,target=/y z", "on: a c:3"),
        ("FROM a\nRUN --mount=from=0,target=/y z", "on: a 0"),
        ("FROM a\nCOPY --from=a /x /", "on: a"),
        ("FROM --platform=linux/arm64 a", "on: a[linux/arm64]"),
        ("FROM --platform=$BUILDPLATFORM a AS x\nFROM a\nCOPY --from=x /x /", "on: a[linux/amd64] a"),
        ("ARG B=a:1\nFROM $B", "on: a:1"),
        ("ARG V=1\nARG B=a:${V}\nFROM ${B}-slim", "on: a:1-slim"),
        ("FROM ${B:-a}", "on: a"),
        ("FROM \"a\"", "on: a"),
        ("ARG S=x\nFROM a AS x\nCOPY x /\nFROM $S", "x; on: a"),
        ("FROM a-$TARGETARCH$TARGETVARIANT", "on: a-amd64"),
        ("FROM a\nFROM scratch\nCOPY --from=scratch / /", ""),
        ("FROM scratch\nRUN --mount=type=cache,target=/x y", ""),
        ("FROM a\nCOPY --from=b /x /\nCOPY --from=b /y /", "on: a b"),
    ]);
    let found = Setup::default().analyse("FROM a\nCOPY --from=b /x /\n\nCOPY --from=b /y /");
    assert_eq!(found.bases[1].lines, [2, 4]);
}

#[test]
fn images_of_the_project_are_dependencies() {
    Setup::default().images(&["api", "db"]).check(&[
        ("FROM api\nCOPY a /", "a; after: api"),
        ("FROM api:latest", "after: api"),
        ("FROM api:1", "on: api:1"),
        ("FROM example.com/api", "on: example.com/api"),
        ("FROM a\nCOPY --from=api /x /", "on: a; after: api"),
        ("FROM a\nRUN --mount=from=db,target=/x y", "on: a; after: db"),
        ("FROM a AS api\nFROM b\nCOPY --from=api /x /", "on: a b"),
        ("FROM api AS api\nFROM b\nCOPY --from=api /x /", "on: b; after: api"),
        ("FROM api AS unused\nFROM b", "on: b"),
    ]);
    let found = Setup::default().images(&["api"]).analyse("FROM api\nCOPY --from=api /x /");
    assert_eq!(found.dependencies[0].lines, [1, 2]);
}

#[test]
fn triggers_are_replayed_in_the_stages_built_from_theirs() {
    Setup::default().check(&[
        ("FROM a AS x\nONBUILD COPY t /\nCOPY x /\nFROM x\nCOPY y /", "t x y; on: a"),
        ("FROM a AS x\nONBUILD COPY t /\nFROM b\nCOPY --from=x /q /", "on: a b"),
        ("FROM a\nONBUILD COPY . /", "on: a"),
        ("FROM a AS x\nONBUILD COPY t /\nFROM x AS y\nFROM y", "t; on: a"),
        ("FROM a AS x\nONBUILD COPY --from=z /t /\nFROM b AS z\nCOPY z /\nFROM x", "z; on: a b"),
        ("FROM a AS x\nONBUILD COPY --from=c:1 /t /\nFROM x", "on: a c:1"),
        ("FROM a AS x\nONBUILD RUN --mount=source=m,target=/m y\nFROM x", "m; on: a"),
        ("FROM a AS x\nonbuild ADD t /\nFROM x", "t; on: a"),
        ("FROM a AS x\nONBUILD ARG D=d\nONBUILD COPY $D /\nFROM x", "d; on: a"),
        ("FROM a AS x\nONBUILD COPY <<E /t\nCOPY no /\nE\nFROM x\nCOPY y /", "y; on: a"),
        ("FROM a AS x\nONBUILD RUN <<E\nCOPY no /\nE\nFROM x\nCOPY y /", "y; on: a"),
        // What cannot be read is no error, and what is not known does not matter, before it is replayed.
        ("FROM a AS x\nONBUILD COPY <<E\nE\nCOPY y /", "y; on: a"),
        ("FROM a AS x\nONBUILD BOGUS t\nCOPY y /", "y; on: a"),
        ("FROM a AS x\nONBUILD BOGUS t\nFROM x\nCOPY y /", "all?; on: a"),
    ]);
    Setup::default()
        .base("node:onbuild", &[("D", "dist")], &["COPY package.json /", "COPY $D /", "COPY <<E /x\na b\nE"])
        .images(&["api"])
        .base("api", &[], &["COPY --from=c /x /"])
        .check(&[
            ("FROM node:onbuild\nCOPY x /", "dist package.json x; on: node:onbuild"),
            ("FROM api", "on: c; after: api"),
        ]);
}
