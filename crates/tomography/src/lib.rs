//! Link attenuation and variance to voxels, and voxels to detections.
//!
//! Radio tomographic imaging (Wilson and Patwari 2010, 2011): a mover changes a link the more, the shorter the detour
//! over the mover is against the direct path. [`Plan::run`] inverts that for all links of one cycle by non-negative
//! sparse least squares and looks for peaks. Model and constants: `docs/algorithms/tomography.md`.
//!
//! Two images on one grid, from two right-hand sides that are never added up: **motion** (logarithm of the temporal
//! change over its quiet level), in which people are detected, and **shadowing** (dB of attenuation against the
//! baseline), which is reported beside it. Each is weighted by the sigma of its own evidence. Detections come from
//! motion alone because a baseline that drifts by hours looks like a shadow, and must not become a ghost.
//!
//! For signal strength there is a second way, which places people better and needs no image: [`strength`] keeps baselines
//! and says how far each path departs from its own, [`locate`] turns that into who is where by the likelihood of every
//! place on a fine plan grid, with a memory. It sees people who stand still, as long as they are not background.
//!
//! What this crate does *not* do: it tracks nothing (`pose`), identifies nobody, and the imaging way keeps no memory from
//! cycle to cycle, decides on no quiet level (`calibration`, `fusion`), and sees nobody who keeps still. Without a room, or
//! with too few links, it abstains.

mod config;
mod detect;
mod geometry;
pub mod locate;
mod solver;
pub mod strength;

pub use config::Config;

use detect::{Maps, Scene};
use geometry::Segment;
use solver::{Settings, Solved, Solver};
use wavewitness_num::math;
use wavewitness_types::limits::MAX_LINKS;
use wavewitness_types::stage_config::StageConfig;
use wavewitness_types::{Canonical, ConfigError, Detection, LinkId, Room, Sink, VoxelGrid, VoxelImage};

/// No motion evidence is taken for steadier than this (in ln): [`wavewitness_types::Quiet::MIN_SD`].
const MIN_MOTION_SIGMA: f64 = 0.05;
/// Strength is quantised to 1 dB by the radios: `1/√12`.
const MIN_SHADOWING_SIGMA_DB: f64 = 0.29;
/// Larger sigmas say nothing at all; keeps every product finite.
const MAX_SIGMA: f64 = 1e3;
/// `e^50` is beyond the dynamic range of any radio.
const MAX_MOTION: f64 = 50.0;
/// Nor does any lose more than this.
const MAX_SHADOWING_DB: f64 = 100.0;

/// What one link says in one cycle. A value whose number or sigma is not finite, or whose sigma is not positive, is
/// taken as absent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinkEvidence {
    /// The link; without geometry ([`Plan::add_link`]) it is passed over.
    pub link: LinkId,
    /// Natural logarithm of the temporal change over its quiet level, cut at 0.
    pub motion: Option<f32>,
    /// Standard deviation of that logarithm when nothing moves (`ln_sd`), times the gate's noise inflation.
    pub motion_sigma: f32,
    /// Attenuation against the baseline in dB, positive when the link lost strength.
    pub shadowing_db: Option<f32>,
    /// Its standard deviation in dB.
    pub shadowing_sigma_db: f32,
}

/// Why there is no image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abstention {
    /// The room is not configured: there is no grid.
    NoRoom,
    /// Too few links have both geometry and motion evidence.
    TooFewLinks {
        /// Links with both.
        have: u16,
        /// [`Config::min_links`].
        need: u16,
    },
    /// People are followed by other means, and the cycle's time belongs to those: see [`Plan::leave_out`].
    Followed,
    /// Enough links, but too few distinct segments between places: both directions of a link see the same.
    TooFewPaths {
        /// Distinct segments.
        have: u16,
        /// [`Config::min_paths`].
        need: u16,
    },
}

/// An image of one cycle and how it came about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reconstruction<'a> {
    /// The image: motion in ln·√m, or shadowing in dB·√m (a voxel's value times its weight `1/√d` is its share of a
    /// link's evidence).
    pub image: &'a VoxelImage,
    /// Links that it rests on.
    pub links: u16,
    /// Distinct segments among them.
    pub paths: u16,
    /// Iterations of the solver.
    pub iterations: u16,
    /// True if the optimality condition holds within [`Config::tolerance`].
    pub converged: bool,
    /// Gradient step: one over an upper bound of the operator's largest eigenvalue; 0 if no voxel is observed.
    pub step: f64,
    /// Regularisation, in standard deviations of a lone voxel's response.
    pub lambda: f64,
}

/// What a cycle gives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outcome<'a> {
    /// No image, no detections.
    Abstained(Abstention),
    /// Images; the detections belong to `motion`.
    Imaged {
        /// Where something moves.
        motion: Reconstruction<'a>,
        /// Where something attenuates; `None` if too few links have shadowing evidence.
        shadowing: Option<Reconstruction<'a>>,
    },
}

/// The stage, planned for a room.
#[derive(Clone, Debug)]
pub struct Plan {
    config: Config,
    grid: Option<VoxelGrid>,
}

/// One modality: its inverse problem and its image.
#[derive(Clone, Debug)]
struct Channel {
    solver: Solver,
    image: VoxelImage,
    whitening: [f64; MAX_LINKS],
    values: [f64; MAX_LINKS],
}

#[derive(Clone, Debug)]
struct Buffers {
    motion: Channel,
    shadowing: Channel,
    maps: Maps,
}

/// Geometry of the links found so far, and working memory. Nothing in it carries evidence to the next cycle.
#[derive(Clone, Debug)]
pub struct State {
    segments: [Option<Segment>; MAX_LINKS],
    /// The least link id on the same segment.
    path: [u8; MAX_LINKS],
    ignored: u32,
    buffers: Option<Buffers>,
}

impl State {
    /// No links yet. Allocates everything that the stage will need.
    pub fn new(plan: &Plan) -> State {
        let buffers = plan.grid.map(|grid| Buffers {
            motion: Channel::new(grid),
            shadowing: Channel::new(grid),
            maps: Maps::new(&grid),
        });
        State { segments: [None; MAX_LINKS], path: [0; MAX_LINKS], ignored: 0, buffers }
    }

    /// The motion image of the last run that did not abstain; zeros before there was one, `None` without a room. When it
    /// was made is the caller's to know.
    pub fn motion_image(&self) -> Option<&VoxelImage> {
        self.buffers.as_ref().map(|buffers| &buffers.motion.image)
    }

    /// Links that [`Plan::add_link`] refused, since the start.
    pub fn ignored_links(&self) -> u32 {
        self.ignored
    }
}

impl Channel {
    fn new(grid: VoxelGrid) -> Channel {
        Channel {
            solver: Solver::new(grid.voxel_count()),
            image: VoxelImage::zero(grid),
            whitening: [0.0; MAX_LINKS],
            values: [0.0; MAX_LINKS],
        }
    }

    fn clear(&mut self) {
        self.whitening = [0.0; MAX_LINKS];
        self.values = [0.0; MAX_LINKS];
    }

    /// Takes a link's evidence; the first of a link counts.
    fn take(&mut self, link: usize, value: Option<f32>, sigma: f32, (low, high): (f64, f64), min_sigma: f64) {
        let Some(value) = value.map(f64::from) else { return };
        let sigma = f64::from(sigma);
        if self.whitening[link] == 0.0 && value.is_finite() && sigma.is_finite() && sigma > 0.0 {
            self.values[link] = math::max_f64(low, math::min_f64(value, high));
            self.whitening[link] = 1.0 / math::max_f64(min_sigma, math::min_f64(sigma, MAX_SIGMA));
        }
    }

    /// How many links have evidence, and on how many distinct segments.
    fn counts(&self, path: &[u8; MAX_LINKS]) -> (u16, u16) {
        let (mut links, mut seen) = (0, 0u64);
        for link in 0..MAX_LINKS {
            if self.whitening[link] > 0.0 {
                links += 1;
                seen |= 1 << path[link];
            }
        }
        (links, seen.count_ones() as u16)
    }

    fn reconstruct(&mut self, settings: &Settings) -> Solved {
        self.solver.load(&self.whitening, &self.values, settings);
        let solved = self.solver.solve(settings);
        for (v, value) in self.image.values.iter_mut().enumerate() {
            let norm = self.solver.norm[v];
            *value = if norm > 0.0 { (self.solver.u[v] / norm) as f32 } else { 0.0 };
        }
        solved
    }

    fn report(&self, solved: Solved, (links, paths): (u16, u16)) -> Reconstruction<'_> {
        Reconstruction {
            image: &self.image,
            links,
            paths,
            iterations: solved.iterations as u16,
            converged: solved.converged,
            step: solved.step,
            lambda: solved.lambda,
        }
    }
}

impl Plan {
    /// Plans the stage; without a room it will abstain.
    ///
    /// # Errors
    /// Names the parameter that is out of range, or the side of the room.
    pub fn new(config: &Config, room: Option<Room>) -> Result<Plan, ConfigError> {
        config.check()?;
        let grid = room.map(|room| geometry::grid(config, &room)).transpose()?;
        Ok(Plan { config: config.clone(), grid })
    }

    /// The grid of the images.
    pub fn grid(&self) -> Option<&VoxelGrid> {
        self.grid.as_ref()
    }

    /// Tells where a link's antennas are; a second call moves the link. Antennas may be outside the room.
    ///
    /// Returns false, and counts ([`State::ignored_links`]), if the two are one place (closer than 5 cm), a
    /// coordinate is no place, or the id exceeds [`MAX_LINKS`].
    pub fn add_link(&self, link: LinkId, tx_m: [f64; 3], rx_m: [f64; 3], state: &mut State) -> bool {
        let segment = Segment::new(tx_m, rx_m);
        let index = link.index();
        if index >= MAX_LINKS || segment.is_none() {
            state.ignored = state.ignored.saturating_add(1);
        }
        if index >= MAX_LINKS {
            return false;
        }
        state.segments[index] = segment;
        for k in 0..MAX_LINKS {
            let Some(one) = state.segments[k] else { continue };
            let first = state.segments[..k].iter().position(|s| s.is_some_and(|s| s.same_path(&one)));
            state.path[k] = first.unwrap_or(k) as u8;
        }
        if let (Some(segment), Some(grid), Some(buffers)) = (segment, &self.grid, &mut state.buffers) {
            let full = segment.full_weight();
            segment.weights(grid, self.config.motion_decay_m, buffers.motion.solver.raw_row_mut(index, full));
            segment.weights(
                grid,
                self.config.shadowing_decay_m,
                buffers.shadowing.solver.raw_row_mut(index, full),
            );
        }
        segment.is_some()
    }

    /// Images one cycle. `detections` is cleared and filled, strongest peak first; give it the capacity of
    /// [`Config::max_detections`] and nothing is allocated. The order of `evidence` does not matter, except that of
    /// two entries for one link the first counts.
    pub fn run<'a>(
        &self,
        evidence: &[LinkEvidence],
        state: &'a mut State,
        detections: &mut Vec<Detection>,
    ) -> Outcome<'a> {
        detections.clear();
        let (Some(grid), Some(buffers)) = (&self.grid, &mut state.buffers) else {
            return Outcome::Abstained(Abstention::NoRoom);
        };
        buffers.motion.clear();
        buffers.shadowing.clear();
        for item in evidence {
            let link = item.link.index();
            if link < MAX_LINKS && state.segments[link].is_some() {
                buffers.motion.take(
                    link,
                    item.motion,
                    item.motion_sigma,
                    (0.0, MAX_MOTION),
                    MIN_MOTION_SIGMA,
                );
                let range = (-MAX_SHADOWING_DB, MAX_SHADOWING_DB);
                let (value, sigma) = (item.shadowing_db, item.shadowing_sigma_db);
                buffers.shadowing.take(link, value, sigma, range, MIN_SHADOWING_SIGMA_DB);
            }
        }
        let counts = buffers.motion.counts(&state.path);
        if let Some(reason) = self.refusal(counts) {
            return Outcome::Abstained(reason);
        }
        let solved = buffers.motion.reconstruct(&self.settings(true));
        let height_observed = self.height_observed(&buffers.motion.whitening, &state.segments);
        Scene { config: &self.config, grid, height_observed, paths: usize::from(counts.1) }.detect(
            &buffers.motion.solver,
            &mut buffers.maps,
            detections,
        );
        let shadow_counts = buffers.shadowing.counts(&state.path);
        let shadow = self.refusal(shadow_counts).is_none();
        let shadow = shadow.then(|| buffers.shadowing.reconstruct(&self.settings(false)));
        Outcome::Imaged {
            motion: buffers.motion.report(solved, counts),
            shadowing: shadow.map(|solved| buffers.shadowing.report(solved, shadow_counts)),
        }
    }

    /// The outcome of a cycle without an image, because people are followed by other means; `detections` is cleared.
    pub fn leave_out(&self, detections: &mut Vec<Detection>) -> Outcome<'static> {
        detections.clear();
        Outcome::Abstained(Abstention::Followed)
    }

    /// The part of a position's error that does not average out over cycles, in metres (1 sigma along x and y), for an
    /// image from `paths` distinct segments: P paths divide a room of area A into about P cells, and reflections,
    /// which the model does not know, move a person by about a cell. `σ = c √(A/P)`, see [`Config::model_error_cells`].
    /// None without a room.
    pub fn model_error_m(&self, paths: u16) -> Option<f64> {
        let grid = self.grid.as_ref()?;
        let side = |axis: usize| grid.pitch_m[axis] * f64::from(grid.counts[axis]);
        let cells = f64::from(paths.max(1));
        Some(self.config.model_error_cells * math::sqrt(side(0) * side(1) / cells))
    }

    fn refusal(&self, (links, paths): (u16, u16)) -> Option<Abstention> {
        let (need_links, need_paths) = (self.config.min_links as u16, self.config.min_paths as u16);
        if links < need_links {
            Some(Abstention::TooFewLinks { have: links, need: need_links })
        } else if paths < need_paths {
            Some(Abstention::TooFewPaths { have: paths, need: need_paths })
        } else {
            None
        }
    }

    fn settings(&self, rectified: bool) -> Settings {
        Settings {
            lambda_ratio: self.config.lambda_ratio,
            noise_factor: self.config.noise_factor,
            max_iterations: self.config.max_iterations,
            tolerance: self.config.tolerance,
            rectified,
        }
    }

    /// True if the antennas in use are spread over [`Config::min_height_spread_m`]. Coplanar antennas can't tell a
    /// place above their plane from its mirror image below, and hardly from one in the plane.
    fn height_observed(&self, whitening: &[f64; MAX_LINKS], segments: &[Option<Segment>; MAX_LINKS]) -> bool {
        let (mut low, mut high) = (f64::MAX, f64::MIN);
        for link in 0..MAX_LINKS {
            if let (true, Some(segment)) = (whitening[link] > 0.0, segments[link]) {
                for z in [segment.tx_m[2], segment.rx_m[2]] {
                    low = math::min_f64(low, z);
                    high = math::max_f64(high, z);
                }
            }
        }
        high - low >= self.config.min_height_spread_m
    }
}

impl Canonical for Abstention {
    fn canonical<S: Sink>(&self, out: &mut S) {
        match self {
            Abstention::NoRoom => out.u8(0),
            Abstention::TooFewLinks { have, need } => {
                out.u8(1);
                out.u16(*have);
                out.u16(*need);
            }
            Abstention::TooFewPaths { have, need } => {
                out.u8(2);
                out.u16(*have);
                out.u16(*need);
            }
            Abstention::Followed => out.u8(3),
        }
    }
}

impl Canonical for Reconstruction<'_> {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self { image, links, paths, iterations, converged, step, lambda } = self;
        image.canonical(out);
        out.u16(*links);
        out.u16(*paths);
        out.u16(*iterations);
        out.bool(*converged);
        out.f64(*step);
        out.f64(*lambda);
    }
}

/// The images; the detections of the cycle are encoded beside it by their own slice.
impl Canonical for Outcome<'_> {
    fn canonical<S: Sink>(&self, out: &mut S) {
        match self {
            Outcome::Abstained(reason) => {
                out.u8(0);
                reason.canonical(out);
            }
            Outcome::Imaged { motion, shadowing } => {
                out.u8(1);
                motion.canonical(out);
                out.option(shadowing.as_ref(), |s, v| v.canonical(s));
            }
        }
    }
}
