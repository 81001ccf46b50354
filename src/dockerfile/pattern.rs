//! The glob patterns of `${name#pattern}`, `${name%pattern}` and `${name/pattern/text}`. Start with [`Pattern`].
//!
//! `*` stands for any text and `?` for one character, neither of them for a line feed; a backslash takes
//! `*`, `?`, `\`, `}` and `/` literally. There are no bracket expressions. BuildKit compiles the same
//! dialect to a regular expression (`frontend/dockerfile/shell/lex.go`).

use std::collections::BTreeSet;

/// A compiled pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    tokens: Vec<Token>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Literal(char),
    One,
    Many,
}

/// The greed of `*`, which takes as much or as little as it can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Greed {
    Longest,
    Shortest,
}

impl Pattern {
    /// Compiles `text`; the error is the escape that patterns do not have.
    pub(crate) fn new(text: &str) -> Result<Self, String> {
        let mut tokens = Vec::new();
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            tokens.push(match c {
                '*' => Token::Many,
                '?' => Token::One,
                // These two end the pattern when bare, so the backslash is not part of it.
                '\\' if matches!(chars.peek(), Some('}' | '/')) => continue,
                '\\' => match chars.next() {
                    Some(escaped @ ('*' | '?' | '\\')) => Token::Literal(escaped),
                    Some(other) => return Err(format!("\\{other}")),
                    None => return Err("\\".to_owned()),
                },
                literal => Token::Literal(literal),
            });
        }
        Ok(Self { tokens })
    }

    /// The text `value` without the part that the pattern matches at its start.
    pub(crate) fn without_prefix(&self, value: &str, greed: Greed) -> String {
        let chars: Vec<char> = value.chars().collect();
        let end = self.end_of_match(&chars, 0, greed).unwrap_or(0);
        chars[end..].iter().collect()
    }

    /// The text `value` without the part that the pattern matches at its end.
    pub(crate) fn without_suffix(&self, value: &str, greed: Greed) -> String {
        // Backwards, the shortest match at the end is the shortest at the start.
        let chars: Vec<char> = value.chars().rev().collect();
        let backwards = Self { tokens: self.tokens.iter().rev().copied().collect() };
        let end = backwards.end_of_match(&chars, 0, greed).unwrap_or(0);
        chars[end..].iter().rev().collect()
    }

    /// The text `value` with its first match replaced.
    pub(crate) fn replace_first(&self, value: &str, replacement: &str) -> String {
        let chars: Vec<char> = value.chars().collect();
        let Some((start, end)) = self.find(&chars, 0) else { return value.to_owned() };
        let before: String = chars[..start].iter().collect();
        let after: String = chars[end..].iter().collect();
        format!("{before}{replacement}{after}")
    }

    /// The text `value` with every match replaced; an empty match next to another match does not count.
    pub(crate) fn replace_all(&self, value: &str, replacement: &str) -> String {
        let chars: Vec<char> = value.chars().collect();
        let mut replaced = String::new();
        let (mut copied, mut search) = (0, 0);
        while let Some((start, end)) = self.find(&chars, search) {
            replaced.extend(&chars[copied..start]);
            if end > copied || start == 0 {
                replaced.push_str(replacement);
            }
            copied = end;
            search = end.max(search + 1);
        }
        replaced.extend(&chars[copied..]);
        replaced
    }

    fn find(&self, value: &[char], from: usize) -> Option<(usize, usize)> {
        (from..=value.len())
            .find_map(|start| self.end_of_match(value, start, Greed::Longest).map(|end| (start, end)))
    }

    /// The end of the preferred match that starts at `start`.
    fn end_of_match(&self, value: &[char], start: usize, greed: Greed) -> Option<usize> {
        // A state that was left without a match never leads to one: each is tried once.
        let mut tried = BTreeSet::new();
        let mut open = vec![(0, start)];
        while let Some((token, at)) = open.pop() {
            if !tried.insert((token, at)) {
                continue;
            }
            let any = value.get(at).is_some_and(|c| *c != '\n');
            match self.tokens.get(token) {
                None => return Some(at),
                Some(Token::Literal(c)) if value.get(at) == Some(c) => open.push((token + 1, at + 1)),
                Some(Token::One) if any => open.push((token + 1, at + 1)),
                Some(Token::Many) => {
                    let (done, more) = ((token + 1, at), any.then_some((token, at + 1)));
                    // What is pushed last is tried first.
                    match greed {
                        Greed::Longest => open.extend([Some(done), more].into_iter().flatten()),
                        Greed::Shortest => open.extend([more, Some(done)].into_iter().flatten()),
                    }
                }
                Some(Token::Literal(_) | Token::One) => {}
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_are_greedy_when_asked() {
        let table = [
            ("*/", Greed::Shortest, "a/b/c", "b/c"),
            ("*/", Greed::Longest, "a/b/c", "c"),
            ("?", Greed::Shortest, "abc", "bc"),
            ("x", Greed::Longest, "abc", "abc"),
            ("\\*", Greed::Longest, "*abc", "abc"),
            ("*", Greed::Shortest, "abc", "abc"),
            ("*", Greed::Longest, "a\nb", "\nb"),
        ];
        for (pattern, greed, value, expected) in table {
            assert_eq!(Pattern::new(pattern).unwrap().without_prefix(value, greed), expected, "{pattern}");
        }
    }

    #[test]
    fn suffixes_mirror_prefixes() {
        let dotted = Pattern::new(".*").unwrap();
        assert_eq!(dotted.without_suffix("1.2.3", Greed::Shortest), "1.2");
        assert_eq!(dotted.without_suffix("1.2.3", Greed::Longest), "1");
    }

    #[test]
    fn replacements_take_the_longest_match() {
        let table = [
            (".", "1.2.3", "1-2.3", "1-2-3"),
            ("b*", "abcb", "a-", "a-"),
            ("", "ab", "-ab", "-a-b-"),
            ("\\/", "a/b/c", "a-b/c", "a-b-c"),
        ];
        for (pattern, value, first, all) in table {
            let pattern = Pattern::new(pattern).unwrap();
            assert_eq!(pattern.replace_first(value, "-"), first);
            assert_eq!(pattern.replace_all(value, "-"), all);
        }
    }

    #[test]
    fn other_escapes_are_refused() {
        assert_eq!(Pattern::new("a\\b").unwrap_err(), "\\b");
        assert_eq!(Pattern::new("a\\").unwrap_err(), "\\");
    }

    #[test]
    fn many_stars_do_not_explode() {
        let pattern = Pattern::new(&"*a".repeat(40)).unwrap();
        assert_eq!(pattern.without_prefix(&"a".repeat(39), Greed::Longest), "a".repeat(39));
    }
}
