//! What every drawing is made of: a sheet with a title, panels with axes, a line of legend above each.

use crate::Failure;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

pub type Sheet<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
pub type Chart<'a> = ChartContext<'a, SVGBackend<'a>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

pub const BLACK: RGBColor = RGBColor(30, 30, 30);
pub const GREY: RGBColor = RGBColor(120, 120, 120);
pub const PALE: RGBColor = RGBColor(225, 225, 225);
pub const BLUE: RGBColor = RGBColor(0, 114, 178);
pub const RED: RGBColor = RGBColor(213, 94, 0);
pub const GREEN: RGBColor = RGBColor(0, 158, 115);
pub const SKY: RGBColor = RGBColor(86, 180, 233);

pub const WIDTH: u32 = 1600;
/// Height of title and command.
pub const HEAD: u32 = 110;
/// Left of a panel's frame, where its words are short: labels of its axis.
pub const LEFT: i32 = 150;
const RIGHT: i32 = 40;
const BELOW: u32 = 84;
const ABOVE: i32 = 52;
/// Size of the numbers along axes.
const TEXT: i32 = 28;

/// Width of a part of the sheet so that a panel as high as `height` is square.
pub fn square(height: u32) -> u32 {
    height - BELOW - ABOVE as u32 + (LEFT + RIGHT) as u32
}

/// What plotters calls an error can only be one of its own: an SVG in memory has none.
pub fn drawn<T, E: std::fmt::Display>(result: Result<T, E>) -> Result<T, Failure> {
    result.map_err(|e| Failure(format!("can't draw: {e}")))
}

/// Makes an SVG of a height: title, the command in small below, and what `body` draws below that.
pub fn sheet(
    height: u32,
    title: &str,
    command: &str,
    body: impl FnOnce(&Sheet<'_>) -> Result<(), Failure>,
) -> Result<String, Failure> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        drawn(root.fill(&WHITE))?;
        text(&root, title, (30, 18), 38, &BLACK, HPos::Left)?;
        text(&root, &shortened(command), (30, 66), 26, &GREY, HPos::Left)?;
        body(&root)?;
        drawn(root.present())?;
    }
    Ok(svg)
}

/// A command that fits the sheet: a long one loses words in its middle.
fn shortened(command: &str) -> String {
    let words: Vec<&str> = command.split(' ').collect();
    let length = |words: &[&str]| words.iter().map(|w| w.chars().count() + 1).sum::<usize>();
    if length(&words) <= 106 {
        return command.to_owned();
    }
    let mut kept = words.len();
    while kept > 4 && length(&words[..kept / 2]) + length(&words[words.len() - kept.div_ceil(2)..]) > 102 {
        kept -= 1;
    }
    format!("{} … {}", words[..kept / 2].join(" "), words[words.len() - kept.div_ceil(2)..].join(" "))
}

pub fn text(
    sheet: &Sheet<'_>,
    words: &str,
    at: (i32, i32),
    size: i32,
    colour: &RGBColor,
    side: HPos,
) -> Result<(), Failure> {
    let style = TextStyle::from(("sans-serif", f64::from(size) * 1.24)).color(colour);
    drawn(sheet.draw_text(words, &style.pos(Pos::new(side, VPos::Top)), at))
}

/// How a panel's axes are marked, and the room to their left.
pub struct Axes<'a> {
    pub left: i32,
    pub x: (f64, f64),
    pub y: (f64, f64),
    /// Words beside them, with the unit; a panel without a word below has no numbers there either.
    pub x_word: &'a str,
    pub y_word: &'a str,
}

/// A panel with axes on a part of the sheet.
pub fn chart<'a>(part: &Sheet<'a>, axes: &Axes<'_>) -> Result<Chart<'a>, Failure> {
    let below = if axes.x_word.is_empty() { 14 } else { BELOW };
    let mut chart = drawn(
        ChartBuilder::on(part)
            .margin_right(RIGHT)
            .margin_top(ABOVE)
            .margin_left(axes.left - LEFT + 14)
            .x_label_area_size(below)
            .y_label_area_size(LEFT - 14)
            .build_cartesian_2d(axes.x.0..axes.x.1, axes.y.0..axes.y.1),
    )?;
    let (_, height) = part.dim_in_pixel();
    let number = |step: f64| move |x: &f64| if step < 0.6 { format!("{x:.1}") } else { format!("{x:.0}") };
    let style = TextStyle::from(("sans-serif", f64::from(TEXT) * 1.24)).color(&BLACK);
    let y_labels = (height as usize / 80).clamp(3, 8);
    let step = |(a, b): (f64, f64), n: usize| (b - a) / n as f64;
    let (x_marked, y_number) = (number(step(axes.x, 10)), number(step(axes.y, y_labels)));
    let x_number = |x: &f64| if axes.x_word.is_empty() { String::new() } else { x_marked(x) };
    let mut mesh = chart.configure_mesh();
    mesh.light_line_style(TRANSPARENT)
        .bold_line_style(PALE)
        .axis_style(GREY)
        .label_style(style.clone())
        .axis_desc_style(style)
        .x_label_formatter(&x_number)
        .y_label_formatter(&y_number)
        .y_labels(y_labels)
        .y_desc(axes.y_word)
        .x_labels(10);
    if !axes.x_word.is_empty() {
        mesh.x_desc(axes.x_word);
    }
    drawn(mesh.draw())?;
    Ok(chart)
}

/// How a legend's entry looks.
pub enum Mark {
    Line,
    Dashes,
    Patch(f64),
    Dot,
    Cross,
}

/// One line of legend above a panel, from its left edge on.
pub fn legend(part: &Sheet<'_>, entries: &[(Mark, RGBColor, &str)]) -> Result<(), Failure> {
    legend_from(part, LEFT, entries)
}

/// The same from another place on.
pub fn legend_from(part: &Sheet<'_>, x: i32, entries: &[(Mark, RGBColor, &str)]) -> Result<(), Failure> {
    let (mut x, y) = (x, 26);
    for (mark, colour, words) in entries {
        let full = colour.filled();
        let line = colour.stroke_width(4);
        drawn(match mark {
            Mark::Line => part.draw(&PathElement::new(vec![(x, y), (x + 44, y)], line)),
            Mark::Dashes => {
                drawn(part.draw(&PathElement::new(vec![(x, y), (x + 18, y)], line)))?;
                part.draw(&PathElement::new(vec![(x + 26, y), (x + 44, y)], line))
            }
            Mark::Patch(alpha) => {
                let style = colour.mix(*alpha).filled();
                part.draw(&Rectangle::new([(x, y - 13), (x + 44, y + 13)], style))
            }
            Mark::Dot => part.draw(&Circle::new((x + 22, y), 8, full)),
            Mark::Cross => part.draw(&Cross::new((x + 22, y), 12, line)),
        })?;
        text(part, words, (x + 56, y - 15), 28, &BLACK, HPos::Left)?;
        // A little more than a sans-serif takes for a character.
        x += 56 + 16 * words.chars().count() as i32 + 40;
    }
    Ok(())
}

/// A line through points; breaks where there is none.
pub fn curve(
    chart: &mut Chart<'_>,
    points: impl IntoIterator<Item = Option<(f64, f64)>>,
    style: ShapeStyle,
) -> Result<(), Failure> {
    let points: Vec<_> = points.into_iter().collect();
    for piece in points.split(Option::is_none).filter(|piece| !piece.is_empty()) {
        drawn(chart.draw_series(LineSeries::new(piece.iter().flatten().copied(), style)))?;
    }
    Ok(())
}

/// Dashes between two points.
pub fn dashes(
    chart: &mut Chart<'_>,
    from: (f64, f64),
    to: (f64, f64),
    style: ShapeStyle,
) -> Result<(), Failure> {
    drawn(chart.draw_series(DashedLineSeries::new([from, to], 14, 10, style))).map(|_| ())
}

/// A filled box in the panel's own units.
pub fn block(chart: &mut Chart<'_>, x: (f64, f64), y: (f64, f64), style: ShapeStyle) -> Result<(), Failure> {
    drawn(chart.draw_series([Rectangle::new([(x.0, y.0), (x.1, y.1)], style.filled())])).map(|_| ())
}

/// Stretches of time over which a value stays the same: start, end, value. The last one ends at `end`.
pub fn stretches<T: PartialEq + Copy>(values: &[(f64, T)], end: f64) -> Vec<(f64, f64, T)> {
    let mut out: Vec<(f64, f64, T)> = Vec::new();
    for (k, &(at, value)) in values.iter().enumerate() {
        let until = values.get(k + 1).map_or(end, |next| next.0);
        match out.last_mut() {
            Some(last) if last.2 == value => last.1 = until,
            _ => out.push((at, until, value)),
        }
    }
    out
}

/// A coloured stretch: start, end, colour.
pub type Piece = (f64, f64, RGBColor);

/// A strip of named rows, each with coloured stretches.
pub fn strip(
    part: &Sheet<'_>,
    left: i32,
    x: (f64, f64),
    x_word: &str,
    rows: &[(&str, Vec<Piece>)],
) -> Result<(), Failure> {
    let below = if x_word.is_empty() { 14 } else { BELOW };
    let mut chart = drawn(
        ChartBuilder::on(part)
            .margin_right(RIGHT)
            .margin_top(ABOVE)
            .x_label_area_size(below)
            .y_label_area_size(left)
            .build_cartesian_2d(x.0..x.1, 0.0..rows.len() as f64),
    )?;
    let style = TextStyle::from(("sans-serif", f64::from(TEXT) * 1.24)).color(&BLACK);
    let mut mesh = chart.configure_mesh();
    mesh.disable_y_mesh().light_line_style(TRANSPARENT).bold_line_style(PALE).axis_style(GREY).y_labels(0);
    let whole = |x: &f64| if x_word.is_empty() { String::new() } else { format!("{x:.0}") };
    mesh.label_style(style.clone()).axis_desc_style(style).x_labels(10).x_label_formatter(&whole);
    if !x_word.is_empty() {
        mesh.x_desc(x_word);
    }
    drawn(mesh.draw())?;
    let (_, height) = part.dim_in_pixel();
    let room = (height - below) as i32 - ABOVE;
    for (k, (name, pieces)) in rows.iter().enumerate() {
        let y = (rows.len() - k) as f64;
        for &(from, to, colour) in pieces {
            block(&mut chart, (from, to), (y - 0.88, y - 0.12), colour.filled())?;
        }
        let middle = ABOVE + room * (2 * k as i32 + 1) / (2 * rows.len() as i32);
        text(part, name, (left - 12, middle - 13), 25, &BLACK, HPos::Right)?;
    }
    Ok(())
}
