//! HKU: an ESP32-C5 (HT40), clips of three seconds at 100 Hz, still or moving, as CSV.
//!
//! Quiet is learned on the first still clips, as many as it needs, and carried over; these are not judged. Every other clip
//! begins cold. A clip counts as moving if the mean score of its looks reaches `on_z`, from which something moves.

use super::espectre::Stream;
use crate::{Dataset, Failure, Judgement, Report, Row};
use std::path::{Path, PathBuf};
use wavewitness_ingest::{Packet, parse};
use wavewitness_types::{Samples, Timestamp};

/// The dataset of this module.
pub const HKU: Dataset = Dataset {
    name: "hku",
    arguments: "FOLDER   (with folders *static* and *motion* of CSV clips)",
    run,
    find,
};

fn find(dir: &Path) -> Vec<Vec<PathBuf>> {
    let dir = dir.join("motion_hku");
    if dir.is_dir() { vec![vec![dir]] } else { Vec::new() }
}

fn clips(dir: &Path, kind: &str) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(|e| Failure::read(dir, e))?.flatten() {
        let path = entry.path();
        if path.is_dir() && path.file_name().is_some_and(|n| n.to_string_lossy().contains(kind)) {
            let inside = std::fs::read_dir(&path).map_err(|e| Failure::read(&path, e))?;
            files.extend(
                inside.flatten().map(|e| e.path()).filter(|p| p.extension().is_some_and(|x| x == "csv")),
            );
        }
    }
    files.sort();
    Ok(files)
}

/// Frames with the node's own clock in microseconds, which wraps as a signed 32-bit number.
fn read(path: &Path) -> Result<Vec<(u32, Samples)>, Failure> {
    let text = std::fs::read_to_string(path).map_err(|e| Failure::read(path, e))?;
    let mut lines = text.lines();
    let heading: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    let column = heading.iter().position(|name| *name == "local_timestamp");
    let column = column.ok_or_else(|| Failure::read(path, "no column local_timestamp"))?;
    let mut frames = Vec::new();
    for line in lines {
        let clock = line.split(',').nth(column).and_then(|t| t.trim().parse::<i64>().ok());
        let packet = parse(Timestamp(0), line.as_bytes());
        if let (Some(clock), Ok(Packet::Csi(f) | Packet::RestoredCsi(f))) = (clock, packet) {
            frames.push(((clock & 0xffff_ffff) as u32, f.samples));
        }
    }
    if frames.is_empty() { Err(Failure::read(path, "no channel frame in it")) } else { Ok(frames) }
}

/// Streams a clip behind what came before; returns the share of its cycles in which something moves, and the mean score.
fn stream(clip: &[(u32, Samples)], to: &mut Stream) -> (f64, f64) {
    let (start, first) = (to.now(), clip[0].0);
    for (clock, samples) in clip {
        let micros = u64::from(clock.wrapping_sub(first));
        to.frame(start.plus_nanos(micros * 1000), samples);
    }
    let decisions = to.cut().decisions;
    let moving = decisions.iter().filter(|d| d.moving).count();
    let scores: Vec<f64> = decisions.iter().filter_map(|d| d.z.map(f64::from)).collect();
    let mean = scores.iter().sum::<f64>() / scores.len().max(1) as f64;
    (moving as f64 / decisions.len().max(1) as f64, mean)
}

fn run(paths: &[PathBuf]) -> Result<Report, Failure> {
    let mut report = Report::new("hku");
    for dir in paths {
        let (still, moving) = (clips(dir, "static")?, clips(dir, "motion")?);
        let Some((learn, still)) = still.split_first() else {
            return Err(Failure::read(dir, "no folder *static* with CSV clips"));
        };
        let mut learner = Stream::new()?;
        let clip = read(learn)?;
        stream(&clip, &mut learner);
        // Three seconds hold fewer looks than are learned from: once more from the next still clips.
        let mut still = still;
        while !learner.ready()
            && let Some((next, rest)) = still.split_first()
        {
            learner.restart();
            stream(&read(next)?, &mut learner);
            still = rest;
        }
        let on_z = wavewitness_motion::Config::default().on_z;
        let mut errors = 0u32;
        let mut judge = |files: &[PathBuf], truth: bool| -> Result<f64, Failure> {
            let mut share = 0.0;
            for path in files {
                learner.restart();
                let (moved, score) = stream(&read(path)?, &mut learner);
                errors += u32::from((score >= on_z) != truth);
                share += moved;
            }
            Ok(share / files.len().max(1) as f64)
        };
        let (false_rate, recall) = (judge(still, false)?, judge(&moving, true)?);
        let name = format!("{} still, {} moving clips", still.len(), moving.len());
        let row = |metric: &str, value| Row::new(&name, metric, value, "");
        report
            .rows
            .push(row("clips judged wrongly", f64::from(errors)).peer(0.0).bar(Judgement::AtMost(0.0)));
        report.rows.push(row("false-alarm rate, cycles", false_rate));
        report.rows.push(row("recall, cycles, cold", recall));
    }
    Ok(report)
}
