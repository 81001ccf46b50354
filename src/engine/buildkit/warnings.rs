//! The warnings of a build: the rules of BuildKit's linter that a Dockerfile breaks, and other remarks of the engine.
//! Start with [`Warnings::take`].
//!
//! BuildKit has a linter since 0.14 (Docker 27). Its texts are `Rule: message (line 3)`:
//! <https://github.com/moby/buildkit/blob/v0.25.2/frontend/dockerfile/linter/linter.go>. A frontend is an image that
//! anybody may write, so all of it is text from outside.

use bollard_buildkit_proto::moby::buildkit::v1::VertexWarning;

use super::secrets::Secrets;
use crate::engine::telling::NAME_LIMIT;
use crate::events::BuildWarning;
use crate::inert;

/// The most warnings that are told of one build.
const MOST: usize = 200;
/// The most further lines of a warning that are told.
const DETAIL: usize = 20;

/// The warnings of one build, in the order in which they came.
#[derive(Default)]
pub(super) struct Warnings(Vec<BuildWarning>);

impl Warnings {
    /// Takes a warning of the engine; returns it if it is a new one.
    pub(super) fn take(&mut self, warning: &VertexWarning, secrets: &Secrets) -> Option<&BuildWarning> {
        let warning = read(warning, secrets);
        if self.0.len() >= MOST || self.0.contains(&warning) {
            return None;
        }
        self.0.push(warning);
        self.0.last()
    }

    /// The rules that failed a build with `text`, each as `Rule (line 3): message`, and the line of the first.
    ///
    /// With `# check=error=true`, BuildKit's error names the rules, and the warnings before it their lines.
    pub(super) fn failed(&self, text: &str) -> Option<(Vec<String>, Option<usize>)> {
        let (_, rules) = text.split_once("lint violation found for rules: ")?;
        let is_named = |warning: &&BuildWarning| {
            rules.split(',').any(|rule| warning.rule.as_deref() == Some(rule.trim()))
        };
        let named: Vec<&BuildWarning> = self.0.iter().filter(is_named).collect();
        let line = named.first()?.line;
        let told = named.iter().map(|warning| {
            let place = warning.line.map(|line| format!(" (line {line})")).unwrap_or_default();
            format!("{}{place}: {}", warning.rule.as_deref().unwrap_or_default(), warning.message)
        });
        Some((told.collect(), line))
    }
}

fn read(warning: &VertexWarning, secrets: &Secrets) -> BuildWarning {
    let line = warning.ranges.first().and_then(|range| range.start).map(|start| start.line);
    let line = line.and_then(|line| usize::try_from(line).ok()).filter(|line| *line > 0);
    let short = one_line(&warning.short, secrets);
    let (rule, message) = match short.split_once(": ").filter(|(rule, _)| is_rule(rule)) {
        Some((rule, message)) => (Some(rule.to_owned()), message),
        None => (None, short.as_str()),
    };
    // The line has a field of its own.
    let place = line.map(|line| format!(" (line {line})"));
    let message = place.and_then(|place| message.strip_suffix(&*place)).unwrap_or(message).to_owned();
    let detail = warning.detail.iter().take(DETAIL).map(|line| one_line(line, secrets));
    let detail = detail.filter(|line| !line.is_empty()).collect();
    let url = one_line(warning.url.as_bytes(), secrets);
    BuildWarning { rule, message, detail, line, url: (!url.is_empty()).then_some(url) }
}

/// True for the name of a linter's rule, such as `FromAsCasing`.
fn is_rule(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_uppercase())
        && name.chars().all(|character| character.is_ascii_alphanumeric())
}

fn one_line(text: &[u8], secrets: &Secrets) -> String {
    let text = String::from_utf8_lossy(text).lines().map(str::trim).collect::<Vec<_>>().join(" ");
    secrets.redact(inert::plain(&text).chars().take(NAME_LIMIT).collect())
}

#[cfg(test)]
mod tests {
    use bollard_buildkit_proto::pb::{Position, Range};

    use super::*;

    fn warning(short: &str, line: i32) -> VertexWarning {
        let start = Some(Position { line, character: 0 });
        VertexWarning {
            short: short.as_bytes().to_vec(),
            ranges: vec![Range { start, end: start }],
            ..VertexWarning::default()
        }
    }

    #[test]
    fn a_rule_its_line_and_its_page_are_told_once() {
        let mut warnings = Warnings::default();
        let given = VertexWarning {
            detail: vec![b"The 'as' keyword should match".to_vec()],
            url: "https://docs.docker.com/go/dockerfile/rule/from-as-casing/".to_owned(),
            ..warning("FromAsCasing: 'as' and 'FROM' keywords' casing do not match (line 3)", 3)
        };
        let told = warnings.take(&given, &Secrets::default()).unwrap();
        let expected = BuildWarning {
            rule: Some("FromAsCasing".to_owned()),
            message: "'as' and 'FROM' keywords' casing do not match".to_owned(),
            detail: vec!["The 'as' keyword should match".to_owned()],
            line: Some(3),
            url: Some("https://docs.docker.com/go/dockerfile/rule/from-as-casing/".to_owned()),
        };
        assert_eq!(told, &expected);
        assert_eq!(warnings.take(&given, &Secrets::default()), None);
        assert!(warnings.take(&warning("FromAsCasing: x (line 9)", 9), &Secrets::default()).is_some());
    }

    #[test]
    fn other_remarks_have_no_rule_and_what_they_say_is_inert() {
        let mut warnings = Warnings::default();
        let told =
            warnings.take(&warning("no such cache: \u{1b}[31mregistry\nis down", 0), &Secrets::default());
        let told = told.unwrap();
        assert_eq!((&told.rule, told.line, &told.url), (&None, None, &None));
        assert_eq!(told.message, "no such cache: registry is down");
    }

    #[test]
    fn warnings_are_bounded() {
        let mut warnings = Warnings::default();
        let taken = (1..1000)
            .filter(|line| warnings.take(&warning("Rule: text", *line), &Secrets::default()).is_some());
        assert_eq!(taken.count(), MOST);
    }
}
