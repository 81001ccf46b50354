//! Words and variables.

use crate::dockerfile::text::{ExpandError, Rules, Text, Variable};
use crate::dockerfile::words::expand;

/// `A` is `one`, `E` is empty, `P` is a path, `V` a version, `U` is not known, everything else is unset.
fn lookup(name: &str) -> Variable {
    match name {
        "A" => Variable::Set("one".to_owned()),
        "E" => Variable::Set(String::new()),
        "P" => Variable::Set("src/app/main.rs".to_owned()),
        "V" => Variable::Set("1.22.3".to_owned()),
        "U" => Variable::Unknown,
        _ => Variable::Unset,
    }
}

fn expanded(word: &str) -> Result<Text, ExpandError> {
    expand(word, Rules::expanding('\\'), &mut lookup)
}

#[test]
fn words_expand_as_buildkit_expands_them() {
    let table = [
        ("plain", "plain"),
        ("$A", "one"),
        ("${A}", "one"),
        ("x$A.y", "xone.y"),
        ("x${A}y", "xoney"),
        ("$Ay", ""),
        ("$NO", ""),
        ("\\$A", "$A"),
        ("'$A'", "$A"),
        ("\"$A\"", "one"),
        ("\"\\$A\"", "$A"),
        ("\"a\\b\"", "a\\b"),
        ("a\\b", "ab"),
        ("\"it's\"", "it's"),
        ("'a'\"b\"c", "abc"),
        ("$", "$"),
        ("a$", "a$"),
        ("$$", ""),
        ("$1a", "a"),
        ("${A:-d}", "one"),
        ("${E:-d}", "d"),
        ("${E-d}", ""),
        ("${NO:-d}", "d"),
        ("${NO-d}", "d"),
        ("${NO:-}", ""),
        ("${NO:-$A}", "one"),
        ("${NO:-${E:-deep}}", "deep"),
        ("${NO:-a b}", "a b"),
        ("${NO:-\"a}b\"}", "a}b"),
        ("${A:+alt}", "alt"),
        ("${E:+alt}", ""),
        ("${E+alt}", "alt"),
        ("${NO+alt}", ""),
        ("${A:?gone}", "one"),
        ("${A?gone}", "one"),
        ("${E?gone}", ""),
        ("${P#*/}", "app/main.rs"),
        ("${P##*/}", "main.rs"),
        ("${P%/*}", "src/app"),
        ("${P%%/*}", "src"),
        ("${V%.*}", "1.22"),
        ("${V%%.*}", "1"),
        ("${V#?.}", "22.3"),
        ("${V/./-}", "1-22.3"),
        ("${V//./-}", "1-22-3"),
        ("${P//\\//_}", "src_app_main.rs"),
        ("${V/2/}", "1.2.3"),
        ("${V//2/$A}", "1.oneone.3"),
        ("${NO#x}", ""),
        ("<<$A", "<<one"),
    ];
    for (word, value) in table {
        assert_eq!(expanded(word), Ok(Text::known(value)), "{word}");
    }
}

#[test]
fn what_cannot_be_expanded_is_an_error() {
    let required =
        |name: &str, message: &str| ExpandError::Required { name: name.into(), message: message.into() };
    let table = [
        ("${", ExpandError::Unterminated('}')),
        ("${A", ExpandError::Unterminated('}')),
        ("${A:-x", ExpandError::Unterminated('}')),
        ("${A/x", ExpandError::Unterminated('/')),
        ("${A/x/y", ExpandError::Unterminated('}')),
        ("'a", ExpandError::Unterminated('\'')),
        ("\"a", ExpandError::Unterminated('"')),
        ("${}", ExpandError::Substitution("}".into())),
        ("${{A}}", ExpandError::Substitution("{".into())),
        ("${:-a}", ExpandError::Substitution(":".into())),
        ("${A^}", ExpandError::Modifier("^".into())),
        ("${A:0:1}", ExpandError::Modifier(":0".into())),
        ("${A:#a}", ExpandError::Modifier(":#".into())),
        ("${A[0]}", ExpandError::Modifier("[".into())),
        ("${A#\\x}", ExpandError::Pattern("\\x".into())),
        ("${NO?}", required("NO", "must be set")),
        ("${NO:?say it}", required("NO", "say it")),
        ("${E:?}", required("E", "must not be empty")),
    ];
    for (word, error) in table {
        assert_eq!(expanded(word), Err(error), "{word}");
    }
    assert_eq!(expanded(&"${A:-".repeat(100)), Err(ExpandError::Nested));
}

#[test]
fn the_unknown_spreads_to_what_needs_it_and_no_further() {
    for needs in
        ["$U", "a${U}b", "${U:-a}", "${U:+a}", "${U#a}", "${U/a/b}", "${NO:-$U}", "${V/$U/a}", "\"$U\""]
    {
        assert_eq!(expanded(needs).unwrap().unknown.as_deref(), Some("U"), "{needs}");
    }
    for does_not in ["${A:-$U}", "${NO:+$U}", "'$U'", "\\$U"] {
        assert_eq!(expanded(does_not).unwrap().unknown, None, "{does_not}");
    }
    // A `$` in the text of a global replacement is a group of a regular expression to BuildKit.
    assert_eq!(expanded("${V//2/\\$1}").unwrap().unknown.as_deref(), Some("V"));
}

#[test]
fn the_escape_is_the_files_own() {
    let backtick = |word| expand(word, Rules::expanding('`'), &mut lookup).unwrap().value;
    assert_eq!(backtick("a\\b`$A"), "a\\b$A");
    assert_eq!(backtick("C:\\$A"), "C:\\one");
}

#[test]
fn unset_variables_stay_where_they_are_to_be_kept() {
    let rules = Rules { keep_unset: true, ..Rules::expanding('\\') };
    for word in ["$NO", "${NO}", "${NO:-a}", "${NO#a}", "${NO/a/b}"] {
        assert_eq!(expand(word, rules, &mut lookup).unwrap().value, word);
    }
}
