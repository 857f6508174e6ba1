//! Asks on the terminal for what must not be shown.
//!
//! The terminal stops echoing *before* the prompt stands there, so that nothing that is typed at it appears; and
//! it gives its keys one by one, so that ^C is seen here and the terminal is put back as it was in every case.
//! (With an ordinary terminal ^C would end the process at once, and leave a shell behind that shows nothing.)

use std::fs::File;
use std::io::{self, Read, Write};

use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};
use zeroize::Zeroizing;

/// Asks on the process's own terminal, whatever stdin and stdout are. At most `limit` bytes are taken.
pub fn ask(prompt: &str, limit: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    let tty = File::options().read(true).write(true).open("/dev/tty")?;
    let hidden = Hidden::on(&tty)?;
    (&tty).write_all(format!("{prompt}: ").as_bytes())?;
    let line = read_line(&tty, limit);
    (&tty).write_all(b"\n")?;
    drop(hidden);
    line
}

/// A terminal that shows nothing, until this is dropped.
struct Hidden<'t> {
    tty: &'t File,
    before: Termios,
}

impl<'t> Hidden<'t> {
    fn on(tty: &'t File) -> io::Result<Self> {
        let before = tcgetattr(tty)?;
        let mut hidden = before.clone();
        let shown = LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG;
        hidden.local_modes.remove(shown);
        hidden.special_codes[SpecialCodeIndex::VMIN] = 1;
        hidden.special_codes[SpecialCodeIndex::VTIME] = 0;
        // What was typed before was shown, so it is no passphrase: it is dropped.
        tcsetattr(tty, OptionalActions::Flush, &hidden)?;
        Ok(Self { tty, before })
    }
}

impl Drop for Hidden<'_> {
    fn drop(&mut self) {
        let _ = tcsetattr(self.tty, OptionalActions::Now, &self.before);
    }
}

/// A line, with the keys by which people mend one.
fn read_line(mut keys: impl Read, limit: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    // Room for all of it at once: a buffer that grows would leave copies of the secret behind.
    let mut line = Zeroizing::new(Vec::with_capacity(limit));
    let mut key = [0];
    loop {
        if keys.read(&mut key)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match key[0] {
            b'\n' | b'\r' => return Ok(line),
            CONTROL_C => return Err(io::ErrorKind::Interrupted.into()),
            CONTROL_D if line.is_empty() => return Err(io::ErrorKind::UnexpectedEof.into()),
            BACKSPACE | DELETE => {
                // A whole character: its last byte, and where that is not its first, those before it.
                while line.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
            }
            CONTROL_U => line.clear(),
            _ if line.len() == limit => {
                let what = format!("more than {limit} bytes");
                return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
            }
            byte => line.push(byte),
        }
    }
}

const CONTROL_C: u8 = 0x03;
const CONTROL_D: u8 = 0x04;
const BACKSPACE: u8 = 0x08;
const CONTROL_U: u8 = 0x15;
const DELETE: u8 = 0x7f;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_line_can_be_mended_while_it_is_typed() {
        for (typed, want) in [
            ("one\n", "one"),
            ("one\rtwo", "one"),
            ("\n", ""),
            ("onf\x7fe\n", "one"),
            ("\x7f\x08one\n", "one"),
            ("onä\x7fe\n", "one"),
            ("wrong\x15one\n", "one"),
            ("a\x04\n", "a\x04"),
        ] {
            assert_eq!(
                *read_line(typed.as_bytes(), 8).unwrap(),
                *want.as_bytes(),
                "{typed:?}"
            );
        }
    }

    #[test]
    fn a_line_that_is_broken_off_is_none() {
        use io::ErrorKind::{Interrupted, InvalidInput, UnexpectedEof};
        for (typed, kind) in [
            ("one\x03", Interrupted),
            ("\x04", UnexpectedEof),
            ("one", UnexpectedEof),
            ("123456789", InvalidInput),
        ] {
            assert_eq!(
                read_line(typed.as_bytes(), 8).unwrap_err().kind(),
                kind,
                "{typed:?}"
            );
        }
        assert_eq!(*read_line(&b"12345678\n"[..], 8).unwrap(), *b"12345678");
    }
}
