//! A file that is quiet first and moving then: the detector's score and decision beside the truth.

use super::panel::{
    Axes, BLUE, GREEN, HEAD, LEFT, Mark, PALE, Piece, RED, SKY, block, chart, curve, dashes, legend, sheet,
    stretches, strip,
};
use super::{Drawing, command, file, stem};
use crate::Failure;
use crate::adapters::espectre::{Decision, timeline};
use plotters::prelude::*;
use std::path::{Path, PathBuf};
use wavewitness_num::math;
use wavewitness_types::Timestamp;

/// Scores are drawn up to here: a person who walks reaches hundreds.
const MOST_Z: f64 = 40.0;

/// One for each test file.
pub fn draw(paths: &[PathBuf]) -> Result<Vec<Drawing>, Failure> {
    let mut drawings = Vec::new();
    for path in paths {
        if let Some((decisions, begins)) = timeline(path)? {
            drawings.push(one(path, &decisions, begins)?);
        }
    }
    Ok(drawings)
}

fn seconds(at: Timestamp) -> f64 {
    at.0 as f64 * 1e-9
}

fn one(path: &Path, decisions: &[Decision], begins: Timestamp) -> Result<Drawing, Failure> {
    let name = stem(path);
    let first = decisions.iter().find(|d| d.at >= begins && d.moving);
    let false_alarms = decisions.iter().filter(|d| d.at < begins && d.moving).count();
    let delay = first
        .map_or("never found".to_owned(), |d| format!("found after {:.2} s", d.at.seconds_since(begins)));
    let title = format!("{name}: motion {delay}, {false_alarms} false alarms");
    let svg = sheet(1080, &title, &command("espectre", &[path.to_owned()]), |root| {
        let (_, rest) = root.split_vertically(HEAD);
        let (score, said) = rest.split_vertically(620);
        scores(&score, decisions, begins)?;
        strips(&said, decisions, begins)
    })?;
    Ok(Drawing { file: file(&["espectre", &name]), svg })
}

fn end(decisions: &[Decision]) -> f64 {
    decisions.last().map_or(1.0, |d| seconds(d.at))
}

fn scores(part: &super::panel::Sheet<'_>, decisions: &[Decision], begins: Timestamp) -> Result<(), Failure> {
    let axes = Axes {
        left: LEFT,
        x: (0.0, end(decisions)),
        y: (-5.0, MOST_Z),
        x_word: "",
        y_word: "score z of a look",
    };
    let mut z = chart(part, &axes)?;
    for (from, to, known) in
        stretches(&decisions.iter().map(|d| (seconds(d.at), d.z.is_some())).collect::<Vec<_>>(), axes.x.1)
    {
        if !known && to - from > 0.2 {
            block(&mut z, (from, to), axes.y, PALE.mix(0.5).filled())?;
        }
    }
    let on_z = wavewitness_motion::Config::default().on_z;
    dashes(&mut z, (0.0, on_z), (axes.x.1, on_z), RED.stroke_width(3))?;
    let begins = seconds(begins);
    curve(&mut z, [Some((begins, axes.y.0)), Some((begins, axes.y.1))], GREEN.stroke_width(4))?;
    let shown = |d: &Decision| Some((seconds(d.at), math::min_f64(f64::from(d.z?), MOST_Z)));
    curve(&mut z, decisions.iter().map(shown), BLUE.stroke_width(2))?;
    legend(
        part,
        &[
            (Mark::Line, BLUE, "z, cut at 40"),
            (Mark::Dashes, RED, "threshold"),
            (Mark::Line, GREEN, "motion begins (truth)"),
            (Mark::Patch(1.0), PALE, "learning quiet"),
        ],
    )
}

fn strips(part: &super::panel::Sheet<'_>, decisions: &[Decision], begins: Timestamp) -> Result<(), Failure> {
    let end = end(decisions);
    let row = |is: &dyn Fn(&Decision) -> bool, colour: RGBColor| -> Vec<Piece> {
        let values: Vec<_> = decisions.iter().map(|d| (seconds(d.at), is(d))).collect();
        stretches(&values, end).into_iter().filter(|s| s.2).map(|(from, to, _)| (from, to, colour)).collect()
    };
    let wrong = row(&|d| d.moving != (d.at >= begins), RED);
    strip(
        part,
        LEFT,
        (0.0, end),
        "seconds since the file's start",
        &[
            ("truth", vec![(seconds(begins), end, GREEN)]),
            ("said", row(&|d| d.moving, SKY)),
            ("differs", wrong),
        ],
    )?;
    legend(
        part,
        &[
            (Mark::Patch(1.0), GREEN, "somebody moves"),
            (Mark::Patch(1.0), SKY, "motion is said"),
            (Mark::Patch(1.0), RED, "the two differ"),
        ],
    )
}
