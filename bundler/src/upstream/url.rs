//! Base URLs of upstreams: just enough of a URL parser for `https://`, `http://` and `file://`.
//!
//! A base is what GOPROXY and GOSUMDB name; request paths are joined to it. Passwords in a URL are kept
//! apart from its text, so no error, log line or progress line can show them.

use std::ffi::OsString;
use std::fmt;
use std::net::IpAddr;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// Where an upstream is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Base {
    /// Over HTTP.
    Http(HttpBase),
    /// A folder.
    File(PathBuf),
}

/// The base URL of an HTTP upstream.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpBase {
    /// `https`, or plain `http`.
    pub secure: bool,
    /// Host name or address, without brackets, lower case.
    pub host: String,
    /// As it stands in the URL: `host`, `host:port`, `[v6]:port`.
    authority: String,
    /// The port, given or the scheme's own.
    pub port: u16,
    /// The path, without a slash at its end; percent-encoding as given.
    path: String,
    /// User and password that stood in the URL.
    pub user: Option<(String, String)>,
}

/// Why a base URL was not accepted.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BaseError {
    /// No `scheme://`.
    #[error("{0:?} is no URL: it has no scheme (https://, http:// or file://)")]
    NoScheme(String),
    /// A scheme other than https, http and file.
    #[error("{url:?}: scheme {scheme:?} is not supported (https, http or file)")]
    Scheme {
        /// The URL, without its user part.
        url: String,
        /// Its scheme.
        scheme: String,
    },
    /// A `file://` URL with more than a path.
    #[error(
        "{0:?}: a file:// URL is file:// and an absolute path, without host, query or fragment"
    )]
    FileParts(String),
    /// No host, an unusable port, a query, a fragment, or characters that cannot be in a URL.
    #[error("{url:?}: {what}")]
    Malformed {
        /// The URL, without its user part.
        url: String,
        /// What is wrong with it.
        what: &'static str,
    },
}

impl Base {
    /// Parses a base URL.
    pub fn parse(text: &str) -> Result<Base, BaseError> {
        let shown = without_user(text);
        let (scheme, rest) = text
            .split_once(":/")
            .filter(|(scheme, _)| is_scheme(scheme))
            .ok_or_else(|| BaseError::NoScheme(shown.clone()))?;
        let malformed = |what| BaseError::Malformed {
            url: shown.clone(),
            what,
        };
        if text.bytes().any(|b| b <= b' ' || b == 0x7f) {
            return Err(malformed(
                "control characters and spaces cannot stand in a URL",
            ));
        }
        match scheme.to_ascii_lowercase().as_str() {
            "file" => {
                // Both file:/path and file:///path; a host, a query or a fragment is none of ours.
                let path = match rest.strip_prefix('/') {
                    Some(after) => after,
                    None => return parse_file(&format!("/{rest}"), &shown),
                };
                parse_file(path, &shown)
            }
            secure @ ("http" | "https") => {
                let rest = rest
                    .strip_prefix('/')
                    .ok_or_else(|| malformed("it has no host"))?;
                if rest.contains(['?', '#']) {
                    return Err(malformed("a query or fragment cannot stand in a base URL"));
                }
                let (authority, path) = match rest.find('/') {
                    Some(at) => rest.split_at(at),
                    None => (rest, ""),
                };
                // A password with a slash in it would be taken for a path, and be shown as one.
                if path.contains('@') {
                    return Err(malformed(
                        "an @ in its path is written %40, and a / in a password %2F",
                    ));
                }
                let (user, authority) = match authority.rsplit_once('@') {
                    Some((user, host)) => (Some(user), host),
                    None => (None, authority),
                };
                let user = user
                    .map(|user| {
                        let (name, password) = user.split_once(':').unwrap_or((user, ""));
                        Some((decode_text(name)?, decode_text(password)?))
                    })
                    .map(|pair| {
                        pair.ok_or_else(|| malformed("its user part is not percent-encoded text"))
                    })
                    .transpose()?;
                let (host, port) = split_port(authority);
                if host.is_empty() {
                    return Err(malformed("it has no host"));
                }
                let host = host.to_ascii_lowercase();
                // As for the go command; what never leaves this machine cannot be overheard.
                if user.is_some() && secure == "http" && !is_loopback(&host) {
                    return Err(malformed(
                        "a user or password does not go over plain http: use https",
                    ));
                }
                let default = if secure == "https" { 443 } else { 80 };
                let port = match port {
                    None | Some("") => default,
                    Some(port) => port
                        .parse()
                        .map_err(|_| malformed("its port is no number"))?,
                };
                Ok(Base::Http(HttpBase {
                    secure: secure == "https",
                    host,
                    authority: authority.to_owned(),
                    port,
                    path: path.trim_end_matches('/').to_owned(),
                    user,
                }))
            }
            other => Err(BaseError::Scheme {
                url: shown.clone(),
                scheme: other.to_owned(),
            }),
        }
    }

    /// The base with `path`, which begins with a slash, appended. For a folder, `path` must be made of
    /// module elements that were checked (no `..`, no empty element).
    pub fn join(&self, path: &str) -> Base {
        match self {
            Base::Http(base) => {
                let mut joined = base.clone();
                joined.path.push_str(path.trim_end_matches('/'));
                Base::Http(joined)
            }
            Base::File(folder) => Base::File(folder.join(path.trim_start_matches('/'))),
        }
    }
}

impl HttpBase {
    /// The URL that a redirect from here leads to, if that is on the same host, at the same port, by the same scheme.
    pub fn same_host(&self, location: &str) -> Option<String> {
        let scheme = if self.secure { "https" } else { "http" };
        let root = format!("{scheme}://{}", self.authority);
        let url = match location.starts_with('/') && !location.starts_with("//") {
            true => format!("{root}{location}"),
            false => location.to_owned(),
        };
        let behind = url.strip_prefix(&root)?;
        behind.starts_with('/').then_some(url)
    }

    /// Whether what comes from here can be changed on its way by whoever sits there: it is plain http, and leaves this machine.
    pub fn is_open(&self) -> bool {
        !self.secure && !is_loopback(&self.host)
    }

    /// The URL to request for `path`, which begins with a slash. User and password are not in it.
    pub fn url(&self, path: &str) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}{}{path}", self.authority, self.path)
    }
}

impl fmt::Debug for HttpBase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url(""))
    }
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Base::Http(base) => f.write_str(&base.url("")),
            Base::File(path) => write!(f, "file://{}", path.display()),
        }
    }
}

fn parse_file(path: &str, shown: &str) -> Result<Base, BaseError> {
    if !path.starts_with('/') || path.contains(['?', '#']) {
        return Err(BaseError::FileParts(shown.to_owned()));
    }
    let bytes = decode(path).ok_or_else(|| BaseError::FileParts(shown.to_owned()))?;
    Ok(Base::File(PathBuf::from(OsString::from_vec(bytes))))
}

/// `host`, `host:port`, `[v6]`, `[v6]:port` into host and port.
pub(super) fn split_port(authority: &str) -> (&str, Option<&str>) {
    if let Some(rest) = authority.strip_prefix('[') {
        if let Some((host, after)) = rest.split_once(']') {
            return (host, after.strip_prefix(':'));
        }
        return ("", None);
    }
    match authority.rsplit_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    }
}

/// The text with everything between the scheme and its last `@` left out: whatever the text means, that may
/// be a password. What stands before `:/` is a scheme only if it could be one.
pub(crate) fn without_user(text: &str) -> String {
    let Some((user, rest)) = text.rsplit_once('@') else {
        return text.to_owned();
    };
    let Some((scheme, after)) = user.split_once(":/").filter(|(name, _)| is_scheme(name)) else {
        return rest.to_owned();
    };
    let slash = if after.starts_with('/') { "/" } else { "" };
    format!("{scheme}:/{slash}{rest}")
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

/// Whether a host, in lower case, is this machine, whatever a resolver says.
pub(super) fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn decode_text(text: &str) -> Option<String> {
    String::from_utf8(decode(text)?).ok()
}

fn decode(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let high = char::from(bytes.next()?).to_digit(16)?;
        let low = char::from(bytes.next()?).to_digit(16)?;
        out.push((high * 16 + low) as u8);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn http(text: &str) -> HttpBase {
        match Base::parse(text).unwrap() {
            Base::Http(base) => base,
            Base::File(_) => panic!("{text} is a file"),
        }
    }

    #[test]
    fn http_bases_are_taken_apart() {
        let base = http("https://User%40:p%3Aw@Proxy.Example.com:8443/goproxy/");
        assert!(base.secure);
        assert_eq!((base.host.as_str(), base.port), ("proxy.example.com", 8443));
        assert_eq!(base.user, Some(("User@".into(), "p:w".into())));
        assert_eq!(
            base.url("/a/@v/list"),
            "https://Proxy.Example.com:8443/goproxy/a/@v/list"
        );
        assert_eq!(http("http://[::1]:80").host, "::1");
        assert_eq!(http("http://h").port, 80);
        assert_eq!(http("https://h/").url("/x"), "https://h/x");
    }

    #[test]
    fn passwords_are_never_shown() {
        let base = Base::parse("https://u:secret@h/p").unwrap();
        assert!(!format!("{base} {base:?}").contains("secret"));
        for bad in [
            "ftp://u:secret@h/",
            "https://u:secret@h/?q",
            "https://u:secret@/x",
            "https://u:se/cret@h",
            "https://u:/secret@h",
            "https://u:1/secret@h",
            "https://u:x@y/secret@h",
            "https:/u:secret@h",
            "https:u:secret@h",
            "u:secret:/x@h",
            "file://u:secret@h/x",
            "secret@h",
        ] {
            let error = Base::parse(bad).unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("cret"), "{error}");
        }
    }

    #[test]
    fn a_password_does_not_go_over_plain_http() {
        for refused in ["http://u:secret@h.example/p", "http://u@192.0.2.1:80"] {
            let error = Base::parse(refused).unwrap_err().to_string();
            assert!(
                error.contains("use https") && !error.contains("secret"),
                "{error}"
            );
        }
        for taken in [
            "http://u:p@LOCALHOST:1",
            "http://u:p@127.9.9.9",
            "http://u:p@[::1]:1",
        ] {
            assert!(http(taken).user.is_some(), "{taken}");
        }
    }

    #[test]
    fn what_anybody_on_the_way_can_change() {
        for open in [
            "http://h.example/p",
            "http://192.0.2.1:80",
            "http://localhost.example",
        ] {
            assert!(http(open).is_open(), "{open}");
        }
        for closed in [
            "https://h.example",
            "http://127.0.0.2:1",
            "http://LocalHost:8080/p",
            "http://[::1]",
        ] {
            assert!(!http(closed).is_open(), "{closed}");
        }
    }

    #[test]
    fn file_bases_are_folders() {
        for (text, path) in [
            ("file:///go/cache%20x/download", "/go/cache x/download"),
            ("file:/go", "/go"),
        ] {
            assert_eq!(
                Base::parse(text).unwrap(),
                Base::File(path.into()),
                "{text}"
            );
        }
        let joined = Base::parse("file:///c").unwrap().join("/a/@v/v1.mod");
        assert_eq!(joined, Base::File("/c/a/@v/v1.mod".into()));
    }

    #[test]
    fn other_things_are_refused() {
        for bad in [
            "",
            "proxy",
            "/abs/path",
            "ftp://h/",
            "https:///x",
            "https://h:port/",
            "http://h/a b",
            "file://host/path",
            "file:///p?q",
            "https://h/#f",
            "file:///%zz",
            "https://[::1/",
        ] {
            assert!(Base::parse(bad).is_err(), "{bad:?} was accepted");
        }
    }
}
