//! Logical lines: continuations are joined, comments and blank lines within them left out. Start with [`Lines`].
//!
//! A [`Line`] remembers the place of each of its bytes in the file, so that a word can be replaced there.
//! The rules are those of BuildKit's `frontend/dockerfile/parser/parser.go`.

use std::ops::Range;

use super::directives::Directives;
use super::error::{ParseError, ParseReason};
use super::frontend::Frontend;
use super::heredoc::Heredoc;

/// One instruction's text on one line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Line {
    /// The text of the line, continuations joined.
    pub text: String,
    /// The line of the file on which the logical line starts, from 1.
    pub first: usize,
    /// The line of the file on which the logical line ends, heredocs not counted.
    pub last: usize,
    pieces: Vec<Piece>,
}

#[derive(Clone, Copy, Debug)]
struct Piece {
    text: usize,
    source: usize,
}

/// The reader of a file's logical lines.
#[derive(Debug)]
pub(crate) struct Lines<'a> {
    text: &'a str,
    at: usize,
    number: usize,
    /// The directives that were read so far.
    pub directives: Directives,
}

/// A line of the file, without its line break.
#[derive(Clone, Copy)]
struct Physical<'a> {
    text: &'a str,
    source: usize,
}

impl Line {
    /// The place of `range` of the text in the file, in as many parts as the text is continued over.
    pub(crate) fn source(&self, range: Range<usize>) -> Vec<Range<usize>> {
        let ends = self.pieces.iter().skip(1).map(|piece| piece.text).chain([self.text.len()]);
        self.pieces
            .iter()
            .zip(ends)
            .filter_map(|(piece, end)| {
                let (start, end) = (range.start.max(piece.text), range.end.min(end));
                (start < end).then(|| piece.source + start - piece.text..piece.source + end - piece.text)
            })
            .collect()
    }

    /// The line as a line that stands in no file and is replayed on `line`.
    pub(crate) fn detached(self, line: usize) -> Self {
        Self { first: line, last: line, pieces: Vec::new(), ..self }
    }

    /// True if the line stands in no file.
    pub(crate) fn is_detached(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Appends `part`; true if the line goes on.
    fn push(&mut self, part: Physical<'_>, escape: char) -> bool {
        let kept = continued(part.text, escape);
        let text = kept.unwrap_or(part.text);
        self.pieces.push(Piece { text: self.text.len(), source: part.source });
        self.text.push_str(text);
        kept.is_some()
    }
}

impl<'a> Lines<'a> {
    pub(crate) fn new(text: &'a str, frontend: Frontend) -> Self {
        // A byte order mark is no part of the first line, but of the file.
        let at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        Self { text, at, number: 0, directives: Directives::new(frontend) }
    }

    /// The number of the file's line that was read last.
    pub(crate) fn number(&self) -> usize {
        self.number
    }

    /// Reads the next logical line, which is neither blank nor a comment; none at the end of the file.
    pub(crate) fn next_line(&mut self) -> Result<Option<Line>, ParseError> {
        while let Some(physical) = self.physical() {
            let text = physical.text.trim_start();
            let source = physical.source + physical.text.len() - text.len();
            self.directives.read(text).map_err(|reason| reason.at(self.number))?;
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let mut line = Line { first: self.number, ..Line::default() };
            let mut goes_on = line.push(Physical { text, source }, self.directives.escape);
            while goes_on {
                let Some(physical) = self.physical() else { break };
                let content = physical.text.trim_start();
                if !content.is_empty() && !content.starts_with('#') {
                    goes_on = line.push(physical, self.directives.escape);
                }
            }
            line.last = self.number;
            return Ok(Some(line));
        }
        Ok(None)
    }

    /// Reads over the bodies of `heredocs`, which the logical line that was read last announced.
    pub(crate) fn skip(&mut self, heredocs: &[Heredoc]) -> Result<(), ParseReason> {
        for heredoc in heredocs {
            loop {
                match self.physical() {
                    None => return Err(ParseReason::Heredoc(heredoc.terminator.clone())),
                    Some(line) if heredoc.ends_at(line.text) => break,
                    Some(_) => {}
                }
            }
        }
        Ok(())
    }

    fn physical(&mut self) -> Option<Physical<'a>> {
        let rest = self.text.get(self.at..).filter(|rest| !rest.is_empty())?;
        let length = rest.find('\n').map_or(rest.len(), |end| end + 1);
        let source = self.at;
        self.at += length;
        self.number += 1;
        Some(Physical { text: rest[..length].trim_end_matches(['\r', '\n']), source })
    }
}

/// The part of `text` before its continuation; none if the line is not continued.
fn continued(text: &str, escape: char) -> Option<&str> {
    let before = text.trim_end_matches([' ', '\t']).strip_suffix(escape)?;
    // An escape that is escaped itself continues nothing.
    (!before.ends_with(escape)).then_some(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<(usize, usize, String)> {
        let mut lines = Lines::new(text, Frontend::default());
        let mut found = Vec::new();
        while let Some(line) = lines.next_line().unwrap() {
            found.push((line.first, line.last, line.text));
        }
        found
    }

    #[test]
    fn continuations_join_over_comments_and_blank_lines() {
        type Expected = &'static [(usize, usize, &'static str)];
        let table: [(&str, Expected); 9] = [
            ("A\nB\n", &[(1, 1, "A"), (2, 2, "B")]),
            ("RUN a \\\n  b\nC", &[(1, 2, "RUN a   b"), (3, 3, "C")]),
            ("RUN a \\\n# no\n\n   \nb\nC", &[(1, 5, "RUN a b"), (6, 6, "C")]),
            ("RUN a \\  \t\nb", &[(1, 2, "RUN a b")]),
            ("RUN a \\\\\nB", &[(1, 1, "RUN a \\\\"), (2, 2, "B")]),
            ("\\\nRUN a", &[(1, 2, "RUN a")]),
            ("# escape=`\nRUN a `\nb \\\nC", &[(2, 3, "RUN a b \\"), (4, 4, "C")]),
            ("\u{feff}FROM a\r\nRUN b \\\r\n c\r\n", &[(1, 1, "FROM a"), (2, 3, "RUN b  c")]),
            ("RUN a \\", &[(1, 1, "RUN a ")]),
        ];
        for (text, expected) in table {
            let expected: Vec<_> = expected.iter().map(|(a, b, t)| (*a, *b, (*t).to_owned())).collect();
            assert_eq!(texts(text), expected, "{text:?}");
        }
    }

    #[test]
    fn every_byte_knows_its_place() {
        let text = "# c\n  FROM al\\\n# no\npine \\\n AS x\n";
        let line = Lines::new(text, Frontend::default()).next_line().unwrap().unwrap();
        assert_eq!(line.text, "FROM alpine  AS x");
        let parts: Vec<_> = line.source(5..11).into_iter().map(|range| &text[range]).collect();
        assert_eq!(parts, ["al", "pine"]);
    }

    #[test]
    fn directives_are_checked_where_they_stand() {
        let error =
            Lines::new("# escape=`\n# escape=`\nFROM a", Frontend::default()).next_line().unwrap_err();
        assert_eq!((error.line, error.reason), (2, ParseReason::RepeatedDirective("escape".to_owned())));
        let error = Lines::new("# escape=x\nFROM a", Frontend::default()).next_line().unwrap_err();
        assert_eq!(
            error.to_string(),
            "line 1: the escape character cannot be `x`; it is a backslash or a backtick"
        );
    }
}
