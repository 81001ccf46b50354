//! Globs as `build.toml` declares them, each with its line. Start with [`DeclaredGlobs`].

use dtbuild_content::globs::Globs;
use toml::Spanned;

use super::validate::{Result, Validator};

/// Globs, and the lines of `build.toml` that name them.
#[derive(Clone, Debug)]
pub struct DeclaredGlobs {
    /// The compiled globs.
    pub globs: Globs,
    /// The line of `build.toml` of each glob, from 1, in the order of the globs.
    pub lines: Vec<usize>,
}

impl DeclaredGlobs {
    /// The text of each glob, with its line.
    pub fn iter(&self) -> impl Iterator<Item = (&str, usize)> {
        self.globs.texts().zip(self.lines.iter().copied())
    }
}

impl Validator<'_> {
    /// Compiles the globs of one key; none where the key has none.
    pub(super) fn globs(&self, values: &[Spanned<String>]) -> Result<Option<DeclaredGlobs>> {
        if values.is_empty() {
            return Ok(None);
        }
        // One by one first: an error belongs to the line of its glob.
        for value in values {
            Globs::new([value.get_ref()]).map_err(|error| self.error(value, error.to_string()))?;
        }
        let globs = Globs::new(values.iter().map(Spanned::get_ref));
        let globs = globs.map_err(|error| self.error(&values[0], error.to_string()))?;
        Ok(Some(DeclaredGlobs { globs, lines: values.iter().map(|value| self.line(value)).collect() }))
    }
}
