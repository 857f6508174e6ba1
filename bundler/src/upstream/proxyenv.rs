//! HTTPS_PROXY, HTTP_PROXY and NO_PROXY with the meaning that Go's programs give them
//! (golang.org/x/net/http/httpproxy): a proxy by scheme, loopback never through a proxy, a domain in
//! NO_PROXY covers its subdomains, addresses and CIDR ranges count.

use std::net::IpAddr;

use super::url::{is_loopback, split_port};

/// The proxy settings of the environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProxyEnv {
    /// HTTPS_PROXY: for `https://` URLs.
    pub https: Option<String>,
    /// HTTP_PROXY: for `http://` URLs.
    pub http: Option<String>,
    pub(super) no_proxy: Vec<Rule>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    All,
    Range {
        net: IpAddr,
        bits: u32,
    },
    Address {
        ip: IpAddr,
        port: Option<u16>,
    },
    Domain {
        suffix: String,
        itself: bool,
        port: Option<u16>,
    },
}

impl ProxyEnv {
    /// Reads the environment; upper case counts before lower case.
    pub fn from_system() -> ProxyEnv {
        let any = |upper: &str, lower: &str| {
            [upper, lower]
                .into_iter()
                .filter_map(|name| std::env::var(name).ok())
                .find(|value| !value.is_empty())
        };
        ProxyEnv {
            https: any("HTTPS_PROXY", "https_proxy"),
            http: any("HTTP_PROXY", "http_proxy"),
            no_proxy: rules(&any("NO_PROXY", "no_proxy").unwrap_or_default()),
        }
    }

    /// The proxy for a URL of this scheme, host and port, if any.
    pub fn proxy_for(&self, secure: bool, host: &str, port: u16) -> Option<&str> {
        let proxy = if secure { &self.https } else { &self.http };
        proxy.as_deref().filter(|_| !self.bypassed(host, port))
    }

    fn bypassed(&self, host: &str, port: u16) -> bool {
        let host = host.to_ascii_lowercase();
        let ip: Option<IpAddr> = host.parse().ok();
        if is_loopback(&host) {
            return true;
        }
        self.no_proxy.iter().any(|rule| match rule {
            Rule::All => true,
            Rule::Range { net, bits } => ip.is_some_and(|ip| in_range(ip, *net, *bits)),
            Rule::Address { ip: of, port: at } => ip == Some(*of) && at.is_none_or(|at| at == port),
            Rule::Domain {
                suffix,
                itself,
                port: at,
            } => {
                at.is_none_or(|at| at == port)
                    && (host.ends_with(suffix.as_str()) || (*itself && host == suffix[1..]))
            }
        })
    }
}

fn rules(list: &str) -> Vec<Rule> {
    let mut rules = Vec::new();
    for item in list.split(',') {
        let item = item.trim().to_ascii_lowercase();
        if item.is_empty() {
            continue;
        }
        if item == "*" {
            return vec![Rule::All];
        }
        if let Some((net, bits)) = item.split_once('/')
            && let (Ok(net), Ok(bits)) = (net.parse(), bits.parse())
        {
            rules.push(Rule::Range { net, bits });
            continue;
        }
        if let Ok(ip) = item.parse() {
            rules.push(Rule::Address { ip, port: None });
            continue;
        }
        let (host, port) = split_port(&item);
        let port = match port {
            None | Some("") => None,
            Some(port) => match port.parse() {
                Ok(port) => Some(port),
                Err(_) => continue,
            },
        };
        if host.is_empty() {
            continue;
        }
        if let Ok(ip) = host.parse() {
            rules.push(Rule::Address { ip, port });
            continue;
        }
        let host = host
            .strip_prefix('*')
            .filter(|host| host.starts_with('.'))
            .unwrap_or(host);
        let (suffix, itself) = if host.starts_with('.') {
            (host.to_owned(), false)
        } else {
            (format!(".{host}"), true)
        };
        rules.push(Rule::Domain {
            suffix,
            itself,
            port,
        });
    }
    rules
}

fn in_range(ip: IpAddr, net: IpAddr, bits: u32) -> bool {
    match (ip, net) {
        (IpAddr::V4(ip), IpAddr::V4(net)) if bits <= 32 => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            ip.to_bits() & mask == net.to_bits() & mask
        }
        (IpAddr::V6(ip), IpAddr::V6(net)) if bits <= 128 => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            ip.to_bits() & mask == net.to_bits() & mask
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(no_proxy: &str) -> ProxyEnv {
        ProxyEnv {
            https: Some("http://p:1".into()),
            http: None,
            no_proxy: rules(no_proxy),
        }
    }

    #[test]
    fn no_proxy_means_what_it_means_to_go() {
        let env_ = env(
            "corp.example, .sub.example,*.star.example,10.0.0.0/8,192.0.2.7,port.example:8443,fd00::/8",
        );
        let bypassed = |host: &str, port| env_.proxy_for(true, host, port).is_none();
        for host in [
            "corp.example",
            "a.corp.example",
            "CORP.example",
            "x.sub.example",
            "x.star.example",
            "10.255.0.1",
            "192.0.2.7",
            "fd00::1",
            "localhost",
            "127.0.0.1",
            "127.9.9.9",
            "::1",
        ] {
            assert!(bypassed(host, 443), "{host} goes through the proxy");
        }
        for host in [
            "notcorp.example",
            "sub.example",
            "star.example",
            "11.0.0.1",
            "192.0.2.8",
            "port.example",
            "fe00::1",
            "example",
        ] {
            assert!(!bypassed(host, 443), "{host} does not go through the proxy");
        }
        assert!(bypassed("port.example", 8443));
    }

    #[test]
    fn a_proxy_counts_for_its_scheme() {
        assert_eq!(env("").proxy_for(true, "h", 443), Some("http://p:1"));
        assert_eq!(env("").proxy_for(false, "h", 80), None);
        assert_eq!(env("a,*").proxy_for(true, "h", 443), None);
    }
}
