//! Lines of a log, made of the pieces that a step's output arrives in. Start with [`Lines`].
//!
//! What a step prints is foreign text on its way to a terminal or a CI log, so nothing is left in it that
//! could move the cursor or end a line.

/// Bytes that are kept of a line.
const LINE_LIMIT: usize = 4096;
/// What a cut line ends with.
const CUT: char = '…';

/// Puts the output of one step together.
#[derive(Default)]
pub(super) struct Lines {
    partial: Vec<u8>,
    carriage_return: bool,
    cut: bool,
}

impl Lines {
    /// Takes a piece of output; the lines that it completes go to `emit`.
    pub(super) fn push(&mut self, piece: &[u8], mut emit: impl FnMut(String)) {
        for &byte in piece {
            if byte == b'\n' {
                emit(self.take());
                continue;
            }
            if self.carriage_return {
                // As on a terminal: what follows overwrites the line. Progress bars leave their last state.
                self.partial.clear();
                self.cut = false;
                self.carriage_return = false;
            }
            match byte {
                b'\r' => self.carriage_return = true,
                byte if self.partial.len() < LINE_LIMIT => self.partial.push(byte),
                _ => self.cut = true,
            }
        }
    }

    /// Ends a line that has no end of its own.
    pub(super) fn finish(&mut self, emit: impl FnOnce(String)) {
        if !self.partial.is_empty() {
            emit(self.take());
        }
    }

    fn take(&mut self) -> String {
        let mut line = printable(&String::from_utf8_lossy(&self.partial));
        if self.cut {
            line.push(CUT);
        }
        *self = Self::default();
        line
    }
}

/// `text` without terminal escapes and control characters; tabs stay.
pub(super) fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\u{1b}' => skip_escape(&mut characters),
            '\t' => out.push('\t'),
            // Overrides of the writing direction make text read as what it is not.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {}
            character if character.is_control() => {}
            character => out.push(character),
        }
    }
    out
}

/// Skips the rest of an escape sequence (ECMA-48): CSI to its final byte, OSC and its like to their terminator.
fn skip_escape(characters: &mut std::str::Chars<'_>) {
    match characters.next() {
        Some('[') => {
            characters.find(|character| matches!(character, '\u{40}'..='\u{7e}'));
        }
        Some(']' | 'P' | 'X' | '^' | '_') => {
            while let Some(character) = characters.next() {
                if character == '\u{7}' {
                    break;
                }
                if character == '\u{1b}' {
                    characters.next();
                    break;
                }
            }
        }
        // A sequence with an intermediate byte has one more.
        Some('\u{20}'..='\u{2f}') => {
            characters.next();
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pieces: &[&[u8]]) -> Vec<String> {
        let (mut lines, mut out) = (Lines::default(), Vec::new());
        for piece in pieces {
            lines.push(piece, |line| out.push(line));
        }
        lines.finish(|line| out.push(line));
        out
    }

    #[test]
    fn lines_are_whole_however_they_arrive() {
        assert_eq!(lines(&[b"o", b"ne\ntw", b"o\r", b"\nthree"]), ["one", "two", "three"]);
        assert_eq!(lines(&["gr\u{fc}n".as_bytes().split_at(3).0, &[0xbc], b"n\n\n"]), ["grün", ""]);
        assert_eq!(lines(&[b"10%\r50%\r100%\n"]), ["100%"]);
        assert_eq!(lines(&[b"kept\r"]), ["kept"]);
    }

    #[test]
    fn a_log_cannot_rewrite_the_terminal() {
        let cases: [(&str, &str); 7] = [
            ("\u{1b}[2J\u{1b}[31mred\u{1b}[0m", "red"),
            ("\u{1b}]0;title\u{7}text", "text"),
            ("\u{1b}]8;;http://x\u{1b}\\link\u{1b}]8;;\u{1b}\\", "link"),
            ("\u{1b}(Bplain\u{1b}7", "plain"),
            ("a\tb\u{8}\u{0}\u{9b}c", "a\tbc"),
            ("abc\u{202e}cba", "abccba"),
            ("cut \u{1b}[", "cut "),
        ];
        for (text, expected) in cases {
            assert_eq!(printable(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_line_is_bounded() {
        let endless = vec![b'x'; 3 * LINE_LIMIT];
        let out = lines(&[&endless, b"\nnext\n"]);
        assert_eq!(out[0].chars().count(), LINE_LIMIT + 1);
        assert!(out[0].ends_with(CUT));
        assert_eq!(out[1], "next");
    }
}
