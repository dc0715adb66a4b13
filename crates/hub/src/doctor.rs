//! `wavewitness doctor` and `calibrate`: a running hub asked, or the network listened to.

use crate::check;
use crate::cli::{CalibrateArgs, DoctorArgs};
use crate::clock::Clock;
use crate::config::HubConfig;
use crate::terminal;
use crate::udp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;
use wavewitness_types::limits::MAX_DATAGRAM_BYTES;

type Failure = Box<dyn Error + Send + Sync>;

/// Says what a hub hears and what is wrong. True if nothing is.
///
/// # Errors
/// If neither a hub answers nor the UDP address can be listened to.
pub fn doctor(config: &HubConfig, args: &DoctorArgs) -> Result<bool, Failure> {
    match args.hub.client().get("/api/v1/status") {
        Ok((200, status)) if !is_of_a_hub(&status) => {
            Err(format!("what answers at {} is no hub: its status has no software and cycles", args.hub.hub)
                .into())
        }
        Ok((200, status)) => {
            if args.json {
                println!("{status}");
            } else {
                print!("{}", terminal::status(&status));
            }
            let healthy = status["ready"] == true;
            if !args.json {
                println!("{}", if healthy { "ready" } else { "NOT READY" });
            }
            Ok(healthy)
        }
        Ok((401 | 403 | 429, body)) => {
            let text = body["error"].as_str().unwrap_or("refused");
            Err(format!("the hub at {}: {text}; give --token or WAVEWITNESS_TOKEN", args.hub.hub).into())
        }
        Ok((code, body)) => Err(format!("the hub at {} answered {code}: {body}", args.hub.hub).into()),
        Err(e) => {
            println!("no hub answers at {}: {e}", args.hub.hub);
            listen(config, args)
        }
    }
}

/// Something else may have the port, and answer everything with some JSON.
fn is_of_a_hub(status: &Value) -> bool {
    status["software"].as_str().is_some_and(|s| s.starts_with("wavewitness")) && status["cycles"].is_u64()
}

/// Without a hub: does anything arrive at all, from whom, of what kind?
fn listen(config: &HubConfig, args: &DoctorArgs) -> Result<bool, Failure> {
    if let Err(e) = check::check(config) {
        println!("a hub would not start: {e}");
    }
    let socket = match udp::bind(config.udp_bind) {
        Ok(socket) => socket,
        Err(e) => {
            println!(
                "can't listen at {}: {e}; something else uses it, or it is no address of this machine",
                config.udp_bind
            );
            return Ok(false);
        }
    };
    println!("listening at {} for {} s …", config.udp_bind, args.seconds);
    let clock = Clock::start();
    let end = clock.now().plus_nanos(u64::from(args.seconds) * 1_000_000_000);
    socket.set_read_timeout(Some(Duration::from_millis(200)))?;
    let mut heard: BTreeMap<String, u64> = BTreeMap::new();
    let mut buffer = vec![0; MAX_DATAGRAM_BYTES + 1];
    while clock.now() < end {
        if let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let what = match wavewitness_ingest::parse(clock.now(), &buffer[..length]) {
                Ok(packet) => match packet.node() {
                    Some(node) => format!("{node}, {}", packet.kind().name()),
                    None => packet.kind().name().to_owned(),
                },
                Err(reason) => format!("not usable: {}", reason.name()),
            };
            *heard.entry(format!("{from}: {what}")).or_default() += 1;
        }
    }
    if heard.is_empty() {
        println!(
            "nothing arrived: check the nodes' target_ip and target_port, power, Wi-Fi, and the firewall"
        );
        if config.udp_bind.ip().is_loopback() {
            println!("hub.udp_bind is a loopback address: nodes on the network can't reach it");
        }
    }
    for (what, n) in &heard {
        println!("{:>7.1}/s  {what}", *n as f64 / f64::from(args.seconds.max(1)));
    }
    println!("start the hub with `wavewitness run`");
    Ok(false)
}

/// Collects an empty-room baseline on a running hub, and waits for it.
///
/// # Errors
/// If the hub can't be reached, refuses, or the collection does not finish in time.
pub fn calibrate(args: &CalibrateArgs) -> Result<(), Failure> {
    let client = args.hub.client();
    let ask = |action: &str| -> Result<(), Failure> {
        let (code, body) = client
            .post("/api/v1/calibration", &json!({ "action": action }))
            .map_err(|e| format!("no hub answers at {}: {e}", args.hub.hub))?;
        if code == 202 { Ok(()) } else { Err(format!("the hub refused ({code}): {}", body["error"]).into()) }
    };
    if args.cancel || args.clear {
        ask(if args.cancel { "cancel" } else { "clear" })?;
        println!("done");
        return Ok(());
    }
    // Nobody should leave a room for a hub that isn't there, or that does not know this token.
    let (code, status) =
        client.get("/api/v1/status").map_err(|e| format!("no hub answers at {}: {e}", args.hub.hub))?;
    if code != 200 || !is_of_a_hub(&status) {
        return Err(format!("the hub at {} answered {code}: {}", args.hub.hub, status["error"]).into());
    }
    for left in (1..=args.delay).rev() {
        if left == args.delay || left % 5 == 0 || left <= 3 {
            println!("leave the room: collecting begins in {left} s");
        }
        std::thread::sleep(Duration::from_secs(1));
    }
    ask("start")?;
    println!("collecting; keep the room empty");
    // The command takes effect at the end of the running cycle.
    std::thread::sleep(Duration::from_millis(500));
    let mut progress = Progress::default();
    for second in 0..args.timeout {
        let (_, status) = client.get("/api/v1/status")?;
        progress = Progress::of(&status);
        if second % 2 == 0 || progress.collecting == 0 {
            println!("{}", progress.line());
        }
        if progress.links > 0 && progress.collecting == 0 {
            return progress.verdict();
        }
        std::thread::sleep(Duration::from_secs(1));
    }
    progress.at_timeout(args.timeout)
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Progress {
    links: u64,
    collecting: u64,
    have: u64,
    need: u64,
    ready: u64,
    refused: BTreeMap<String, u64>,
}

impl Progress {
    fn of(status: &Value) -> Progress {
        let mut p = Progress::default();
        for link in status["links"].as_array().into_iter().flatten() {
            let c = &link["calibration"];
            p.links += 1;
            match c["state"].as_str() {
                Some("collecting") => {
                    p.collecting += 1;
                    p.have += c["have"].as_u64().unwrap_or(0);
                    p.need += c["need"].as_u64().unwrap_or(0);
                }
                Some("ready") if c["empty_room"] == true => p.ready += 1,
                Some("refused") => {
                    *p.refused.entry(c["reason"].as_str().unwrap_or("?").to_owned()).or_default() += 1;
                }
                _ => {}
            }
        }
        p
    }

    fn line(&self) -> String {
        if self.collecting == 0 {
            return format!("{} of {} links ready", self.ready, self.links);
        }
        let percent = 100 * self.have / self.need.max(1);
        format!("{} links ready, {} collecting ({percent} %)", self.ready, self.collecting)
    }

    /// A sender that is hardly heard needs many minutes: nobody has to stay outside for it while other links are ready.
    fn at_timeout(&self, seconds: u32) -> Result<(), Failure> {
        if self.ready == 0 {
            return Err(format!("no link is ready after {seconds} s; see `wavewitness doctor`").into());
        }
        println!("{} links hear too few frames to be ready in {seconds} s; the hub goes on", self.collecting);
        self.verdict()
    }

    fn verdict(&self) -> Result<(), Failure> {
        for (reason, n) in &self.refused {
            println!("{n} links refused: {reason}");
        }
        if self.ready == 0 {
            return Err("no link could be calibrated; see `wavewitness doctor`".into());
        }
        println!("calibrated: {} of {} links", self.ready, self.links);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_program_is_not_taken_for_a_hub() {
        assert!(is_of_a_hub(&json!({ "software": "wavewitness 0.1.0", "cycles": 0 })));
        for other in
            [json!({}), json!([]), json!({ "software": "nginx", "cycles": 1 }), json!({ "cycles": 1 })]
        {
            assert!(!is_of_a_hub(&other), "{other}");
        }
    }

    #[test]
    fn progress_counts_states_and_names_refusals() {
        let status = json!({ "links": [
            { "calibration": { "state": "collecting", "have": 30, "need": 100 } },
            { "calibration": { "state": "ready", "empty_room": true } },
            { "calibration": { "state": "ready", "empty_room": false } },
            { "calibration": { "state": "refused", "reason": "motion" } },
        ]});
        let p = Progress::of(&status);
        assert_eq!((p.links, p.collecting, p.have, p.need, p.ready), (4, 1, 30, 100, 1));
        assert_eq!(p.refused["motion"], 1);
        assert!(p.line().contains("30 %"));
        assert!(p.verdict().is_ok() && p.at_timeout(300).is_ok());
        assert!(Progress::of(&json!({ "links": [] })).verdict().is_err());
        let none_ready =
            json!({ "links": [{ "calibration": { "state": "collecting", "have": 1, "need": 100 } }] });
        assert!(Progress::of(&none_ready).at_timeout(300).is_err());
    }
}
