//! Which link's frames go to which path of the follower of walkers.

use wavewitness_localise::{Config, Plan as Follower, Slot, State as Following, Summary};
use wavewitness_types::{
    AlignedFrame, Baseline, ConfigError, CyclePlan, Followed, Geometry, Layout, Link, Timestamp, Transmitter,
};

/// Paths with a full window below which the image answers.
const LEAST_PATHS: u32 = 3;

/// Made once; absent without a room, or where it is not enabled.
#[derive(Clone, Debug)]
pub struct Plan {
    follower: Follower,
    cycle: CyclePlan,
}

/// One direction of a path.
#[derive(Clone, Copy, Debug)]
struct Way {
    path: u16,
    direction: usize,
    /// Where the transmitter has a slot in each cycle.
    slot: Option<Slot>,
}

/// A pair of antennas, in the order of [`Transmitter`], and what is sent between them.
#[derive(Clone, Copy, Debug)]
struct Pair {
    ends: [Transmitter; 2],
    layout: Layout,
}

/// Paths by pair of antennas, and the follower.
#[derive(Clone, Debug)]
pub struct State {
    following: Following,
    pairs: Vec<Pair>,
    /// By link.
    ways: Vec<Option<Way>>,
    /// Of the last cycle.
    pub summary: Summary,
}

impl Plan {
    /// # Errors
    /// Names the parameter that is out of range.
    pub fn new(config: &Config, geometry: &Geometry, cycle: &CyclePlan) -> Result<Option<Plan>, ConfigError> {
        let room = geometry.room.filter(|_| config.enabled);
        room.map(|room| Ok(Plan { follower: Follower::new(config, room)?, cycle: cycle.clone() })).transpose()
    }

    /// A link was found; links are met in the order of their ids. Without both places it is on no path; nor are
    /// other layouts than a pair's first, whose frames are the same ones.
    pub fn meet(&self, link: Link, ends_m: Option<[[f64; 3]; 2]>, state: &mut State) {
        let (tx, rx) = (link.tx(), Transmitter::Node(link.rx()));
        let direction = usize::from(tx > rx);
        let ends = if direction == 0 { [tx, rx] } else { [rx, tx] };
        let known = state.pairs.iter().position(|p| p.ends == ends);
        let path = match (known, ends_m) {
            (Some(k), _) => (state.pairs[k].layout == link.layout()).then_some(k as u16),
            (None, Some([a, b])) => {
                let ordered = if direction == 0 { [a, b] } else { [b, a] };
                let path = self.follower.add_path(ordered, &mut state.following);
                if path.is_some() {
                    state.pairs.push(Pair { ends, layout: link.layout() });
                }
                path
            }
            (None, None) => None,
        };
        let slotted = matches!(tx, Transmitter::Node(node) if self.cycle.slots.contains(&node));
        let slot = slotted.then(Slot::default);
        state.ways.push(path.map(|path| Way { path, direction, slot }));
    }

    /// Takes a frame, in the gauge of `baseline`.
    pub fn hear(&self, frame: &AlignedFrame, baseline: &Baseline, state: &mut State) {
        let Some(Some(way)) = state.ways.get_mut(frame.link.index()) else { return };
        let at = match &mut way.slot {
            Some(slot) => slot.sent(frame.at, self.cycle.cycle_ns),
            None => frame.at,
        };
        let rssi_dbm = frame.radio.rssi_dbm.map(f32::from);
        let following = &mut state.following;
        self.follower.observe(way.path, way.direction, at, baseline, &frame.samples, rssi_dbm, following);
    }

    /// Whether [`Plan::run`] will weigh particles, and its people were the room's in the cycle before.
    pub fn is_busy(&self, at: Timestamp, state: &State) -> bool {
        state.summary.paths >= LEAST_PATHS && self.follower.has_work(at, &state.following)
    }

    /// Ends a cycle; `followed` is cleared and filled with everybody who is followed. True if enough paths have a full
    /// window for an answer. `empty`: presence says that nobody is there; `light`: another stage has much to do.
    pub fn run(
        &self,
        at: Timestamp,
        empty: bool,
        light: bool,
        state: &mut State,
        followed: &mut Vec<Followed>,
    ) -> bool {
        state.summary = self.follower.run(at, empty, light, &mut state.following, followed);
        state.summary.paths >= LEAST_PATHS
    }
}

impl State {
    /// Nothing heard.
    pub fn new(plan: &Plan) -> State {
        State {
            following: Following::new(&plan.follower),
            pairs: Vec::with_capacity(wavewitness_localise::MAX_PATHS),
            ways: Vec::with_capacity(wavewitness_types::limits::MAX_LINKS),
            summary: Summary::default(),
        }
    }
}
