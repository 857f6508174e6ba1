//! What the service manager is told (sd_notify(3)): that the server is ready, stopping, alive.
//!
//! A datagram to the socket that NOTIFY_SOCKET names, sent without connecting first, so that the unit can
//! forbid the process to connect to anything at all. Where there is no service manager, nothing happens.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// What there is to tell.
#[derive(Clone, Copy, Debug)]
pub enum State {
    /// Requests are answered.
    Ready,
    /// No new connections are taken.
    Stopping,
    /// Still alive.
    Watchdog,
}

impl State {
    fn text(self) -> &'static [u8] {
        match self {
            State::Ready => b"READY=1",
            State::Stopping => b"STOPPING=1",
            State::Watchdog => b"WATCHDOG=1",
        }
    }
}

/// Tells the service manager, where there is one. A failure is logged: nothing else depends on it.
pub fn notify(state: State) {
    let Some(socket) = std::env::var_os("NOTIFY_SOCKET") else {
        return;
    };
    if let Err(error) = send(&socket, state) {
        tracing::warn!(%error, ?state, "cannot notify the service manager");
    }
}

fn send(socket: &OsStr, state: State) -> io::Result<()> {
    // A leading @ stands for the NUL of an abstract name.
    let address = match socket.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(socket)?,
    };
    UnixDatagram::unbound()?
        .send_to_addr(state.text(), &address)
        .map(drop)
}

/// How often the service manager's watchdog wants to hear from this process, at least.
pub fn watchdog() -> Option<Duration> {
    let number = |name| std::env::var(name).ok()?.parse::<u64>().ok();
    // Meant for this process, or for whichever it is.
    match number("WATCHDOG_PID") {
        Some(pid) if pid != u64::from(std::process::id()) => None,
        _ => number("WATCHDOG_USEC")
            .filter(|&n| n > 0)
            .map(Duration::from_micros),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn paths_and_abstract_names_are_both_sockets() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let heard = UnixDatagram::bind(&path).unwrap();
        let name = format!("modferry-notify-{}", std::process::id());
        let abstract_address = SocketAddr::from_abstract_name(&name).unwrap();
        let heard_abstract = UnixDatagram::bind_addr(&abstract_address).unwrap();
        let mut buffer = [0; 64];
        send(path.as_os_str(), State::Ready).unwrap();
        assert_eq!(heard.recv(&mut buffer).unwrap(), 7);
        assert_eq!(&buffer[..7], b"READY=1");
        send(OsStr::new(&format!("@{name}")), State::Watchdog).unwrap();
        assert_eq!(heard_abstract.recv(&mut buffer).unwrap(), 10);
        assert!(send(OsStr::new("/nonexistent/socket"), State::Stopping).is_err());
    }
}
