//! The sparse impulse response of frames that other tools recorded: how many coefficients, how much is left unexplained,
//! and how much of it stays from frame to frame. There is no truth; a channel in which nothing moves repeats itself.

use crate::{Dataset, Failure, Report, Row};
use std::path::{Path, PathBuf};
use wavewitness_captures::{CaptureFrame, Format, Reader};
use wavewitness_cir::{Config, Plan, Scratch};
use wavewitness_num::math;
use wavewitness_phase_align as phase_align;
use wavewitness_types::{CalibratedFrame, CirEstimate, LinkId, RadioMeta, Samples, Tap, Timestamp, ToneGrid};

/// The dataset of this module.
pub const CIR_FRAMES: Dataset = Dataset {
    name: "cir-frames",
    arguments: "CAPTURE   (FeitCSI, Nexmon, Intel 5300, Atheros or PicoScenes)",
    run,
    find,
};

fn find(dir: &Path) -> Vec<Vec<PathBuf>> {
    let files = ["HT20_2452", "HT40_2452", "VHT20_5500", "VHT40_5500", "HESU20_5500", "HESU40_5500"];
    let paths = files.map(|name| dir.join(format!("parsers/feitcsi_{name}.csi")));
    let paths: Vec<PathBuf> = paths.into_iter().filter(|p| p.is_file()).collect();
    if paths.is_empty() { Vec::new() } else { vec![paths] }
}

fn run(paths: &[PathBuf]) -> Result<Report, Failure> {
    let mut report = Report::new("cir-frames");
    for path in paths {
        let bytes = std::fs::read(path).map_err(|e| Failure::read(path, e))?;
        let format = Format::detect(&bytes).ok_or_else(|| {
            Failure::read(path, "not a capture of FeitCSI, Nexmon, Intel, Atheros or PicoScenes")
        })?;
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        file(&name, &mut Reader::new(format, &bytes), &mut report)?;
    }
    Ok(report)
}

/// Estimates of one stream of a file, frame by frame.
#[derive(Default)]
struct Series {
    grid: Option<ToneGrid>,
    estimates: Vec<CirEstimate>,
    restored: u64,
    refused: u64,
}

fn file(name: &str, reader: &mut Reader<'_>, report: &mut Report) -> Result<(), Failure> {
    let mut series: Vec<Series> = Vec::new();
    let mut aligner = Aligner::new();
    let mut cirs: Vec<(Plan, Scratch)> = Vec::new();
    let mut frame = CaptureFrame::default();
    let mut at = Timestamp(0);
    while let Some(read) = reader.read(&mut frame) {
        if read.is_err() {
            continue;
        }
        at = at.plus_nanos(50_000_000);
        for (link, (rx, tx)) in (0..frame.rx).flat_map(|rx| (0..frame.tx).map(move |tx| (rx, tx))).enumerate()
        {
            if series.len() <= link {
                series.push(Series::default());
            }
            let one = &mut series[link];
            let Some(samples) = samples(&frame, rx, tx, one) else {
                one.refused += 1;
                continue;
            };
            one.grid = Some(samples.grid());
            let known = cirs.iter().position(|(plan, _)| plan.grid() == samples.grid());
            let k = known.unwrap_or_else(|| {
                let plan = Plan::new(&Config::default(), samples.grid()).expect("the defaults are in range");
                let scratch = Scratch::new(&plan);
                cirs.push((plan, scratch));
                cirs.len() - 1
            });
            let Some(observation) = aligner.observe(LinkId(link as u16), at, samples) else {
                one.refused += 1;
                continue;
            };
            let (plan, scratch) = &mut cirs[k];
            one.estimates.push(plan.estimate(&observation, scratch));
        }
    }
    for (k, one) in series.iter().enumerate() {
        say(&format!("{name} stream {k}"), one, report);
    }
    let refused: u64 = series.iter().map(|one| one.refused).sum();
    if refused > 0 {
        report
            .notes
            .push(format!("{name}: {refused} streams of frames fit no grid of the hub, or have no power"));
    }
    let counts = reader.counts();
    report.notes.push(format!("{name}: {} frames, {} faults", counts.frames, counts.faults));
    Ok(())
}

/// The stages between a frame and an observation: unit power, then the link's phase reference.
struct Aligner {
    plan: phase_align::Plan,
    state: phase_align::State,
}

impl Aligner {
    fn new() -> Aligner {
        let plan =
            phase_align::Plan::new(&phase_align::Config::default()).expect("the defaults are in range");
        let state = phase_align::State::new(&plan);
        Aligner { plan, state }
    }

    fn observe(
        &mut self,
        link: LinkId,
        at: Timestamp,
        mut samples: Samples,
    ) -> Option<wavewitness_types::LinkObservation> {
        let power = samples.mean_power();
        let scale = if power > 0.0 { (1.0 / power.sqrt()) as f32 } else { 0.0 };
        let (re, im) = samples.parts_mut();
        re.iter_mut().chain(im).for_each(|v| *v *= scale);
        let radio = RadioMeta { channel_mhz: None, rssi_dbm: None, noise_dbm: None };
        let frame = CalibratedFrame { at, link, radio, power_db: 0.0, samples };
        self.plan.align(frame, None, &mut self.state);
        self.plan.end_cycle(at, &mut self.state);
        self.state.observations().iter().find(|o| o.link == link).cloned()
    }
}

/// A stream on the smallest grid that it covers; tones that the format leaves out between two measured ones are put on the
/// straight line through these, and counted.
fn samples(frame: &CaptureFrame, rx: usize, tx: usize, series: &mut Series) -> Option<Samples> {
    let stream = frame.stream(rx, tx)?;
    let widest = *stream.tones.last()?;
    let fits = |grid: &ToneGrid| {
        let last = *grid.indices().last().expect("grids are not empty");
        grid.spacing_hz() == stream.spacing_hz && (last - widest).abs() <= 2
    };
    let grid = ToneGrid::ALL.into_iter().rev().find(fits)?;
    let (mut out, mut missing) = (Samples::zero(grid), Vec::new());
    stream.place(&mut out, 0, &mut missing).ok()?;
    let column = |tone: i16| grid.indices().binary_search(&tone).ok().filter(|_| !missing.contains(&tone));
    let (re, im) = out.parts_mut();
    for &tone in &missing {
        let at = grid.indices().binary_search(&tone).ok()?;
        let (below, above) = (column(tone - 1)?, column(tone + 1)?);
        let mean = |v: &[f32]| 0.5 * (v[below] + v[above]);
        (re[at], im[at]) = (mean(re), mean(im));
        series.restored += 1;
    }
    Some(out)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn say(name: &str, series: &Series, report: &mut Report) {
    let all = &series.estimates;
    let Some(grid) = series.grid.filter(|_| !all.is_empty()) else {
        report.notes.push(format!("{name}: no grid of the hub has its tones"));
        return;
    };
    let of = |f: fn(&CirEstimate) -> f64| median(all.iter().map(f).collect());
    let frames = all.len() as f64;
    let name = format!("{name}, {grid:?}");
    let mut row = |metric: &str, value: f64, unit| report.rows.push(Row::new(&name, metric, value, unit));
    row("frames", frames, "");
    row("tones restored, a frame", series.restored as f64 / frames, "");
    row("support, median", of(|e| f64::from(e.support)), "");
    row("taps, median", of(|e| f64::from(e.tap_count)), "");
    row("residual, median", of(|e| f64::from(e.residual)), "");
    row("converged", all.iter().filter(|e| e.converged).count() as f64 / frames, "");
    row("dominant ratio, median", of(|e| f64::from(e.dominant_ratio)), "");
    row("delay spread, median", of(|e| f64::from(e.delay_spread_ns)), "ns");
    let strongest = |e: &CirEstimate| {
        let taps = &e.taps[..usize::from(e.tap_count)];
        taps.iter().copied().max_by(|a, b| power(a).total_cmp(&power(b)))
    };
    let steps: Vec<f64> = all
        .windows(2)
        .filter_map(|w| Some((strongest(&w[1])?.delay_ns - strongest(&w[0])?.delay_ns).abs().into()))
        .collect();
    row("step of the strongest delay between frames, median", median(steps), "ns");
    let alike: Vec<f64> = all.windows(2).map(|w| likeness(&w[0], &w[1])).collect();
    row("likeness of consecutive responses, median", median(alike), "");
}

fn power(tap: &Tap) -> f64 {
    let (re, im) = (f64::from(tap.re), f64::from(tap.im));
    re * re + im * im
}

/// Cosine between the tap amplitudes of two responses, taps of both matched if they are within 12.5 ns (half a
/// resolution cell at 40 MHz): 1 for the same response.
fn likeness(a: &CirEstimate, b: &CirEstimate) -> f64 {
    let (a, b) = (&a.taps[..usize::from(a.tap_count)], &b.taps[..usize::from(b.tap_count)]);
    let near = |x: &Tap, y: &Tap| (x.delay_ns - y.delay_ns).abs() <= 12.5;
    let common: f64 = a
        .iter()
        .filter_map(|x| {
            b.iter().filter(|y| near(x, y)).map(|y| (power(x) * power(y)).sqrt()).reduce(math::max_f64)
        })
        .sum();
    let total = |taps: &[Tap]| taps.iter().map(power).sum::<f64>();
    common / (total(a) * total(b)).sqrt()
}
