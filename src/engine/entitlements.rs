//! Entitlements: permissions of builds that an engine gives only where its configuration allows it. Start with
//! [`BuildRequest::entitled`].
//!
//! No engine tells its configuration (`/info`, `Control.Info` and `Control.ListWorkers` have nothing of it), but BuildKit
//! looks at the entitlements of a request before anything else. So a build asks for what its Dockerfile needs, and an
//! engine that does not allow it refuses before the first step.

use std::collections::BTreeMap;

use bstr::BStr;

use super::endpoint::Protocol;
use super::{BuildRequest, EngineError};
use crate::config::{ImageName, Network};
use crate::dockerfile::{Entitlement, EntitlementKind};

impl BuildRequest {
    /// The entitlements that the build needs, each with the words for what needs it.
    pub(super) fn entitled(&self) -> BTreeMap<EntitlementKind, String> {
        let network = self.options.network;
        entitled(&self.image, self.dockerfile_path.as_ref(), &self.entitlements, network)
    }
}

/// The entitlements of an image's build, each with the words for what needs it: its first line in the Dockerfile, or the
/// key of `build.toml`.
pub(crate) fn entitled(
    image: &ImageName,
    dockerfile: &BStr,
    lines: &[Entitlement],
    network: Option<Network>,
) -> BTreeMap<EntitlementKind, String> {
    let mut needs = BTreeMap::new();
    for entitlement in lines {
        let (flag, line) = (entitlement.kind.flag(), entitlement.line);
        let words = || format!("`RUN {flag}` of `{image}` ({dockerfile}:{line})");
        needs.entry(entitlement.kind).or_insert_with(words);
    }
    if network == Some(Network::Host) {
        let words = || format!("`network = \"host\"` of `{image}` (build.toml)");
        needs.entry(EntitlementKind::NetworkHost).or_insert_with(words);
    }
    needs
}

/// The entitlement that an engine refused with `text`.
pub(super) fn refused(text: &str) -> Option<EntitlementKind> {
    let (_, rest) = text.split_once("granting entitlement ")?;
    let (name, _) = rest.split_once(" is not allowed by build daemon configuration")?;
    EntitlementKind::ALL.into_iter().find(|kind| kind.name() == name)
}

/// The setting by which an engine allows an entitlement, as an instruction.
pub(crate) fn way_out(kind: EntitlementKind, protocol: Protocol) -> String {
    let name = kind.name();
    match protocol {
        Protocol::Docker => {
            let key = name.replace('.', "-");
            let setting = format!("{{\"builder\": {{\"entitlements\": {{\"{key}\": true}}}}}}");
            format!("allow it in the engine's daemon.json, `{setting}`, or take it out")
        }
        Protocol::BuildKit => {
            format!("start buildkitd with `--allow-insecure-entitlement {name}`, or take it out")
        }
    }
}

/// The error for an entitlement that `engine` does not allow.
pub(super) fn not_allowed(
    request: &BuildRequest,
    kind: EntitlementKind,
    (engine, protocol): (&str, Protocol),
) -> EngineError {
    let what = request.entitled().remove(&kind).unwrap_or_else(|| format!("`{}`", request.image));
    let (engine, hint) = (engine.to_owned(), way_out(kind, protocol));
    EngineError::NotAllowed { what, entitlement: kind, engine, hint }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::fake;
    use crate::error::Failure as _;

    const INSECURE: EntitlementKind = EntitlementKind::SecurityInsecure;

    #[test]
    fn a_refusal_names_the_line_and_the_way_out() {
        let mut request = fake::request("api");
        request.entitlements = [9, 12].map(|line| Entitlement { line, kind: INSECURE }).into();
        request.options.network = Some(Network::Host);
        let text = "granting entitlement security.insecure is not allowed by build daemon configuration";
        assert_eq!(refused(text), Some(INSECURE));
        let error = not_allowed(&request, INSECURE, ("docker 28.5.2", Protocol::Docker));
        assert!(error.is_unusable(), "another engine may allow it");
        assert_eq!(
            error.advice(),
            "`RUN --security=insecure` of `api` (api/Dockerfile:9) needs the entitlement `security.insecure`, which docker \
             28.5.2 does not allow; allow it in the engine's daemon.json, \
             `{\"builder\": {\"entitlements\": {\"security-insecure\": true}}}`, or take it out"
        );
        let error = not_allowed(&request, EntitlementKind::NetworkHost, ("buildkitd", Protocol::BuildKit));
        assert_eq!(
            error.advice(),
            "`network = \"host\"` of `api` (build.toml) needs the entitlement `network.host`, which buildkitd does not \
             allow; start buildkitd with `--allow-insecure-entitlement network.host`, or take it out"
        );
    }

    #[test]
    fn other_refusals_are_none_of_an_entitlement() {
        for text in ["network.host is not allowed", "granting entitlement device is not allowed", ""] {
            assert_eq!(refused(text), None, "{text}");
        }
    }
}
