//! Makes what scripts/bench-serve.sh serves: a store, and the same bytes as files for another server.
//!
//! `bench-data DIR` fills DIR/store and DIR/www. Zips' bytes are random: nothing between the disk and the
//! client looks into them.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use modferry_appliance::store::{Draft, Source, Store};
use modferry_protocol::bundle::Item;
use modferry_protocol::h1::H1;
use modferry_protocol::module::ModuleVersion;
use modferry_protocol::request::{Request, SumdbRequest};
use modferry_protocol::sumdb::{DbName, Hash, Tile, TreeHead};
use modferry_protocol::zip::ZipFacts;
use sha2::{Digest as _, Sha256};

/// Module versions whose small things fill the store, so that lookups have something to search in.
const SMALL: u32 = 20_000;

/// Sizes of the zips that are fetched, in bytes, by the minor version of example.com/zip.
const ZIPS: [usize; 4] = [12_000, 70_000, 2_000_000, 50_000_000];

fn main() {
    let dir = std::env::args().nth(1).expect("usage: bench-data DIR");
    let (store, www) = (Path::new(&dir).join("store"), Path::new(&dir).join("www"));
    let store = Store::open_or_create(&store, "bench-data", false).unwrap();
    let mut draft = store.draft(&[1; 32]).unwrap();
    let mut site = Site {
        draft: &mut draft,
        www: &www,
    };
    let db: DbName = "sum.golang.org".parse().unwrap();
    let head = TreeHead {
        size: 41_000_000,
        hash: Hash([7; 32]),
    };
    let signature = "\u{2014} sum.golang.org Az3gruWk5MkAmXGtJmv2HCxmWyF6/3lnC6Yw+lOFbYmrFxrRoJTZ8jR8PqfoMBtIbDnFVFzyDCNfmp4uUQfHyY9jzQc=\n";
    let head = format!("{}\n{signature}", head.encode()).into_bytes();
    site.draft.put(&Item::Head(db.clone()), &head).unwrap();
    for n in 0..SMALL {
        site.module(&format!("example.com/m{n}@v1.{n}.0").parse().unwrap(), 100);
    }
    for (minor, size) in ZIPS.into_iter().enumerate() {
        site.module(
            &format!("example.com/zip@v1.{minor}.0").parse().unwrap(),
            size,
        );
    }
    let module: ModuleVersion = "example.com/zip@v1.0.0".parse().unwrap();
    let h1 = H1::of_go_mod(b"");
    let record = format!(
        "40999999\n{0} {1} {h1}\n{0} {1}/go.mod {h1}\n\n",
        module.path(),
        module.version()
    );
    site.draft
        .put(&Item::Record(db.clone(), module.clone()), record.as_bytes())
        .unwrap();
    let mut lookup = record.into_bytes();
    lookup.extend(head);
    site.file(&sumdb(&db, SumdbRequest::Lookup(module)), &lookup);
    let tile = Tile::new(8, 0, 1234, 256).unwrap();
    let hashes = random("tile", tile.size());
    site.draft
        .put(&Item::Tile(db.clone(), tile), &hashes)
        .unwrap();
    site.file(&sumdb(&db, SumdbRequest::Tile(tile)), &hashes);
    draft
        .commit(Source {
            stream: "bench".into(),
            sequence: 1,
            ..Source::default()
        })
        .unwrap();
    // What the store made of it by itself.
    let path = "example.com/zip".parse().unwrap();
    let list = store.list(&path).unwrap().unwrap();
    put_file(&www, &Request::List(path), &list);
}

struct Site<'a, 's> {
    draft: &'a mut Draft<'s>,
    www: &'a Path,
}

impl Site<'_, '_> {
    fn module(&mut self, module: &ModuleVersion, size: usize) {
        let version = module.version();
        let info = format!("{{\"Version\":\"{version}\",\"Time\":\"2020-01-02T03:04:05Z\"}}");
        let go_mod = format!(
            "module {}\n\ngo 1.20\n\nrequire example.com/other v1.2.3\n",
            module.path()
        );
        let zip = random(&module.to_string(), size);
        self.draft
            .put(&Item::Info(module.clone()), info.as_bytes())
            .unwrap();
        self.draft
            .put(&Item::Mod(module.clone()), go_mod.as_bytes())
            .unwrap();
        let facts = ZipFacts {
            h1: H1::of_go_mod(b""),
            files: 1,
            unpacked: size as u64,
        };
        let sha256 = Sha256::digest(&zip).into();
        self.draft
            .put_zip(module, &facts, size as u64, &sha256, &mut &zip[..])
            .unwrap();
        if module.path().as_str() == "example.com/zip" {
            self.file(&Request::Info(module.clone()), info.as_bytes());
            self.file(&Request::Mod(module.clone()), go_mod.as_bytes());
            self.file(&Request::Zip(module.clone()), &zip);
        }
    }

    fn file(&self, request: &Request, bytes: &[u8]) {
        put_file(self.www, request, bytes);
    }
}

fn put_file(www: &Path, request: &Request, bytes: &[u8]) {
    let path = www.join(request.url_path().trim_start_matches('/'));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn sumdb(name: &DbName, request: SumdbRequest) -> Request {
    Request::Sumdb {
        name: name.clone(),
        request,
    }
}

/// Bytes without a pattern, the same in each run.
fn random(seed: &str, size: usize) -> Vec<u8> {
    let seed = Sha256::digest(seed);
    let mut state = u64::from_le_bytes(seed[..8].try_into().unwrap()) | 1;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}
