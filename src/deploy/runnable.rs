//! The obstacles to running a file as a program, found before the file is run. Start with [`obstacle`].

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::DeployError;

/// The number of bytes at the start of a file in which the system looks for an interpreter.
const START: u64 = 256;

/// The obstacle to running the file at `path`, which the user calls `program`; none where no obstacle is known.
///
/// The system itself says "no such file" of a script whose interpreter is missing.
pub(super) fn obstacle(program: &str, path: &Path) -> Option<DeployError> {
    let refused = |reason: String, hint: &str| {
        Some(DeployError::NotRunnable { program: program.to_owned(), reason, hint: hint.to_owned() })
    };
    let found = path.metadata().ok()?;
    if found.is_dir() {
        return refused("is a folder".to_owned(), "correct `command` in `build.toml`");
    }
    if found.permissions().mode() & 0o111 == 0 {
        let hint =
            format!("commit it with `git update-index --chmod=+x {program}`, after `chmod +x {program}`");
        return refused("is not executable".to_owned(), &hint);
    }
    let mut start = Vec::new();
    File::open(path).ok()?.take(START).read_to_end(&mut start).ok()?;
    let line = start.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    if line.ends_with(b"\r") {
        let hint = "save it with `\\n` at the ends of lines; `eol=lf` in `.gitattributes` keeps them so in every checkout";
        return refused(
            "has a carriage return at the end of its first line, which no interpreter's name has".to_owned(),
            hint,
        );
    }
    let line = String::from_utf8_lossy(line);
    let interpreter = line.split_ascii_whitespace().next()?;
    if Path::new(interpreter).is_absolute() && !Path::new(interpreter).exists() {
        let reason = format!("is for the interpreter `{interpreter}`, which is not on this machine");
        return refused(reason, "install it, or correct the first line");
    }
    None
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::error::Failure as _;

    #[test]
    fn what_keeps_a_script_from_running_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("deploy");
        for (text, mode, reason, hint) in [
            ("#!/bin/sh\n", 0o755, "", ""),
            ("no script", 0o755, "", ""),
            ("#!/bin/sh\n", 0o644, "is not executable", "git update-index --chmod=+x ./deploy"),
            ("#!/bin/sh\r\nexit\r\n", 0o755, "has a carriage return", "eol=lf"),
            ("#! /nowhere/python -u\n", 0o755, "the interpreter `/nowhere/python`", "install it"),
        ] {
            fs::write(&script, text).unwrap();
            fs::set_permissions(&script, fs::Permissions::from_mode(mode)).unwrap();
            let error = obstacle("./deploy", &script);
            let said = error.as_ref().map(ToString::to_string).unwrap_or_default();
            assert!(said.contains(reason) && said.is_empty() == reason.is_empty(), "{text:?}: {said}");
            assert!(error.map(|error| error.hint().unwrap()).unwrap_or_default().contains(hint), "{text:?}");
        }
        assert!(obstacle("./here", folder.path()).unwrap().to_string().ends_with("`./here` is a folder"));
        assert!(obstacle("./none", &folder.path().join("none")).is_none());
    }
}
