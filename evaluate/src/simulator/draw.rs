//! Drawings of the simulator: distributions beside a recording, and physics beside closed forms.

use super::physics::{Curves, Point};
use super::{Comparison, NODES, Numbers};
use crate::Failure;
use crate::plots::Drawing;
use crate::plots::panel::{
    Axes, BLACK, BLUE, GREEN, HEAD, LEFT, Mark, RED, SKY, chart, curve, dashes, legend, sheet,
};
use plotters::prelude::*;

const COMMAND: &str = "evaluate simulator DIR --plot DIR";
const PANEL: u32 = 470;
/// In the order of the comparison's sides.
const COLOURS: [RGBColor; 4] = [BLACK, RED, BLUE, GREEN];

/// A list of numbers of each side as its distribution.
struct Distribution {
    word: &'static str,
    most: f64,
    values: fn(&Numbers) -> Vec<f64>,
}

const DISTRIBUTIONS: [Distribution; 3] = [
    Distribution { word: "spread over tones, dB", most: 8.0, values: |n| n.spread_db.clone() },
    Distribution {
        word: "slope noise, mrad a tone",
        most: 100.0,
        values: |n| n.slope.iter().map(|x| 1e3 * x).collect(),
    },
    Distribution { word: "time between frames, ms", most: 120.0, values: |n| n.gaps_ms.clone() },
];

/// Share of ascending values up to each of 400 places.
fn shares(values: &[f64], most: f64) -> Vec<Option<(f64, f64)>> {
    let place = |k: u32| most * f64::from(k) / 400.0;
    let share = |x: f64| values.partition_point(|&v| v <= x) as f64 / values.len() as f64;
    (0..=400).map(|k| Some((place(k), share(place(k))))).collect()
}

pub fn beside(comparison: &Comparison) -> Result<Drawing, Failure> {
    let title = "The simulator beside a recording of two ESP32-S3: shares of frames";
    let height = HEAD + PANEL * DISTRIBUTIONS.len() as u32;
    let svg = sheet(height, title, COMMAND, |root| {
        let (_, panels) = root.split_vertically(HEAD);
        let parts = panels.split_evenly((DISTRIBUTIONS.len(), 1));
        for (part, d) in parts.iter().zip(&DISTRIBUTIONS) {
            let axes = Axes { left: LEFT, x: (0.0, d.most), y: (0.0, 1.0), x_word: d.word, y_word: "share" };
            let mut panel = chart(part, &axes)?;
            for ((_, frames), colour) in comparison.sides.iter().zip(COLOURS).rev() {
                for node in NODES {
                    let values = (d.values)(&Numbers::of(frames, node));
                    let width = if colour == BLACK { 5 } else { 3 };
                    curve(&mut panel, shares(&values, d.most), colour.stroke_width(width))?;
                }
            }
            let entries = [
                (Mark::Line, BLACK, "recorded"),
                (Mark::Line, RED, "default radio"),
                (Mark::Line, BLUE, "recorded timing"),
                (Mark::Line, GREEN, "and one hidden; two nodes each"),
            ];
            legend(part, &entries)?;
        }
        Ok(())
    })?;
    Ok(Drawing { file: "simulator-beside-ruview.svg".to_owned(), svg })
}

pub fn physics(curves: &Curves) -> Result<Drawing, Failure> {
    let title = "The simulator's channel beside closed forms";
    let svg = sheet(HEAD + 3 * PANEL, title, COMMAND, |root| {
        let (_, panels) = root.split_vertically(HEAD);
        let parts = panels.split_evenly((3, 1));
        let rows: [(&[Point], Axes<'_>, &str, &str); 3] = [
            (
                &curves.two_ray,
                axes((1.5, 15.5), (-68.0, -40.0), "link over a concrete floor, m", "gain, dB"),
                "two rays",
                "model, direct and one bounce",
            ),
            (
                &curves.shadow,
                axes((-1.5, 1.5), (-3.0, 27.0), "body beside the middle of a 4 m link, m", "loss, dB"),
                "two knife edges (P.526)",
                "model, fades out beyond two Fresnel radii",
            ),
            (
                &curves.doppler,
                axes((0.0, 6.0), (-20.0, 20.0), "time, s", "Doppler, Hz"),
                "−bistatic range rate / λ",
                "model, phase of a walker's echo over 2 ms",
            ),
        ];
        for (part, (points, axes, formula, model)) in parts.iter().zip(rows) {
            let mut panel = chart(part, &axes)?;
            curve(&mut panel, points.iter().map(|p| Some((p.at, p.model))), SKY.stroke_width(9))?;
            for pair in points.windows(2).step_by(2) {
                dashes(
                    &mut panel,
                    (pair[0].at, pair[0].formula),
                    (pair[1].at, pair[1].formula),
                    RED.stroke_width(3),
                )?;
            }
            legend(part, &[(Mark::Line, SKY, model), (Mark::Dashes, RED, formula)])?;
        }
        Ok(())
    })?;
    Ok(Drawing { file: "simulator-physics.svg".to_owned(), svg })
}

fn axes<'a>(x: (f64, f64), y: (f64, f64), x_word: &'a str, y_word: &'a str) -> Axes<'a> {
    Axes { left: LEFT, x, y, x_word, y_word }
}
