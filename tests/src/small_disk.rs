//! A disk of a given size that is gone afterwards: a tmpfs in a mount namespace of its own, which one process holds open.
//!
//! Nothing is mounted where anybody else sees it, and nothing is left mounted however a test ends. Everybody reaches the
//! disk through /proc/PID/root of the process that holds it. Without root, a user namespace lets it be mounted.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// A mounted disk, until dropped.
pub struct SmallDisk {
    holder: Child,
    path: PathBuf,
}

impl SmallDisk {
    /// A disk of so many bytes. `None` where mounting is not permitted, even in a namespace of one's own.
    pub fn new(folder: &Path, bytes: u64) -> Option<Self> {
        let mount = folder.join("small-disk");
        fs::create_dir_all(&mount).unwrap();
        let script = format!(
            "mount -t tmpfs -o size={bytes} small '{}' && echo ready && exec cat",
            mount.display()
        );
        for namespaces in [&["--mount"][..], &["--user", "--map-root-user", "--mount"]] {
            let mut holder = Command::new("unshare")
                .args(namespaces)
                .args(["sh", "-c", &script])
                .stdin(Stdio::piped()) // closed when this process ends, however it ends
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .ok()?;
            let mut line = String::new();
            let mut said = BufReader::new(holder.stdout.take().unwrap());
            said.read_line(&mut line).unwrap();
            if line == "ready\n" {
                let root = PathBuf::from(format!("/proc/{}/root", holder.id()));
                let path = root.join(mount.strip_prefix("/").unwrap());
                return Some(Self { holder, path });
            }
            let _ = holder.wait();
        }
        None
    }

    /// The disk's own folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A folder on the disk, which `link` leads to.
    pub fn folder_at(&self, link: &Path) -> PathBuf {
        let folder = self.path.join(link.file_name().unwrap());
        fs::create_dir_all(&folder).unwrap();
        symlink(&folder, link).unwrap();
        folder
    }

    /// Bytes that are free.
    pub fn free(&self) -> u64 {
        let out = Command::new("stat")
            .args(["-f", "-c", "%a %S"])
            .arg(&self.path)
            .output()
            .unwrap();
        let text = String::from_utf8(out.stdout).unwrap();
        let (blocks, size) = text.trim().split_once(' ').unwrap();
        blocks.parse::<u64>().unwrap() * size.parse::<u64>().unwrap()
    }

    /// Fills it until so many bytes are free.
    pub fn leave(&self, bytes: u64) {
        let mut ballast = fs::File::create(self.path.join("ballast")).unwrap();
        let mut left = self.free().saturating_sub(bytes);
        while left > 0 {
            let piece = left.min(1 << 20);
            // Others write at the same time: what they take is not there for the ballast.
            if ballast.write_all(&vec![1; piece as usize]).is_err() {
                return;
            }
            left -= piece;
        }
    }

    /// Takes the ballast off again.
    pub fn unload(&self) {
        fs::remove_file(self.path.join("ballast")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}
