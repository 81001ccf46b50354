//! Lines of a log, made of the pieces that a step's output arrives in. Start with [`Lines`].
//!
//! What a step prints is foreign text on its way to a terminal or a CI log, so nothing is left in it that
//! could move the cursor or end a line.

use crate::inert;

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
