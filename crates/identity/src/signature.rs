//! What was measured of one track, look by look, in histograms of fixed bins.

use crate::embedding::Embedding;
use crate::{BINS, DIM, PARTS};
use core::f64::consts::SQRT_2;
use wavewitness_num::math;
use wavewitness_num::sum::Welford;
use wavewitness_types::{Canonical, Sink, Timestamp};

/// A measurement of a quantity: in the unit that its field names.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// The value.
    pub value: f64,
    /// Its standard error, in the same unit; 0 or more.
    pub sigma: f64,
}

/// What one cycle measured of one track. `None` is "not measured in this cycle", never a default.
///
/// Quantities are relative to what the geometry at the track's position predicts, so that a person has the same value
/// wherever they stand. A field is filled only while what it rests on was seen: a body that casts no shadow now has no
/// shadow depth.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Observation {
    /// Bistatic radar cross-section, dB over 1 m²: scattered over direct power, over what a scatterer of 1 m² at the
    /// track's position gives on the same links, averaged over tones and links in *power*. Links whose direct path the
    /// body shadows are left out.
    pub cross_section_dbsm: Option<Reading>,
    /// Once a crossing of a link: greatest attenuation in dB, less that of the reference body (absorbing cylinder,
    /// radius 0.25 m, height 1.75 m) which crosses at the same place.
    pub shadow_depth_db: Option<Reading>,
    /// Once a crossing: width of the shadow across the link, m: attenuation in dB integrated along the walk's component
    /// across the link, over its greatest value.
    pub shadow_width_m: Option<Reading>,
    /// While walking: steps a second, from the period of the limbs' Doppler or of the speed's modulation.
    pub cadence_hz: Option<Reading>,
    /// While walking: length of a stride (two steps), m: twice the tracked speed over the cadence.
    pub stride_m: Option<Reading>,
    /// While walking: Doppler energy within ± 0.5 m/s of the track's own bistatic rate over that beyond it, dB.
    pub torso_to_limb_db: Option<Reading>,
    /// At rest: breaths a minute.
    pub breathing_bpm: Option<Reading>,
    /// Stature, m, where links at several heights observe it.
    pub stature_m: Option<Reading>,
}

/// The eight parts, in the order of the embedding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Part {
    /// [`Observation::cross_section_dbsm`].
    CrossSection = 0,
    /// [`Observation::shadow_depth_db`].
    ShadowDepth = 1,
    /// [`Observation::shadow_width_m`].
    ShadowWidth = 2,
    /// [`Observation::cadence_hz`].
    Cadence = 3,
    /// [`Observation::stride_m`] / 2 over [`Observation::cadence_hz`], m/Hz: of a cycle that measured both. Step length and
    /// cadence grow together as somebody hurries; their ratio stays (Sekiya and Nagasaki 1998, Gait Posture 7(3)).
    WalkRatio = 4,
    /// [`Observation::torso_to_limb_db`].
    TorsoToLimb = 5,
    /// [`Observation::breathing_bpm`].
    Breathing = 6,
    /// [`Observation::stature_m`].
    Stature = 7,
}

impl Part {
    /// All, in the order of the embedding.
    pub const ALL: [Part; PARTS] = [
        Part::CrossSection,
        Part::ShadowDepth,
        Part::ShadowWidth,
        Part::Cadence,
        Part::WalkRatio,
        Part::TorsoToLimb,
        Part::Breathing,
        Part::Stature,
    ];
}

/// Bins of a part, and the time after which another reading is news.
struct Scale {
    low: f64,
    width: f64,
    look_ns: u64,
}

const fn scale(low: f64, width: f64, look_ns: u64) -> Scale {
    Scale { low, width, look_ns }
}

/// Ranges hold what adults show (`docs/algorithms/identity.md` has the sources); what lies outside is in the outer
/// bins. A look of half a second is some wavelengths of walk: fading is averaged out of it, not counted as news. Each
/// crossing is a look of its own. Gait is one look in two strides, breathing one in half of its window.
const SCALES: [Scale; PARTS] = [
    scale(-16.0, 1.5, 500_000_000),
    scale(-12.0, 1.5, 0),
    scale(0.1, 0.05, 0),
    scale(1.2, 0.1, 2_000_000_000),
    scale(0.20, 0.02, 2_000_000_000),
    scale(-6.0, 1.5, 2_000_000_000),
    scale(6.0, 1.5, 30_000_000_000),
    scale(1.3, 0.05, 2_000_000_000),
];

/// A reading less certain than this many bins resolves nothing and is not taken.
const MAX_SIGMA_BINS: f64 = 4.0;
/// A look is spread over bins with at least this standard deviation, in bins: about what the same person differs by from
/// visit to visit. With less, a long visit sharpens its histograms beyond that, and the next visit seems somebody else.
const LEAST_SPREAD_BINS: f64 = 2.0;
/// Jeffreys' prior of a multinomial: half a count in each bin.
const PRIOR: f64 = 0.5;

/// Histogram of one part, and the look that is being collected.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Histogram {
    mass: [f64; BINS],
    looks: u32,
    began: Timestamp,
    values: Welford,
    variances: Welford,
}

impl Histogram {
    fn push(&mut self, at: Timestamp, reading: Reading, scale: &Scale) -> bool {
        let Reading { value, sigma } = reading;
        let usable = value.is_finite() && (0.0..=MAX_SIGMA_BINS * scale.width).contains(&sigma);
        if !usable {
            return false;
        }
        if self.values.count() > 0 && at.nanos_since(self.began) >= scale.look_ns {
            self.close();
        }
        if self.values.count() == 0 {
            self.began = at;
        }
        // In bins, and bounded, so that no sum can overflow.
        let place = math::min_f64(math::max_f64((value - scale.low) / scale.width, -1.0), BINS as f64 + 1.0);
        self.values.push(place);
        self.variances.push(sigma * sigma / (scale.width * scale.width));
        if scale.look_ns == 0 {
            self.close();
        }
        true
    }

    /// Adds the look that was collected: its mean, spread by its error. Errors of readings within a look are taken as
    /// common to them, so that they do not average out.
    fn close(&mut self) {
        let place = self.values.mean();
        let spread = math::sqrt(self.variances.mean() + LEAST_SPREAD_BINS * LEAST_SPREAD_BINS);
        let mut below = 0.0;
        for (k, mass) in self.mass.iter_mut().enumerate() {
            // Φ at the bin's upper border; the outer bins reach to infinity.
            let border = (k + 1) as f64;
            let up_to =
                if k + 1 == BINS { 1.0 } else { 0.5 * math::erfc((place - border) / (spread * SQRT_2)) };
            *mass += up_to - below;
            below = up_to;
        }
        self.looks = self.looks.saturating_add(1);
        self.values = Welford::EMPTY;
        self.variances = Welford::EMPTY;
    }

    /// The part's block: square roots of the bins' posterior means under [`PRIOR`], less their mean. Their inner product
    /// is the Bhattacharyya coefficient less what two flat histograms have of it: a histogram that says nothing is zero.
    fn block(&self, out: &mut [f64]) {
        let total = f64::from(self.looks) + PRIOR * BINS as f64;
        let mut mean = 0.0;
        for (root, mass) in out.iter_mut().zip(&self.mass) {
            *root = math::sqrt(math::max_f64(mass + PRIOR, 0.0) / total);
            mean += *root;
        }
        mean /= BINS as f64;
        out.iter_mut().for_each(|root| *root -= mean);
    }
}

/// Half a stride over the cadence, with the error of independent errors to first order.
fn walk_ratio(cadence: Option<Reading>, stride: Option<Reading>) -> Option<Reading> {
    let (cadence, stride) = (cadence?, stride?);
    let value = 0.5 * stride.value / cadence.value;
    let by_stride = 0.5 * stride.sigma / cadence.value;
    let by_cadence = value * cadence.sigma / cadence.value;
    Some(Reading { value, sigma: math::sqrt(by_stride * by_stride + by_cadence * by_cadence) })
}

/// What was measured of one track so far: eight histograms. Memory is fixed; a signature of years is as large as one of
/// seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Signature {
    parts: [Histogram; PARTS],
}

impl Signature {
    /// Nothing measured.
    pub fn new() -> Signature {
        Signature::default()
    }

    /// Takes what a cycle measured of the track. Returns how many readings could not be used: not finite, or less certain
    /// than four bins.
    pub fn push(&mut self, at: Timestamp, observation: &Observation) -> u32 {
        let Observation {
            cross_section_dbsm,
            shadow_depth_db,
            shadow_width_m,
            cadence_hz,
            stride_m,
            torso_to_limb_db,
            breathing_bpm,
            stature_m,
        } = *observation;
        let readings = [
            cross_section_dbsm,
            shadow_depth_db,
            shadow_width_m,
            cadence_hz,
            walk_ratio(cadence_hz, stride_m),
            torso_to_limb_db,
            breathing_bpm,
            stature_m,
        ];
        let mut refused = 0;
        for (k, reading) in readings.into_iter().enumerate() {
            if let Some(reading) = reading
                && !self.parts[k].push(at, reading, &SCALES[k])
            {
                refused += 1;
            }
        }
        refused
    }

    /// Looks that are complete, part by part.
    pub fn looks(&self) -> [u32; PARTS] {
        let mut out = [0; PARTS];
        out.iter_mut().zip(&self.parts).for_each(|(looks, part)| *looks = part.looks);
        out
    }

    /// The embedding; `None` before the first look is complete.
    pub fn embedding(&self) -> Option<Embedding> {
        let mut values = [0.0; DIM];
        for (part, block) in self.parts.iter().zip(values.chunks_exact_mut(BINS)) {
            if part.looks > 0 {
                part.block(block);
            }
        }
        Embedding::from_f64(&values, self.looks()).ok()
    }
}

impl Canonical for Histogram {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self { mass, looks, began, values, variances } = self;
        out.f64s(mass);
        out.u32(*looks);
        began.canonical(out);
        for welford in [values, variances] {
            let (count, mean, m2) = welford.parts();
            out.u64(count);
            out.f64s(&[mean, m2]);
        }
    }
}

impl Canonical for Signature {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self { parts } = self;
        parts.iter().for_each(|part| part.canonical(out));
    }
}
