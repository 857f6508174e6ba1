//! A checksum database of the scenario's own, by the shortest road: all levels of the tree in memory, nothing
//! shared with modferry's tree arithmetic, so that the go command and modferry are both checked against it.

use sha2::{Digest as _, Sha256};
use signed_note::{Note, Signer as _, StandardSigner};

type Hash = [u8; 32];

/// An append-only log with a signing key.
pub struct Log {
    signer: StandardSigner,
    /// `levels[l][i]`: the hash over records `i << l .. (i + 1) << l`, where all of them are there.
    levels: Vec<Vec<Hash>>,
    records: Vec<String>,
}

impl Log {
    /// An empty log signed by `signing_key`, in the Go notes' text form.
    pub fn new(signing_key: &str) -> Self {
        Self {
            signer: StandardSigner::new(signing_key).unwrap(),
            levels: Vec::new(),
            records: Vec::new(),
        }
    }

    /// Appends a record's text (a go.sum's two lines) and returns its number.
    pub fn append(&mut self, text: String) -> usize {
        let id = self.records.len();
        let mut hash: Hash = Sha256::new()
            .chain_update([0])
            .chain_update(&text)
            .finalize()
            .into();
        self.records.push(text);
        for level in 0.. {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            self.levels[level].push(hash);
            match self.levels[level][..] {
                [.., left, right] if self.levels[level].len().is_multiple_of(2) => {
                    hash = node(left, right)
                }
                _ => break,
            }
        }
        id
    }

    /// The number of records.
    pub fn size(&self) -> usize {
        self.records.len()
    }

    /// The signed head of the whole log.
    pub fn latest(&self) -> Vec<u8> {
        // The hash of a tree is that of its complete subtrees, folded from the right.
        let mut root: Option<Hash> = None;
        for level in &self.levels {
            if let ([.., last], true) = (&level[..], !level.len().is_multiple_of(2)) {
                root = Some(root.map_or(*last, |right| node(*last, right)));
            }
        }
        let root = root.unwrap_or_else(|| Sha256::digest([]).into());
        let text = format!("go.sum database tree\n{}\n{}\n", self.size(), base64(&root));
        let mut note = Note::new(text.as_bytes(), &[]).unwrap();
        note.add_sigs(&[&self.signer]).unwrap();
        note.to_bytes()
    }

    /// What a lookup of record `id` answers.
    pub fn lookup(&self, id: usize) -> Vec<u8> {
        [
            format!("{id}\n{}\n", self.records[id]).into_bytes(),
            self.latest(),
        ]
        .concat()
    }

    /// The tile at a path like `8/0/x001/234.p/5` of the log, if it has that many hashes.
    pub fn tile(&self, path: &str) -> Option<Vec<u8>> {
        let mut parts: Vec<&str> = path.split('/').collect();
        let height: usize = parts.remove(0).parse().ok()?;
        let level: usize = parts.remove(0).parse().ok()?;
        let mut width = 1usize << height;
        if let [.., last, partial] = parts[..]
            && let Some(index) = last.strip_suffix(".p")
        {
            width = partial.parse().ok()?;
            parts.truncate(parts.len() - 2);
            parts.push(index);
        }
        let index = parts.iter().try_fold(0usize, |n, part| {
            Some(n * 1000 + part.trim_start_matches('x').parse::<usize>().ok()?)
        })?;
        let hashes = self
            .levels
            .get(height * level)?
            .get(index << height..(index << height) + width)?;
        Some(hashes.concat())
    }

    /// The key's name, which is the database's.
    pub fn name(&self) -> &str {
        self.signer.name()
    }
}

fn node(left: Hash, right: Hash) -> Hash {
    Sha256::new()
        .chain_update([1])
        .chain_update(left)
        .chain_update(right)
        .finalize()
        .into()
}

/// Standard base64 with padding, as hashes are written in heads and in go.sum.
pub fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
