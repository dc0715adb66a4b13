//! One line in the band, how sure it is, and where exactly.

use crate::evidence::State;
use crate::features::Features;
use crate::significance::Law;
use crate::spectrum::{OVERSAMPLING, Spectrum, shared};
use crate::{Plan, Rate, Scratch, Unknown};
use wavewitness_num::math;

/// Half of a line's width at its foot, in units of 1/T: the first zero of its spectrum is at 1, half a bin more for what
/// the finite grid and a rate that wanders add. Harmonics get the zero alone.
const FOOT: f64 = 1.5;
const HARMONIC_FOOT: f64 = 1.0;
/// Independent frequencies around the line that its noise is learned from: the nearest, and most of all there are.
const NEAR: usize = 12;
pub(crate) const WIDE: usize = 40;
/// Least independent frequencies that a noise level can rest on, beyond the parameters of its model.
const LEAST_BINS: f64 = 4.0;
/// Rounds of noise model and strongest line.
const ROUNDS: u32 = 3;
/// Slots of the window that cost as much as a frequency of a sweep.
const SLOTS_A_FREQUENCY: usize = 8;
/// Steps of the fine search, each a tenth of 1/T, to either side.
const FINE: usize = 4;

/// Frequencies of the coarse grid in the band, by index: first, past the last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Band {
    first: usize,
    end: usize,
    /// Independent frequencies in it.
    cells: f64,
    /// 1/T.
    resolution: f64,
    /// The slowest rate that this window can tell from drift.
    low_hz: f64,
    /// The highest frequency that noise is learned from.
    top_hz: f64,
}

/// How far an estimate has come: its sweeps are most of the work and can be divided over calls.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stage {
    /// None is under way.
    Idle,
    /// The window becomes series.
    Features,
    /// Over the whole band, for the line.
    Coarse(Band),
    /// The band is swept; the strongest line is looked up, a round a step: the peak before it, and rounds that are done.
    Peak(Band, usize, u32),
    /// About the strongest line, for its place.
    Fine(Band, Others),
    /// At whole multiples of 1/T from the line, for the noise.
    Noise(Band, Line),
}

/// The strongest line of the coarse grid, found exactly.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    hz: f64,
    energy: f64,
    others: Others,
    /// Its place in the noise's grid.
    peak: usize,
}

/// Takes the window and begins an estimate.
pub(crate) fn begin(plan: &Plan, state: &State, scratch: &mut Scratch) -> Result<(), Unknown> {
    scratch.stage = Stage::Idle;
    scratch.features.begin(plan, state)?;
    scratch.stage = Stage::Features;
    Ok(())
}

/// Computes up to `most` frequencies of the sweep under way, or as much else; the rate, or why there is none, once all is done.
/// `None`: not yet, or nothing was begun.
pub(crate) fn advance(plan: &Plan, most: usize, scratch: &mut Scratch) -> Option<Result<Rate, Unknown>> {
    let found = step(plan, most, scratch).transpose()?;
    scratch.stage = Stage::Idle;
    Some(found)
}

fn step(plan: &Plan, most: usize, scratch: &mut Scratch) -> Result<Option<Rate>, Unknown> {
    let Scratch { features, spectrum, stage } = scratch;
    match *stage {
        Stage::Idle => {}
        Stage::Features => {
            if features.fill(plan, most.saturating_mul(SLOTS_A_FREQUENCY)) {
                features.end()?;
                *stage = Stage::Coarse(coarse_grid(plan, features, spectrum)?);
            }
        }
        Stage::Coarse(band) => {
            if spectrum.advance(features, most) {
                *stage = Stage::Peak(band, steepest(spectrum, &band), 0);
            }
        }
        Stage::Peak(band, peak, ROUNDS) => {
            *stage = Stage::Fine(band, approach(features, spectrum, &band, peak));
        }
        Stage::Peak(band, peak, rounds) => {
            *stage = Stage::Peak(band, strongest(spectrum, &band, peak), rounds + 1);
        }
        Stage::Fine(band, others) => {
            if spectrum.advance(features, most) {
                *stage = Stage::Noise(band, locate(features, spectrum, &band, others)?);
            }
        }
        Stage::Noise(band, line) => {
            if spectrum.advance(features, most) {
                return judge(plan, features, spectrum, &band, &line).map(Some);
            }
        }
    }
    Ok(None)
}

/// The other lines, and the sweep of the strongest one's neighbourhood begun.
fn approach(features: &Features, spectrum: &mut Spectrum, band: &Band, peak: usize) -> Others {
    let hz = spectrum.hz(peak);
    let others = others(spectrum, band, hz);
    let step = 0.1 * band.resolution;
    spectrum.begin(features, hz - FINE as f64 * step, step, 2 * FINE + 1);
    others
}

/// The line's exact place from its neighbourhood, and the noise's grid begun.
fn locate(
    features: &Features,
    spectrum: &mut Spectrum,
    band: &Band,
    others: Others,
) -> Result<Line, Unknown> {
    let (hz, energy) = vertex(spectrum);
    if hz < band.low_hz - 0.25 * band.resolution {
        // The flank of something slower.
        return Err(Unknown::NoLine);
    }
    // The noise, at whole multiples of 1/T from the line: there its own spectrum is zero, and they are independent.
    let peak = math::max_f64((hz - 2.0 * band.resolution) / band.resolution, 0.0) as usize;
    let first = hz - peak as f64 * band.resolution;
    let count = ((band.top_hz - first) / band.resolution) as usize + 1;
    spectrum.begin(features, first, band.resolution, count);
    Ok(Line { hz, energy, others, peak })
}

/// Is it a line, and how sure is its frequency?
fn judge(
    plan: &Plan,
    features: &Features,
    spectrum: &mut Spectrum,
    band: &Band,
    line: &Line,
) -> Result<Rate, Unknown> {
    let Line { hz, energy, ref others, peak } = *line;
    let span = features.span_s;
    let bins = noise_bins(spectrum, peak, band.resolution);
    if bins < LEAST_BINS {
        return Err(Unknown::TooShort);
    }
    spectrum.fit(|f| is_noise(f, hz, band.resolution));
    let strength = energy / spectrum.model[peak];
    let near = neighbours(spectrum, peak, band.resolution, NEAR);
    let wide = neighbours(spectrum, peak, band.resolution, WIDE);
    // Noise may be of fewer dimensions near the line than over all (drift), and few neighbours tell that badly: the
    // more cautious of two answers.
    let (law, other) = (near.law(spectrum, features.count), wide.law(spectrum, features.count));
    let chance =
        |x: f64| math::max_f64(law.anywhere(x, bins, band.cells), other.anywhere(x, bins, band.cells));
    let false_alarm = chance(strength);
    if false_alarm > plan.config.false_alarm {
        return Err(Unknown::NoLine);
    }
    let rival =
        others.in_band >= plan.config.rival * strength && chance(others.in_band) <= plan.config.false_alarm;
    if rival || others.below > strength || others.fundamental > energy {
        return Err(Unknown::Rivals);
    }
    // Cramér–Rao bound of a sinusoid's frequency: var ω = 12 σ² / (E T²), E its energy (Rife and Boorstyn 1974).
    let noise = noise_along(spectrum, peak, &near);
    let line = math::max_f64(energy - spectrum.model[peak], 0.25 * energy);
    let sigma_hz = math::sqrt(12.0 * noise / line) / (core::f64::consts::TAU * span);
    Ok(Rate { bpm: 60.0 * hz, sigma_bpm: 60.0 * sigma_hz, false_alarm, strength, span_s: span })
}

/// The coarse grid: from 2/T, below which mean and drift were taken out, to twice the band.
fn coarse_grid(plan: &Plan, features: &Features, spectrum: &mut Spectrum) -> Result<Band, Unknown> {
    let resolution = 1.0 / features.span_s;
    let low = math::max_f64(plan.config.lowest_bpm / 60.0, plan.config.least_breaths * resolution);
    let high = plan.config.highest_bpm / 60.0;
    if low + 2.0 * resolution > high {
        return Err(Unknown::TooShort);
    }
    let top_hz = math::min_f64(2.0 * high, 0.45 * features.times.len() as f64 * resolution);
    let (begin, step) = (2.0 * resolution, resolution / OVERSAMPLING);
    spectrum.begin(features, begin, step, ((top_hz - begin) / step) as usize);
    // One step of margin above, so that a line at the edge is a peak.
    let first = math::max_f64((low - begin) / step, 1.0) as usize;
    let end = (((high - begin) / step) as usize + 2).min(spectrum.count.saturating_sub(1));
    if first + 2 >= end {
        return Err(Unknown::TooSparse);
    }
    Ok(Band { first, end, cells: (high - low) / resolution, resolution, low_hz: low, top_hz })
}

/// The strongest line relative to noise that falls with the frequency.
fn steepest(spectrum: &Spectrum, band: &Band) -> usize {
    let mut peak = band.first;
    for k in band.first..band.end {
        if spectrum.energy[k] * spectrum.hz(k) > spectrum.energy[peak] * spectrum.hz(peak) {
            peak = k;
        }
    }
    peak
}

/// The strongest line relative to the noise model, which leaves `before` and its harmonics out.
fn strongest(spectrum: &mut Spectrum, band: &Band, before: usize) -> usize {
    let hz = spectrum.hz(before);
    spectrum.fit(|f| is_noise(f, hz, band.resolution));
    let mut peak = band.first;
    for k in band.first..band.end {
        if spectrum.energy[k] * spectrum.model[peak] > spectrum.energy[peak] * spectrum.model[k] {
            peak = k;
        }
    }
    peak
}

fn is_noise(f: f64, line: f64, resolution: f64) -> bool {
    (f - line).abs() > FOOT * resolution
        && (f - 2.0 * line).abs() > HARMONIC_FOOT * resolution
        && (f - 3.0 * line).abs() > HARMONIC_FOOT * resolution
}

/// Frequencies of the grid of independent ones that the model rests on, less its parameters.
fn noise_bins(spectrum: &Spectrum, peak: usize, resolution: f64) -> f64 {
    let hz = spectrum.hz(peak);
    let used = (0..spectrum.count).filter(|&k| is_noise(spectrum.hz(k), hz, resolution)).count();
    used as f64 - 3.0
}

/// Noise frequencies by index.
struct Neighbours {
    found: [usize; WIDE],
    count: usize,
}

/// The nearest noise frequencies to the line, nearest first, lower before upper.
fn neighbours(spectrum: &Spectrum, peak: usize, resolution: f64, most: usize) -> Neighbours {
    let mut near = Neighbours { found: [0; WIDE], count: 0 };
    for distance in 1..spectrum.count {
        for k in [peak.checked_sub(distance), Some(peak + distance)].into_iter().flatten() {
            let noise = k < spectrum.count && is_noise(spectrum.hz(k), spectrum.hz(peak), resolution);
            if noise && near.count < most.min(WIDE) {
                near.found[near.count] = k;
                near.count += 1;
            }
        }
    }
    near
}

impl Neighbours {
    /// The law of the noise, from the inner products of all neighbours' coefficient vectors over the series, each
    /// relative to its model: two vectors a frequency.
    fn law(&self, spectrum: &mut Spectrum, series: usize) -> Law {
        // Out and back in, so that the rows can be read meanwhile; nothing is allocated.
        let mut gram = core::mem::take(&mut spectrum.gram);
        let m = 2 * self.count;
        let vector = |j: usize| {
            let k = self.found[j / 2];
            let (u, v) = spectrum.row(k);
            (if j.is_multiple_of(2) { u } else { v }, 1.0 / math::sqrt(spectrum.model[k]))
        };
        for i in 0..m {
            for j in 0..=i {
                let ((a, p), (b, q)) = (vector(i), vector(j));
                let mut total = 0.0;
                for (&x, &y) in a.iter().zip(b) {
                    total += x * y;
                }
                gram[i * m + j] = total * p * q;
                gram[j * m + i] = total * p * q;
            }
        }
        let law = Law::from_gram(&mut gram[..m * m], m, series);
        spectrum.gram = gram;
        law
    }
}

/// Variance of noise in one coefficient along the line's own mixture of series.
fn noise_along(spectrum: &Spectrum, peak: usize, near: &Neighbours) -> f64 {
    let (u, v) = spectrum.row(peak);
    let (energy, angle) = shared(u, v);
    let (c, s) = (math::cos(angle), math::sin(angle));
    let mut total = 0.0;
    for &k in &near.found[..near.count] {
        let (a, b) = spectrum.row(k);
        let (mut along_a, mut along_b) = (0.0, 0.0);
        for d in 0..u.len() {
            let g = u[d] * c + v[d] * s;
            along_a += g * a[d];
            along_b += g * b[d];
        }
        total += (along_a * along_a + along_b * along_b) / spectrum.model[k];
    }
    0.5 * total * spectrum.model[peak] / (near.count.max(1) as f64 * energy)
}

/// Strengths of other lines of the coarse grid.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Others {
    in_band: f64,
    below: f64,
    /// Most energy (not strength: it bends the noise model towards itself) below the band where the line would be a
    /// harmonic of it.
    fundamental: f64,
}

fn others(spectrum: &Spectrum, band: &Band, hz: f64) -> Others {
    let strength = |k: usize| spectrum.energy[k] / spectrum.model[k];
    let mut others = Others { in_band: 0.0, below: 0.0, fundamental: 0.0 };
    let half_or_third = |f: f64| {
        (2.0 * f - hz).abs() <= 2.0 * band.resolution || (3.0 * f - hz).abs() <= 3.0 * band.resolution
    };
    for k in 0..band.end {
        if is_noise(spectrum.hz(k), hz, band.resolution) {
            let place = if k < band.first { &mut others.below } else { &mut others.in_band };
            *place = math::max_f64(*place, strength(k));
        }
        if k < band.first && half_or_third(spectrum.hz(k)) && hz - spectrum.hz(k) > FOOT * band.resolution {
            others.fundamental = math::max_f64(others.fundamental, spectrum.energy[k]);
        }
    }
    others
}

/// Frequency and energy at the top of the fine grid, by the parabola through three points.
fn vertex(spectrum: &Spectrum) -> (f64, f64) {
    let mut top = 0;
    for k in 1..spectrum.count {
        if spectrum.energy[k] > spectrum.energy[top] {
            top = k;
        }
    }
    let e = &spectrum.energy;
    if top == 0 || top + 1 >= spectrum.count {
        return (spectrum.hz(top), e[top]);
    }
    let (a, b, c) = (e[top - 1], e[top], e[top + 1]);
    let bend = a - 2.0 * b + c;
    let shift = if bend < 0.0 { 0.5 * (a - c) / bend } else { 0.0 };
    (spectrum.hz(top) + shift * spectrum.step_hz, b - 0.25 * (a - c) * shift)
}
