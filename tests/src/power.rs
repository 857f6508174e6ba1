//! A disk whose power can be cut: ext4 on a loop device over an image file, stopped by the file system's own shutdown.
//!
//! FS_IOC_SHUTDOWN without a log flush is what xfstests cut the power with: from that moment ext4 writes nothing more,
//! neither data nor journal, and forgets what was only in memory. The image then has exactly what had been written to the
//! device, and mounting it again replays the journal as after a real cut. See tests/power.rs for what this leaves out.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
};

/// FS_IOC_SHUTDOWN with the flag NOLOGFLUSH, asked for in Perl: the harness has no unsafe code.
const CUT: &str = r#"open(my $f, "<", $ARGV[0]) or die "$!"; my $how = pack("L", 2); ioctl($f, 0x8004587d, $how) or die "$!""#;

/// An image file with a file system on it.
pub struct PowerDisk {
    image: PathBuf,
    mount: PathBuf,
}

/// The disk while the power is on.
pub struct Powered {
    holder: Child,
    said: BufReader<ChildStdout>,
    path: PathBuf,
}

impl PowerDisk {
    /// A disk of so many bytes with an empty ext4; why there is none, where loop devices are not permitted.
    pub fn new(folder: &Path, bytes: u64) -> Result<Self, String> {
        let disk = Self {
            image: folder.join("disk.img"),
            mount: folder.join("disk"),
        };
        fs::create_dir_all(&disk.mount).unwrap();
        fs::File::create(&disk.image)
            .and_then(|file| file.set_len(bytes))
            .unwrap();
        for (program, args) in [
            ("mkfs.ext4", &["-q", "-F"][..]),
            ("perl", &["-v"]),
            ("losetup", &["--version"]),
        ] {
            let mut command = Command::new(program);
            command
                .args(args)
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            if program == "mkfs.ext4" {
                command.arg(&disk.image);
            }
            if !command.status().is_ok_and(|status| status.success()) {
                return Err(format!("{program} does not work here"));
            }
        }
        disk.try_on().map(Powered::off)?;
        Ok(disk)
    }

    /// Takes a disk in that state, whatever is on it now.
    pub fn write(&self, image: &[u8]) {
        fs::write(&self.image, image).unwrap();
    }

    /// Where it is mounted, for commands [inside](Powered::inside).
    pub fn mount(&self) -> &Path {
        &self.mount
    }

    /// All that is on it, power off.
    pub fn read(&self) -> Vec<u8> {
        fs::read(&self.image).unwrap()
    }

    /// Turns the power on: mounts it, replaying the journal, in a namespace of its own.
    #[track_caller]
    pub fn on(&self) -> Powered {
        self.try_on().unwrap()
    }

    fn try_on(&self) -> Result<Powered, String> {
        let script = format!(
            "device=$(losetup --find --show '{image}') && mount \"$device\" '{mount}' && echo on && cat && \
             umount '{mount}' && losetup --detach \"$device\" && echo off",
            image = self.image.display(),
            mount = self.mount.display()
        );
        let mut holder = Command::new("unshare")
            .args(["--mount", "sh", "-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| error.to_string())?;
        let mut said = BufReader::new(holder.stdout.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        if line != "on\n" {
            let _ = holder.wait();
            return Err("mounting an image on a loop device is not permitted here".into());
        }
        let root = PathBuf::from(format!("/proc/{}/root", holder.id()));
        let path = root.join(self.mount.strip_prefix("/").unwrap());
        Ok(Powered { holder, said, path })
    }
}

impl Powered {
    /// The disk's folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The command, to be run where the disk is mounted at its own place, [`PowerDisk::mount`]: for a program that asks for
    /// the true path of what it is given.
    pub fn inside(&self, command: &Command) -> Command {
        let mut inside = Command::new("nsenter");
        inside
            .args(["--mount", "--target", &self.holder.id().to_string(), "--"])
            .arg(command.get_program())
            .args(command.get_args());
        crate::kill::copy_surroundings(command, &mut inside);
        inside
    }

    /// Cuts the power: what was not written to the device is lost, and nothing is written from now on.
    pub fn cut(&self) {
        let done = Command::new("perl")
            .args(["-e", CUT])
            .arg(&self.path)
            .output()
            .unwrap();
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
    }

    /// Unmounts it: after a cut that writes nothing, otherwise all that is left to write.
    pub fn off(mut self) {
        drop(self.holder.stdin.take());
        let mut line = String::new();
        self.said.read_line(&mut line).unwrap();
        assert_eq!(line, "off\n", "the disk is still in use");
        let _ = self.holder.wait();
    }
}
