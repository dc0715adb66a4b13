//! A recording without truth through the whole engine: what it published about presence and motion, link by link.

use super::panel::{
    Axes, BLUE, GREEN, HEAD, Mark, PALE, Piece, RED, SKY, block, chart, curve, dashes, legend_from, sheet,
    stretches, strip,
};
use super::{Drawing, command, file, stem};
use crate::Failure;
use crate::adapters::ruview_2node::{name, replay};
use plotters::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use wavewitness_num::math;
use wavewitness_types::{LinkId, PoseFrame, Presence};

/// Room for the names of links.
const SIDE: i32 = 410;
/// Motion levels are drawn up to here.
const MOST_MOTION: f64 = 6.0;

/// One for each recording.
pub fn draw(paths: &[PathBuf]) -> Result<Vec<Drawing>, Failure> {
    paths.iter().map(|path| one(path)).collect()
}

#[derive(Clone, Copy, PartialEq)]
enum Said {
    Present,
    Absent,
    Unknown,
}

/// What was published, by seconds.
#[derive(Default)]
struct Timeline {
    said: Vec<(f64, Said)>,
    probability: Vec<Option<(f64, f64)>>,
    motion: Vec<Option<(f64, f64)>>,
    /// Of each link its name and, for each second that it was heard in, the greatest motion level if there is one.
    links: BTreeMap<LinkId, (String, BTreeMap<usize, Option<f32>>)>,
    /// Why presence was unknown.
    reasons: BTreeSet<&'static str>,
    end_s: f64,
}

impl Timeline {
    fn add(&mut self, at_s: f64, frame: &PoseFrame) {
        let (said, probability) = match frame.presence {
            Presence::Unknown(reason) => {
                self.reasons.insert(reason.name());
                (Said::Unknown, None)
            }
            Presence::Known { present: true, probability, .. } => (Said::Present, Some(probability)),
            Presence::Known { present: false, probability, .. } => (Said::Absent, Some(probability)),
        };
        self.said.push((at_s, said));
        self.probability.push(probability.map(|p| (at_s, f64::from(p))));
        self.motion.push(frame.motion.map(|m| (at_s, f64::from(m))));
        self.end_s = at_s;
        for status in &frame.links {
            let link = self.links.entry(status.id).or_insert_with(|| (name(status), BTreeMap::new()));
            if status.cycle_frames > 0 {
                let cell = link.1.entry(at_s as usize).or_default();
                *cell = if status.motion > *cell { status.motion } else { *cell };
            }
        }
    }
}

/// Points of a curve, the greatest of as many as one pixel can't tell apart.
fn thinned(points: &[Option<(f64, f64)>]) -> Vec<Option<(f64, f64)>> {
    let every = points.len().div_ceil(1300).max(1);
    let greatest = |part: &[Option<(f64, f64)>]| {
        part.iter().flatten().copied().reduce(|a, b| if b.1 > a.1 { b } else { a })
    };
    points.chunks(every).map(greatest).collect()
}

fn one(path: &Path) -> Result<Drawing, Failure> {
    let mut line = Timeline::default();
    replay(path, |at_s, frame| line.add(at_s, frame))?;
    let count =
        |said: Said| line.said.iter().filter(|s| s.1 == said).count() as f64 / line.said.len().max(1) as f64;
    let title = format!(
        "{}: somebody moves {:.0} %, nobody moves {:.0} %, unknown {:.0} %",
        stem(path),
        100.0 * count(Said::Present),
        100.0 * count(Said::Absent),
        100.0 * count(Said::Unknown)
    );
    let cells = 150 + 46 * line.links.len() as u32;
    let svg = sheet(
        HEAD + 190 + 380 + 420 + cells,
        &title,
        &command("ruview-2node", &[path.to_owned()]),
        |root| {
            let (_, rest) = root.split_vertically(HEAD);
            let (said, rest) = rest.split_vertically(190);
            let (probability, rest) = rest.split_vertically(380);
            let (motion, links) = rest.split_vertically(420);
            decisions(&said, &line)?;
            probabilities(&probability, &line)?;
            motions(&motion, &line)?;
            by_link(&links, &line)
        },
    )?;
    Ok(Drawing { file: file(&["ruview-2node", &stem(path)]), svg })
}

fn decisions(part: &super::panel::Sheet<'_>, line: &Timeline) -> Result<(), Failure> {
    let colour = |said: Said| match said {
        Said::Present => RED,
        Said::Absent => SKY,
        Said::Unknown => PALE,
    };
    let pieces =
        stretches(&line.said, line.end_s).into_iter().map(|(a, b, said)| (a, b, colour(said))).collect();
    let reasons: Vec<&str> = line.reasons.iter().copied().collect();
    let unknown =
        format!("unknown: {}", if reasons.is_empty() { "never".to_owned() } else { reasons.join(", ") });
    strip(part, SIDE, (0.0, line.end_s), "", &[("presence (no truth known)", pieces)])?;
    legend_from(
        part,
        SIDE,
        &[
            (Mark::Patch(1.0), RED, "somebody moves"),
            (Mark::Patch(1.0), SKY, "nobody moves"),
            (Mark::Patch(1.0), PALE, &unknown),
        ],
    )
}

fn shade(chart: &mut super::panel::Chart<'_>, line: &Timeline, y: (f64, f64)) -> Result<(), Failure> {
    for (from, to, said) in stretches(&line.said, line.end_s) {
        if said == Said::Unknown {
            block(chart, (from, to), y, PALE.mix(0.5).filled())?;
        }
    }
    Ok(())
}

fn probabilities(part: &super::panel::Sheet<'_>, line: &Timeline) -> Result<(), Failure> {
    let axes = Axes { left: SIDE, x: (0.0, line.end_s), y: (0.0, 1.0), x_word: "", y_word: "probability" };
    let mut p = chart(part, &axes)?;
    shade(&mut p, line, axes.y)?;
    curve(&mut p, thinned(&line.probability), BLUE.stroke_width(3))?;
    legend_from(part, SIDE, &[(Mark::Line, BLUE, "probability that somebody moves (basis: motion)")])
}

fn motions(part: &super::panel::Sheet<'_>, line: &Timeline) -> Result<(), Failure> {
    let points = thinned(&line.motion);
    let axes = Axes {
        left: SIDE,
        x: (0.0, line.end_s),
        y: (0.0, MOST_MOTION),
        x_word: "",
        y_word: "motion over quiet",
    };
    let mut motion = chart(part, &axes)?;
    shade(&mut motion, line, axes.y)?;
    dashes(&mut motion, (0.0, 1.0), (line.end_s, 1.0), RED.stroke_width(3))?;
    let cut = points.into_iter().map(|p| p.map(|(x, y)| (x, if y < MOST_MOTION { y } else { MOST_MOTION })));
    curve(&mut motion, cut, GREEN.stroke_width(3))?;
    legend_from(
        part,
        SIDE,
        &[(Mark::Line, GREEN, "all links, by attention (cut at 6)"), (Mark::Dashes, RED, "quiet")],
    )
}

/// Levels of motion over quiet with their colours, from pale to dark.
const LEVELS: [(f32, RGBColor, &str); 5] = [
    (0.0, RGBColor(222, 235, 247), "< 1.5 × quiet"),
    (1.5, RGBColor(158, 202, 225), "1.5"),
    (2.0, RGBColor(253, 174, 97), "2"),
    (3.0, RGBColor(215, 48, 39), "3"),
    (5.0, RGBColor(103, 0, 31), "5 +"),
];

fn by_link(part: &super::panel::Sheet<'_>, line: &Timeline) -> Result<(), Failure> {
    let level = |motion: f32| LEVELS.iter().rposition(|l| motion >= l.0).unwrap_or(0);
    let rows: Vec<(String, Vec<Piece>)> = line
        .links
        .values()
        .map(|(name, cells)| {
            let mut pieces: Vec<Piece> = Vec::new();
            for (&second, motion) in cells {
                let colour = motion.map_or(PALE, |m| LEVELS[level(m)].1);
                let (from, to) = (second as f64, math::min_f64(second as f64 + 1.0, line.end_s));
                match pieces.last_mut() {
                    Some(last) if last.1 == from && last.2 == colour => last.1 = to,
                    _ => pieces.push((from, to, colour)),
                }
            }
            (name.clone(), pieces)
        })
        .collect();
    let named: Vec<(&str, Vec<_>)> = rows.iter().map(|(n, p)| (n.as_str(), p.clone())).collect();
    strip(part, SIDE, (0.0, line.end_s), "seconds since the recording's start", &named)?;
    let mut entries = vec![(Mark::Patch(1.0), PALE, "quiet unknown")];
    for (_, colour, words) in LEVELS {
        entries.push((Mark::Patch(1.0), colour, words));
    }
    legend_from(part, SIDE, &entries)
}
