//! Shell-like words: quotes, escapes and variables. Start with [`Lexer`].
//!
//! A word of a Dockerfile is read much as a shell would read it, and not quite: single quotes are literal,
//! double quotes still expand, and the escape character is the file's own. The rules are those of
//! BuildKit's `frontend/dockerfile/shell/lex.go`.

use super::text::{ExpandError, Lookup, Rules, Text};

/// The reader of one word.
pub(crate) struct Lexer<'a> {
    pub(super) chars: Vec<char>,
    pub(super) at: usize,
    pub(super) rules: Rules,
    pub(super) lookup: Lookup<'a>,
    pub(super) depth: usize,
}

/// Expands `word` to one text.
pub(crate) fn expand(word: &str, rules: Rules, lookup: Lookup<'_>) -> Result<Text, ExpandError> {
    Lexer::new(word, rules, lookup).text(None, rules.raw_escapes, None)
}

/// Expands `text` and splits it at the spaces that are not quoted.
pub(crate) fn split(text: &str, rules: Rules, lookup: Lookup<'_>) -> Result<Vec<String>, ExpandError> {
    let mut words = Splitter::default();
    Lexer::new(text, rules, lookup).text(None, rules.raw_escapes, Some(&mut words))?;
    Ok(words.finish())
}

impl<'a> Lexer<'a> {
    fn new(word: &str, rules: Rules, lookup: Lookup<'a>) -> Self {
        Self { chars: word.chars().collect(), at: 0, rules, lookup, depth: 0 }
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += 1;
        Some(c)
    }

    /// Reads the text up to `stop`, or to the end; the stop is consumed.
    pub(super) fn text(
        &mut self,
        stop: Option<char>,
        raw_escapes: bool,
        words: Option<&mut Splitter>,
    ) -> Result<Text, ExpandError> {
        let outer = std::mem::replace(&mut self.rules.raw_escapes, raw_escapes);
        let text = self.text_until(stop, words);
        self.rules.raw_escapes = outer;
        text
    }

    fn text_until(&mut self, stop: Option<char>, words: Option<&mut Splitter>) -> Result<Text, ExpandError> {
        let mut unused = Splitter::default();
        let words = words.unwrap_or(&mut unused);
        let mut text = Text::default();
        while let Some(c) = self.peek() {
            if Some(c) == stop {
                self.at += 1;
                return Ok(text);
            }
            match c {
                '$' => {
                    let value = self.variable()?;
                    words.add_text(&value.value);
                    text.append(value);
                }
                '\'' | '"' => {
                    let quoted = if c == '"' { self.double_quoted()? } else { self.single_quoted()? };
                    words.add_quoted(&quoted.value);
                    text.append(quoted);
                }
                '<' => {
                    let redirection = self.redirection();
                    words.add_quoted(&redirection);
                    text.value.push_str(&redirection);
                }
                _ => self.plain(&mut text, words),
            }
        }
        match stop {
            None => Ok(text),
            Some(stop) => Err(ExpandError::Unterminated(stop)),
        }
    }

    fn plain(&mut self, text: &mut Text, words: &mut Splitter) {
        let Some(c) = self.next() else { return };
        if c != self.rules.escape {
            words.add(c);
            text.value.push(c);
            return;
        }
        if self.rules.raw_escapes {
            words.add_quoted(c.encode_utf8(&mut [0; 4]));
            text.value.push(c);
        }
        // An escape at the very end escapes nothing.
        if let Some(escaped) = self.next() {
            words.add_quoted(escaped.encode_utf8(&mut [0; 4]));
            text.value.push(escaped);
        }
    }

    fn single_quoted(&mut self) -> Result<Text, ExpandError> {
        let mut text = String::new();
        self.quote(&mut text);
        loop {
            match self.peek() {
                None => return Err(ExpandError::Unterminated('\'')),
                Some('\'') => {
                    self.quote(&mut text);
                    return Ok(Text::known(text));
                }
                Some(c) => text.push(c),
            }
            self.at += 1;
        }
    }

    fn double_quoted(&mut self) -> Result<Text, ExpandError> {
        let mut text = Text::default();
        self.quote(&mut text.value);
        loop {
            match self.peek() {
                None => return Err(ExpandError::Unterminated('"')),
                Some('"') => {
                    self.quote(&mut text.value);
                    return Ok(text);
                }
                Some('$') => text.append(self.variable()?),
                Some(c) => {
                    self.at += 1;
                    if let Some(c) = self.unescaped_in_quotes(c, &mut text.value) {
                        text.value.push(c);
                    }
                }
            }
        }
    }

    /// The character that `c` gives within double quotes, where only quotes, dollars and the escape itself can be
    /// escaped.
    fn unescaped_in_quotes(&mut self, c: char, text: &mut String) -> Option<char> {
        if c != self.rules.escape {
            return Some(c);
        }
        if self.rules.raw_escapes {
            text.push(c);
        }
        let next = self.peek()?;
        if matches!(next, '"' | '$') || next == self.rules.escape {
            self.at += 1;
            return Some(next);
        }
        Some(c)
    }

    fn quote(&mut self, text: &mut String) {
        if let Some(quote) = self.next()
            && self.rules.raw_quotes
        {
            text.push(quote);
        }
    }

    /// Reads `<` or `<<`. The `<<` belongs to the word that follows it, over spaces too: `cat << EOF`.
    fn redirection(&mut self) -> String {
        let mut text = String::from("<");
        self.at += 1;
        if self.peek() == Some('<') {
            text.push('<');
            self.at += 1;
            while let Some(space @ ('\t' | '\r' | ' ')) = self.peek() {
                text.push(space);
                self.at += 1;
            }
        }
        text
    }
}

/// The collector of words.
#[derive(Default)]
pub(super) struct Splitter {
    words: Vec<String>,
    word: String,
}

impl Splitter {
    fn add(&mut self, c: char) {
        if !c.is_whitespace() {
            self.word.push(c);
        } else if !self.word.is_empty() {
            self.words.push(std::mem::take(&mut self.word));
        }
    }

    fn add_text(&mut self, text: &str) {
        text.chars().for_each(|c| self.add(c));
    }

    fn add_quoted(&mut self, text: &str) {
        self.word.push_str(text);
    }

    fn finish(mut self) -> Vec<String> {
        if !self.word.is_empty() {
            self.words.push(self.word);
        }
        self.words
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dockerfile::text::Variable;

    fn words(text: &str) -> Vec<String> {
        split(text, Rules::expanding('\\'), &mut |_| Variable::Unset).unwrap()
    }

    #[test]
    fn words_end_at_spaces_outside_quotes() {
        let table: [(&str, &[&str]); 8] = [
            ("a b\tc", &["a", "b", "c"]),
            ("  a  ", &["a"]),
            ("'a b' c", &["a b", "c"]),
            ("\"a b\"c d", &["a bc", "d"]),
            ("a\\ b", &["a b"]),
            ("cat << EOF", &["cat", "<< EOF"]),
            ("\"\" a", &["a"]),
            ("\"\" ''", &[]),
        ];
        for (text, expected) in table {
            assert_eq!(words(text), expected, "{text}");
        }
    }

    #[test]
    fn an_open_quote_is_an_error() {
        for (text, quote) in [("it's", '\''), ("\"a", '"')] {
            let error = split(text, Rules::expanding('\\'), &mut |_| Variable::Unset).unwrap_err();
            assert_eq!(error, ExpandError::Unterminated(quote));
        }
    }
}
