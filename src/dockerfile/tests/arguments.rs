//! ARG and ENV: the values of variables, and the given arguments that enter a key.

use super::Setup;

#[test]
fn variables_expand_in_sources() {
    Setup::default().check(&[
        ("FROM scratch\nARG D=d\nCOPY $D /", "d"),
        ("FROM scratch\nENV D=d\nCOPY ${D}/x /", "d/x"),
        ("FROM scratch\nENV D d e\nCOPY \"$D\" /", "d e"),
        ("FROM scratch\nARG A=a B=$A-b\nCOPY $B /", "a-b; before 1.8: -b"),
        ("FROM scratch\nENV A=a\nENV A=b B=$A\nCOPY $A $B /", "a b"),
        ("FROM scratch\nENV A=a A=b\nCOPY $A /", "b"),
        ("FROM scratch\nARG A=a\nENV A=b\nCOPY $A /", "b"),
        ("FROM scratch\nENV A=a\nARG A=b\nCOPY $A /", "b"),
        ("FROM scratch\nENV A=a\nARG A\nCOPY $A /", "a"),
        ("ARG A=g\nFROM scratch\nCOPY x$A /", "x"),
        ("ARG A=g\nFROM scratch\nARG A\nCOPY x$A /", "xg"),
        ("ARG A=g\nFROM scratch\nARG A=s\nCOPY x$A /", "xs"),
        ("FROM scratch AS a\nARG D=d\nFROM a\nCOPY $D /", "d"),
        ("FROM scratch AS a\nENV D=d\nFROM a AS b\nENV E=$D/e\nFROM b\nCOPY $E /", "d/e"),
        ("FROM scratch AS a\nARG D=d\nFROM scratch\nCOPY x$D /", "x"),
        ("FROM scratch\nARG A=a.b.c\nCOPY ${A%.*} ${A##*.} ${A/./-} /", "a-b.c a.b c"),
        ("FROM scratch\nARG A\nCOPY ${A:-x} ${A:+y}z /", "x z"),
        ("FROM scratch\nARG A='a b' B=\"c d\" C=e\\ f\nCOPY [\"$A\", \"$B\", \"$C\", \"/\"]", "a b c d e f"),
        ("FROM scratch\nCOPY a$TARGETARCH /", "a"),
        ("FROM scratch\nARG TARGETARCH\nCOPY a$TARGETARCH /", "aamd64"),
        ("FROM scratch\nARG TARGETOS TARGETARCH\nCOPY $TARGETOS/$TARGETARCH /", "linux/amd64"),
        ("FROM scratch\nARG TARGETPLATFORM\nCOPY $TARGETPLATFORM /", "linux/amd64"),
        ("FROM scratch AS last\nARG TARGETSTAGE\nCOPY x$TARGETSTAGE /", "xlast; before 1.11: x"),
        ("FROM scratch\nENV E=\nCOPY x$E /", "x"),
        ("FROM scratch\nCOPY \\$A '$B' /", "$A $B"),
    ]);
}

#[test]
fn given_arguments_win_over_defaults() {
    Setup::default().args(&[("A", "given"), ("TARGETARCH", "mine")]).check(&[
        ("FROM scratch\nARG A=a\nCOPY $A /", "given"),
        ("FROM scratch\nARG A\nCOPY $A /", "given"),
        ("FROM scratch\nCOPY x$A /", "x"),
        ("FROM scratch\nENV A=e\nCOPY $A /", "e"),
        ("FROM scratch\nENV A=e\nARG A\nCOPY $A /", "given"),
        ("ARG A=a\nFROM $A", "on: given"),
        ("ARG A=a\nARG B=$A:1\nFROM $B", "on: given:1"),
        ("FROM x-$TARGETARCH", "on: x-mine"),
        ("ARG A=a\nFROM scratch\nARG A\nCOPY $A /", "given"),
    ]);
}

#[test]
fn platforms_reach_their_arguments() {
    let text =
        "FROM x-$TARGETARCH$TARGETVARIANT\nARG TARGETVARIANT BUILDARCH\nCOPY v$TARGETVARIANT $BUILDARCH /";
    let table = [
        ("linux/amd64", "amd64 v; on: x-amd64"),
        ("linux/arm64", "amd64 v; on: x-arm64"),
        ("linux/arm", "amd64 vv7; on: x-armv7"),
        ("linux/arm/v6", "amd64 vv6; on: x-armv6"),
    ];
    for (platform, expected) in table {
        assert_eq!(Setup::default().platform(platform).summary(text), expected);
    }
}

#[test]
fn what_an_unknown_image_may_set_is_not_taken_for_unset() {
    Setup::default().base("known", &[("D", "d")], &[]).check(&[
        ("FROM a\nCOPY $D /", "all?; on: a"),
        ("FROM a\nCOPY x${D:-y} /", "all?; on: a"),
        ("FROM a\nENV E=$D\nCOPY $E /", "all?; on: a"),
        ("FROM a\nENV D=e\nCOPY $D /", "e; on: a"),
        ("FROM a\nARG D\nCOPY $D /", "all?; on: a"),
        ("FROM a\nRUN --mount=source=$D,target=/x y", "all?; on: a"),
        ("FROM a\nRUN --mount=source=x,target=/$D y", "x; on: a"),
        ("FROM a\nADD $U /", "all?; on: a"),
        ("FROM a\nCOPY --from=b $D /", "on: a b"),
        ("FROM a\nCOPY x /$D", "x; on: a"),
        ("FROM known\nCOPY $D x$E /", "d x; on: known"),
        ("FROM known\nENV D=$D/e\nCOPY $D /", "d/e; on: known"),
        ("FROM scratch\nCOPY x$PATH /", "all?"),
        ("FROM a\nENV PATH=/b:$PATH\nCOPY x /", "x; on: a"),
    ]);
}

/// `declared | undeclared`.
fn keyed(text: &str, given: &[&str]) -> String {
    let pairs: Vec<_> = given.iter().map(|name| (*name, "v")).collect();
    let found = Setup::default().args(&pairs).analyse(text);
    let join = |names: &std::collections::BTreeSet<String>| {
        names.iter().map(String::as_str).collect::<Vec<_>>().join(" ")
    };
    format!("{} | {}", join(&found.declared_args), join(&found.undeclared_args))
}

#[test]
fn only_what_can_alter_the_image_enters_the_key() {
    let table: [(&str, &[&str], &str); 15] = [
        ("FROM a\nARG A", &["A", "B"], "A | B"),
        ("FROM a\nARG A=1 B", &["A", "B"], "A B | "),
        ("ARG A=1\nFROM $A", &["A"], "A | "),
        ("ARG A=1\nARG B=$A\nFROM $B", &["A"], "A | "),
        ("ARG A=1\nFROM b", &["A"], " | "),
        ("ARG A=1\nFROM b\nARG A", &["A"], "A | "),
        ("ARG A=1\nARG B=$A\nFROM b\nARG B", &["A"], "A | "),
        ("ARG A=1\nFROM $A AS x\nFROM b", &["A"], " | "),
        ("FROM a AS x\nARG A\nFROM b", &["A"], " | "),
        ("FROM a AS x\nARG A\nFROM x", &["A"], "A | "),
        ("FROM a AS x\nONBUILD ARG A\nFROM x", &["A"], "A | "),
        ("FROM a", &["HTTP_PROXY", "no_proxy", "ALL_PROXY"], " | "),
        ("FROM a\nARG HTTP_PROXY", &["HTTP_PROXY"], "HTTP_PROXY | "),
        ("FROM a", &["SOURCE_DATE_EPOCH", "BUILDKIT_X"], "BUILDKIT_X SOURCE_DATE_EPOCH | "),
        ("FROM a\nENV A=1", &["A"], " | A"),
    ];
    for (text, given, expected) in table {
        assert_eq!(keyed(text, given), expected, "{text}");
    }
    let given = Setup::default().args(&[("BUILDPLATFORM", "linux/arm64")]);
    let found = given.analyse("FROM --platform=$BUILDPLATFORM a");
    assert!(found.declared_args.contains("BUILDPLATFORM"));
}
