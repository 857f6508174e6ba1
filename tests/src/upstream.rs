//! An in-process upstream: a GOPROXY and the sumdb behind it, over real sockets, serving modules that a test
//! published. Like the proxies that users have, it answers 404 at `@latest` unless told otherwise.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, mpsc},
    thread::JoinHandle,
};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer, dev::ServerHandle, http::StatusCode, rt, web,
};

use crate::{log::Log, module::Module};

/// A running upstream; it stops when dropped.
pub struct Upstream {
    state: Arc<Mutex<State>>,
    url: String,
    verifier_key: String,
    handle: ServerHandle,
    thread: Option<JoinHandle<()>>,
}

struct State {
    signing_key: String,
    log: Log,
    modules: BTreeMap<String, Module>,
    /// Record numbers by `path@version`.
    records: BTreeMap<String, usize>,
    /// What to answer instead, by the URL path after its one decoding.
    overrides: BTreeMap<String, Vec<Answer>>,
    requests: Vec<String>,
}

/// An answer that stands in for the true one.
#[derive(Clone)]
pub enum Answer {
    /// This status, with a short text.
    Status(u16),
    /// 200 with these bytes.
    Bytes(Vec<u8>),
}

impl Upstream {
    /// Starts with no module and an empty log, on a free port.
    pub fn start() -> Self {
        Self::named("sum.example.com")
    }

    /// The same with a checksum database of that name.
    pub fn named(database: &str) -> Self {
        let (signing_key, verifier_key) =
            signed_note::generate_key(&mut rand_core::OsRng, database);
        let state = Arc::new(Mutex::new(State {
            log: Log::new(&signing_key),
            signing_key,
            modules: BTreeMap::new(),
            records: BTreeMap::new(),
            overrides: BTreeMap::new(),
            requests: Vec::new(),
        }));
        let (started, when_started) = mpsc::channel();
        let shared = web::Data::new(Arc::clone(&state));
        let thread = std::thread::spawn(move || {
            rt::System::new().block_on(async move {
                let server = HttpServer::new(move || {
                    App::new()
                        .app_data(shared.clone())
                        .default_service(web::to(answer))
                })
                .workers(1)
                .disable_signals()
                .bind(("127.0.0.1", 0))
                .unwrap();
                let address = server.addrs()[0];
                let running = server.run();
                started.send((address, running.handle())).unwrap();
                running.await.unwrap();
            });
        });
        let (address, handle) = when_started.recv().unwrap();
        Self {
            state,
            url: format!("http://{address}"),
            verifier_key,
            handle,
            thread: Some(thread),
        }
    }

    /// Publishes `path@version` with the files of a txtar, and logs it.
    pub fn add(&self, name: &str, txtar: &str) {
        let module = Module::new(name, txtar);
        let mut state = self.state();
        let id = state.log.append(module.record(txtar));
        state.records.insert(name.to_owned(), id);
        state.modules.insert(name.to_owned(), module);
    }

    /// Whether `path@version` was published.
    pub fn has(&self, name: &str) -> bool {
        self.state().modules.contains_key(name)
    }

    /// From now on another history, signed by the same key: what a dishonest database would show.
    pub fn fork(&self) {
        let mut state = self.state();
        state.log = Log::new(&state.signing_key);
        state.modules.clear();
        state.records.clear();
    }

    /// From now on the history of `log`, and one module whose record is number `id` of it.
    pub fn replace_log(&self, log: Log, module: Module, id: usize) {
        self.fork();
        let mut state = self.state();
        state.log = log;
        state.records.insert(module.name.clone(), id);
        state.modules.insert(module.name.clone(), module);
    }

    /// Answers the next requests for `path` (as it is after decoding, such as
    /// `/example.com/a/@v/v1.0.0.zip`) with `answers`, the last one for good.
    pub fn answer_instead(&self, path: &str, answers: &[Answer]) {
        self.state()
            .overrides
            .insert(path.to_owned(), answers.to_vec());
    }

    /// Answers truthfully again.
    pub fn answer_truthfully(&self) {
        self.state().overrides.clear();
    }

    /// The bytes served as `extension` (info, mod, zip) of `path@version`.
    pub fn artifact(&self, name: &str, extension: &str) -> Vec<u8> {
        let state = self.state();
        let module = &state.modules[name];
        match extension {
            "info" => module.info.clone(),
            "mod" => module.go_mod.clone(),
            "zip" => module.zip.clone(),
            other => panic!("no artifact {other}"),
        }
    }

    /// The signed head as it stands.
    pub fn latest(&self) -> Vec<u8> {
        self.state().log.latest()
    }

    /// Every path asked for so far, decoded.
    pub fn requests(&self) -> Vec<String> {
        self.state().requests.clone()
    }

    /// The base URL, for GOPROXY.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The database's name.
    pub fn sumdb(&self) -> &str {
        self.verifier_key.split('+').next().unwrap()
    }

    /// The database's verifier key, for GOSUMDB.
    pub fn verifier_key(&self) -> &str {
        &self.verifier_key
    }

    /// The database's signing key, for tests that sign what the database never said.
    pub fn signing_key(&self) -> String {
        self.state().signing_key.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn answer(request: HttpRequest, state: web::Data<Arc<Mutex<State>>>) -> HttpResponse {
    let path = decode(request.uri().path());
    let mut state = state.lock().unwrap();
    state.requests.push(path.clone());
    if let Some(answers) = state.overrides.get_mut(&path) {
        let answer = if answers.len() > 1 {
            answers.remove(0)
        } else {
            answers[0].clone()
        };
        return match answer {
            Answer::Status(status) => {
                HttpResponse::build(StatusCode::from_u16(status).unwrap()).body("not today")
            }
            Answer::Bytes(bytes) => HttpResponse::Ok().body(bytes),
        };
    }
    match state.answer(&path) {
        Some(bytes) => HttpResponse::Ok().body(bytes),
        None => HttpResponse::NotFound().body("not found"),
    }
}

impl State {
    fn answer(&self, path: &str) -> Option<Vec<u8>> {
        if let Some(rest) = path.strip_prefix(&format!("/sumdb/{}/", self.log.name())) {
            return match rest.split_once('/') {
                None if rest == "supported" => Some(Vec::new()),
                None if rest == "latest" => Some(self.log.latest()),
                Some(("lookup", module)) => {
                    Some(self.log.lookup(*self.records.get(&unescape(module))?))
                }
                Some(("tile", tile)) => self.log.tile(tile),
                _ => None,
            };
        }
        let (module, file) = path.strip_prefix('/')?.split_once("/@v/")?;
        let module = unescape(module);
        if file == "list" {
            let versions: BTreeSet<&str> = self
                .modules
                .keys()
                .filter_map(|name| name.split_once('@'))
                .filter(|(path, version)| *path == module && !version.contains("-2026"))
                .map(|(_, version)| version)
                .collect();
            let known = self
                .modules
                .keys()
                .any(|name| name.starts_with(&format!("{module}@")));
            return known.then(|| {
                versions
                    .iter()
                    .flat_map(|version| format!("{version}\n").into_bytes())
                    .collect()
            });
        }
        let (version, extension) = file.rsplit_once('.')?;
        let module = self
            .modules
            .get(&format!("{module}@{}", unescape(version)))?;
        match extension {
            "info" => Some(module.info.clone()),
            "mod" => Some(module.go_mod.clone()),
            "zip" => Some(module.zip.clone()),
            _ => None,
        }
    }
}

/// Undoes percent-encoding once.
fn decode(path: &str) -> String {
    let mut out = Vec::new();
    let mut rest = path.as_bytes();
    while let [first, tail @ ..] = rest {
        match (first, tail) {
            (b'%', [high, low, tail @ ..]) => {
                let hex = String::from_utf8(vec![*high, *low]).unwrap();
                out.push(u8::from_str_radix(&hex, 16).unwrap());
                rest = tail;
            }
            _ => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8(out).unwrap()
}

/// Undoes the escaping of capitals in module paths: `!a` is `A`.
fn unescape(path: &str) -> String {
    let mut out = String::new();
    let mut capital = false;
    for c in path.chars() {
        match (c, capital) {
            ('!', _) => capital = true,
            (c, true) => {
                out.push(c.to_ascii_uppercase());
                capital = false;
            }
            (c, false) => out.push(c),
        }
    }
    out
}

/// `length` characters of text that does not compress well, different for each seed, in lines.
pub fn noise(seed: u64, length: usize) -> String {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut out = String::with_capacity(length);
    while out.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.push_str(&format!("{state:016x}"));
        if state.is_multiple_of(7) {
            out.push('\n');
        }
    }
    out.push('\n');
    out
}
