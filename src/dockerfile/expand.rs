//! Variables in words: `$name`, `${name}` and its modifiers. Start with [`Lexer::variable`].

use super::frontend::Change;
use super::pattern::{Greed, Pattern};
use super::text::{ExpandError, MOST_NESTED, Text, Variable};
use super::words::Lexer;

/// A substitution `${name<modifier>word}`, read but not yet applied.
struct Substitution {
    name: String,
    modifier: char,
    null_is_unset: bool,
    word: Text,
}

impl Lexer<'_> {
    /// Reads a variable or a substitution from its dollar, which is the next character.
    pub(super) fn variable(&mut self) -> Result<Text, ExpandError> {
        self.at += 1;
        if self.peek() == Some('{') {
            self.at += 1;
            self.depth += 1;
            if self.depth > MOST_NESTED {
                return Err(ExpandError::Nested);
            }
            let text = self.braced();
            self.depth -= 1;
            return text;
        }
        let name = self.name();
        if name.is_empty() {
            return Ok(Text::known("$"));
        }
        Ok(match self.value_of(&name) {
            Variable::Unset if self.rules.keep_unset => Text::known(format!("${name}")),
            value => plain(value, &name),
        })
    }

    fn braced(&mut self) -> Result<Text, ExpandError> {
        match self.peek() {
            None => return Err(ExpandError::Unterminated('}')),
            Some(bad @ ('{' | '}' | ':')) => return Err(ExpandError::Substitution(bad.to_string())),
            Some(_) => {}
        }
        let name = self.name();
        match self.next() {
            None => Err(ExpandError::Unterminated('}')),
            Some('}') => Ok(match self.value_of(&name) {
                Variable::Unset if self.rules.keep_unset => Text::known(format!("${{{name}}}")),
                value => plain(value, &name),
            }),
            Some(modifier) if !self.has(modifier) => Err(ExpandError::Modifier(modifier.to_string())),
            Some('/') => self.replacement(&name),
            Some(modifier @ ('+' | '-' | '?' | '#' | '%')) => self.modified(name, modifier, false),
            Some(':') => match self.next() {
                None => Err(ExpandError::Unterminated('}')),
                Some(modifier @ ('#' | '%')) => Err(ExpandError::Modifier(format!(":{modifier}"))),
                Some(modifier) => self.modified(name, modifier, true),
            },
            Some(other) => Err(ExpandError::Modifier(other.to_string())),
        }
    }

    /// True if the frontend has a modifier that follows the name at once.
    fn has(&self, modifier: char) -> bool {
        let since = match modifier {
            '#' | '%' | '/' => Change::Patterns,
            '+' | '-' => Change::BareModifiers,
            '?' => Change::LastWins,
            _ => return true,
        };
        self.rules.frontend.has(since)
    }

    fn modified(&mut self, name: String, modifier: char, null_is_unset: bool) -> Result<Text, ExpandError> {
        let word = self.text(Some('}'), matches!(modifier, '#' | '%'), None)?;
        let colon = if null_is_unset { ":" } else { "" };
        let value = self.value_of(&name);
        if self.rules.keep_unset && value == Variable::Unset {
            return Ok(Text::known(format!("${{{name}{colon}{modifier}{}}}", word.value)));
        }
        let substitution = Substitution { name, modifier, null_is_unset, word };
        match modifier {
            '-' | '+' | '?' => substitution.choose(value),
            '#' | '%' => substitution.trim(value),
            other => Err(ExpandError::Modifier(format!("{colon}{other}"))),
        }
    }

    fn replacement(&mut self, name: &str) -> Result<Text, ExpandError> {
        let all = self.peek() == Some('/');
        if all {
            self.at += 1;
        }
        let pattern = self.text(Some('/'), true, None)?;
        let replacement = self.text(Some('}'), true, None)?;
        let value = match self.value_of(name) {
            Variable::Unset if self.rules.keep_unset => {
                return Ok(Text::known(format!("${{{name}/{}/{}}}", pattern.value, replacement.value)));
            }
            value => plain(value, name),
        };
        let unknown = value.unknown.or(pattern.unknown).or(replacement.unknown);
        // BuildKit reads `$` in this place as a group of its regular expression: not worth a guess.
        let group = all && replacement.value.contains('$');
        if unknown.is_some() || group {
            return Ok(Text { value: String::new(), unknown: unknown.or_else(|| Some(name.to_owned())) });
        }
        let compiled = Pattern::new(&pattern.value).map_err(ExpandError::Pattern)?;
        Ok(Text::known(if all {
            compiled.replace_all(&value.value, &replacement.value)
        } else {
            compiled.replace_first(&value.value, &replacement.value)
        }))
    }

    fn name(&mut self) -> String {
        let start = self.at;
        match self.peek() {
            Some(c) if c.is_ascii_digit() => {
                while self.peek().is_some_and(|c| c.is_ascii_digit()) {
                    self.at += 1;
                }
            }
            Some('@' | '*' | '#' | '?' | '-' | '$' | '!') => self.at += 1,
            _ => {
                while self.peek().is_some_and(|c| c.is_alphanumeric() || c == '_') {
                    self.at += 1;
                }
            }
        }
        self.chars[start..self.at].iter().collect()
    }

    /// The value of a variable. Positional and special parameters are never set.
    fn value_of(&mut self, name: &str) -> Variable {
        let ordinary = name.starts_with(|c: char| c.is_alphabetic() || c == '_');
        if ordinary { (self.lookup)(name) } else { Variable::Unset }
    }
}

impl Substitution {
    fn choose(self, value: Variable) -> Result<Text, ExpandError> {
        let value = match value {
            Variable::Unknown => return Ok(plain(Variable::Unknown, &self.name)),
            Variable::Set(value) => Some(value),
            Variable::Unset => None,
        };
        let present = value.as_ref().is_some_and(|value| !(self.null_is_unset && value.is_empty()));
        match (self.modifier, present) {
            ('+', true) | ('-', false) => Ok(self.word),
            ('+', false) => Ok(Text::default()),
            (_, true) => Ok(Text::known(value.unwrap_or_default())),
            (_, false) => {
                let reason = if value.is_some() { "must not be empty" } else { "must be set" };
                let message = if self.word.value.is_empty() { reason.to_owned() } else { self.word.value };
                Err(ExpandError::Required { name: self.name, message })
            }
        }
    }

    fn trim(self, value: Variable) -> Result<Text, ExpandError> {
        let value = plain(value, &self.name);
        let (greed, pattern) = match self.word.value.strip_prefix(self.modifier) {
            Some(rest) => (Greed::Longest, rest),
            None => (Greed::Shortest, self.word.value.as_str()),
        };
        let unknown = value.unknown.or(self.word.unknown);
        if unknown.is_some() {
            return Ok(Text { value: String::new(), unknown });
        }
        let pattern = Pattern::new(pattern).map_err(ExpandError::Pattern)?;
        Ok(Text::known(if self.modifier == '%' {
            pattern.without_suffix(&value.value, greed)
        } else {
            pattern.without_prefix(&value.value, greed)
        }))
    }
}

fn plain(value: Variable, name: &str) -> Text {
    match value {
        Variable::Set(value) => Text::known(value),
        Variable::Unset => Text::default(),
        Variable::Unknown => Text { value: String::new(), unknown: Some(name.to_owned()) },
    }
}
