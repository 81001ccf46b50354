//! Hosts and ports of servers. Start with [`PlainHosts`], the hosts that may be spoken to without TLS.

use reqwest::Url;

use crate::loopback::{is_loopback, without_port};

/// The hosts that may be spoken to without TLS: the hosts of this machine, and the hosts named here, with or without
/// a port.
#[derive(Clone, Debug, Default)]
pub(crate) struct PlainHosts(Vec<String>);

impl PlainHosts {
    /// The hosts of this machine and the hosts `named`.
    pub(crate) fn new(named: Vec<String>) -> Self {
        Self(named)
    }

    /// True if a host, with or without a port, may be spoken to without TLS.
    pub(crate) fn allow(&self, authority: &str) -> bool {
        let host = without_port(authority);
        is_loopback(host) || self.0.iter().any(|named| named == authority || named == host)
    }

    /// True if a URL has TLS, or its host may be spoken to without TLS by HTTP.
    pub(crate) fn accept(&self, url: &Url) -> bool {
        url.scheme() == "https" || (url.scheme() == "http" && self.allow(&authority(url)))
    }
}

/// The host and port of a URL, such as `registry.example.com:5000`.
pub(crate) fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_this_machine_and_for_hosts_named_insecure() {
        let plain = PlainHosts::new(vec!["registry.lan:5000".to_owned(), "other.lan".to_owned()]);
        for host in
            ["127.0.0.1:5000", "127.8.9.1", "localhost:1", "[::1]:5000", "registry.lan:5000", "other.lan:7"]
        {
            assert!(plain.allow(host), "{host}");
        }
        for host in
            ["registry.lan:5001", "registry.lan", "localhost.example.com", "127.example.com", "10.0.0.1:5000"]
        {
            assert!(!plain.allow(host), "{host}");
        }
        let url = |text: &str| Url::parse(text).unwrap();
        assert!(plain.accept(&url("https://elsewhere.example")) && plain.accept(&url("http://other.lan/x")));
        assert!(!plain.accept(&url("http://elsewhere.example")) && !plain.accept(&url("ftp://localhost")));
    }
}
