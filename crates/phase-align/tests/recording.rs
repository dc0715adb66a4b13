//! Guards alignment on real frames: two ESP32-S3 nodes, several transmitters mixed (`ruview_2node`). Frames that look
//! alike are grouped here by their aligned shape, which is all that this test needs of link separation.

mod common;

use common::frame;
use wavewitness_num::C64;
use wavewitness_num::sum::median_in_place;
use wavewitness_phase_align::{Config, Plan, State};
use wavewitness_types::limits::MAX_TONES;
use wavewitness_types::{Baseline, LinkId, Quiet, Samples, Timestamp, ToneGrid};

/// Milliseconds from the first row, node, samples.
struct Row {
    at_ms: u64,
    node: u32,
    samples: Samples,
}

fn rows() -> Option<Vec<Row>> {
    let data = std::env::var("WAVEWITNESS_DATA")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data").to_owned());
    let path = format!("{data}/ruview_2node/pretrain-1775182186.csi.jsonl");
    let text = std::fs::read_to_string(path).ok()?;
    let field = |line: &str, name: &str| -> Option<String> {
        let rest = line.split_once(&format!("\"{name}\": "))?.1;
        Some(rest.split([',', '}']).next()?.trim_matches('"').to_owned())
    };
    let mut out: Vec<Row> = Vec::new();
    let mut first = None;
    for line in text.lines().filter(|l| l.contains("\"raw_csi\"")) {
        let seconds: f64 = field(line, "timestamp")?.parse().ok()?;
        let hex = field(line, "iq_hex")?;
        let bytes: Vec<f64> = (0..hex.len() / 2)
            .filter_map(|k| u8::from_str_radix(&hex[2 * k..2 * k + 2], 16).ok())
            .map(|b| f64::from(b.cast_signed()))
            .collect();
        // Pairs are (imag, real) in FFT order; the second field of 64 is the HT20 one.
        let (grid, start) = if bytes.len() == 128 { (ToneGrid::Legacy20, 0) } else { (ToneGrid::Ht20, 64) };
        let h: Vec<C64> = grid
            .indices()
            .iter()
            .map(|&i| start + usize::from(i.rem_euclid(64).unsigned_abs()))
            .map(|p| C64::new(bytes[2 * p + 1], bytes[2 * p]))
            .collect();
        if h.iter().any(|z| z.re != 0.0 || z.im != 0.0) {
            let at_ms = ((seconds - *first.get_or_insert(seconds)) * 1000.0) as u64;
            let node = field(line, "node_id")?.parse().ok()?;
            out.push(Row { at_ms, node, samples: common::samples(grid, &h) });
        }
    }
    Some(out)
}

fn reference(mean: Samples) -> Baseline {
    Baseline {
        link: LinkId(0),
        empty_room: false,
        observations: 1,
        completed: Timestamp(1),
        mean,
        variance: [0.0; MAX_TONES],
        quiet_incoherence: Quiet::default(),
        quiet_change: Quiet::default(),
        rssi_dbm: None,
        rssi_sd_db: None,
    }
}

/// Indices of rows of one node and grid that correlate above 0.9 with the first of their group.
fn groups(rows: &[Row], node: u32, grid: ToneGrid) -> Vec<Vec<usize>> {
    let plan = Plan::new(&Config::default()).unwrap();
    let mut state = State::new(&plan);
    let mut centres: Vec<Baseline> = Vec::new();
    let mut out: Vec<Vec<usize>> = Vec::new();
    for (k, row) in rows.iter().enumerate().filter(|(_, r)| r.node == node && r.samples.grid() == grid) {
        let correlations = centres
            .iter()
            .map(|c| plan.align(frame(0, 0, row.samples.clone()), Some(c), &mut state).correlation);
        match correlations.enumerate().max_by(|a, b| a.1.total_cmp(&b.1)) {
            Some((g, correlation)) if correlation > 0.9 => out[g].push(k),
            _ if centres.len() < 12 => {
                centres.push(reference(row.samples.clone()));
                out.push(vec![k]);
            }
            _ => {}
        }
    }
    out.retain(|g| g.len() >= 150);
    out
}

#[test]
fn real_frames_of_one_transmitter_align() {
    let Some(rows) = rows() else {
        eprintln!("SKIPPED: the recording ruview_2node is not here (set WAVEWITNESS_DATA)");
        return;
    };
    assert_eq!(rows.len(), 5309);
    let mut judged = 0;
    for (node, grid) in [1, 2].into_iter().flat_map(|n| [(n, ToneGrid::Legacy20), (n, ToneGrid::Ht20)]) {
        for group in groups(&rows, node, grid) {
            judged += 1;
            let plan = Plan::new(&Config::default()).unwrap();
            let mut state = State::new(&plan);
            let (mut correlations, mut delays, mut changes) = (Vec::new(), Vec::new(), Vec::new());
            let mut raw_phases = C64::new(0.0, 0.0);
            let (mut residual, mut cycle) = (Vec::new(), 0);
            for &k in &group {
                while rows[k].at_ms >= (cycle + 1) * 50 {
                    cycle += 1;
                    plan.end_cycle(Timestamp(cycle * 50_000_000), &mut state);
                    changes.extend(state.observations().iter().filter_map(|o| o.change).map(f64::from));
                }
                let before = state.observations().first().map(|o| o.mean.clone());
                let a = plan.align(frame(rows[k].at_ms, 0, rows[k].samples.clone()), None, &mut state);
                correlations.push(f64::from(a.correlation));
                delays.push(f64::from(a.delay_ns));
                raw_phases += wavewitness_num::complex::unit(f64::from(a.common_phase));
                if let Some(b) = before {
                    // The common phase that is left between two aligned frames of successive cycles.
                    let mut z = C64::new(0.0, 0.0);
                    for t in 0..b.re().len() {
                        z += wavewitness_num::complex::conj_mul(
                            C64::new(b.re()[t].into(), b.im()[t].into()),
                            C64::new(a.samples.re()[t].into(), a.samples.im()[t].into()),
                        );
                    }
                    residual.push(wavewitness_num::complex::arg(z).abs());
                }
            }
            let n = group.len();
            let raw = wavewitness_num::complex::abs(raw_phases) / n as f64;
            let correlation = median_in_place(&mut correlations).unwrap();
            let residual = median_in_place(&mut residual).unwrap_or(0.0);
            let mean_delay = delays.iter().sum::<f64>() / n as f64;
            let spread =
                (delays.iter().map(|d| (d - mean_delay) * (d - mean_delay)).sum::<f64>() / n as f64).sqrt();
            let change = median_in_place(&mut changes).unwrap();
            eprintln!(
                "node {node} {}: {n} frames, correlation p50 {correlation:.4}, delay sd {spread:.1} ns, raw phase \
                 resultant {raw:.3}, residual phase p50 {residual:.4} rad, change p50 {change:.5}",
                grid.name()
            );
            assert!(correlation > 0.98 && spread < 60.0 && residual < 0.1 && change < 0.1);
        }
    }
    assert!(judged >= 6, "only {judged} groups of 150 frames");
}
