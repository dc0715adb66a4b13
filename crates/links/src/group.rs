//! Unexplained frames of one node and layout, and how a new link is found among them.

use crate::shape::Shape;
use wavewitness_types::{Layout, LinkId, NodeId, Timestamp};

/// Unexplained frames that are kept: three seconds of one busy node.
pub(crate) const WAITING_FRAMES: usize = 48;
/// Ambient links that are followed at once for one node and layout, whatever the configuration says.
pub(crate) const MAX_MEMBERS: usize = 6;

/// A frame that fitted no link.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub(crate) at: Timestamp,
    pub(crate) shape: Shape,
}

/// What one node hears in one layout, without MACs.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) node: NodeId,
    pub(crate) layout: Layout,
    /// In order of arrival.
    pub(crate) waiting: Vec<Waiting>,
    /// Whether a frame came since the last search.
    pub(crate) fresh: bool,
    /// When that was.
    pub(crate) searched: Timestamp,
    /// Live ambient links in order of discovery.
    members: [LinkId; MAX_MEMBERS],
    live: usize,
    /// Ambient names given so far.
    pub(crate) named: u8,
}

/// Frames that look alike: a link in the making.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) shape: Shape,
    pub(crate) spread: f64,
}

/// Scratch of the search: distances between waiting frames.
#[derive(Clone, Debug)]
pub(crate) struct Scratch {
    distances: Vec<f64>,
}

impl Scratch {
    pub(crate) fn new() -> Scratch {
        Scratch { distances: vec![0.0; WAITING_FRAMES * WAITING_FRAMES] }
    }
}

impl Group {
    /// A place for a group that is not known yet, its memory already taken.
    pub(crate) fn vacant() -> Group {
        Group {
            node: NodeId(0),
            layout: Layout::Lltf64,
            waiting: Vec::with_capacity(WAITING_FRAMES),
            fresh: false,
            searched: Timestamp(0),
            members: [LinkId(0); MAX_MEMBERS],
            live: 0,
            named: 0,
        }
    }

    pub(crate) fn members(&self) -> &[LinkId] {
        &self.members[..self.live]
    }

    pub(crate) fn add_member(&mut self, id: LinkId) {
        self.members[self.live] = id;
        self.live += 1;
    }

    pub(crate) fn remove_member(&mut self, id: LinkId) {
        if let Some(k) = self.members().iter().position(|&m| m == id) {
            self.members.copy_within(k + 1..self.live, k);
            self.live -= 1;
        }
    }

    /// Keeps a frame; the oldest makes room.
    pub(crate) fn wait(&mut self, at: Timestamp, shape: Shape) {
        if self.waiting.len() == WAITING_FRAMES {
            self.waiting.remove(0);
        }
        self.waiting.push(Waiting { at, shape });
        self.fresh = true;
    }

    /// The tightest `count` waiting frames, if they lie within `radius` of one of them, with all others that fit.
    ///
    /// The tightest first: a weak, noisy transmitter would swallow a strong one beside it, not the other way round.
    pub(crate) fn densest(
        &self,
        count: usize,
        radius: f64,
        gate: impl Fn(f64) -> f64,
        scratch: &mut Scratch,
    ) -> Option<Candidate> {
        let n = self.waiting.len();
        if n < count || count < 2 {
            return None;
        }
        for a in 0..n {
            scratch.distances[a * n + a] = 0.0;
            for b in 0..a {
                let d = self.waiting[a].shape.distance(&self.waiting[b].shape);
                scratch.distances[a * n + b] = d;
                scratch.distances[b * n + a] = d;
            }
        }
        let mut best: Option<(usize, f64)> = None;
        let mut sorted = [0.0f64; WAITING_FRAMES];
        for a in 0..n {
            sorted[..n].copy_from_slice(&scratch.distances[a * n..(a + 1) * n]);
            sorted[..n].sort_unstable_by(f64::total_cmp);
            let reach = sorted[count - 1];
            if reach <= radius && best.is_none_or(|(_, r)| reach < r) {
                best = Some((a, reach));
            }
        }
        let (seed, reach) = best?;
        let row = &scratch.distances[seed * n..(seed + 1) * n];
        let first = self.average(&self.waiting[seed].shape, |k| row[k] <= reach)?;
        let limit = gate(first.spread);
        self.average(&first.shape, |k| self.waiting[k].shape.distance(&first.shape) <= limit)
    }

    /// Mean shape and spread of the chosen frames.
    fn average(&self, start: &Shape, chosen: impl Fn(usize) -> bool) -> Option<Candidate> {
        let mut shape = start.clone();
        let mut count = 0.0;
        for (k, w) in self.waiting.iter().enumerate() {
            if chosen(k) {
                count += 1.0;
                shape.follow(&w.shape, 1.0 / (count + 1.0), shape.compare(&w.shape));
            }
        }
        let mut total = 0.0;
        for (k, w) in self.waiting.iter().enumerate() {
            if chosen(k) {
                total += shape.distance(&w.shape);
            }
        }
        // One degree of freedom went into the mean.
        (count >= 2.0).then(|| Candidate { shape, spread: total / (count - 1.0) })
    }
}
