//! Passwords for upstreams, from the user's netrc file, as the go command reads it
//! (cmd/go/internal/auth/netrc.go): `$NETRC`, else `~/.netrc`; the first line for a host wins.

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

    /// Login and password for a host.
    pub fn lookup(&self, host: &str) -> Option<(&str, &str)> {
        self.machines
            .iter()
            .find(|machine| machine.host == host)
            .map(|machine| (machine.login.as_str(), machine.password.as_str()))
    }
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
}
