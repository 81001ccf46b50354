//! `name=value` words, as ARG, ENV and LABEL have them. Start with [`declared`] and [`assigned`].
//!
//! Quotes and escapes stay in the words until the values are expanded.

use super::error::ParseReason;

/// The pairs of ARG: a value is optional.
pub(crate) fn declared(text: &str, escape: char) -> Result<Vec<(String, Option<String>)>, ParseReason> {
    let words = words(text, escape);
    if words.is_empty() {
        return Err(ParseReason::arguments("ARG", "one name or more, each with a default if need be"));
    }
    let pair = |word: String| match word.split_once('=') {
        Some(("", _)) => Err(ParseReason::BlankName("ARG".to_owned())),
        Some((name, value)) => Ok((name.to_owned(), Some(value.to_owned()))),
        None => Ok((word, None)),
    };
    words.into_iter().map(pair).collect()
}

/// The pairs of ENV and LABEL; in the old form, `ENV name value`, there is one.
pub(crate) fn assigned(
    keyword: &str,
    text: &str,
    escape: char,
) -> Result<Vec<(String, String)>, ParseReason> {
    let words = words(text, escape);
    let Some(first) = words.first() else {
        return Err(ParseReason::arguments(keyword, "one `name=value` or more"));
    };
    if !first.contains('=') {
        let Some((name, value)) = text.split_once(is_space) else {
            return Err(ParseReason::arguments(keyword, "a name and a value"));
        };
        return Ok(vec![(name.to_owned(), value.trim_start_matches(is_space).to_owned())]);
    }
    let pair = |word: String| match word.split_once('=') {
        Some(("", _)) => Err(ParseReason::BlankName(keyword.to_owned())),
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => Err(ParseReason::Pair(word)),
    };
    words.into_iter().map(pair).collect()
}

/// True for the characters that separate words where nothing can be quoted.
pub(super) fn is_space(c: char) -> bool {
    matches!(c, '\t' | '\x0b' | '\x0c' | '\r' | ' ')
}

/// Splits `text` at spaces that are neither quoted nor escaped; quotes and escapes stay.
fn words(text: &str, escape: char) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if quote.is_none() && c.is_whitespace() {
            if !word.is_empty() {
                words.push(std::mem::take(&mut word));
            }
            continue;
        }
        if c == escape && quote != Some('\'') {
            // An escape at the very end is dropped.
            let Some(escaped) = chars.next() else { break };
            word.extend([c, escaped]);
            continue;
        }
        match quote {
            None if matches!(c, '\'' | '"') => quote = Some(c),
            Some(open) if c == open => quote = None,
            _ => {}
        }
        word.push(c);
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_may_have_no_value() {
        let pairs = declared("A B=1 C= D=\"x y\" E='a b'", '\\').unwrap();
        let pairs: Vec<_> = pairs.iter().map(|(n, v)| (n.as_str(), v.as_deref())).collect();
        let expected =
            [("A", None), ("B", Some("1")), ("C", Some("")), ("D", Some("\"x y\"")), ("E", Some("'a b'"))];
        assert_eq!(pairs, expected);
        assert_eq!(declared("=1", '\\'), Err(ParseReason::BlankName("ARG".to_owned())));
    }

    #[test]
    fn both_forms_of_env() {
        let table: [(&str, &[(&str, &str)]); 5] = [
            ("A 1 2  3", &[("A", "1 2  3")]),
            ("A=1 B=2", &[("A", "1"), ("B", "2")]),
            ("A=a\\ b B=c", &[("A", "a\\ b"), ("B", "c")]),
            ("A=\"x=y\" B='it is'", &[("A", "\"x=y\""), ("B", "'it is'")]),
            ("A b=c", &[("A", "b=c")]),
        ];
        for (text, expected) in table {
            let pairs = assigned("ENV", text, '\\').unwrap();
            let pairs: Vec<_> = pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            assert_eq!(pairs, expected, "{text}");
        }
        assert_eq!(assigned("ENV", "A=1 B", '\\'), Err(ParseReason::Pair("B".to_owned())));
        assert!(assigned("ENV", "A", '\\').is_err());
    }
}
