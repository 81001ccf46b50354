//! The view of the entries of `build.lock` that `dtbuild lock` changes, or finds changed. Start with [`LockView`].

use std::io::{self, Write};

use schemars::JsonSchema;
use serde::Serialize;

use crate::config::LockChange;

use super::style::Palette;
use super::text;
use super::view::View;

/// The version of the JSON: the version changes when a reader of the last version would be misled.
const VERSION: u32 = 1;

/// The changes of `build.lock`, in the order in which they are shown.
pub struct LockView(pub Vec<LockChange>);

/// The changes of `build.lock` as JSON.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Lock")]
pub struct LockJson<'a> {
    /// The version of this format.
    version: u32,
    changes: &'a [LockChange],
}

/// The text has a line per change, and is empty without changes.
impl View for LockView {
    type Json<'v> = LockJson<'v>;

    fn text(&self, out: &mut dyn Write, _: Palette) -> io::Result<()> {
        self.0.iter().try_for_each(|change| writeln!(out, "{}", words(change)))
    }

    fn json(&self) -> LockJson<'_> {
        LockJson { version: VERSION, changes: &self.0 }
    }
}

fn words(change: &LockChange) -> String {
    match change {
        LockChange::Added { name, digest } => format!("{}  added    {digest}", text::name(name)),
        LockChange::Dropped { name } => format!("{}  dropped", text::name(name)),
        LockChange::Moved { name, old, new } => format!("{}  moved    {old} -> {new}", text::name(name)),
        LockChange::Platforms { platforms } => {
            let platforms: Vec<&str> = platforms.iter().map(String::as_str).collect();
            format!("read for  {}", text::name(&platforms.join(", ")))
        }
        LockChange::Configured { name } => {
            format!("{}  read     its ONBUILD instructions and variables", text::name(name))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::Digest;
    use crate::ui::schemas::assert_valid;
    use crate::ui::view::{json_of, shown};

    #[test]
    fn changes_are_lines_and_objects() {
        let digest = |digit: &str| format!("sha256:{}", digit.repeat(64)).parse::<Digest>().unwrap();
        let view = LockView(vec![
            LockChange::Moved { name: "nginx:1.29".into(), old: digest("0"), new: digest("1") },
            LockChange::Dropped { name: "node:22".into() },
            LockChange::Platforms { platforms: ["linux/amd64".to_owned(), "linux/arm64".to_owned()].into() },
        ]);
        let (old, new) = (digest("0"), digest("1"));
        let lines = format!(
            "nginx:1.29  moved    {old} -> {new}\nnode:22  dropped\nread for  linux/amd64, linux/arm64\n"
        );
        assert_eq!(shown(&view, false), lines);
        let json: serde_json::Value = serde_json::from_str(&json_of(&view)).unwrap();
        assert_valid("lock", &json);
        assert_eq!(json["version"], 1);
        assert_eq!(json["changes"][1], serde_json::json!({ "change": "dropped", "name": "node:22" }));
    }
}
