//! The view of an [`Error`], which ends the program. Start with [`report`], which shows an error. Failures inside a
//! run are told by the events of the run.

use std::io::{self, Write};

use schemars::JsonSchema;
use serde::Serialize;

use crate::error::{Code, Error};
use crate::inert;

use super::style::{Palette, wants_colour};
use super::text;
use super::view::{self, Format, View};

/// The version of the JSON: the version changes when a reader of the last version would be misled.
const VERSION: u32 = 1;

/// The failure as JSON, which is written in place of the result.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Failure")]
pub struct FailureJson<'a> {
    /// The version of this format.
    version: u32,
    error: ErrorJson<'a>,
}

/// The error: its code, its message, its causes and the way out.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Error")]
struct ErrorJson<'a> {
    /// The stable name of the failure, for programs.
    code: Code,
    /// The failure and its reason, for people.
    message: &'a str,
    /// The texts of the errors that caused the failure, nearest first.
    causes: &'a [String],
    /// The way out, for people.
    hint: Option<&'a str>,
}

/// Reports an error: on stderr for people, on stdout for programs.
pub fn report(error: &Error, format: Format) {
    let stderr = Palette::new(wants_colour(&io::stderr()));
    // If the stream is closed, there is no other place to report to.
    let _ = match format {
        Format::Text => view::write(&mut io::stderr().lock(), error, format, stderr),
        Format::Json => view::write(&mut io::stdout().lock(), error, format, Palette::new(false)),
    };
}

impl View for Error {
    type Json<'v> = FailureJson<'v>;

    const ON_ONE_LINE: bool = true;

    fn text(&self, out: &mut dyn Write, palette: Palette) -> io::Result<()> {
        write_labelled(out, &palette.bad("error:").to_string(), &self.message)?;
        for cause in &self.causes {
            write_labelled(out, &format!("  {}", palette.dim("caused by:")), cause)?;
        }
        let mut hints = self.hint.iter().flat_map(|hint| hint.lines());
        hints.try_for_each(|line| write_labelled(out, &palette.calm("hint:").to_string(), line))
    }

    fn json(&self) -> FailureJson<'_> {
        let Self { code, message, causes, hint } = self;
        let error = ErrorJson { code: *code, message, causes, hint: hint.as_deref() };
        FailureJson { version: VERSION, error }
    }
}

/// Writes the first line of `text` behind the label, and the other lines indented.
fn write_labelled(out: &mut dyn Write, label: &str, text: &str) -> io::Result<()> {
    let mut lines = text::lines(text);
    writeln!(out, "{label} {}", lines.next().unwrap_or_default())?;
    lines.try_for_each(|line| writeln!(out, "    {}", inert::line(&line)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::schemas::assert_valid;
    use crate::ui::view::{json_of, shown};

    fn failure() -> Error {
        Error {
            code: Code::ConfigInvalid,
            message: "cannot read `build.toml`:\nline 3, column 1: unknown key `contxt`".into(),
            causes: vec!["permission \u{1b}[2Jdenied".into()],
            hint: Some("did you mean `context`?\nrun `dtbuild help config`".into()),
        }
    }

    #[test]
    fn a_failure_says_what_why_and_what_to_do() {
        insta::assert_snapshot!(shown(&failure(), false), @r"
        error: cannot read `build.toml`:
            line 3, column 1: unknown key `contxt`
          caused by: permission denied
        hint: did you mean `context`?
        hint: run `dtbuild help config`
        ");
    }

    #[test]
    fn no_line_of_a_message_is_a_command_of_a_ci_system() {
        let message = "cannot read `a`:\n::add-mask::x\n##vso[task.complete]".into();
        let (causes, hint) = (Vec::new(), None);
        insta::assert_snapshot!(shown(&Error { message, causes, hint, ..failure() }, false), @r"
        error: cannot read `a`:
            | ::add-mask::x
            ## vso[task.complete]
        ");
    }

    #[test]
    fn colours_change_no_words() {
        assert_ne!(shown(&failure(), true), shown(&failure(), false));
        assert_eq!(console::strip_ansi_codes(&shown(&failure(), true)), shown(&failure(), false));
    }

    #[test]
    fn json_holds_the_same() {
        let json: serde_json::Value = serde_json::from_str(&json_of(&failure())).unwrap();
        assert_valid("error", &json);
        assert_eq!(json["error"]["code"], "config-invalid");
        assert_eq!(json["error"]["causes"].as_array().unwrap().len(), 1);
        assert_eq!(json["version"], 1);
    }
}
