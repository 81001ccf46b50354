//! Sources that ADD fetches from the network. Start with [`Remote`].
//!
//! Git repositories, files and paths are told apart as in BuildKit's `frontend/dockerfile/dfgitutil/git_ref.go` and
//! `util/gitutil/git_url.go`.

use serde::Serialize;

/// A source of ADD that is fetched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Remote {
    /// The address, expanded.
    pub url: String,
    /// The way in which the source is fetched.
    pub kind: RemoteKind,
    /// The checksum that fixes the content: `--checksum`, or the commit that the address names. Without a checksum,
    /// only another request tells if the content has changed: the build is always stale.
    pub checksum: Option<String>,
    /// The line of the ADD.
    pub line: usize,
}

/// The way in which a source is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RemoteKind {
    /// One file, by HTTP.
    Http,
    /// A repository, by git.
    Git,
}

impl RemoteKind {
    /// The way in which `source` is fetched; none if `source` is a path in the context.
    pub(crate) fn of(source: &str) -> Option<Self> {
        if source.starts_with("./") || source.starts_with("../") {
            return None;
        }
        let Some((scheme, rest)) = source.split_once("://") else {
            return is_scp_style(source).then_some(Self::Git);
        };
        let path = rest.split(['?', '#']).next().unwrap_or_default();
        let repository = path.contains('/') && path.strip_suffix(".git").is_some();
        match scheme.to_ascii_lowercase().as_str() {
            "git" | "ssh" => Some(Self::Git),
            "http" | "https" if repository => Some(Self::Git),
            _ if matches!(scheme, "http" | "https") => Some(Self::Http),
            _ => None,
        }
    }
}

impl Remote {
    pub(crate) fn new(url: String, kind: RemoteKind, checksum: Option<String>, line: usize) -> Self {
        let checksum = checksum.filter(|checksum| !checksum.is_empty());
        let checksum = checksum.or_else(|| Self::fixed_by(&url, kind));
        Self { url, kind, checksum, line }
    }

    /// The part of an address that fixes the content: the commit that a repository's address names.
    pub(crate) fn fixed_by(url: &str, kind: RemoteKind) -> Option<String> {
        if kind == RemoteKind::Git { commit(url) } else { None }
    }
}

/// True for `user@host:path`, as scp and git write it.
fn is_scp_style(source: &str) -> bool {
    let Some((user, rest)) = source.split_once('@') else { return false };
    let Some((host, _)) = rest.split_once(':') else { return false };
    let user_char = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let host_char = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    !user.is_empty() && user.chars().all(user_char) && !host.is_empty() && host.chars().all(host_char)
}

/// The length of the shortest id of a commit, as git itself abbreviates ids.
const SHORTEST: usize = 7;

/// The commit that a repository's address names in full, or by an id that BuildKit checks.
fn commit(url: &str) -> Option<String> {
    let (address, fragment) = url.split_once('#').unwrap_or((url, ""));
    let query = address.split_once('?').map_or("", |(_, query)| query);
    let queried = |wanted: &[&str]| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find_map(|(name, value)| wanted.contains(&name).then_some(value))
    };
    let is_hex = |text: &&str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit());
    // BuildKit checks the commit against these, which may be short as with git.
    let checked = queried(&["checksum", "commit"]).filter(is_hex).filter(|text| text.len() >= SHORTEST);
    let named = || {
        let reference = queried(&["ref"]).or_else(|| fragment.split(':').next());
        reference.filter(is_hex).filter(|text| matches!(text.len(), 40 | 64))
    };
    checked.or_else(named).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_paths() {
        let table = [
            ("https://example.com/a.tgz", Some(RemoteKind::Http)),
            ("http://example.com/", Some(RemoteKind::Http)),
            ("https://github.com/a/b.git", Some(RemoteKind::Git)),
            ("https://github.com/a/b.git#v1:sub", Some(RemoteKind::Git)),
            ("https://github.com/a/b.git?tag=v1", Some(RemoteKind::Git)),
            ("https://example.com/a?x=b.git", Some(RemoteKind::Http)),
            ("git@github.com:a/b.git", Some(RemoteKind::Git)),
            ("git://example.com/a", Some(RemoteKind::Git)),
            ("ssh://git@example.com/a", Some(RemoteKind::Git)),
            ("github.com/a/b", None),
            ("./git@github.com:a", None),
            ("a@b/c:d", None),
            ("ftp://example.com/a", None),
            ("src/main.rs", None),
        ];
        for (source, expected) in table {
            assert_eq!(RemoteKind::of(source), expected, "{source}");
        }
    }

    #[test]
    fn a_full_commit_fixes_a_repository() {
        let sha = "0f".repeat(20);
        let checksum = |url: String, flag: Option<&str>| {
            Remote::new(url, RemoteKind::Git, flag.map(str::to_owned), 1).checksum
        };
        assert_eq!(checksum(format!("https://x/a.git#{sha}"), None), Some(sha.clone()));
        assert_eq!(checksum(format!("https://x/a.git#{sha}:sub"), None), Some(sha.clone()));
        assert_eq!(checksum(format!("https://x/a.git?branch=m&commit={sha}"), None), Some(sha.clone()));
        assert_eq!(checksum(format!("https://x/a.git?ref=main&checksum={sha}"), None), Some(sha.clone()));
        assert_eq!(checksum(format!("https://x/a.git?ref={sha}#main"), None), Some(sha.clone()));
        assert_eq!(
            checksum("https://x/a.git?tag=v1&checksum=0f0f0f0".to_owned(), None),
            Some("0f0f0f0".to_owned())
        );
        assert_eq!(checksum("https://x/a.git?checksum=0f".to_owned(), None), None);
        assert_eq!(checksum("https://x/a.git?commit=main".to_owned(), None), None);
        assert_eq!(checksum("https://x/a.git?tag=v1".to_owned(), None), None);
        assert_eq!(checksum("https://x/a.git#main".to_owned(), None), None);
        assert_eq!(checksum("https://x/a.git#main".to_owned(), Some("abc")), Some("abc".to_owned()));
    }
}
