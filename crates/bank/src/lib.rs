//! Hundreds of thousands of patterns and the nearest of them: an approximate index outside the witness.
//!
//! A pattern is a unit vector of 128 dimensions, such as an embedding of `wavewitness-identity`. [`PatternBank`] keeps
//! patterns in a hierarchical navigable small world graph (Malkov and Yashunin 2020, IEEE TPAMI 42(4)) of the library
//! `hnsw_rs`, with a distance of its own whose bits don't depend on the processor. Patterns that are put in one after the
//! other give the same graph, and the same answers, every time.
//!
//! While there are few patterns, a scan over the one-bit sketches of all of them is faster than a walk through the graph, so
//! [`PatternBank::nearest`] chooses by size: see [`SCANNED`].
//!
//! Why not in the engine: an approximate answer misses some of the nearest, and which it misses rests on a library's
//! inner order (`docs/algorithms/identity.md`).
//!
//! What this crate does not do: no masks (a part that only one of two patterns has turns them apart); no parallel building
//! (its result would depend on the race); a pattern that is removed is no longer found but stays in the graph until it
//! is built anew; a bank that was loaded and then grown is not the graph that the first would have grown into.

mod scan;
mod store;

pub use store::{LoadError, SaveError};

use fearless_simd::{Level, dispatch};
use hnsw_rs::prelude::{Distance, Hnsw};
use scan::Scan;
use wavewitness_num::math;

/// Dimensions of a pattern.
pub const DIM: usize = 128;
/// Patterns (removed ones included) up to which all sketches are scanned instead of the graph being walked. A scan is quicker there;
/// it grows with the number of patterns, and the share of the nearest that it finds falls.
pub const SCANNED: u32 = 2048;
/// Layers at most: the library saves only graphs that may have all of its 16.
const LAYERS: usize = 16;

/// How the graph is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Patterns that are expected; more may come.
    pub expected: u32,
    /// Neighbours of a pattern in each layer, 4 to 64; twice as many in the lowest.
    pub neighbours: u32,
    /// Candidates that an insertion looks at, more than twice `neighbours`, up to 2,000.
    pub build_breadth: u32,
}

impl Default for Settings {
    /// What `docs/algorithms/identity.md` measures.
    fn default() -> Settings {
        Settings { expected: 100_000, neighbours: 16, build_breadth: 64 }
    }
}

/// Why something was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// `neighbours` is not in 4..=64, or `build_breadth` not above twice of it and at most 2,000.
    Settings,
    /// A value is NaN or infinite.
    NotFinite,
    /// The length is not 1 within 1e-3.
    NotUnit,
    /// There are 2³² − 1 patterns already.
    Full,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Refused::Settings => {
                "neighbours must be 4 to 64, build breadth more than twice that and at most 2000"
            }
            Refused::NotFinite => "a value is not finite",
            Refused::NotUnit => "a pattern must have unit length",
            Refused::Full => "a bank holds at most 4294967295 patterns",
        })
    }
}

impl std::error::Error for Refused {}

/// A pattern that was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found {
    /// Its number: patterns are numbered as they come, from 0.
    pub id: u32,
    /// Cosine of the angle between it and what was asked for.
    pub similarity: f32,
}

/// One less the cosine of two unit vectors, 0..=2, in vectors as wide as the processor has.
#[derive(Clone, Copy, Debug)]
struct Cosine(Level);

impl Default for Cosine {
    fn default() -> Cosine {
        Cosine(Level::new())
    }
}

impl Distance<f32> for Cosine {
    fn eval(&self, a: &[f32], b: &[f32]) -> f32 {
        dispatch!(self.0, _simd => distance(a, b))
    }
}

/// In sixteen lanes that are added from the first to the last: the same bits whatever the processor.
#[inline(always)]
fn distance(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0f32; 16];
    for (x, y) in a.as_chunks::<16>().0.iter().zip(b.as_chunks::<16>().0) {
        for l in 0..16 {
            lanes[l] += x[l] * y[l];
        }
    }
    let mut dot = 0.0;
    for lane in lanes {
        dot += lane;
    }
    math::max_f32(1.0 - dot, 0.0)
}

/// Patterns, and the nearest of them.
pub struct PatternBank {
    graph: Hnsw<'static, f32, Cosine>,
    cosine: Cosine,
    /// The first [`SCANNED`] patterns.
    scan: Scan,
    removed: Vec<bool>,
    alive: u32,
}

impl PatternBank {
    /// An empty bank.
    ///
    /// # Errors
    /// If the settings are out of range.
    pub fn new(settings: Settings) -> Result<PatternBank, Refused> {
        let Settings { expected, neighbours, build_breadth } = settings;
        if !(4..=64).contains(&neighbours) || build_breadth <= 2 * neighbours || build_breadth > 2000 {
            return Err(Refused::Settings);
        }
        let cosine = Cosine::default();
        let graph = Hnsw::new(neighbours as usize, expected as usize, LAYERS, build_breadth as usize, cosine);
        let removed = Vec::with_capacity(expected as usize);
        Ok(PatternBank { graph, cosine, scan: Scan::new(), removed, alive: 0 })
    }

    /// Patterns that can be found.
    pub fn len(&self) -> u32 {
        self.alive
    }

    /// True if none can be found.
    pub fn is_empty(&self) -> bool {
        self.alive == 0
    }

    /// Adds a pattern; its number.
    ///
    /// # Errors
    /// If it is no unit vector, or the bank is full.
    pub fn insert(&mut self, pattern: &[f32; DIM]) -> Result<u32, Refused> {
        check(pattern)?;
        let id = u32::try_from(self.removed.len()).ok().filter(|&id| id < u32::MAX).ok_or(Refused::Full)?;
        self.graph.insert((pattern, id as usize));
        self.scan.put(id, pattern);
        self.removed.push(false);
        self.alive += 1;
        Ok(id)
    }

    /// Makes that a pattern is no longer found. False if there is none of that number.
    pub fn remove(&mut self, id: u32) -> bool {
        match self.removed.get_mut(id as usize) {
            Some(removed) if !*removed => {
                *removed = true;
                self.scan.remove(id);
                self.alive -= 1;
                true
            }
            _ => false,
        }
    }

    /// About the `k` nearest, the most similar first, equals by number. `breadth` is how many candidates the search keeps
    /// (at least `k`; a scan looks at four times as many, 40 at least): more finds more of the true nearest and takes longer. Clears
    /// `out` first.
    ///
    /// # Errors
    /// If what is asked for is no unit vector.
    pub fn nearest(
        &self,
        pattern: &[f32; DIM],
        k: u32,
        breadth: u32,
        out: &mut Vec<Found>,
    ) -> Result<(), Refused> {
        out.clear();
        check(pattern)?;
        if k == 0 || self.is_empty() {
            return Ok(());
        }
        let breadth = if breadth > k { breadth } else { k };
        if self.removed.len() <= SCANNED as usize {
            self.scan.nearest(self.cosine, pattern, k, breadth, out);
            return Ok(());
        }
        let alive = |id: &usize| !self.removed[*id];
        let all_alive = self.alive as usize == self.removed.len();
        let filter = if all_alive { None } else { Some(&alive as &dyn hnsw_rs::filter::FilterT) };
        // All that the search kept: what is removed may be among the first k.
        let found = self.graph.search_filter(pattern, breadth as usize, breadth as usize, filter);
        out.extend(found.iter().map(|n| Found { id: n.d_id as u32, similarity: 1.0 - n.distance }));
        rank(out, k);
        Ok(())
    }
}

/// Leaves the `k` most similar, in order. `k` is not 0.
fn rank(found: &mut Vec<Found>, k: u32) {
    let k = k as usize;
    let order = |a: &Found, b: &Found| b.similarity.total_cmp(&a.similarity).then(a.id.cmp(&b.id));
    if found.len() > k {
        found.select_nth_unstable_by(k - 1, order);
        found.truncate(k);
    }
    found.sort_unstable_by(order);
}

fn check(pattern: &[f32; DIM]) -> Result<(), Refused> {
    let mut lanes = [0.0; 8];
    for eight in pattern.as_chunks::<8>().0 {
        for l in 0..8 {
            lanes[l] += f64::from(eight[l]) * f64::from(eight[l]);
        }
    }
    // One that is not finite leaves a sum that is not; no finite f32 has a square that is not.
    let energy: f64 = lanes.iter().sum();
    if !energy.is_finite() {
        return Err(Refused::NotFinite);
    }
    if (math::sqrt(energy) - 1.0).abs() > 1e-3 { Err(Refused::NotUnit) } else { Ok(()) }
}
