//! Platforms, such as `linux/arm64`, in their normal form. Start with [`Platform`].
//!
//! The normal forms are those of containerd's `platforms` package, which BuildKit's frontend uses.

use std::fmt;

/// An operating system, an architecture and perhaps its variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Platform {
    pub os: String,
    pub architecture: String,
    pub variant: String,
}

/// The normal form of a platform, such as `linux/arm64` for `linux/aarch64`; none if the text is no platform.
#[must_use]
pub(crate) fn normal(platform: &str) -> Option<String> {
    Platform::new(platform, None).map(|platform| platform.to_string())
}

impl Platform {
    /// Reads `os`, `architecture`, `os/architecture` or `os/architecture/variant`. Parts that are left out are those
    /// of `host`, or of Linux on amd64 without a host; none if the text is no platform.
    pub(crate) fn new(text: &str, host: Option<&Platform>) -> Option<Self> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        let parts: Vec<String> = text.split('/').map(str::to_lowercase).collect();
        if parts.iter().any(|part| part.is_empty() || !part.chars().all(allowed)) {
            return None;
        }
        let host_architecture = || host.map_or("amd64", |host| &host.architecture).to_owned();
        let os = |name: &str| if name == "macos" { "darwin" } else { name }.to_owned();
        let (os, architecture, variant) = match parts.as_slice() {
            [one] if matches!(one.as_str(), "linux" | "windows" | "darwin" | "macos" | "freebsd") => {
                (os(one), host_architecture(), String::new())
            }
            [one] => (host.map_or("linux", |host| &host.os).to_owned(), one.clone(), String::new()),
            [first, second] => (os(first), second.clone(), String::new()),
            [first, second, third] => (os(first), second.clone(), third.clone()),
            _ => return None,
        };
        let (architecture, variant) = normal_architecture(&architecture, &variant);
        Some(Self { os, architecture, variant })
    }
}

fn normal_architecture(architecture: &str, variant: &str) -> (String, String) {
    let (architecture, variant) = match (architecture, variant) {
        ("i386", _) => ("386", ""),
        ("x86_64" | "x86-64" | "amd64", "v1") => ("amd64", ""),
        ("x86_64" | "x86-64", variant) => ("amd64", variant),
        ("aarch64" | "arm64", "8" | "v8" | "v8.0") => ("arm64", ""),
        ("aarch64" | "arm64", "9" | "9.0" | "v9.0") => ("arm64", "v9"),
        ("aarch64", variant) => ("arm64", variant),
        ("armhf", _) | ("arm", "" | "7") => ("arm", "v7"),
        ("armel", _) | ("arm", "6") => ("arm", "v6"),
        ("arm", "5") => ("arm", "v5"),
        ("arm", "8") => ("arm", "v8"),
        other => other,
    };
    (architecture.to_owned(), variant.to_owned())
}

impl fmt::Display for Platform {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.os, self.architecture)?;
        if self.variant.is_empty() { Ok(()) } else { write!(formatter, "/{}", self.variant) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_have_one_normal_form() {
        let table = [
            ("linux/amd64", Some("linux/amd64")),
            ("Linux/x86_64", Some("linux/amd64")),
            ("linux/arm64/v8", Some("linux/arm64")),
            ("linux/aarch64", Some("linux/arm64")),
            ("linux/arm", Some("linux/arm/v7")),
            ("linux/arm/v6", Some("linux/arm/v6")),
            ("linux/armhf", Some("linux/arm/v7")),
            ("linux", Some("linux/amd64")),
            ("arm64", Some("linux/arm64")),
            ("linux/amd64/v3", Some("linux/amd64/v3")),
            ("", None),
            ("linux/", None),
            ("a/b/c/d", None),
            ("linux/*", None),
        ];
        for (text, expected) in table {
            let platform = Platform::new(text, None).map(|platform| platform.to_string());
            assert_eq!(platform.as_deref(), expected, "{text}");
        }
    }
}
