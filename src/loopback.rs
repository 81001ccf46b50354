//! The addresses of this machine itself. Start with [`is_loopback`].

use std::net::IpAddr;

/// True if a host, with or without a port, is this machine, to which connections have neither TLS nor a proxy in
/// between: `localhost:5000`, `127.0.0.1`, `[::1]:5000`, `::1`.
///
/// An IPv4 address written as IPv6 counts as the address that is connected to. No name is resolved: a name other than
/// `localhost` is another machine.
pub(crate) fn is_loopback(authority: &str) -> bool {
    let host = without_port(authority);
    let name = host.strip_suffix('.').unwrap_or(host);
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let address = bare.parse::<IpAddr>();
    name.eq_ignore_ascii_case("localhost")
        || address.is_ok_and(|address| address.to_canonical().is_loopback())
}

/// The host of an authority, without the port if there is one. An IPv6 address with a port has brackets.
pub(crate) fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if host.ends_with(']') || !host.contains(':') => {
            if port.bytes().all(|byte| byte.is_ascii_digit()) { host } else { authority }
        }
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_loopback() {
        for host in [
            "localhost",
            "LocalHost",
            "localhost.",
            "127.0.0.1",
            "127.8.9.1",
            "[::1]",
            "[0:0:0:0:0:0:0:1]",
            "[::ffff:127.0.0.1]",
        ] {
            assert!(is_loopback(host), "{host}");
            assert!(is_loopback(&format!("{host}:5000")), "{host} with a port");
        }
        for bare in ["::1", "::ffff:127.0.0.1"] {
            assert!(is_loopback(bare), "{bare}");
        }
    }

    #[test]
    fn every_other_host_is_another_machine() {
        for host in [
            "",
            ":5000",
            "10.0.0.1",
            "10.0.0.1:5000",
            "127.example.com",
            "127.0.0.1.example.com",
            "localhost.example.com",
            "localhost..",
            "localhost:name",
            "me@localhost",
            "example.com:127",
            "r.example",
            "[::1",
            "::1]",
            "[::2]",
            "[::ffff:10.0.0.1]:5000",
            "::1:5000",
            "0.0.0.0",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
