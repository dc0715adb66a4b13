//! Spectra of breathing recordings with the rate that the stage found and the true one.
//!
//! The curve is a plain least-squares spectrum (Lomb 1976) of the raw recording, made here for the eye and independent of the
//! stage: how much of the variance of phase differences between neighbouring receive chains (of log-amplitudes, where
//! there is one chain) one sinusoid explains. The rate and its sigma are the stage's. No metric rests on the curve.

use super::panel::{
    Axes, BLACK, BLUE, GREEN, HEAD, LEFT, Mark, RED, WIDTH, block, chart, curve, dashes, legend_from, sheet,
    text,
};
use super::{Drawing, command, file};
use crate::Failure;
use crate::adapters::breathing_5300::pairs;
use crate::adapters::breathing_phantom::{Outcome, Recording, breathe, runs};
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;
use std::path::PathBuf;
use wavewitness_num::{C64, complex, math};

/// What is drawn, breaths a minute, and in which steps.
const BAND_BPM: (f64, f64) = (3.0, 45.0);
const STEP_BPM: f64 = 0.1;
/// Tones are averaged in so many groups.
const GROUPS: usize = 8;
/// Height of a panel, and of the legend above all.
const PANEL: u32 = 430;
const LEGEND: u32 = 60;

/// Every run below the folders.
pub fn phantom(paths: &[PathBuf]) -> Result<Vec<Drawing>, Failure> {
    let (runs, _) = runs(paths)?;
    let title = format!("A breathing phantom at {} exact rates", runs.len());
    one("breathing-phantom", &title, &command("breathing-phantom", paths), 0.3, runs)
}

/// Every file with the person's own count.
pub fn human(paths: &[PathBuf]) -> Result<Vec<Drawing>, Failure> {
    let runs = pairs(paths)?;
    let title = format!("People who counted their breaths, {} recordings", runs.len());
    one("breathing-5300", &title, &command("breathing-5300", paths), 1.5, runs)
}

fn one(
    dataset: &str,
    title: &str,
    command: &str,
    bar: f64,
    runs: Vec<(Recording, f64)>,
) -> Result<Vec<Drawing>, Failure> {
    let rows = runs.len().div_ceil(2);
    let svg = sheet(HEAD + LEGEND + PANEL * rows as u32, title, command, |root| {
        let (_, rest) = root.split_vertically(HEAD);
        let (words, panels) = rest.split_vertically(LEGEND);
        let tolerance = format!("true rate ± {bar}");
        legend_from(
            &words,
            30,
            &[
                (Mark::Line, BLUE, "spectrum of the recording"),
                (Mark::Patch(0.25), GREEN, &tolerance),
                (Mark::Dashes, GREEN, "true rate"),
                (Mark::Line, RED, "rate found, ± 3 sigma"),
            ],
        )?;
        for (k, part) in panels.split_evenly((rows, 2)).iter().enumerate().take(runs.len()) {
            let (recording, truth) = &runs[k];
            panel(part, recording, *truth, bar, &breathe(recording)?)?;
        }
        Ok(())
    })?;
    Ok(vec![Drawing { file: file(&[dataset]), svg }])
}

fn panel(
    part: &super::panel::Sheet<'_>,
    recording: &Recording,
    truth: f64,
    bar: f64,
    outcome: &Outcome,
) -> Result<(), Failure> {
    let spectrum = spectrum(recording);
    let most = spectrum.iter().fold(5.0, |m: f64, p| if p.1 > m { p.1 } else { m });
    let axes = Axes {
        left: LEFT,
        x: BAND_BPM,
        y: (0.0, 1.08 * most),
        x_word: "breaths a minute",
        y_word: "variance explained, %",
    };
    let mut chart = chart(part, &axes)?;
    block(&mut chart, (truth - bar, truth + bar), axes.y, GREEN.mix(0.25).filled())?;
    curve(&mut chart, spectrum.into_iter().map(Some), BLUE.stroke_width(3))?;
    let upright = |x: f64| [(x, 0.0), (x, axes.y.1)];
    let [low, high] = upright(truth);
    dashes(&mut chart, low, high, GREEN.stroke_width(4))?;
    let found = match outcome.rate {
        Some(rate) => {
            let reach = 3.0 * rate.sigma_bpm;
            block(&mut chart, (rate.bpm - reach, rate.bpm + reach), axes.y, RED.mix(0.35).filled())?;
            curve(&mut chart, upright(rate.bpm).map(Some), RED.stroke_width(3))?;
            format!("{:.2} ± {:.2}", rate.bpm, rate.sigma_bpm)
        }
        None => "no rate".to_owned(),
    };
    let words = format!("{}: {found} bpm, true {truth}", recording.name);
    text(part, &words, (WIDTH as i32 / 2 - 40, 14), 28, &BLACK, HPos::Right)
}

/// Variance of all series that one sinusoid explains, in percent, over breaths a minute.
fn spectrum(recording: &Recording) -> Vec<(f64, f64)> {
    let Some(first) = recording.packets.first() else { return Vec::new() };
    let times: Vec<f64> = recording.packets.iter().map(|p| p.0.seconds_since(first.0)).collect();
    let mut all = series(recording);
    all.iter_mut().for_each(|x| straighten(&times, x));
    let total: f64 = all.iter().flatten().map(|x| x * x).sum();
    let steps = ((BAND_BPM.1 - BAND_BPM.0) / STEP_BPM) as usize;
    let at = |k: usize| BAND_BPM.0 + STEP_BPM * k as f64;
    let point = |bpm: f64| {
        let waves: Vec<C64> =
            times.iter().map(|t| complex::unit(core::f64::consts::TAU * bpm / 60.0 * t)).collect();
        let energy: f64 = all.iter().map(|x| explained(&waves, x)).sum();
        (bpm, if total > 0.0 { 100.0 * energy / total } else { 0.0 })
    };
    (0..=steps).map(|k| point(at(k))).collect()
}

/// Energy of the least-squares sinusoid: with the sums `cc, cs, ss` of products of cosine and sine, and `c, s` with the
/// series, it is `(c² ss − 2 c s cs + s² cc) / (cc ss − cs²)`.
fn explained(waves: &[C64], x: &[f64]) -> f64 {
    let (mut cc, mut cs, mut ss, mut c, mut s) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for (w, x) in waves.iter().zip(x) {
        cc += w.re * w.re;
        cs += w.re * w.im;
        ss += w.im * w.im;
        c += w.re * x;
        s += w.im * x;
    }
    let determinant = cc * ss - cs * cs;
    if determinant > 1e-9 * cc * ss {
        (c * c * ss - 2.0 * c * s * cs + s * s * cc) / determinant
    } else {
        0.0
    }
}

/// Takes the straight line out of a series.
fn straighten(times: &[f64], x: &mut [f64]) {
    let n = x.len() as f64;
    let mean = |v: &[f64]| v.iter().sum::<f64>() / n;
    let (middle, level) = (mean(times), mean(x));
    let product: f64 = times.iter().zip(x.iter()).map(|(t, x)| (t - middle) * (x - level)).sum();
    let square: f64 = times.iter().map(|t| (t - middle) * (t - middle)).sum();
    let slope = if square > 0.0 { product / square } else { 0.0 };
    for (t, x) in times.iter().zip(x) {
        *x -= level + slope * (t - middle);
    }
}

/// One series a stream, pair of neighbouring chains and group of tones.
fn series(r: &Recording) -> Vec<Vec<f64>> {
    let n = r.tones.len();
    let groups: Vec<_> = (0..GROUPS).map(|g| g * n / GROUPS..(g + 1) * n / GROUPS).collect();
    let tone = |p: &(wavewitness_types::Timestamp, Vec<f32>, Vec<f32>), rx: usize, tx: usize, k: usize| {
        let at = (rx * r.tx + tx) * n + k;
        C64::new(f64::from(p.1[at]), f64::from(p.2[at]))
    };
    let mut all = Vec::new();
    for tx in 0..r.tx {
        for group in &groups {
            for rx in 0..r.rx.saturating_sub(1) {
                let products = r.packets.iter().map(|p| {
                    group.clone().map(|k| tone(p, rx, tx, k) * tone(p, rx + 1, tx, k).conj()).sum::<C64>()
                });
                all.push(angles(&products.collect::<Vec<_>>()));
            }
            if r.rx == 1 {
                let power = |p, range: std::ops::Range<usize>| {
                    range.map(|k| tone(p, 0, tx, k).norm_sqr()).sum::<f64>() + f64::MIN_POSITIVE
                };
                let level = r.packets.iter().map(|p| math::ln(power(p, group.clone()) / power(p, 0..n)));
                all.push(level.collect());
            }
        }
    }
    all
}

/// Angles about the angle of the mean, so that few wrap.
fn angles(products: &[C64]) -> Vec<f64> {
    let unit = |z: &C64| {
        let length = math::hypot(z.re, z.im);
        if length > 0.0 { z / length } else { C64::default() }
    };
    let mean: C64 = products.iter().map(unit).sum();
    let turned = products.iter().map(|z| z * mean.conj());
    turned.map(|z| math::atan2(z.im, z.re)).collect()
}
