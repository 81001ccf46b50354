//! The arguments of the whole file: arguments before the first stage, and arguments that need no declaration.
//! Start with [`globals`].

use super::analysis::{AnalysisError, Options};
use super::file::Dockerfile;
use super::instruction::Kind;
use super::scope::Globals;
use super::text::Rules;
use crate::platform::Platform;

/// The proxy arguments: they are passed to a build's network access, and not to its cache.
const PROXIES: [&str; 5] = ["http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy"];

/// The platform arguments, which need no declaration outside of stages.
const PLATFORM: [&str; 11] = [
    "BUILDPLATFORM",
    "BUILDOS",
    "BUILDOSVERSION",
    "BUILDARCH",
    "BUILDVARIANT",
    "TARGETPLATFORM",
    "TARGETOS",
    "TARGETOSVERSION",
    "TARGETARCH",
    "TARGETVARIANT",
    "TARGETSTAGE",
];

/// The arguments before the first stage, with the arguments that the build itself declares.
pub(super) fn globals(
    file: &Dockerfile,
    options: &Options<'_>,
    rules: Rules,
) -> Result<Globals, AnalysisError> {
    let platform = |text: &str, host: Option<&Platform>| {
        Platform::new(text, host).ok_or_else(|| AnalysisError::Platform(text.to_owned()))
    };
    let build = platform(options.build_platform, None)?;
    let target = platform(options.platform, Some(&build))?;
    let last = file.stages.last().and_then(|stage| stage.name.as_deref());
    let stage = options.target.filter(|target| !target.is_empty()).or(last).unwrap_or("default");
    let mut globals = Globals::new((&target, &build), stage, options.args, rules.frontend);
    for instruction in &file.globals {
        let Kind::Arg(pairs) = &instruction.kind else { continue };
        for (name, default) in pairs {
            globals
                .declare(name, default.as_deref(), rules, options.args)
                .map_err(|reason| AnalysisError::Expand { line: instruction.line, reason })?;
        }
    }
    Ok(globals)
}

pub(super) fn is_proxy(name: &str) -> bool {
    PROXIES.iter().any(|proxy| name.eq_ignore_ascii_case(proxy))
}

pub(super) fn is_predefined(name: &str) -> bool {
    is_proxy(name) || PLATFORM.contains(&name) || name.starts_with("BUILDKIT_") || name == "SOURCE_DATE_EPOCH"
}
