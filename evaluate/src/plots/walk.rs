//! A walk against its truth: in plan, the error over time, and who was shown when.

use super::panel::{
    Axes, BLACK, BLUE, GREEN, GREY, HEAD, LEFT, Mark, PALE, Piece, RED, SKY, block, chart, curve, drawn,
    legend, legend_from, sheet, square, stretches, strip, text,
};
use super::{Drawing, command, file, stem};
use crate::Failure;
use crate::adapters::rti::{Settings, Shown, rms};
use crate::adapters::rti_basement::{Score, score};
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;
use std::path::PathBuf;

pub fn draw(paths: &[PathBuf]) -> Result<Vec<Drawing>, Failure> {
    let score = score(paths, &Settings::default())?;
    let name = stem(&paths[0]);
    let errors: Vec<f64> = score.shown.iter().filter_map(|x| Some(x.estimate?.error_m(x.truth_m?))).collect();
    let title = format!("{name}: a walk, RMSE {:.2} m", rms(&errors));
    let svg = sheet(1760, &title, &command("rti-basement", paths), |root| {
        let (_, rest) = root.split_vertically(HEAD);
        let (plan, rest) = rest.split_vertically(1020);
        let (time, presence) = rest.split_vertically(370);
        let (left, right) = plan.split_horizontally(square(1020));
        in_plan(&left, &score)?;
        side(&right)?;
        over_time(&time, &score.shown)?;
        legend(
            &time,
            &[
                (Mark::Line, RED, "distance of the estimate from the truth"),
                (Mark::Patch(0.5), PALE, "nobody is there"),
            ],
        )?;
        who(&presence, &score.shown)
    })?;
    Ok(vec![Drawing { file: file(&["rti-basement", &name]), svg }])
}

fn in_plan(part: &super::panel::Sheet<'_>, score: &Score) -> Result<(), Failure> {
    let edge = |k: usize, pick: fn(f64, f64) -> f64, start: f64| {
        score.sensors.iter().fold(start, |m, p| pick(m, p[k]))
    };
    let less = |a: f64, b: f64| if b < a { b } else { a };
    let more = |a: f64, b: f64| if b > a { b } else { a };
    let (low, high) = ([0, 1].map(|k| edge(k, less, f64::MAX)), [0, 1].map(|k| edge(k, more, f64::MIN)));
    // One metre is as long upwards as sideways: the panel is nearly square.
    let span = more(high[0] - low[0], high[1] - low[1]) + 1.0;
    let range = |k: usize| {
        let middle = 0.5 * (low[k] + high[k]);
        (middle - 0.5 * span, middle + 0.5 * span)
    };
    let axes = Axes { left: LEFT, x: range(0), y: range(1), x_word: "x, m", y_word: "y, m" };
    let mut plan = chart(part, &axes)?;
    let corners =
        [(low[0], low[1]), (high[0], low[1]), (high[0], high[1]), (low[0], high[1]), (low[0], low[1])];
    curve(&mut plan, corners.map(Some), GREY.stroke_width(2))?;
    let both: Vec<&Shown> = score.shown.iter().filter(|x| x.truth_m.is_some()).collect();
    for x in both.iter().step_by(3) {
        if let (Some(t), Some(e)) = (x.truth_m, x.estimate) {
            curve(&mut plan, [Some((t[0], t[1])), Some((e.mean_m[0], e.mean_m[1]))], PALE.stroke_width(2))?;
        }
    }
    curve(&mut plan, score.turns.iter().map(|p| Some((p[0], p[1]))), GREEN.stroke_width(5))?;
    let estimates = both.iter().map(|x| x.estimate.map(|e| (e.mean_m[0], e.mean_m[1])));
    curve(&mut plan, estimates, BLUE.stroke_width(3))?;
    drawn(
        plan.draw_series(score.sensors.iter().map(|p| TriangleMarker::new((p[0], p[1]), 15, BLACK.filled()))),
    )?;
    let ends = [score.turns.first(), score.turns.last()];
    drawn(plan.draw_series(ends.iter().flatten().map(|p| Circle::new((p[0], p[1]), 12, GREEN.filled()))))?;
    Ok(())
}

/// The legend beside the plan.
fn side(part: &super::panel::Sheet<'_>) -> Result<(), Failure> {
    let entries = [
        (Mark::Line, GREEN, "truth, with its ends"),
        (Mark::Line, BLUE, "estimate"),
        (Mark::Line, PALE, "error, every third"),
        (Mark::Line, GREY, "room (box of nodes)"),
    ];
    for (k, entry) in entries.into_iter().enumerate() {
        let row = part.clone().shrink((0, 60 + 50 * k as i32), (430, 50));
        legend_from(&row, 0, &[entry])?;
    }
    drawn(part.draw(&TriangleMarker::new((22, 294), 15, BLACK.filled())))?;
    text(part, "node", (56, 275), 28, &BLACK, HPos::Left)
}

fn span(shown: &[Shown]) -> (f64, f64) {
    (shown.first().map_or(0.0, |x| x.at_s), shown.last().map_or(1.0, |x| x.at_s))
}

fn over_time(part: &super::panel::Sheet<'_>, shown: &[Shown]) -> Result<(), Failure> {
    let error = |x: &Shown| Some((x.at_s, x.estimate?.error_m(x.truth_m?)));
    let most = shown.iter().filter_map(error).fold(1.0, |m: f64, e| if e.1 > m { e.1 } else { m });
    let axes = Axes { left: LEFT, x: span(shown), y: (0.0, 1.05 * most), x_word: "", y_word: "error, m" };
    let mut time = chart(part, &axes)?;
    for (from, to, there) in
        stretches(&shown.iter().map(|x| (x.at_s, x.truth_m.is_some())).collect::<Vec<_>>(), axes.x.1)
    {
        if !there {
            block(&mut time, (from, to), axes.y, PALE.mix(0.5).filled())?;
        }
    }
    curve(&mut time, shown.iter().map(error), RED.stroke_width(3))
}

fn who(part: &super::panel::Sheet<'_>, shown: &[Shown]) -> Result<(), Failure> {
    let (start, end) = span(shown);
    let row = |is: &dyn Fn(&Shown) -> bool, colour: RGBColor| -> Vec<Piece> {
        let values: Vec<_> = shown.iter().map(|x| (x.at_s, is(x))).collect();
        let stretches = stretches(&values, end).into_iter().filter(|s| s.2);
        stretches.map(|(from, to, _)| (from, to, colour)).collect()
    };
    let wrong = row(&|x| x.truth_m.is_some() != x.estimate.is_some(), RED);
    strip(
        part,
        LEFT,
        (start, end),
        "seconds since the recording's start",
        &[
            ("truth", row(&|x| x.truth_m.is_some(), GREEN)),
            ("shown", row(&|x| x.estimate.is_some(), SKY)),
            ("wrong", wrong),
        ],
    )?;
    legend(
        part,
        &[
            (Mark::Patch(1.0), GREEN, "somebody is there"),
            (Mark::Patch(1.0), SKY, "a person is shown"),
            (Mark::Patch(1.0), RED, "miss or ghost"),
        ],
    )
}
