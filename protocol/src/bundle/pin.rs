//! Pins: what a private module version is, where no checksum database may be asked.
//!
//! A private module's name must not reach a public host, so no public log can vouch for it. Whoever signs the bundle does: the
//! pin has the module version's two hashes, as a go.sum has them, and is bound by the manifest's signature like
//! everything else. Whether that is enough is for the destination to say, by its own
//! [policy](crate::trust::Policy::admits_private).
//!
//! ```text
//! git.corp.example/a v1.0.0 h1:v/u/g2S1hZaWZImyAVXAGG42N1pWX/UTgAYidytBT84=
//! git.corp.example/a v1.0.0/go.mod h1:fpu2YBs8Cn+uPELS7pdczZmF9hlK1PibTkwahffYMfo=
//! ```

use crate::h1::H1;
use crate::module::ModuleVersion;

/// What a private module version's files are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The zip's h1.
    pub zip: H1,
    /// The go.mod's h1.
    pub go_mod: H1,
}

impl Pin {
    /// The item's bytes.
    pub fn encode(&self, module: &ModuleVersion) -> Vec<u8> {
        let (path, version) = (module.path(), module.version());
        let Pin { zip, go_mod } = self;
        format!("{path} {version} {zip}\n{path} {version}/go.mod {go_mod}\n").into_bytes()
    }

    /// Reads what [`encode`](Self::encode) gives for that module version; `None` of anything else.
    pub fn parse(bytes: &[u8], module: &ModuleVersion) -> Option<Pin> {
        let text = std::str::from_utf8(bytes).ok()?;
        let mut lines = text.lines();
        let mut h1 = || -> Option<H1> { lines.next()?.rsplit(' ').next()?.parse().ok() };
        let pin = Pin {
            zip: h1()?,
            go_mod: h1()?,
        };
        (pin.encode(module) == bytes).then_some(pin)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_pin_has_one_spelling() {
        let module: ModuleVersion = "git.corp.example/a@v1.0.0".parse().unwrap();
        let pin = Pin {
            zip: H1::of_go_mod(b"zip"),
            go_mod: H1::of_go_mod(b"mod"),
        };
        let bytes = pin.encode(&module);
        assert_eq!(Pin::parse(&bytes, &module), Some(pin));
        let text = String::from_utf8(bytes).unwrap();
        let (first, second) = text.split_once('\n').unwrap();
        for bad in [
            String::new(),
            format!("{first}\n"),
            format!("{second}{first}\n"),
            text.replace("v1.0.0", "v1.0.1"),
            text.replace('\n', "\r\n"),
            format!("{text}\n"),
            text.replace("h1:", "h2:"),
        ] {
            assert_eq!(Pin::parse(bad.as_bytes(), &module), None, "{bad:?}");
        }
        let other: ModuleVersion = "git.corp.example/b@v1.0.0".parse().unwrap();
        assert_eq!(Pin::parse(text.as_bytes(), &other), None);
    }
}
