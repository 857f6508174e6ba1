//! From settings to a running server, and from a signal to its end.
//!
//! The order matters to whoever starts it: everything that can be wrong is found before the first line is
//! printed (the settings, the certificate, the store, the addresses), then the listeners are bound, and only then
//! is `listening on …` printed and systemd told.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use actix_http::{HttpService, KeepAlive, Request, Response};
use actix_rt::net::TcpStream;
use actix_server::{Server, ServerBuilder, ServerHandle};
use actix_service::{ServiceFactoryExt as _, fn_service};
use actix_tls::accept::rustls_0_23 as tls_accept;
use modferry_cli::{Exit, Failure};
use serde::Serialize;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::config::Config;
use crate::gate::Gate;
use crate::notify::{State, notify, watchdog};
use crate::recent::Recent;
use crate::service::{Worker, serve};
use crate::site::Site;
use crate::store::{OpenError, Pulse, Store, follow};
use crate::tail::NoBody;
use crate::tls::{self, TlsError};
use crate::wants::Keeper;

/// How long a connection may stay open without a request.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// How long a client may take to send its first request's head.
const FIRST_REQUEST: Duration = Duration::from_secs(10);

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 1024;

/// Threads that read zips' chunks, for each worker.
const READERS: usize = 2;

/// Why the server does not run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The store cannot be served.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// TLS cannot be served.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address, as it was given.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// Anything else that the system refused.
    #[error("cannot {action}")]
    System {
        /// What was to be done.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl Failure for RunError {
    fn exit(&self) -> Exit {
        match self {
            RunError::Store(error) => error.exit(),
            RunError::Tls(error) => error.exit(),
            RunError::Listen { .. } | RunError::System { .. } => Exit::Other,
        }
    }

    fn advice(&self) -> Option<String> {
        match self {
            RunError::Store(error) => error.advice(),
            RunError::Tls(error) => error.advice(),
            RunError::Listen { address, source } => match source.kind() {
                io::ErrorKind::AddrInUse => Some(format!(
                    "another program listens there (ss -ltnp says which); stop it, or choose another with --listen instead of {address}"
                )),
                io::ErrorKind::AddrNotAvailable => {
                    Some("the address is none of this machine's: ip addr lists them".into())
                }
                io::ErrorKind::PermissionDenied => Some(
                    "ports below 1024 need CAP_NET_BIND_SERVICE; choose another with --listen"
                        .into(),
                ),
                io::ErrorKind::InvalidInput => {
                    Some("--listen takes HOST:PORT, as in 127.0.0.1:8080 or [::]:8080".into())
                }
                _ => None,
            },
            RunError::System { .. } => None,
        }
    }
}

/// Runs the server until it is told to stop; with `json`, tells its addresses as JSON.
pub fn run(config: &Config, json: bool) -> Result<(), RunError> {
    let tls = config
        .tls
        .as_ref()
        .map(|tls| tls::config(&tls.cert, &tls.key))
        .transpose()?;
    let (secondary, _temporary) = secondary_folder(config)?;
    let store = Arc::new(Store::open(&config.store, &secondary)?);
    let listeners = config
        .listen
        .iter()
        .map(|address| bind(address))
        .collect::<Result<Vec<_>, _>>()?
        .into_iter()
        .flatten()
        .collect::<Vec<_>>();
    let site = Arc::new(Site::new(
        store.clone(),
        config.how_to_ask.clone(),
        config.wants.private.clone(),
        config.access_log,
    ));
    let scheme = if tls.is_some() { "https" } else { "http" };
    let urls: Vec<String> = listeners
        .iter()
        .map(|(address, _)| format!("{scheme}://{address}"))
        .collect();

    let (catch_up, catch_up_now) = mpsc::channel();
    let pulse = Arc::new(Pulse::new());
    let follower = {
        let (store, pulse) = (store.clone(), pulse.clone());
        std::thread::Builder::new()
            .name("catch-up".into())
            .spawn(move || follow(&store, &catch_up_now, &pulse))
            .map_err(system("start a thread"))?
    };

    let keeper = Arc::new(Keeper::start(
        &config.wants,
        config.workers * listeners.len(),
    ));
    let buffers = keeper.clone();
    let ended = actix_rt::System::new().block_on(async move {
        let server = start(config, site, buffers, listeners, tls)?;
        let signals = Signals::new(catch_up)?;
        tell(&urls, json, &store);
        actix_rt::spawn(signals.handle(server.handle()));
        actix_rt::spawn(watch(pulse));
        server.await.map_err(system("serve"))
    });
    // The channel's sender went with the runtime, so the follower ends by itself.
    let _ = follower.join();
    keeper.stop();
    if ended.is_ok() {
        tracing::info!("stopped");
    }
    ended
}

fn system(action: &'static str) -> impl FnOnce(io::Error) -> RunError {
    move |source| RunError::System { action, source }
}

/// The folder for the reading side's own log: the one that is set, else the service manager's, else a
/// temporary one, which is removed when the second value is dropped.
fn secondary_folder(config: &Config) -> Result<(PathBuf, Option<tempfile::TempDir>), RunError> {
    if let Some(folder) = &config.secondary {
        return Ok((folder.clone(), None));
    }
    for name in ["RUNTIME_DIRECTORY", "CACHE_DIRECTORY"] {
        // Several folders are separated by colons.
        let folders = std::env::var_os(name).unwrap_or_default();
        if let Some(first) = std::env::split_paths(&folders).find(|p| p.is_absolute()) {
            return Ok((first.join("secondary"), None));
        }
    }
    let temporary = tempfile::Builder::new()
        .prefix("modferry-server-")
        .tempdir()
        .map_err(system("make a temporary folder"))?;
    Ok((temporary.path().into(), Some(temporary)))
}

/// Binds all the addresses that `address` stands for: a host name may be more than one.
fn bind(address: &str) -> Result<Vec<(SocketAddr, TcpListener)>, RunError> {
    let wrong = |source| RunError::Listen {
        address: address.into(),
        source,
    };
    let addresses: Vec<SocketAddr> = address.to_socket_addrs().map_err(wrong)?.collect();
    let mut bound = Vec::new();
    for address in addresses {
        // std sets SO_REUSEADDR, so that a restart need not wait for old connections.
        let listener = TcpListener::bind(address).map_err(wrong)?;
        bound.push((listener.local_addr().map_err(wrong)?, listener));
    }
    Ok(bound)
}

fn start(
    config: &Config,
    site: Arc<Site>,
    keeper: Arc<Keeper>,
    listeners: Vec<(SocketAddr, TcpListener)>,
    tls: Option<rustls::ServerConfig>,
) -> Result<Server, RunError> {
    let mut builder = Server::build()
        .workers(config.workers)
        .backlog(BACKLOG)
        .worker_max_blocking_threads(READERS)
        .shutdown_timeout(config.shutdown_timeout.as_secs())
        .disable_signals();
    // Each worker has a service, and so a memory, for each listener.
    let workers = config.workers * listeners.len();
    for (address, listener) in listeners {
        builder = listen(
            builder,
            address,
            listener,
            (site.clone(), keeper.clone()),
            tls.clone(),
            workers,
        )
        .map_err(system("listen"))?;
    }
    Ok(builder.run())
}

/// The service of one listener: TLS if it is set, the gate, the HTTP engine, and [`serve`].
fn listen(
    builder: ServerBuilder,
    address: SocketAddr,
    listener: TcpListener,
    (site, keeper): (Arc<Site>, Arc<Keeper>),
    tls: Option<rustls::ServerConfig>,
    workers: usize,
) -> io::Result<ServerBuilder> {
    let stopping = builder.graceful_shutdown_signal();
    macro_rules! http {
        () => {{
            let (site, stopping) = (site.clone(), stopping.clone());
            let worker = Rc::new(Worker {
                recent: Recent::new(workers),
                waiting: keeper.buffer(),
            });
            HttpService::build()
                .keep_alive(KeepAlive::Timeout(KEEP_ALIVE))
                .client_request_timeout(FIRST_REQUEST)
                .graceful_shutdown_signal(move || {
                    let stopping = stopping.clone();
                    async move { stopping.notified().await }
                })
                .on_connect_ext(|gate: &Gate<_>, data| {
                    data.insert(gate.latch());
                })
                .h1(fn_service(move |request: Request| {
                    let response: Response<NoBody> = serve(&site, &worker, &request);
                    std::future::ready(Ok::<_, std::convert::Infallible>(response))
                }))
        }};
    }
    match tls {
        None => builder.listen(address.to_string(), listener, move || {
            fn_service(|io: TcpStream| std::future::ready(gated(io)))
                .and_then(http!().map_err(drop))
        }),
        Some(tls) => builder.listen(address.to_string(), listener, move || {
            tls_accept::Acceptor::new(tls.clone())
                .map_err(drop)
                .map_init_err(drop)
                .and_then(fn_service(|io: tls_accept::TlsStream<TcpStream>| {
                    let peer = io.get_ref().0.peer_addr().ok();
                    std::future::ready(Ok((Gate::new(io), peer)))
                }))
                .and_then(http!().map_err(drop))
        }),
    }
}

/// A connection as the engine sees it.
fn gated(io: TcpStream) -> Result<(Gate<TcpStream>, Option<SocketAddr>), ()> {
    // An answer is written whole; the kernel has nothing to wait for before it sends the rest of one.
    let _ = io.set_nodelay(true);
    let peer = io.peer_addr().ok();
    Ok((Gate::new(io), peer))
}

/// Says where the server listens, on stdout and to systemd.
fn tell(urls: &[String], json: bool, store: &Store) {
    #[derive(Serialize)]
    struct Listening<'a> {
        listening: &'a [String],
    }
    // A closed stdout changes nothing for those who are served.
    if json {
        let _ = modferry_cli::print_json(&Listening { listening: urls });
    } else {
        use io::Write as _;
        let mut out = io::stdout().lock();
        for url in urls {
            let _ = writeln!(out, "listening on {url}");
        }
        let _ = out.flush();
    }
    match store.imports() {
        0 => {
            tracing::warn!(store = %store.path().display(), "not ready: nothing has been imported yet")
        }
        imports => tracing::info!(store = %store.path().display(), imports, "ready"),
    }
    notify(State::Ready);
}

struct Signals {
    term: Signal,
    int: Signal,
    hup: Signal,
    catch_up: mpsc::Sender<()>,
}

impl Signals {
    fn new(catch_up: mpsc::Sender<()>) -> Result<Signals, RunError> {
        let on = |kind| signal(kind).map_err(system("handle signals"));
        Ok(Signals {
            term: on(SignalKind::terminate())?,
            int: on(SignalKind::interrupt())?,
            hup: on(SignalKind::hangup())?,
            catch_up,
        })
    }

    /// SIGHUP catches up with the store; the first SIGTERM or SIGINT lets answers under way finish, the
    /// second does not wait for them.
    async fn handle(mut self, server: ServerHandle) {
        let mut stopping = false;
        loop {
            let stop = std::future::poll_fn(|cx| {
                use std::task::Poll;
                if self.hup.poll_recv(cx).is_ready() {
                    return Poll::Ready(false);
                }
                if self.term.poll_recv(cx).is_ready() || self.int.poll_recv(cx).is_ready() {
                    return Poll::Ready(true);
                }
                Poll::Pending
            })
            .await;
            if !stop {
                // The follower is gone only when the server is, too.
                let _ = self.catch_up.send(());
                continue;
            }
            if stopping {
                tracing::warn!("stopping at once; answers under way break off");
                // A server's handle cannot turn a graceful stop into another. The warning took the log along.
                std::process::exit(0);
            }
            stopping = true;
            tracing::info!("stopping: answers under way may finish");
            notify(State::Stopping);
            // Not awaited: it ends with the server's own future.
            drop(server.stop(true));
        }
    }
}

/// Tells systemd's watchdog, where it is set, that the server lives: that this thread runs, and that the
/// follower still makes its rounds.
async fn watch(pulse: Arc<Pulse>) {
    let Some(limit) = watchdog() else {
        return;
    };
    let mut every = tokio::time::interval((limit / 3).max(Duration::from_millis(1)));
    loop {
        every.tick().await;
        if pulse.silent() < limit {
            notify(State::Watchdog);
        }
    }
}
