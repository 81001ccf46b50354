//! The tag of an environment's images: [`EnvironmentTag`].

use crate::reference::check_tag;

/// Stands for the environment's name.
const ENVIRONMENT: &str = "{environment}";

/// Stands for the id of the deployed commit.
const COMMIT: &str = "{commit}";

/// The length of the longest commit id, in hexadecimal digits: that of a SHA-256 repository.
const LONGEST_COMMIT: usize = 64;

/// The tag of an environment's images at the registry: one that every deployment moves, or, with `{commit}`, one of
/// its own for every deployed commit, for registries whose tags cannot be moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvironmentTag(String);

impl EnvironmentTag {
    /// Reads the tag of `environment` as `build.toml` has it. The error says what is wrong with the tag.
    pub(super) fn parse(text: &str, environment: &str) -> Result<Self, String> {
        let text = text.replace(ENVIRONMENT, environment);
        if text.starts_with("key-") {
            return Err("tags that start with `key-` name images by their content key".to_owned());
        }
        let longest = text.replace(COMMIT, &"0".repeat(LONGEST_COMMIT));
        if longest.contains(['{', '}']) {
            return Err(format!("`{text}` is not a tag: it may hold `{ENVIRONMENT}` and `{COMMIT}`"));
        }
        check_tag(&longest).map_err(|_| {
            let rules = "use letters, digits, `_`, `.` and `-`, at most 128 with the commit";
            if longest == text {
                format!("`{text}` is not a tag")
            } else {
                format!("`{text}` is not a tag: {rules}")
            }
        })?;
        Ok(Self(text))
    }

    /// The text of the tag; `{commit}` in it stands for the deployed commit.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The tag that deployments move; none where each commit has a tag of its own.
    #[must_use]
    pub fn moved(&self) -> Option<&str> {
        (!self.0.contains(COMMIT)).then_some(&*self.0)
    }

    /// The tag of a commit's images.
    #[must_use]
    pub fn of_commit(&self, commit: &str) -> String {
        self.0.replace(COMMIT, commit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_moves_or_belongs_to_a_commit() {
        let tag = |text| EnvironmentTag::parse(text, "staging").unwrap();
        assert_eq!(tag("stage").moved(), Some("stage"));
        assert_eq!(tag("{environment}-now").moved(), Some("staging-now"));
        let own = tag("{environment}-{commit}");
        assert_eq!((own.moved(), own.as_str()), (None, "staging-{commit}"));
        assert_eq!(own.of_commit("8d04"), "staging-8d04");
    }

    #[test]
    fn what_could_become_no_tag_is_refused() {
        for (text, part) in [
            ("{commit", "it may hold `{environment}` and `{commit}`"),
            ("{key}", "it may hold `{environment}` and `{commit}`"),
            ("-{commit}", "letters, digits"),
            (&*format!("{}-{{commit}}", "x".repeat(64)), "at most 128 with the commit"),
            ("key-{commit}", "start with `key-`"),
        ] {
            let error = EnvironmentTag::parse(text, "staging").unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
