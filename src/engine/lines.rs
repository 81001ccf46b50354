//! The lines of a log, put together from the pieces in which a step's output arrives. Start with [`Lines`].
//!
//! The output of a step is foreign text on its way to a terminal or a CI log, so a line keeps no character
//! that could move the cursor or end the line.

use crate::inert;

/// The longest line that is kept, in bytes.
const LINE_LIMIT: usize = 4096;
/// The mark at the end of a line that was cut.
const CUT: char = '…';

/// The lines of one step's output, put together from pieces.
#[derive(Default)]
pub(super) struct Lines {
    partial: Vec<u8>,
    carriage_return: bool,
    cut: bool,
}

impl Lines {
    /// Takes a piece of output, and gives each line that the piece completes to `emit`.
    pub(super) fn push(&mut self, piece: &[u8], mut emit: impl FnMut(String)) {
        for &byte in piece {
            if byte == b'\n' {
                emit(self.take());
                continue;
            }
            if self.carriage_return {
                // As on a terminal, text after a carriage return overwrites the line. Of a progress bar the
                // last state stays.
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

    /// Ends the last line if it has no line end of its own, and gives it to `emit`.
    pub(super) fn finish(&mut self, emit: impl FnOnce(String)) {
        if !self.partial.is_empty() {
            emit(self.take());
        }
    }

    fn take(&mut self) -> String {
        let mut line = inert::plain(&String::from_utf8_lossy(&self.partial)).into_owned();
        if self.cut {
            line.push(CUT);
        }
        *self = Self::default();
        line
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
    fn a_line_is_bounded() {
        let endless = vec![b'x'; 3 * LINE_LIMIT];
        let out = lines(&[&endless, b"\nnext\n"]);
        assert_eq!(out[0].chars().count(), LINE_LIMIT + 1);
        assert!(out[0].ends_with(CUT));
        assert_eq!(out[1], "next");
    }
}
