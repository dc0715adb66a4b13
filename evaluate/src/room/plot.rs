//! One run over time: root errors, and how many are there and published.

use super::drive::Cycle;
use super::scenes::Job;
use super::tracking::{At, apart_m, nearest};
use crate::Failure;
use crate::plots::Drawing;
use crate::plots::panel::{Axes, BLUE, GREEN, HEAD, LEFT, Mark, RED, chart, curve, legend, sheet, stretches};
use plotters::prelude::*;

/// Seconds that are drawn, from the entry on: more would be a blur.
const SPAN_S: f64 = 120.0;
/// Errors are drawn up to here, metres.
const MOST_M: f64 = 5.0;
const COLOURS: [RGBColor; 2] = [BLUE, RED];

fn at(id: u32, p: [f64; 2]) -> At {
    At { id, plan_m: p }
}

/// A person's root error in a cycle; `None` if not there or not published.
fn error_m(cycle: &Cycle, id: u32) -> Option<f64> {
    let truth: Vec<At> = cycle.truth.iter().map(|p| at(p.id, [p.root_m[0], p.root_m[1]])).collect();
    let place = |p: [f32; 3]| [f64::from(p[0]), f64::from(p[1])];
    let shown: Vec<At> = cycle.people.iter().map(|p| at(p.id.0, place(p.position_m))).collect();
    let who = truth.iter().position(|t| t.id == id)?;
    let index = nearest(&truth, &shown)[who]?;
    Some(apart_m(truth[who].plan_m, shown[index].plan_m))
}

/// The first two minutes after the entry.
pub fn draw(job: &Job, cycles: &[Cycle]) -> Result<Drawing, Failure> {
    let from_s = job.question.scored_from_s();
    let cycles: Vec<&Cycle> = cycles.iter().filter(|c| (from_s..=from_s + SPAN_S).contains(&c.t_s)).collect();
    let title = format!("{}, seed {} (simulated)", job.title(), job.seed);
    let svg = sheet(1080, &title, "evaluate room --plot DIR", |root| {
        let (_, rest) = root.split_vertically(HEAD);
        let (above, below) = rest.split_vertically(560);
        let x = (from_s, from_s + SPAN_S);
        let mut errors =
            chart(&above, &Axes { left: LEFT, x, y: (0.0, MOST_M), x_word: "", y_word: "root error, m" })?;
        let shown = |m: f64| if m > MOST_M { MOST_M } else { m };
        for actor in &job.scene.actors {
            let points = cycles.iter().map(|c| error_m(c, actor.id).map(|m| (c.t_s, shown(m))));
            curve(&mut errors, points, COLOURS[actor.id as usize % 2].stroke_width(3))?;
        }
        legend(
            &above,
            &[(Mark::Line, RED, "person 1"), (Mark::Line, BLUE, "person 2, if any; gaps: not published")],
        )?;
        let axes = Axes {
            left: LEFT,
            x,
            y: (0.0, 4.0),
            x_word: "seconds since the scene's start",
            y_word: "people",
        };
        let mut numbers = chart(&below, &axes)?;
        let line = |count: fn(&Cycle) -> usize| {
            let values: Vec<(f64, usize)> = cycles.iter().map(|c| (c.t_s, count(c))).collect();
            let steps = stretches(&values, x.1).into_iter();
            steps.flat_map(|(from, to, n)| [from, to].map(|t| Some((t, n as f64)))).collect::<Vec<_>>()
        };
        curve(&mut numbers, line(|c| c.truth.len()), GREEN.stroke_width(5))?;
        curve(&mut numbers, line(|c| c.people.len()), BLUE.stroke_width(3))?;
        legend(&below, &[(Mark::Line, GREEN, "there"), (Mark::Line, BLUE, "published")])
    })?;
    Ok(Drawing { file: format!("room-{}-seed{}.svg", job.title().replace(' ', "_"), job.seed), svg })
}
