//! Guards the promise of the journal: `kill -9` at any moment loses nothing that was published, a restart resumes the
//! same chain and says what happened, no cycle number stands for two cycles, and all of it verifies and computes again.

mod common;

use common::*;
use std::net::SocketAddr;
use std::thread::JoinHandle;
use std::time::Duration;
use wavewitness_types::Event;

const KILLS: u64 = 20;

/// Receives until the hub is gone: cycles with their chain values.
fn listen(http: SocketAddr) -> JoinHandle<Vec<(u64, String)>> {
    std::thread::spawn(move || {
        runtime().block_on(async {
            let mut received = Vec::new();
            let mut socket = connect(http).await;
            while let Some(message) = next(&mut socket).await {
                if message["type"] == "cycle" {
                    received.push(chained(&message));
                }
            }
            received
        })
    })
}

#[test]
fn twenty_kills_lose_nothing_that_was_published() {
    let site = Site::new("");
    let air = Air::start(60, 1);
    let mut random = Random(20);
    let mut received = Vec::new();
    let mut boots = 0;
    for kill in 0..=KILLS {
        let hub = site.start();
        air.aim(&hub);
        let client = listen(hub.http);
        assert_eq!(hub.log().contains("goes on from"), kill > 0, "{}", hub.log());
        assert!(!hub.log().contains("configuration, source or numerics changed"), "{}", hub.log());
        std::thread::sleep(Duration::from_micros(200_000 + random.below(1_200_000)));
        if kill < KILLS {
            hub.kill();
        } else {
            let (exit, log) = hub.terminate();
            assert_eq!(exit.code(), Some(0), "{log}");
        }
        boots += 1;
        let cycles = client.join().unwrap();
        // A busy machine may kill it before it published anything.
        let is_later = cycles.first().is_none_or(|first| Some(first) > received.last());
        assert!(cycles.is_sorted() && is_later, "a cycle number was used again");
        received.extend(cycles);
    }
    assert!(received.len() > 200, "{}", received.len());

    let report = site.sound();
    let [chain] = &report.chains[..] else { panic!("{report:?}") };
    assert_eq!((chain.boots, chain.unclean_boots, chain.stops), (boots, KILLS, 1));
    assert_eq!(chain.sources.simulated, chain.cycles);
    let unclean = site.events().into_iter().filter_map(|event| match event {
        Event::Boot { record, .. } => Some(record.unclean),
        _ => None,
    });
    let unclean: Vec<bool> = unclean.collect();
    assert!(
        !unclean[0] && unclean[1..].iter().all(|&u| u) && unclean.len() as u64 == KILLS + 1,
        "{unclean:?}"
    );
    let stored = chain_values(&site.chunks());
    for (cycle, value) in &received {
        assert_eq!(stored.get(cycle), Some(value), "cycle {cycle} was published");
    }
    println!(
        "{KILLS} kills: {} cycles written, computed again and equal; {} received by a client, all of them there; \
         {} notes: {:?}",
        chain.cycles,
        received.len(),
        chain.notes.len(),
        chain.notes.last()
    );
}
