//! The translation of a pattern into an automaton that behaves like moby's matcher. Start with [`compile`].
//!
//! After `Pattern.compile` and `Pattern.match` of `github.com/moby/patternmatcher`. The parts that look odd
//! are what builds do: they tell which characters reach the regular expression unescaped, and when a pattern
//! is compared as plain text instead.

use super::Reason;
use super::automaton::Automaton;
use super::program::{Program, Unit};
use super::syntax::{self, Ast};

/// The byte order mark, which Go's `text/scanner` drops at the start of what it reads.
const MARK: char = '\u{feff}';

/// The way in which a pattern is compared with a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    /// As plain text with the whole path.
    Exact,
    /// As plain text with the path's start.
    Prefix,
    /// As plain text with the path's end.
    Suffix,
    /// As a regular expression, found anywhere in the path.
    Expression,
}

/// Compiles the cleaned `pattern`, without its `!`.
pub(super) fn compile(pattern: &[u8]) -> Result<Automaton, Reason> {
    program(pattern).map(Automaton::new)
}

/// The program that `pattern` stands for, before an [`Automaton`] makes it fast.
pub(super) fn program(pattern: &[u8]) -> Result<Program, Reason> {
    let (comparison, expression) = translate(pattern);
    let (ast, unit) = match comparison {
        Comparison::Exact => (Ast::Concat(vec![Ast::Begin, literal(pattern), Ast::End]), Unit::Byte),
        Comparison::Prefix => {
            let prefix = &pattern[..pattern.len() - 2];
            (Ast::Concat(vec![Ast::Begin, literal(prefix)]), Unit::Byte)
        }
        Comparison::Suffix => (suffix(&pattern[2..]), Unit::Byte),
        Comparison::Expression => (syntax::parse(&expression).map_err(Reason::Expression)?, Unit::Rune),
    };
    Program::compile(&ast, unit).ok_or(Reason::TooLarge)
}

/// The expression for paths that end in `suffix`; a suffix that starts with a slash also matches at the
/// path's start.
fn suffix(suffix: &[u8]) -> Ast {
    if suffix.is_empty() {
        return Ast::Empty;
    }
    let anywhere = Ast::Concat(vec![literal(suffix), Ast::End]);
    match suffix.strip_prefix(b"/") {
        Some(whole) => {
            Ast::Alternate(vec![Ast::Concat(vec![Ast::Begin, literal(whole), Ast::End]), anywhere])
        }
        None => anywhere,
    }
}

fn literal(text: &[u8]) -> Ast {
    Ast::Concat(text.iter().map(|&byte| Ast::Class(vec![(byte.into(), byte.into())])).collect())
}

/// The way in which moby compares `pattern`, and the text of its regular expression.
fn translate(pattern: &[u8]) -> (Comparison, String) {
    let runes = runes(pattern);
    let mut runes = runes.strip_prefix(MARK).unwrap_or(&runes).chars().peekable();
    let mut comparison = Comparison::Exact;
    let mut expression = String::from("^");
    let mut first = true;
    while let Some(rune) = runes.next() {
        match rune {
            '*' if runes.next_if_eq(&'*').is_some() => {
                runes.next_if_eq(&'/');
                if runes.peek().is_some() {
                    expression.push_str("(.*/)?");
                    comparison = Comparison::Expression;
                } else if comparison == Comparison::Exact {
                    comparison = Comparison::Prefix;
                } else {
                    expression.push_str(".*");
                    comparison = Comparison::Expression;
                }
                if first {
                    comparison = Comparison::Suffix;
                }
            }
            '*' => {
                expression.push_str("[^/]*");
                comparison = Comparison::Expression;
            }
            '?' => {
                expression.push_str("[^/]");
                comparison = Comparison::Expression;
            }
            // moby means to escape `{`, `|` and `}` too, but its table has no room for them.
            '.' | '+' | '(' | ')' | '$' => expression.extend(['\\', rune]),
            '\\' => {
                expression.push('\\');
                if let Some(escaped) = runes.next() {
                    expression.push(escaped);
                    comparison = Comparison::Expression;
                }
            }
            '[' | ']' => {
                expression.push(rune);
                comparison = Comparison::Expression;
            }
            _ => expression.push(rune),
        }
        first = false;
    }
    expression.push('$');
    (comparison, expression)
}

/// The text `text` as Go reads it: every byte that is not part of a valid rune becomes U+FFFD.
fn runes(text: &[u8]) -> String {
    let mut runes = String::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        runes.push_str(chunk.valid());
        runes.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    runes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_become_what_moby_makes_of_them() {
        use Comparison::{Exact, Expression, Prefix, Suffix};
        for (pattern, comparison, expression) in [
            ("a.b", Exact, "^a\\.b$"),
            ("a{b|c}", Exact, "^a{b|c}$"),
            ("a/**", Prefix, "^a/$"),
            ("a**", Prefix, "^a$"),
            ("**", Suffix, "^$"),
            ("**/a", Suffix, "^(.*/)?a$"),
            ("**a", Suffix, "^(.*/)?a$"),
            ("**a*", Expression, "^(.*/)?a[^/]*$"),
            ("**/a/**", Expression, "^(.*/)?a/.*$"),
            ("***", Expression, "^(.*/)?[^/]*$"),
            ("****", Expression, "^(.*/)?.*$"),
            ("a**b", Expression, "^a(.*/)?b$"),
            ("a/**/b", Expression, "^a/(.*/)?b$"),
            ("*/**", Expression, "^[^/]*/.*$"),
            ("{a|b}?", Expression, "^{a|b}[^/]$"),
            ("\\#a", Expression, "^\\#a$"),
            ("[.]", Expression, "^[\\.]$"),
            ("[*]", Expression, "^[[^/]*]$"),
            ("\u{feff}*", Expression, "^[^/]*$"),
        ] {
            assert_eq!(translate(pattern.as_bytes()), (comparison, expression.to_owned()), "{pattern}");
        }
        assert_eq!(translate(b"*\xE2\x82").1, "^[^/]*\u{fffd}\u{fffd}$");
    }
}
