//! Guards what the dashboard stands on: the page for browsers and the list for programs at the same address, headers
//! that let it ask nobody else, and an answer of `/api/v1/witness` that holds before and after a restart and is found
//! out when it was changed. (`.ci/browser/run` tries the page itself.)

mod common;

use common::*;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use wavewitness_hub::recent::MAGIC;
use wavewitness_types::{Canonical, CycleIndex};
use wavewitness_verify_web::chain::{self, count};
use wavewitness_verify_web::{Fault, Report};
use wavewitness_witness::Digest;

/// Head and body of an answer in HTTP/1.0, which comes unchunked.
fn fetch(hub: SocketAddr, path: &str, headers: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(hub).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {hub}\r\n{headers}\r\n").unwrap();
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    let end = all.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
    (String::from_utf8(all[..end].to_vec()).unwrap().to_lowercase(), all[end + 4..].to_vec())
}

/// The answer, and what a browser that received nothing live finds.
fn witnessed(hub: &Daemon, minutes: u32) -> (Vec<u8>, Report) {
    let genesis = Digest::parse(hub.status()["genesis"].as_str().unwrap()).unwrap();
    let (head, body) = fetch(hub.http, &format!("/api/v1/witness?minutes={minutes}"), "");
    assert!(head.starts_with("http/1.0 200"), "{head}");
    let report = chain::check(&body, &[], &genesis).0;
    (body, report)
}

#[test]
fn a_browser_gets_the_page_and_a_program_the_list() {
    let site = Site::new("");
    let hub = site.start();
    let (head, page) = fetch(hub.http, "/", "Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\n");
    assert!(head.contains("content-type: text/html"), "{head}");
    let policy = head.lines().find(|l| l.starts_with("content-security-policy:")).unwrap();
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe-inline"), "{policy}");
    assert!(!policy.contains("http:") && !policy.contains('*'), "{policy}");
    // Every file that the page names is there, of a kind that the browser takes.
    let page = String::from_utf8(page).unwrap();
    let named: Vec<&str> = page.split('"').filter(|w| w.starts_with("web/")).collect();
    assert!(named.len() >= 3, "{named:?}");
    for file in named.into_iter().chain(["web/verify.wasm", "web/verify-simd.wasm"]) {
        let (head, body) = fetch(hub.http, &format!("/{file}"), "");
        assert!(head.starts_with("http/1.0 200") && !body.is_empty(), "{file}: {head}");
        assert!(!head.contains("text/plain") && head.contains("nosniff"), "{file}: {head}");
    }
    for path in ["/", "/api/v1"] {
        assert_eq!(hub.get(path).1["service"], "wavewitness");
    }
    let (code, geometry) = hub.get("/api/v1/geometry");
    assert_eq!((code, geometry["nodes"].as_array().unwrap().len()), (200, 4));
    assert_eq!(geometry["room"]["min_m"].as_array().unwrap().len(), 3);
}

#[test]
fn the_last_minutes_hold_before_and_after_a_restart() {
    let site = Site::new("");
    let hub = site.start();
    let air = Air::start(30, 3);
    air.aim(&hub);
    wait("cycles", || hub.status()["cycles"].as_u64() > Some(60));
    let (body, report) = witnessed(&hub, 1);
    assert_eq!(report.fault, Fault::None, "{report:?}");
    let [cycles, outputs, boots, whole] =
        [count::CYCLES, count::OUTPUTS, count::BOOTS, count::FROM_GENESIS].map(|k| report.counts[k]);
    assert!(cycles > 60 && outputs == cycles, "{report:?}");
    assert_eq!((boots, whole), (1, 1));
    assert!(body.starts_with(MAGIC));
    let (first, last) = (report.counts[count::FIRST], report.counts[count::LAST]);
    let (exit, log) = hub.terminate();
    assert_eq!(exit.code(), Some(0), "{log}");

    let hub = site.start();
    air.aim(&hub);
    wait("cycles", || hub.status()["cycles"].as_u64() > Some(20));
    let (body, report) = witnessed(&hub, 1);
    assert_eq!((report.fault, report.counts[count::FIRST]), (Fault::None, first), "{report:?}");
    assert_eq!(report.counts[count::BOOTS], 2);
    assert!(report.counts[count::LAST] > last);
    // A byte of a record in the middle: its cycle number stands in it, and maybe in front of something else.
    let genesis = Digest::parse(hub.status()["genesis"].as_str().unwrap()).unwrap();
    let needle = CycleIndex(last).to_canonical_bytes();
    let places = body.windows(8).enumerate().filter(|(at, w)| *w == needle && at + 60 < body.len());
    let faults: Vec<Fault> = places
        .map(|(at, _)| {
            let mut changed = body.clone();
            changed[at + 60] ^= 1;
            chain::check(&changed, &[], &genesis).0.fault
        })
        .collect();
    assert!(!faults.contains(&Fault::None), "{faults:?}");
    // In the witness it breaks the chain, in what was published the output.
    assert!(faults.iter().any(|fault| matches!(fault, Fault::Broken | Fault::Output)), "{faults:?}");
}

#[test]
fn what_can_t_be_answered_is_refused_in_words() {
    let site = Site::new("");
    let hub = site.start();
    for minutes in ["0", "11", "-1", "1.5", "", "99999999999999999999", "x"] {
        let (code, error) = hub.get(&format!("/api/v1/witness?minutes={minutes}"));
        assert_eq!(code, 400);
        let told = format!("minutes = {minutes}: allowed is a whole number, 1 to 10");
        assert_eq!(error["error"].as_str().unwrap(), told);
    }
    let (code, error) = hub.get("/api/v1/witness?minute=1");
    assert_eq!((code, error["error"].as_str().unwrap()), (400, "(query) = minute: allowed is minutes"));
}
