//! Properties of every text.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::Setup;
use crate::dockerfile::Dockerfile;
use crate::dockerfile::text::{Rules, Variable};
use crate::dockerfile::words::expand;

/// Lines that look like a Dockerfile's, among them broken ones.
fn lines() -> impl Strategy<Value = String> {
    let fragment = prop::sample::select(vec![
        "FROM a",
        "FROM a AS x",
        "FROM x",
        "FROM ${A}",
        "COPY a /",
        "COPY . .",
        "COPY --from=x a /",
        "COPY --from=0 a /",
        "ADD https://a.example/b /",
        "RUN --mount=from=a,target=/b c",
        "RUN --mount=source=a,target=/b",
        "RUN <<EOF",
        "EOF",
        "COPY <<E <<-F /",
        "E",
        "\tF",
        "ARG A=a",
        "ARG A B=$A",
        "ENV A a b",
        "ENV A=b C=\"$A\"",
        "ONBUILD COPY t /",
        "# escape=`",
        "# syntax=x",
        "#",
        "",
        "\\",
        "RUN a \\",
        "`",
        "--from=\"",
        "'",
        "${",
        "$A",
        "[\"a\",\"/\"]",
        "\u{e9}",
        "\r",
        "ONBUILD RUN --mount=from=q,target=/b c",
        "FROM --platform=$TARGETPLATFORM a AS y",
        "HEALTHCHECK NONE",
        "BOGUS",
    ]);
    let end = prop::sample::select(vec!["\n", "\n", "\n", "\r\n", " ", " \\\n", ""]);
    prop::collection::vec((fragment, end), 0..14)
        .prop_map(|parts| parts.into_iter().flat_map(|(text, end)| [text, end]).collect())
}

/// An expansion as one would write it by hand, for the forms that need no pattern.
fn naive(parts: &[(String, Form)], values: &BTreeMap<String, String>) -> (String, String) {
    let mut word = String::new();
    let mut expected = String::new();
    for (name, form) in parts {
        let value = values.get(name);
        let filled = value.filter(|value| !value.is_empty());
        let (text, result) = match form {
            Form::Literal => (name.clone(), name.clone()),
            Form::Plain => (format!("${{{name}}}"), value.cloned().unwrap_or_default()),
            Form::Default => (format!("${{{name}-d}}"), value.cloned().unwrap_or("d".to_owned())),
            Form::Filled => (format!("${{{name}:-d}}"), filled.cloned().unwrap_or("d".to_owned())),
            Form::Other => (format!("${{{name}+o}}"), value.map_or("", |_| "o").to_owned()),
            Form::FilledOther => (format!("${{{name}:+o}}"), filled.map_or("", |_| "o").to_owned()),
            Form::Single => (format!("'${name}'"), format!("${name}")),
            Form::Double => (format!("\"${name}\""), value.cloned().unwrap_or_default()),
            Form::Escaped => (format!("\\${name}"), format!("${name}")),
        };
        word.push_str(&text);
        expected.push_str(&result);
    }
    (word, expected)
}

#[derive(Clone, Copy, Debug)]
enum Form {
    Literal,
    Plain,
    Default,
    Filled,
    Other,
    FilledOther,
    Single,
    Double,
    Escaped,
}

fn forms() -> impl Strategy<Value = Vec<(String, Form)>> {
    use Form::{Default, Double, Escaped, Filled, FilledOther, Literal, Other, Plain, Single};
    let all = vec![Literal, Plain, Default, Filled, Other, FilledOther, Single, Double, Escaped];
    prop::collection::vec(("[A-C]", prop::sample::select(all)), 0..8)
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(file) = Dockerfile::parse(&bytes) {
            let _ = Setup::default().try_analyse(&file);
        }
    }

    #[test]
    fn any_lines_are_read_without_a_panic_and_stay_what_they_are(text in lines()) {
        if let Ok(file) = Dockerfile::parse(text.as_bytes())
            && let Ok(found) = Setup::default().args(&[("A", "x")]).try_analyse(&file)
        {
            let pinned = file.pinned(&[&found], &BTreeMap::new()).unwrap();
            prop_assert_eq!(pinned.source, text.as_bytes());
        }
    }

    #[test]
    fn pinning_keeps_the_lines_and_the_inputs(text in lines()) {
        let pins: BTreeMap<_, _> =
            ["a", "x", "q"].iter().map(|name| ((*name).to_owned(), format!("r.example/{name}@sha256:1"))).collect();
        let file = Dockerfile::parse(text.as_bytes());
        if let Ok(found) = file.as_ref().map_err(drop).and_then(|f| Setup::default().try_analyse(f).map_err(drop)) {
            let pinned = file.unwrap().pinned(&[&found], &pins).unwrap();
            let again = Dockerfile::parse(&pinned.source).unwrap();
            let after = Setup::default().try_analyse(&again).unwrap();
            prop_assert_eq!(&after.stages, &found.stages);
            prop_assert_eq!(after.inputs.follow_paths(), found.inputs.follow_paths());
            for base in &after.bases {
                prop_assert!(!pins.contains_key(&base.name), "{} is left in {}", base.name, text);
            }
        }
    }

    #[test]
    fn words_expand_as_a_naive_reader_expands_them(
        parts in forms(),
        values in prop::collection::btree_map("[A-C]", "[a-z]{0,3}", 0..3),
    ) {
        let (word, expected) = naive(&parts, &values);
        let text = expand(&word, Rules::expanding('\\'), &mut |name| {
            values.get(name).map_or(Variable::Unset, |value| Variable::Set(value.clone()))
        });
        prop_assert_eq!(text.unwrap().value, expected, "{}", word);
    }
}
