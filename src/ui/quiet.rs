//! The renderer that shows failures only. Start with [`Quiet`].

use std::io::Write;

use crate::events::Event;

use super::Renderer;
use super::style::Palette;
use super::tally::{Dockerfiles, Tally};

/// The renderer that writes each failure when it happens, and nothing else.
pub(super) struct Quiet<W> {
    out: W,
    palette: Palette,
    tally: Tally,
}

impl<W: Write> Quiet<W> {
    pub(super) fn new(out: W, palette: Palette, dockerfiles: Dockerfiles) -> Self {
        Self { out, palette, tally: Tally::new(dockerfiles) }
    }
}

impl<W: Write> Renderer for Quiet<W> {
    fn event(&mut self, event: &Event) {
        if let Some(failure) = self.tally.follow(event) {
            let _ = failure.write(&mut self.out, self.palette);
        }
    }

    fn finish(&mut self) {
        let _ = self.out.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::samples::{dockerfiles, run};

    #[test]
    fn only_failures_are_written() {
        let mut out = Vec::new();
        let mut quiet = Quiet::new(&mut out, Palette::new(false), dockerfiles());
        for event in &run() {
            quiet.event(event);
        }
        let text = String::from_utf8(out).unwrap();
        let titles: Vec<_> = text.lines().filter(|line| !line.starts_with(' ')).collect();
        assert_eq!(
            titles,
            [
                "client failed: process `npm ci` did not complete",
                "deployment to staging failed: `ansible-playbook` ended with exit code 2",
            ]
        );
    }
}
