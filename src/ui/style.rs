//! Colours. Start with [`Palette`], which leaves text as it is where the stream takes no colours.

use std::fmt;
use std::io::IsTerminal;

use console::{Style, StyledObject};

/// The styles of text on one stream: with colours, or without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Palette {
    styled: bool,
}

impl Palette {
    /// A palette that colours text if `styled` is true, and else leaves text as it is.
    #[must_use]
    pub const fn new(styled: bool) -> Self {
        Self { styled }
    }

    fn apply<T: fmt::Display>(self, style: &Style, text: T) -> StyledObject<T> {
        style.apply_to(text).force_styling(self.styled)
    }

    pub(super) fn bold<T: fmt::Display>(self, text: T) -> StyledObject<T> {
        self.apply(&Style::new().bold(), text)
    }

    pub(super) fn dim<T: fmt::Display>(self, text: T) -> StyledObject<T> {
        self.apply(&Style::new().dim(), text)
    }

    pub(super) fn good<T: fmt::Display>(self, text: T) -> StyledObject<T> {
        self.apply(&Style::new().green(), text)
    }

    pub(super) fn busy<T: fmt::Display>(self, text: T) -> StyledObject<T> {
        self.apply(&Style::new().yellow(), text)
    }

    pub(super) fn calm<T: fmt::Display>(self, text: T) -> StyledObject<T> {
        self.apply(&Style::new().cyan(), text)
    }

    pub(super) fn bad<T: fmt::Display>(self, text: T) -> StyledObject<T> {
        self.apply(&Style::new().red().bold(), text)
    }
}

/// Tells whether a stream gets colours: a terminal does, unless `NO_COLOR` is set or `TERM` is `dumb`;
/// `CLICOLOR_FORCE` gives them to a file or a pipe as well.
#[must_use]
pub fn wants_colour(stream: &impl IsTerminal) -> bool {
    let set =
        |variable: &str| std::env::var_os(variable).is_some_and(|value| !value.is_empty() && value != "0");
    decide_colour(stream.is_terminal(), is_dumb(), set("NO_COLOR"), set("CLICOLOR_FORCE"))
}

/// Tells whether the terminal cannot move its cursor.
pub(super) fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

#[expect(clippy::fn_params_excessive_bools, reason = "four facts about the surroundings, one truth table")]
fn decide_colour(terminal: bool, dumb: bool, refused: bool, forced: bool) -> bool {
    !refused && (forced || (terminal && !dumb))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_for_terminals_that_take_them() {
        assert!(decide_colour(true, false, false, false));
        assert!(!decide_colour(false, false, false, false), "a file");
        assert!(!decide_colour(true, true, false, false), "a dumb terminal");
        assert!(!decide_colour(true, false, true, true), "NO_COLOR wins");
        assert!(decide_colour(false, false, false, true), "CLICOLOR_FORCE");
    }

    #[test]
    fn a_plain_palette_adds_nothing() {
        assert_eq!(Palette::new(false).bad("text").to_string(), "text");
        assert_ne!(Palette::new(true).bad("text").to_string(), "text");
    }
}
