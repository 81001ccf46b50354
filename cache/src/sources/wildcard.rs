//! The wildcards within one component of a path, as Go's `filepath.Match` reads them. Start with
//! [`Wildcard`].

use bstr::BStr;

/// One component with `*`, `?`, `[...]` or `\`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wildcard {
    tokens: Vec<Token>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// `*`: any text.
    Many,
    /// `?`: one character.
    One,
    /// This character.
    Character(char),
    /// `[...]`: one character that is in a range, or in none.
    Class { negated: bool, ranges: Vec<(char, char)> },
}

impl Token {
    fn takes(&self, character: char) -> bool {
        match self {
            Self::Many | Self::One => true,
            Self::Character(own) => *own == character,
            Self::Class { negated, ranges } => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&character)) != *negated
            }
        }
    }
}

impl Wildcard {
    /// Reads a component; none if Go refuses it.
    pub(super) fn parse(component: &str) -> Option<Self> {
        let mut characters = component.chars().peekable();
        let mut tokens = Vec::new();
        while let Some(character) = characters.next() {
            tokens.push(match character {
                '*' => Token::Many,
                '?' => Token::One,
                '\\' => Token::Character(characters.next()?),
                '[' => class(&mut characters)?,
                other => Token::Character(other),
            });
        }
        Some(Self { tokens })
    }

    /// True if all of `name` matches.
    pub(super) fn matches(&self, name: &BStr) -> bool {
        let mut reached = vec![false; self.tokens.len() + 1];
        reached[0] = true;
        self.skip_stars(&mut reached);
        let mut rest: &[u8] = name;
        while !rest.is_empty() {
            // A byte that is not UTF-8 is a character of its own, as in Go.
            let (character, length) = match bstr::decode_utf8(rest) {
                (Some(character), length) => (character, length),
                (None, _) => (char::REPLACEMENT_CHARACTER, 1),
            };
            let mut next = vec![false; reached.len()];
            for (index, token) in self.tokens.iter().enumerate() {
                if reached[index] && token.takes(character) {
                    next[if *token == Token::Many { index } else { index + 1 }] = true;
                }
            }
            self.skip_stars(&mut next);
            reached = next;
            rest = &rest[length..];
        }
        reached[self.tokens.len()]
    }

    fn skip_stars(&self, reached: &mut [bool]) {
        for (index, token) in self.tokens.iter().enumerate() {
            reached[index + 1] |= reached[index] && *token == Token::Many;
        }
    }
}

/// Reads the rest of a class, after its `[`; none if Go refuses it.
fn class(characters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<Token> {
    let negated = characters.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    // A class that is empty, or starts with `]`, is refused.
    while ranges.is_empty() || characters.next_if_eq(&']').is_none() {
        let low = member(characters)?;
        let high = if characters.next_if_eq(&'-').is_some() { member(characters)? } else { low };
        ranges.push((low, high));
    }
    Some(Token::Class { negated, ranges })
}

fn member(characters: &mut impl Iterator<Item = char>) -> Option<char> {
    match characters.next()? {
        '-' | ']' => None,
        '\\' => characters.next(),
        other => Some(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_match_as_in_go() {
        // The cases of Go's own table, and some that the table leaves out.
        let table: [(&str, &[u8], bool); 25] = [
            ("abc", b"abc", true),
            ("*", b"abc", true),
            ("*c", b"abc", true),
            ("a*", b"a", true),
            ("a*", b"ba", false),
            ("a*b*c*d*e*", b"axbxcxdxe", true),
            ("a*b?c*x", b"abxbbxdbxebxczzx", true),
            ("a*b?c*x", b"abxbbxdbxebxczzy", false),
            ("ab[c]", b"abc", true),
            ("ab[b-d]", b"abc", true),
            ("ab[e-g]", b"abc", false),
            ("ab[^c]", b"abc", false),
            ("ab[^e-g]", b"abc", true),
            ("a\\*b", b"a*b", true),
            ("a\\*b", b"ab", false),
            ("a?b", "a☺b".as_bytes(), true),
            ("a[^a]b", "a☺b".as_bytes(), true),
            ("a???b", "a☺b".as_bytes(), false),
            ("[a-ζ]*", "α".as_bytes(), true),
            ("*[a-ζ]", b"A", false),
            ("[\\]a]", b"]", true),
            ("[!a]", b"!", true),
            ("[\\-x]", b"-", true),
            ("*x", b"xxx", true),
            ("?", b"\xff", true),
        ];
        for (pattern, name, expected) in table {
            let wildcard = Wildcard::parse(pattern).unwrap();
            assert_eq!(wildcard.matches(BStr::new(name)), expected, "{pattern} {name:?}");
        }
    }

    #[test]
    fn what_go_refuses_is_refused() {
        for pattern in ["[]a]", "[-]", "[x-]", "[-x]", "[a-b-c]", "[", "[^", "[^bc", "a[", "a\\", "[]"] {
            assert_eq!(Wildcard::parse(pattern), None, "{pattern}");
        }
    }
}
