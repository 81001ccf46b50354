//! A warning of the engine, as renderers show it. Start with [`Warning`], which
//! [`Tally::warning`](super::tally::Tally::warning) makes.

use crate::config::ImageName;
use crate::events::BuildWarning;

use super::text;

/// A warning about the build of an image.
#[derive(Clone, Copy, Debug)]
pub(super) struct Warning<'a> {
    pub(super) image: &'a ImageName,
    /// The path of the image's Dockerfile from the repository's root, where it is known.
    pub(super) dockerfile: Option<&'a str>,
    /// The warning, as the engine told it.
    pub(super) told: &'a BuildWarning,
}

impl Warning<'_> {
    /// The warning in one line: `warning: api/Dockerfile:3: FromAsCasing: ... (https://...)`.
    pub(super) fn line(&self) -> String {
        let place = match (self.dockerfile, self.told.line) {
            (Some(dockerfile), Some(line)) => format!("{}:{line}", text::name(dockerfile)),
            (Some(dockerfile), None) => text::name(dockerfile).into_owned(),
            (None, Some(line)) => format!("{}, line {line}", self.image),
            (None, None) => self.image.to_string(),
        };
        let page = self.told.url.as_deref().map(|url| format!(" ({})", text::one_line(url)));
        format!("warning: {place}: {}{}", self.message(), page.unwrap_or_default())
    }

    /// The rule, if there is one, and the message.
    pub(super) fn message(&self) -> String {
        let message = text::one_line(&self.told.message);
        match &self.told.rule {
            Some(rule) => format!("{}: {message}", text::name(rule)),
            None => message,
        }
    }

    /// The Dockerfile's path and line, where both are known.
    pub(super) fn place(&self) -> Option<(&str, usize)> {
        Some((self.dockerfile?, self.told.line?))
    }
}
