//! The view of an unlocking. Start with [`UnlockView`].

use std::io::{self, Write};

use schemars::JsonSchema;
use serde::Serialize;

use crate::config::EnvironmentName;

use super::style::Palette;
use super::text;
use super::view::View;

/// The version of the JSON: the version changes when a reader of the last version would be misled.
const VERSION: u32 = 1;

/// An environment whose lease was taken from its holder.
#[derive(Clone, Copy, Debug)]
pub struct UnlockView<'a> {
    /// The environment.
    pub environment: &'a EnvironmentName,
    /// The run that held the lease, such as ``process 7 on `ci-1` ``; none where nobody did.
    pub holder: Option<&'a str>,
}

/// An unlocking as JSON.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Unlock")]
pub struct UnlockJson<'a> {
    /// The version of this format.
    version: u32,
    environment: &'a EnvironmentName,
    /// The run that held the lease; null where nobody did, and nothing was changed.
    holder: Option<&'a str>,
}

/// The text is one line.
impl View for UnlockView<'_> {
    type Json<'v>
        = UnlockJson<'v>
    where
        Self: 'v;

    fn text(&self, out: &mut dyn Write, _: Palette) -> io::Result<()> {
        let Self { environment, holder } = self;
        match holder {
            Some(holder) => writeln!(
                out,
                "{environment}: {} has no right to deploy any more; what it started may go on",
                text::one_line(holder)
            ),
            None => writeln!(out, "{environment}: nobody deploys; nothing was changed"),
        }
    }

    fn json(&self) -> UnlockJson<'_> {
        UnlockJson { version: VERSION, environment: self.environment, holder: self.holder }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::schemas::assert_valid;
    use crate::ui::view::{json_of, shown};

    #[test]
    fn an_unlocking_says_whose_right_ended() {
        let environment = "staging".parse().unwrap();
        let unlocked = UnlockView { environment: &environment, holder: Some("process 7 on `ci`") };
        assert_eq!(
            shown(&unlocked, false),
            "staging: process 7 on `ci` has no right to deploy any more; what it started may go on\n"
        );
        let idle = UnlockView { holder: None, ..unlocked };
        assert_eq!(shown(&idle, false), "staging: nobody deploys; nothing was changed\n");
        for view in [unlocked, idle] {
            assert_valid("unlock", &serde_json::from_str(&json_of(&view)).unwrap());
        }
    }
}
