//! Passwords for upstreams, from the user's netrc file, as the go command reads it
//! (cmd/go/internal/auth): `$NETRC`, else `~/.netrc`. A machine is a prefix of URLs, `host`, `host:port` or
//! either with a path; the longest that covers a URL counts, and of equal ones the first.

use std::fmt;
use std::path::PathBuf;

/// The largest netrc file that is read, in bytes.
pub const MAX_NETRC: u64 = 1 << 20;

/// The machines of a netrc file.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Netrc {
    machines: Vec<Machine>,
}

#[derive(Clone, PartialEq, Eq, Default)]
struct Machine {
    host: String,
    login: String,
    password: String,
}

impl fmt::Debug for Netrc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Netrc({} machines)", self.machines.len())
    }
}

impl Netrc {
    /// Parses a netrc file's text. What is not understood is passed over, as the go command does.
    pub fn parse(text: &str) -> Netrc {
        let mut machines = Vec::new();
        let mut machine = Machine::default();
        let mut in_macro = false;
        for line in text.split('\n') {
            if in_macro {
                in_macro = !line.is_empty();
                continue;
            }
            let fields: Vec<&str> = line.split_whitespace().collect();
            let mut pairs = fields.chunks_exact(2);
            for pair in &mut pairs {
                match pair[0] {
                    "machine" => {
                        machine = Machine {
                            host: pair[1].to_owned(),
                            ..Machine::default()
                        }
                    }
                    "login" => machine.login = pair[1].to_owned(),
                    "password" => machine.password = pair[1].to_owned(),
                    "macdef" => in_macro = true,
                    _ => {}
                }
                if !machine.host.is_empty()
                    && !machine.login.is_empty()
                    && !machine.password.is_empty()
                {
                    machines.push(std::mem::take(&mut machine));
                }
            }
            // Nothing may follow a default entry; the go command uses none itself.
            if pairs.remainder() == ["default"] {
                break;
            }
        }
        Netrc { machines }
    }

    /// The file that the go command would read, or nothing where there is none.
    pub fn from_system() -> std::io::Result<Netrc> {
        let path = match std::env::var_os("NETRC").filter(|path| !path.is_empty()) {
            Some(path) => PathBuf::from(path),
            None => match std::env::var_os("HOME").filter(|home| !home.is_empty()) {
                Some(home) => PathBuf::from(home).join(".netrc"),
                None => return Ok(Netrc::default()),
            },
        };
        match crate::files::read_bounded(&path, MAX_NETRC) {
            Ok(bytes) => Ok(Netrc::parse(&String::from_utf8_lossy(&bytes))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Netrc::default()),
            Err(error) => Err(error),
        }
    }

    /// Login and password for a URL.
    pub fn lookup(&self, url: &str) -> Option<(&str, &str)> {
        let mut prefix = trimmed(url);
        loop {
            let found = self
                .machines
                .iter()
                .find(|machine| trimmed(&machine.host) == prefix);
            if let Some(machine) = found {
                return Some((&machine.login, &machine.password));
            }
            prefix = prefix.rsplit_once('/')?.0;
        }
    }
}

/// As machines and URLs are compared.
fn trimmed(url: &str) -> &str {
    let url = url.strip_prefix("https://").unwrap_or(url);
    url.strip_suffix('/').unwrap_or(url)
}

/// Whether GOAUTH has netrc passwords used. Its other commands are not run; it is as if they knew nothing.
pub fn wanted_by(goauth: &str) -> bool {
    goauth
        .split(';')
        .any(|command| command.split_whitespace().next() == Some("netrc"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_go_commands_reading_of_netrc() {
        let netrc = Netrc::parse(
            "machine incomplete login nobody\n\
             machine api.example.com login user password pwd\n\
             macdef macro\nmachine not.example.com login u password p\n\n\
             machine two.example.com\n login second\n password two\n\
             machine api.example.com login later password later\n\
             default\nmachine behind.example.com login u password p\n",
        );
        assert_eq!(netrc.lookup("api.example.com"), Some(("user", "pwd")));
        assert_eq!(netrc.lookup("two.example.com"), Some(("second", "two")));
        for absent in ["incomplete", "not.example.com", "behind.example.com", ""] {
            assert_eq!(netrc.lookup(absent), None, "{absent}");
        }
        assert!(!format!("{netrc:?}").contains("pwd"));
    }

    #[test]
    fn a_machine_is_a_prefix_of_urls() {
        let netrc = Netrc::parse(
            "machine h.example login host password p\n\
             machine h.example:8443 login port password p\n\
             machine h.example/go/private login path password p\n\
             machine https://s.example/ login scheme password p\n",
        );
        for (url, login) in [
            ("https://h.example/go/@v/list", Some("host")),
            ("https://h.example", Some("host")),
            ("https://h.example:8443/go", Some("port")),
            ("https://h.example:9443/go", None),
            ("https://h.example/go/private/x/@v/list", Some("path")),
            ("https://h.example/go/privately", Some("host")),
            ("https://s.example/x", Some("scheme")),
            ("https://a.h.example/", None),
            ("https://H.example/", None),
        ] {
            let found = netrc.lookup(url).map(|(login, _)| login);
            assert_eq!(found, login, "{url}");
        }
    }

    #[test]
    fn goauth_decides_whether_it_is_read() {
        for (goauth, read) in [
            ("netrc", true),
            ("git /repo; netrc", true),
            ("off", false),
            ("git /repo", false),
            ("/usr/bin/netrc", false),
        ] {
            assert_eq!(wanted_by(goauth), read, "{goauth}");
        }
    }
}
