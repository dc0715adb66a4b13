//! `wavewitness run`: the daemon.

use crate::boot::{self, OpenError};
use crate::clock::Clock;
use crate::config::HubConfig;
use crate::cycle::{self, Datagram, Pipeline};
use crate::mqtt;
use crate::publish;
use crate::server::{self, Shared};
use crate::status::Status;
use crate::store::{Sinks, Store};
use crate::udp;
use crate::witness_log::Signing;
use crate::zones::Zones;
use sd_notify::NotifyState;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use tokio::net::TcpListener;
use tokio::sync::watch;
use wavewitness_types::{BootRecord, Command, Timestamp};
use wavewitness_witness::Genesis;

/// Why the daemon ended other than by order.
#[derive(Debug)]
pub enum RunError {
    /// The data directory.
    Open(OpenError),
    /// A socket, thread or signal could not be set up: what, and why.
    System(String, io::Error),
    /// Who may do what can't be put into force: which field, and why.
    Access(String),
    /// The journal could not be written.
    Journal(String),
}

impl std::fmt::Display for RunError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            RunError::Open(e) => e.fmt(f),
            RunError::System(what, e) => write!(f, "{what}: {e}"),
            RunError::Access(e) => f.write_str(e),
            RunError::Journal(e) => write!(f, "the journal can't be written: {e}"),
        }
    }
}

impl std::error::Error for RunError {}

fn system(what: impl Into<String>) -> impl FnOnce(io::Error) -> RunError {
    |e| RunError::System(what.into(), e)
}

/// A hub that runs.
pub struct Hub {
    /// Where datagrams arrive.
    pub udp: SocketAddr,
    /// Where HTTP and WebSocket are served.
    pub http: SocketAddr,
    /// The chain's genesis.
    pub genesis: Genesis,
    /// What the hub knows about itself.
    pub status: Status,
    /// What a person should know of the start, one line each.
    pub notes: Vec<String>,
    /// Takes an operator's commands.
    pub commands: SyncSender<Command>,
    /// Who may do what.
    pub door: server::Door,
    /// Where HTTP is served, each with the key that says so.
    listening: Vec<(&'static str, SocketAddr)>,
    stop: Arc<AtomicBool>,
    stopped: watch::Sender<bool>,
    cycle: std::thread::JoinHandle<Result<(), String>>,
    receiver: std::thread::JoinHandle<()>,
    server: tokio::task::JoinHandle<io::Result<()>>,
    mqtt: Option<Task>,
}

/// Who may do what; refused if the hub would be open to a network.
fn door(config: &HubConfig) -> Result<server::Door, RunError> {
    let open = config.access.may_listen("hub.http_bind", config.http_bind);
    open.map_err(|e| RunError::Access(e.to_string()))?;
    server::Door::new(&config.access).map_err(RunError::Access)
}

/// A thousand clients take more file descriptors than a process is given unless it asks.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(e) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!("the limit of open files stays as it is: {e}");
    }
}

/// A thousand clients must not keep the cycle waiting for a core: the threads that serve them are nicer.
fn yield_to_the_cycle() {
    // Without it the hub is as right, only later.
    let _ = rustix::process::nice(5);
}

/// The sockets of a hub, and where they are.
struct Sockets {
    /// Of `peer.ws_bind`.
    second: Option<TcpListener>,
    socket: std::net::UdpSocket,
    listener: TcpListener,
    udp: SocketAddr,
    http: SocketAddr,
    listening: Vec<(&'static str, SocketAddr)>,
}

async fn bind(config: &HubConfig) -> Result<Sockets, RunError> {
    let socket =
        udp::bind(config.udp_bind).map_err(system(format!("can't receive on {}", config.udp_bind)))?;
    let listener = TcpListener::bind(config.http_bind)
        .await
        .map_err(system(format!("can't serve on {}", config.http_bind)))?;
    let second = match config.peer.ws_bind.filter(|_| config.peer.enabled) {
        Some(bind) => Some(
            TcpListener::bind(bind).await.map_err(system(format!("can't serve on {bind} (peer.ws_bind)")))?,
        ),
        None => None,
    };
    let udp = socket.local_addr().map_err(system("can't read the UDP address"))?;
    let http = listener.local_addr().map_err(system("can't read the HTTP address"))?;
    let mut listening = vec![("hub.http_bind", http)];
    if let Some(second) = &second {
        let address = second.local_addr().map_err(system("can't read the address of peer.ws_bind"))?;
        listening.push(("peer.ws_bind", address));
    }
    Ok(Sockets { socket, listener, second, udp, http, listening })
}

/// Starts a hub within a tokio runtime. `heartbeat` is called from the cycle thread after every cycle.
///
/// # Errors
/// If the data directory, an address or a thread is not to be had.
pub async fn start(config: &HubConfig, heartbeat: impl FnMut(u64) + Send + 'static) -> Result<Hub, RunError> {
    let clock = Clock::start();
    let door = door(config)?;
    // Sockets first: an address that is in use must not leave a boot in the chain.
    let Sockets { socket, listener, second, udp, http, listening } = bind(config).await?;
    let now = clock.now();
    let boot_id = now.0 ^ u64::from(std::process::id()).rotate_left(48);
    let opened = boot::open(config, &config.data_dir, config.source, now, boot_id).map_err(RunError::Open)?;

    let status = Status::new(opened.genesis.digest(), config.source, now);
    status.update(|s| (s.udp, s.http) = (Some(udp), Some(http)));
    let messages = publish::channel();
    let (stopped, stop_seen) = watch::channel(false);
    let (commands, command_queue) = sync_channel(16);
    let (datagrams, datagram_queue) = sync_channel(udp::QUEUE);
    let stop = Arc::new(AtomicBool::new(false));

    let head = opened.genesis.digest();
    let log = opened
        .log
        .map(|(live, publisher)| (live.clone(), Signing::new(publisher, live, status.clone(), Some(clock))));
    let store = Store::start(Sinks {
        journal: Some(opened.writer),
        log,
        retention: config.retention,
        clock,
        baselines: Some(opened.baselines),
        messages: Some(messages.clone()),
        status: status.clone(),
        genesis: head,
        privacy: config.privacy.mode,
        zones: Zones::new(&config.zones),
    })
    .map_err(system("can't start the journal thread"))?;
    let receiver = udp::receive(socket, clock, datagrams, status.clone(), Arc::clone(&stop))
        .map_err(system("can't start the receiving thread"))?;
    let shared = Shared {
        commands: Some(commands.clone()),
        data_dir: Some(config.data_dir.clone()),
        clock,
        ..Shared::new(config, &opened.genesis, &status, messages, door.clone(), stop_seen.clone())
    };
    let server = serve(listener, second, shared);
    let mqtt = start_mqtt(config, &status, clock, stop_seen)?;
    let (genesis, notes) = (opened.genesis, opened.notes);
    let cycle = CycleThread {
        pipeline: Pipeline::new(opened.engine, store.sender.clone(), status.clone()),
        store,
        clock,
        booted: now,
        boot: opened.boot,
        datagrams: datagram_queue,
        commands: command_queue,
        stop: Arc::clone(&stop),
    };
    let cycle = cycle.start(heartbeat)?;
    Ok(Hub {
        udp,
        http,
        genesis,
        status,
        notes,
        commands,
        door,
        listening,
        stop,
        stopped,
        cycle,
        receiver,
        server,
        mqtt,
    })
}

type Task = tokio::task::JoinHandle<()>;

fn start_mqtt(
    config: &HubConfig,
    status: &Status,
    clock: Clock,
    stop: watch::Receiver<bool>,
) -> Result<Option<Task>, RunError> {
    let task = config.mqtt.clone().map(|mqtt| mqtt::start(mqtt, status.clone(), clock, stop));
    task.transpose().map_err(|e| system("can't use MQTT")(io::Error::other(e)))
}

/// What the cycle thread owns.
struct CycleThread {
    pipeline: Pipeline,
    store: Store,
    clock: Clock,
    booted: Timestamp,
    boot: BootRecord,
    datagrams: Receiver<Datagram>,
    commands: Receiver<Command>,
    stop: Arc<AtomicBool>,
}

/// Serves on both addresses, if there are two.
fn serve(
    listener: TcpListener,
    second: Option<TcpListener>,
    shared: Shared,
) -> tokio::task::JoinHandle<io::Result<()>> {
    if let Some(second) = second {
        tokio::spawn(server::serve(second, shared.clone()));
    }
    tokio::spawn(server::serve(listener, shared))
}

impl CycleThread {
    fn start(
        self,
        heartbeat: impl FnMut(u64) + Send + 'static,
    ) -> Result<std::thread::JoinHandle<Result<(), String>>, RunError> {
        std::thread::Builder::new()
            .name("cycle".into())
            .spawn(move || self.run(heartbeat))
            .map_err(system("can't start the cycle thread"))
    }

    fn run(self, heartbeat: impl FnMut(u64)) -> Result<(), String> {
        let CycleThread { mut pipeline, store, clock, booted, boot, datagrams, commands, stop } = self;
        let first = boot.next_cycle;
        let ran = pipeline.boot(booted, boot).and_then(|()| {
            cycle::run_live(&mut pipeline, &clock, first, &datagrams, &commands, &stop, heartbeat)?;
            pipeline.stop(clock.now())
        });
        drop(pipeline);
        // If the journal thread has ended, its own error says more.
        store.finish().map_err(|e| e.to_string())?;
        ran.map_err(|_| "the journal thread has ended".to_owned())
    }
}

impl Hub {
    /// True once the cycle thread has ended, by order or not.
    pub fn ended(&self) -> bool {
        self.cycle.is_finished()
    }

    /// Stops in order: the last cycle is written, the stop is an entry of the chain, clients are told.
    ///
    /// # Errors
    /// If the journal could not be written.
    pub async fn stop(self) -> Result<(), RunError> {
        self.stop.store(true, Ordering::Relaxed);
        let cycle = tokio::task::spawn_blocking(move || {
            let result = self.cycle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            let _ = self.receiver.join();
            result
        });
        let result = cycle.await.unwrap_or_else(|e| Err(format!("the cycle thread panicked: {e}")));
        let _ = self.stopped.send(true);
        let patience = std::time::Duration::from_secs(5);
        let _ = tokio::time::timeout(patience, self.server).await;
        if let Some(mqtt) = self.mqtt {
            let _ = tokio::time::timeout(patience, mqtt).await;
        }
        result.map_err(RunError::Journal)
    }
}

/// Runs the daemon until SIGINT or SIGTERM.
///
/// # Errors
/// If it could not start, or the journal could not be written.
pub fn run(
    config: &HubConfig,
    config_file: Option<PathBuf>,
    logs: crate::log::Handle,
) -> Result<(), RunError> {
    raise_descriptor_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .on_thread_start(yield_to_the_cycle)
        .enable_all()
        .build()
        .map_err(system("can't start the runtime"))?;
    runtime.block_on(async {
        let hub = start(config, heartbeat()).await?;
        for note in &hub.notes {
            tracing::info!("{note}");
        }
        tracing::info!("receiving on {} as {}", hub.udp, hub.status.source().name());
        let s = if config.access.tls.is_some() { "s" } else { "" };
        tracing::info!("serving http{s}://{0}/ (the dashboard) and ws{s}://{0}/ws/v1", hub.http);
        if s.is_empty() && !hub.http.ip().is_loopback() {
            tracing::warn!("tokens travel unencrypted: set http.tls_cert and http.tls_key, or use a proxy");
        }
        let told = wait(&hub, config_file, &logs).await?;
        tracing::info!("stopping: {told}");
        let _ = sd_notify::notify(&[NotifyState::Stopping]);
        let status = hub.status.clone();
        let result = hub.stop().await;
        let snapshot = status.snapshot();
        tracing::info!(
            "stopped after {} cycles, {} missed; head {}",
            snapshot.cycles,
            snapshot.missed,
            snapshot.head
        );
        result
    })
}

/// The cycle thread's sign of life: READY to the service manager after the first good cycle, its watchdog at least
/// every second, from nowhere else.
fn heartbeat() -> impl FnMut(u64) + Send {
    let mut ready = false;
    move |done| {
        // Outside a service manager there is no socket to tell, and no error.
        if !ready {
            ready = true;
            let _ = sd_notify::notify(&[NotifyState::Ready]);
        }
        if done.is_multiple_of(10) {
            let _ = sd_notify::notify(&[NotifyState::Watchdog]);
        }
    }
}

async fn wait(
    hub: &Hub,
    config_file: Option<PathBuf>,
    logs: &crate::log::Handle,
) -> Result<&'static str, RunError> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt()).map_err(system("can't wait for SIGINT"))?;
    let mut terminate = signal(SignalKind::terminate()).map_err(system("can't wait for SIGTERM"))?;
    let mut hangup = signal(SignalKind::hangup()).map_err(system("can't wait for SIGHUP"))?;
    let mut look = tokio::time::interval(std::time::Duration::from_secs(1));
    let mut seconds = 0u64;
    loop {
        tokio::select! {
            _ = interrupt.recv() => return Ok("SIGINT"),
            _ = terminate.recv() => return Ok("SIGTERM"),
            _ = hangup.recv() => reload(config_file.as_deref(), logs, hub),
            _ = look.tick() => {
                if hub.ended() {
                    return Ok("the cycle thread has ended");
                }
                if seconds.is_multiple_of(60) {
                    let line = hub.status.snapshot().one_line();
                    let _ = sd_notify::notify(&[NotifyState::Status(&line)]);
                    tracing::info!("{line}");
                }
                seconds += 1;
            }
        }
    }
}

/// SIGHUP: takes what can be changed while running, and says what can't.
fn reload(config_file: Option<&std::path::Path>, logs: &crate::log::Handle, hub: &Hub) {
    let Some(path) = config_file else {
        tracing::warn!("SIGHUP: there is no configuration file to reload");
        return;
    };
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) => {
            tracing::error!("SIGHUP: can't read {}: {e}; nothing is changed", path.display());
            return;
        }
    };
    let taken = HubConfig::from_toml(&text).map_err(|e| e.to_string()).and_then(|config| {
        // The file may name another address by now: what counts is where this hub listens.
        for &(field, address) in &hub.listening {
            config.access.may_listen(field, address).map_err(|e| e.to_string())?;
        }
        hub.door.reload(&config.access)?;
        logs.set(&config.log_filter)
    });
    match taken {
        Ok(()) => tracing::info!(
            "SIGHUP: log.filter, tokens, origins and certificate are reloaded; every other key takes a restart"
        ),
        Err(e) => tracing::error!("SIGHUP: {e}; nothing is changed"),
    }
}
