//! The last cycles of the fused channel, as a tensor.

use ndarray::{Array2, Array3, Array5};
use wavewitness_types::limits::FUSION_TONES;
use wavewitness_types::{CycleIndex, FusedFrame, Geometry, Link, Transmitter};

/// Cycles of a window: 1.6 s.
pub const CYCLES: usize = 32;
/// Most links of a window.
pub const LINKS: usize = 16;
/// Tones: HT20, −28 to 28 without 0.
pub const TONES: usize = FUSION_TONES;

/// A window as a head sees it. Lengths are in metres from the room's lowest corner.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// The newest cycle of it.
    pub cycle: CycleIndex,
    /// `[1, CYCLES, LINKS, TONES, 2]`: real and imaginary part of the aligned channel, each link and cycle scaled to a mean
    /// square of 1 over its measured tones; 0 where nothing was measured. The oldest cycle comes first.
    pub csi: Array5<f32>,
    /// `[1, CYCLES, LINKS]`: share of tones that were measured.
    pub seen: Array3<f32>,
    /// `[1, CYCLES, LINKS]`: change over the link's quiet level, 1 when quiet; 0 where not known.
    pub motion: Array3<f32>,
    /// `[1, LINKS, 6]`: x, y, z of transmitter, then of receiver; 0 for places of the tensor that no link has.
    pub ends_m: Array3<f32>,
    /// `[1, 3]`: size of the room.
    pub room_m: Array2<f32>,
}

/// A link's place in the tensor.
#[derive(Clone, Copy, Debug)]
struct Slot {
    link: usize,
    /// By which slots are ordered: what does not depend on when a link was found.
    key: (Transmitter, u8),
    ends_m: [f32; 6],
}

#[derive(Clone, Debug)]
struct Moment {
    cycle: CycleIndex,
    frame: FusedFrame,
}

/// The last [`CYCLES`] cycles.
#[derive(Clone, Debug)]
pub struct Window {
    geometry: Geometry,
    moments: Vec<Moment>,
    next: usize,
    links: Vec<Link>,
    slots: Vec<Slot>,
}

impl Window {
    /// An empty window; `None` if the room is not configured, for then a head can't say where anything is.
    pub fn new(geometry: &Geometry) -> Option<Window> {
        geometry.room?;
        Some(Window {
            geometry: geometry.clone(),
            moments: Vec::with_capacity(CYCLES),
            next: 0,
            links: Vec::new(),
            slots: Vec::new(),
        })
    }

    /// Forgets every cycle and link: after a boot links have other numbers.
    pub fn clear(&mut self) {
        self.moments.clear();
        self.links.clear();
        self.slots.clear();
        self.next = 0;
    }

    /// Takes a cycle in. A cycle that was left out begins the window anew.
    pub fn push(&mut self, cycle: CycleIndex, frame: &FusedFrame, links: &[Link]) {
        let newest = self.moments.len().checked_sub(1).map(|last| (self.next + last) % self.moments.len());
        if newest.is_some_and(|k| self.moments[k].cycle.0 + 1 != cycle.0) {
            self.moments.clear();
            self.next = 0;
        }
        if links != self.links {
            self.links = links.to_vec();
            self.slots = slots(&self.geometry, links);
        }
        if self.moments.len() < CYCLES {
            self.moments.push(Moment { cycle, frame: frame.clone() });
        } else {
            self.moments[self.next] = Moment { cycle, frame: frame.clone() };
            self.next = (self.next + 1) % CYCLES;
        }
    }

    /// The tensor; `None` until the window is full and a link is placed.
    pub fn input(&self) -> Option<Input> {
        let room = self.geometry.room?;
        if self.moments.len() < CYCLES || self.slots.is_empty() {
            return None;
        }
        let mut input = Input {
            cycle: self.moments[(self.next + CYCLES - 1) % CYCLES].cycle,
            csi: Array5::zeros((1, CYCLES, LINKS, TONES, 2)),
            seen: Array3::zeros((1, CYCLES, LINKS)),
            motion: Array3::zeros((1, CYCLES, LINKS)),
            ends_m: Array3::zeros((1, LINKS, 6)),
            room_m: Array2::zeros((1, 3)),
        };
        for k in 0..3 {
            input.room_m[[0, k]] = (room.max_m[k] - room.min_m[k]) as f32;
        }
        for (s, slot) in self.slots.iter().enumerate() {
            for k in 0..6 {
                input.ends_m[[0, s, k]] = slot.ends_m[k];
            }
            for t in 0..CYCLES {
                fill(&self.moments[(self.next + t) % CYCLES].frame, slot.link, (t, s), &mut input);
            }
        }
        Some(input)
    }
}

fn fill(frame: &FusedFrame, link: usize, (t, s): (usize, usize), input: &mut Input) {
    let (re, im) = (&frame.re[link * TONES..][..TONES], &frame.im[link * TONES..][..TONES]);
    let measured = frame.mask[link].count_ones();
    input.motion[[0, t, s]] = frame.motion[link];
    input.seen[[0, t, s]] = measured as f32 / TONES as f32;
    let square: f64 =
        re.iter().zip(im).map(|(&a, &b)| f64::from(a) * f64::from(a) + f64::from(b) * f64::from(b)).sum();
    if measured == 0 || square <= 0.0 {
        return;
    }
    let scale = (f64::from(measured) / square).sqrt() as f32;
    for k in 0..TONES {
        input.csi[[0, t, s, k, 0]] = re[k] * scale;
        input.csi[[0, t, s, k, 1]] = im[k] * scale;
    }
}

/// Links whose two ends are placed, in the order of transmitter and receiver; those beyond [`LINKS`] are left out.
fn slots(geometry: &Geometry, links: &[Link]) -> Vec<Slot> {
    let corner = geometry.room.map_or([0.0; 3], |r| r.min_m);
    let place = |tx: Transmitter| match tx {
        Transmitter::Node(id) => geometry.node_position(id),
        Transmitter::Station(mac) => geometry.access_point_position(mac),
        Transmitter::Ambient(_) => None,
    };
    let mut slots: Vec<Slot> = links
        .iter()
        .enumerate()
        .filter_map(|(link, ends)| {
            let (a, b) = (place(ends.tx())?, geometry.node_position(ends.rx())?);
            let relative = |k: usize| (if k < 3 { a[k] } else { b[k - 3] } - corner[k % 3]) as f32;
            Some(Slot { link, key: (ends.tx(), ends.rx().0), ends_m: std::array::from_fn(relative) })
        })
        .collect();
    // Of a pair's several layouts the one found first.
    slots.sort_by_key(|s| (s.key, s.link));
    slots.dedup_by_key(|s| s.key);
    slots.truncate(LINKS);
    slots
}
