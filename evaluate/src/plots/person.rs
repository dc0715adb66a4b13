//! Somebody who stands still: where the person was shown, with the 95 % region, and where the person stood.

use super::panel::{
    Axes, BLACK, BLUE, GREEN, HEAD, LEFT, Mark, PALE, RED, chart, curve, drawn, legend, legend_from, sheet,
    square, text,
};
use super::{Drawing, command, file, stem};
use crate::Failure;
use crate::adapters::rti::{Estimate, Settings, Shown, rms};
use crate::adapters::rti_esp32::{Score, WINDOW_S, score};
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;
use std::path::PathBuf;
use wavewitness_num::math;

/// Square root of the 95 % point of χ² with two degrees of freedom.
const REACH: f64 = 2.447_746_8;

/// Nothing for an empty room.
pub fn draw(paths: &[PathBuf]) -> Result<Vec<Drawing>, Failure> {
    let score = score(paths, &Settings::default())?;
    let Some(truth) = score.truth_m else { return Ok(Vec::new()) };
    let judged: Vec<&Shown> = score.shown.iter().filter(|x| x.at_s >= WINDOW_S).collect();
    let errors: Vec<f64> = judged.iter().filter_map(|x| Some(x.estimate?.error_m(truth))).collect();
    let (name, empty) = (stem(&paths[1]), stem(&paths[0]));
    let title =
        format!("{name}: a person among {} nodes, RMS error {:.2} m", score.nodes.len(), rms(&errors));
    let svg = sheet(1620, &title, &command("rti-esp32", paths), |root| {
        let (_, rest) = root.split_vertically(HEAD);
        let (plan, time) = rest.split_vertically(1060);
        let (left, right) = plan.split_horizontally(square(1060));
        in_plan(&left, &score, truth, &judged)?;
        side(&right, &empty)?;
        over_time(&time, &score, truth)
    })?;
    Ok(vec![Drawing { file: file(&["rti-esp32", &name, "against", &empty]), svg }])
}

/// Points around the 95 % region of an estimate: the mean and the Cholesky factor of the covariance times a circle.
fn ellipse(e: &Estimate) -> Vec<Option<(f64, f64)>> {
    let [a, b, c] = e.covariance_m2;
    let l11 = math::sqrt(math::max_f64(a, 0.0));
    let l21 = if l11 > 0.0 { b / l11 } else { 0.0 };
    let l22 = math::sqrt(math::max_f64(c - l21 * l21, 0.0));
    let point = |k: u32| {
        let angle = f64::from(k) * core::f64::consts::TAU / 48.0;
        let (x, y) = (REACH * math::cos(angle), REACH * math::sin(angle));
        Some((e.mean_m[0] + l11 * x, e.mean_m[1] + l21 * x + l22 * y))
    };
    (0..=48).map(point).collect()
}

fn in_plan(
    part: &super::panel::Sheet<'_>,
    score: &Score,
    truth: [f64; 2],
    judged: &[&Shown],
) -> Result<(), Failure> {
    let edge = |k: usize, sign: f64| {
        sign * score.nodes.iter().fold(f64::MIN, |m: f64, p| if sign * p[k] > m { sign * p[k] } else { m })
    };
    let span = math::max_f64(edge(0, 1.0) - edge(0, -1.0), edge(1, 1.0) - edge(1, -1.0));
    let range = |k: usize| {
        let middle = 0.5 * (edge(k, 1.0) + edge(k, -1.0));
        (middle - 0.58 * span, middle + 0.58 * span)
    };
    let axes = Axes { left: LEFT, x: range(0), y: range(1), x_word: "x, m", y_word: "y, m" };
    let mut plan = chart(part, &axes)?;
    // Every tenth of a second would be a blot: some forty are enough.
    let every = judged.len().div_ceil(40).max(1);
    for x in judged.iter().step_by(every) {
        let Some(e) = x.estimate else { continue };
        curve(&mut plan, ellipse(&e), BLUE.mix(0.12).stroke_width(3))?;
    }
    if let Some(e) = judged.iter().rev().find_map(|x| x.estimate) {
        curve(&mut plan, ellipse(&e), BLUE.stroke_width(4))?;
    }
    let places = judged.iter().step_by(every).filter_map(|x| x.estimate.map(|e| (e.mean_m[0], e.mean_m[1])));
    drawn(plan.draw_series(places.map(|at| Circle::new(at, 7, BLUE.mix(0.6).filled()))))?;
    drawn(plan.draw_series([Cross::new((truth[0], truth[1]), 18, RED.stroke_width(6))]))?;
    drawn(
        plan.draw_series(score.nodes.iter().map(|p| TriangleMarker::new((p[0], p[1]), 15, BLACK.filled()))),
    )?;
    Ok(())
}

fn side(part: &super::panel::Sheet<'_>, empty: &str) -> Result<(), Failure> {
    let entries = [
        (Mark::Cross, RED, "where the person stood"),
        (Mark::Dot, BLUE, "shown, from 60 s on"),
        (Mark::Line, BLUE, "95 % region, last"),
        (Mark::Patch(0.3), BLUE, "95 % region, before"),
    ];
    for (k, entry) in entries.into_iter().enumerate() {
        legend_from(&part.clone().shrink((0, 60 + 50 * k as i32), (420, 50)), 0, &[entry])?;
    }
    drawn(part.draw(&TriangleMarker::new((22, 294), 15, BLACK.filled())))?;
    text(part, "node", (56, 275), 28, &BLACK, HPos::Left)?;
    text(part, "baseline: the empty room of", (0, 360), 26, &BLACK, HPos::Left)?;
    text(part, empty, (0, 396), 26, &BLACK, HPos::Left)
}

fn over_time(part: &super::panel::Sheet<'_>, score: &Score, truth: [f64; 2]) -> Result<(), Failure> {
    let end = score.shown.last().map_or(1.0, |x| x.at_s);
    let error = |x: &Shown| Some((x.at_s, x.estimate?.error_m(truth)));
    let reach = |x: &Shown| {
        let e = x.estimate?;
        Some((x.at_s, REACH * math::sqrt(0.5 * (e.covariance_m2[0] + e.covariance_m2[2]))))
    };
    let points = || score.shown.iter().filter_map(error).chain(score.shown.iter().filter_map(reach));
    let most = points().fold(0.1, |m: f64, e| if e.1 > m { e.1 } else { m });
    let axes = Axes {
        left: LEFT,
        x: (0.0, end),
        y: (0.0, 1.05 * most),
        x_word: "seconds since the recording's start",
        y_word: "error, m",
    };
    let mut time = chart(part, &axes)?;
    let waiting = PALE.mix(0.5).filled();
    super::panel::block(&mut time, (0.0, if end < WINDOW_S { end } else { WINDOW_S }), axes.y, waiting)?;
    let every = score.shown.len().div_ceil(1200).max(1);
    curve(&mut time, score.shown.iter().step_by(every).map(reach), GREEN.stroke_width(3))?;
    curve(&mut time, score.shown.iter().step_by(every).map(error), BLUE.stroke_width(3))?;
    legend(
        part,
        &[
            (Mark::Line, BLUE, "error"),
            (Mark::Line, GREEN, "radius of the published 95 % region"),
            (Mark::Patch(1.0), PALE, "not judged yet"),
        ],
    )
}
