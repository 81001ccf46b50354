//! A failure of dtbuild itself, shown. Start with [`ErrorView`]; what fails inside a run is told by its
//! events.

use std::io::{self, Write};

use serde::Serialize;

use crate::error::Code;

use super::style::Palette;
use super::text;
use crate::inert;

/// The JSON form's version: it changes when a reader of the last one would be misled.
const VERSION: u32 = 1;

/// What failed, why, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ErrorView {
    /// The name of the failure for programs.
    pub code: Code,
    /// What failed.
    pub message: String,
    /// Why, the nearest cause first.
    pub causes: Vec<String>,
    /// What to do.
    pub hint: Option<String>,
}

#[derive(Serialize)]
struct Json<'a> {
    version: u32,
    error: &'a ErrorView,
}

/// Writes a failure for people.
pub fn write_error(out: &mut impl Write, view: &ErrorView, styled: bool) -> io::Result<()> {
    let palette = Palette::new(styled);
    write_labelled(out, &palette.bad("error:").to_string(), &view.message)?;
    for cause in &view.causes {
        write_labelled(out, &format!("  {}", palette.dim("caused by:")), cause)?;
    }
    match &view.hint {
        Some(hint) => {
            hint.lines().try_for_each(|line| write_labelled(out, &palette.calm("hint:").to_string(), line))
        }
        None => Ok(()),
    }
}

/// Writes a failure for programs: one JSON object on one line.
pub fn write_error_json(out: &mut impl Write, view: &ErrorView) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &Json { version: VERSION, error: view })?;
    writeln!(out)
}

/// The first line behind the label, the others indented.
fn write_labelled(out: &mut impl Write, label: &str, text: &str) -> io::Result<()> {
    let mut lines = text::lines(text);
    writeln!(out, "{label} {}", lines.next().unwrap_or_default())?;
    lines.try_for_each(|line| writeln!(out, "    {}", inert::line(&line)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure() -> ErrorView {
        ErrorView {
            code: Code::ConfigInvalid,
            message: "cannot read `build.toml`:\nline 3, column 1: unknown key `contxt`".into(),
            causes: vec!["permission \u{1b}[2Jdenied".into()],
            hint: Some("did you mean `context`?\nrun `dtbuild help config`".into()),
        }
    }

    fn shown(styled: bool) -> String {
        let mut out = Vec::new();
        write_error(&mut out, &failure(), styled).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_failure_says_what_why_and_what_to_do() {
        insta::assert_snapshot!(shown(false), @r"
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
        let mut out = Vec::new();
        write_error(&mut out, &ErrorView { message, causes, hint, ..failure() }, false).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r"
        error: cannot read `a`:
            | ::add-mask::x
            ## vso[task.complete]
        ");
    }

    #[test]
    fn colours_change_no_words() {
        assert_ne!(shown(true), shown(false));
        assert_eq!(console::strip_ansi_codes(&shown(true)), shown(false));
    }

    #[test]
    fn json_holds_the_same() {
        let mut out = Vec::new();
        write_error_json(&mut out, &failure()).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(json["error"]["code"], "config-invalid");
        assert_eq!(json["error"]["causes"].as_array().unwrap().len(), 1);
        assert_eq!(json["version"], 1);
    }
}
