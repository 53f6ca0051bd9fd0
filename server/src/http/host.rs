//! The `Host` header: on loopback only names of this machine pass, so that a web page cannot point its own name here.

use poem::Request;
use poem::http::header::HOST;
use std::net::IpAddr;

/// Whether the request names this machine or a name that the configuration allows.
///
/// A page at `evil.example` may let its name resolve to 127.0.0.1 (DNS rebinding); its requests carry that name.
pub fn is_ours(request: &Request, allowed: &[String]) -> bool {
    let host = match request.uri().host() {
        Some(host) => host,
        None => match request.headers().get(HOST).and_then(|value| value.to_str().ok()) {
            Some(value) => without_port(value),
            None => return false,
        },
    };
    is_local(host) || allowed.iter().any(|name| name.eq_ignore_ascii_case(host))
}

fn without_port(value: &str) -> &str {
    match value.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => value,
    }
}

fn is_local(host: &str) -> bool {
    if host == "127.0.0.1" || host.eq_ignore_ascii_case("localhost") {
        return true;
    }
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(host: &str) -> bool {
        let request = Request::builder().header(HOST, host).uri_str("/graphql").finish();
        is_ours(&request, &["db.internal".to_owned()])
    }

    #[test]
    fn names_of_this_machine_pass_and_others_do_not() {
        for host in [
            "localhost",
            "localhost:4000",
            "LOCALHOST",
            "127.0.0.1:1",
            "127.9.9.9",
            "[::1]:4000",
            "[::1]",
            "db.internal:80",
        ] {
            assert!(passes(host), "{host}");
        }
        for host in
            ["evil.example", "localhost.evil.example", "192.168.0.1", "127.0.0.1.nip.io:4000", "", ":4000", "[::2]"]
        {
            assert!(!passes(host), "{host}");
        }
        assert!(!is_ours(&Request::builder().uri_str("/graphql").finish(), &[]));
    }
}
