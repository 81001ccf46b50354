//! The views of results. Start with [`View`], which every result implements; [`print`] writes any view to stdout.
//!
//! Another format is one more variant of [`Format`], one more method of [`View`] and one more arm in [`write`]; the
//! compiler then names every view that lacks the format.

use std::io::{self, BufWriter, Write};

use schemars::JsonSchema;
use serde::Serialize;

use crate::error::{Code, Error, Result};

use super::style::{Palette, wants_colour};

/// The format of a result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Lines for people, in colours where the stream takes them.
    #[default]
    Text,
    /// One JSON object for programs.
    Json,
}

/// A result that can be printed in every [`Format`].
pub trait View {
    /// The JSON object. Its JSON Schema in `docs/schemas` is generated from this type.
    type Json<'v>: Serialize + JsonSchema
    where
        Self: 'v;

    /// True for a JSON object that is written on one line, and not indented.
    const ON_ONE_LINE: bool = false;

    /// Writes the result for people.
    ///
    /// # Errors
    /// When the stream cannot be written to.
    fn text(&self, out: &mut dyn Write, palette: Palette) -> io::Result<()>;

    /// The result for programs.
    fn json(&self) -> Self::Json<'_>;
}

/// Writes a view to a stream.
///
/// # Errors
/// When the stream cannot be written to.
pub(super) fn write<V: View>(
    out: &mut impl Write,
    view: &V,
    format: Format,
    palette: Palette,
) -> io::Result<()> {
    match format {
        Format::Text => view.text(out, palette),
        Format::Json => {
            if V::ON_ONE_LINE {
                serde_json::to_writer(&mut *out, &view.json())?;
            } else {
                serde_json::to_writer_pretty(&mut *out, &view.json())?;
            }
            writeln!(out)
        }
    }
}

/// Prints a view to stdout. A reader that closed the stream, such as `head`, is no failure.
///
/// # Errors
/// When stdout cannot be written to.
pub fn print<V: View>(view: &V, format: Format) -> Result<()> {
    let palette = Palette::new(wants_colour(&io::stdout()));
    // Without a buffer, stdout writes line by line.
    let mut out = BufWriter::with_capacity(1 << 14, io::stdout().lock());
    match write(&mut out, view, format, palette).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::new(Code::OutputUnwritable, format!("cannot write the result: {error}")))
        }
        _ => Ok(()),
    }
}

/// A view as text, for tests.
#[cfg(test)]
pub(super) fn shown(view: &impl View, styled: bool) -> String {
    let mut out = Vec::new();
    view.text(&mut out, Palette::new(styled)).unwrap();
    String::from_utf8(out).unwrap()
}

/// The bytes of a view as JSON, for tests.
#[cfg(test)]
pub(super) fn json_of(view: &impl View) -> String {
    let mut out = Vec::new();
    write(&mut out, view, Format::Json, Palette::new(false)).unwrap();
    String::from_utf8(out).unwrap()
}
