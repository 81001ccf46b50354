//! Files that are refused, with the line of the fault.

use super::Setup;
use crate::dockerfile::Dockerfile;

/// Texts with their errors; no error where another frontend may read the text.
const UNREADABLE: &[(&str, &str)] = &[
    ("", "line 1: the file has no instructions; start with `FROM <image>`"),
    ("# only\n\n# comments\n", "line 3: the file has no instructions; start with `FROM <image>`"),
    ("ARG A\n", "line 1: the file has no `FROM`; add one, `FROM scratch` at the least"),
    ("\nRUN x\nFROM a", "line 2: `RUN` stands before the first `FROM`; only `ARG` may"),
    ("FROM", "line 1: `FROM` takes an image, or an image, `AS` and a name"),
    ("FROM a b", "line 1: `FROM` takes an image, or an image, `AS` and a name"),
    ("FROM a AS", "line 1: `FROM` takes an image, or an image, `AS` and a name"),
    ("FROM a IS b", "line 1: `FROM` takes an image, or an image, `AS` and a name"),
    ("FROM a # why", "line 1: `FROM` takes an image, or an image, `AS` and a name"),
    (
        "FROM a AS 1x",
        "line 1: `1x` cannot name a stage; start with a letter, go on with letters, digits, `-`, `_` and `.`",
    ),
    (
        "FROM a AS x/y",
        "line 1: `x/y` cannot name a stage; start with a letter, go on with letters, digits, `-`, `_` and `.`",
    ),
    ("FROM a\n\nCOPY b", "line 3: `COPY` takes one source or more, and a destination"),
    ("FROM a\nADD", "line 2: `ADD` takes one source or more, and a destination"),
    ("FROM a\nCOPY []", "line 2: `COPY` takes one source or more, and a destination"),
    (
        "FROM a\nCOPY [\"b\", 1]",
        "line 2: a list in brackets may hold strings only; quote each of them with `\"`",
    ),
    (
        "FROM a\nRUN [\"b\", null]",
        "line 2: a list in brackets may hold strings only; quote each of them with `\"`",
    ),
    ("FROM a\nCOPY b <<EOF\nEOF", "line 2: `COPY` cannot copy to a heredoc; name a path last"),
    (
        "FROM a\nRUN <<EOF\nx\n",
        "line 2: the heredoc `EOF` is not terminated; end it with a line that holds only `EOF`",
    ),
    (
        "FROM a\nCOPY <<A <<B /x\nA\n",
        "line 2: the heredoc `B` is not terminated; end it with a line that holds only `B`",
    ),
    ("FROM a\nARG", "line 2: `ARG` takes one name or more, each with a default if need be"),
    ("FROM a\nARG =1", "line 2: a variable of `ARG` has no name; write `name=value`"),
    ("FROM a\nENV", "line 2: `ENV` takes one `name=value` or more"),
    ("FROM a\nENV A", "line 2: `ENV` takes a name and a value"),
    ("FROM a\nENV A=1 B", "line 2: `B` has no `=`; write `name=value`, and quote values with spaces"),
    ("FROM a\nENV =1", "line 2: a variable of `ENV` has no name; write `name=value`"),
    ("FROM a\nLABEL a=1 b", "line 2: `b` has no `=`; write `name=value`, and quote values with spaces"),
    ("FROM a\nCOPY --from b /", "line 2: the flag `--from` has no value; write `--from=<value>`"),
    ("FROM a\nCOPY --from=b --from=c d /", "line 2: the flag `--from` is given twice; keep one"),
    ("FROM a\nCOPY --link=yes d /", "line 2: the flag `--link` cannot be `yes`; it is `true` or `false`"),
    ("FROM a\nONBUILD", "line 2: `ONBUILD` takes an instruction"),
    ("FROM a\nONBUILD ONBUILD RUN x", "line 2: `ONBUILD` cannot hold `ONBUILD`"),
    ("FROM a\nONBUILD from b", "line 2: `ONBUILD` cannot hold `FROM`"),
    ("FROM a\nRUN x \\\n  y\nCOPY \\\n  z\n", "line 4: `COPY` takes one source or more, and a destination"),
    ("# syntax=a\n# syntax=b\nFROM a x", ""),
    ("# escape=`\n# escape=`\nFROM a", "line 2: the `escape` directive is given twice; keep one"),
    ("# escape=x\nFROM a", "line 1: the escape character cannot be `x`; it is a backslash or a backtick"),
];

#[test]
fn texts_that_are_no_dockerfiles_name_the_line() {
    for (text, expected) in UNREADABLE {
        let message = Dockerfile::parse(text.as_bytes()).err().map(|error| error.to_string());
        assert_eq!(message.unwrap_or_default(), *expected, "{text:?}");
    }
}

#[test]
fn builds_that_cannot_be_name_the_line() {
    let table = [
        ("FROM $A", "line 1: the image `$A` is empty; declare its ARG before the first FROM, with a default"),
        ("FROM a\nFROM ${A", "line 2: a closing `}` is missing; quote it if it is meant literally"),
        ("FROM --platform=$A a", "line 1: `$A` is ``, which is not a platform; write it as `linux/amd64`"),
        ("ARG V\nFROM a:${V:?is-needed}", "line 2: `V` is-needed; give it with a build argument"),
        ("FROM scratch\nCOPY it's /", "line 2: a closing `'` is missing; quote it if it is meant literally"),
        (
            "FROM a\nCOPY --from=$A x /",
            "line 2: `$A` cannot hold variables; name a stage, `FROM $A AS <name>`, and copy from it",
        ),
        (
            "FROM a\nRUN --mount=from=${A},target=/x y",
            "line 2: `${A}` cannot hold variables; name a stage, `FROM ${A} AS <name>`, and copy from it",
        ),
        ("FROM a\n\nCOPY --from=1 x /", "line 3: there is no stage number 1; the file has 1, counted from 0"),
        ("FROM a\nCOPY --from=-1 x /", "line 2: there is no stage number -1; the file has 1, counted from 0"),
        ("FROM a\nCOPY https://b.example/c /", "line 2: COPY cannot fetch `https://b.example/c`; use ADD"),
        ("FROM a AS x\nONBUILD COPY x\nFROM x", "line 2: `COPY` takes one source or more, and a destination"),
        (
            "FROM scratch AS Base\nFROM BASE",
            "line 2: an image's name is in lower case; write `FROM base` for the stage of that name",
        ),
        (
            "FROM scratch\nENV A=${B^}",
            "line 2: `^` is not a modifier of a substitution; the language has `-`, `+`, `?`, `#`, `%` and `/`",
        ),
    ];
    for (text, expected) in table {
        let file = Dockerfile::parse(text.as_bytes()).unwrap();
        assert_eq!(Setup::default().try_analyse(&file).unwrap_err().to_string(), expected, "{text}");
    }
    let file = Dockerfile::parse(b"FROM a").unwrap();
    assert_eq!(
        Setup::default().platform("linux/").try_analyse(&file).unwrap_err().to_string(),
        "`linux/` is not a platform; write it as `linux/amd64` or `linux/arm/v7`"
    );
    let broken = Setup::default().base("a", &[], &["COPY x"]);
    assert_eq!(
        broken.try_analyse(&file).unwrap_err().to_string(),
        "an ONBUILD instruction of the image `a` cannot be read: `COPY` takes one source or more, and a destination"
    );
}
