//! Breathing: which link is looked at in a cycle, and what each said last.
//!
//! Every frame goes into its link's window. One link after another is then looked at, a part of its spectrum in each
//! cycle, so that no cycle bears a whole estimate: with n links each is looked at every n seconds. A link that something
//! moves on begins anew: what was before is not what is now.

use wavewitness_breathing::{self as breathing, Reading, Shape, Unknown};
use wavewitness_types::limits::MAX_LINKS;
use wavewitness_types::{
    Breathing, BreathingRate, CalibratedFrame, Canonical, ConfigError, LinkId, NoBreathing, Sink, Timestamp,
    ToneGrid,
};
use wavewitness_world::LinkBreathing;

/// Cycles from one link's look to the next one's: a second.
const TURN_CYCLES: u32 = 20;
/// Frequencies of the spectrum that one cycle computes: a look is done within its turn, of which what comes before and between the
/// sweeps takes a third.
const FREQUENCIES: usize = 32;

/// One receive chain and one stream on each grid.
#[derive(Clone, Debug)]
pub struct Plan {
    plans: Vec<breathing::Plan>,
}

#[derive(Clone, Debug)]
struct Window {
    /// Of the link's first frame.
    grid: Option<ToneGrid>,
    state: breathing::State,
}

/// A look under way.
#[derive(Clone, Copy, Debug)]
struct Look {
    link: LinkId,
    at: Timestamp,
    grid: ToneGrid,
}

/// What a cycle's share of looking gave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Finding {
    /// The link.
    pub link: LinkId,
    /// What it says.
    pub reading: Reading,
}

/// The links' windows, the look under way, and the last readings.
#[derive(Clone, Debug)]
pub struct State {
    windows: Vec<Window>,
    readings: Vec<Option<LinkBreathing>>,
    scratch: breathing::Scratch,
    look: Option<Look>,
    is_looking: bool,
    last: usize,
    wait: u32,
}

impl Plan {
    /// # Errors
    /// Names the parameter that is out of range.
    pub fn new(config: &breathing::Config) -> Result<Plan, ConfigError> {
        let plan =
            |grid: ToneGrid| breathing::Plan::new(config, Shape { rx: 1, tx: 1, tones: grid.indices() });
        Ok(Plan { plans: ToneGrid::ALL.into_iter().map(plan).collect::<Result<_, _>>()? })
    }

    /// Takes a frame; those on another grid than the link's first are passed over.
    pub fn frame(&self, frame: &CalibratedFrame, state: &mut State) {
        let grid = frame.samples.grid();
        let plan = &self.plans[grid as usize];
        let Some(window) = state.windows.get_mut(frame.link.index()) else { return };
        if *window.grid.get_or_insert(grid) == grid {
            plan.push(frame.at, frame.samples.re(), frame.samples.im(), &mut window.state);
        }
    }

    /// A cycle's share of looking; `heard` says which links are still there.
    pub fn end_cycle(
        &self,
        at: Timestamp,
        heard: impl Fn(usize) -> bool,
        state: &mut State,
    ) -> Option<Finding> {
        state.wait = state.wait.saturating_sub(1);
        state.is_looking = state.look.is_some() || state.wait == 0;
        let (look, reading) = match state.look {
            Some(look) => (look, self.plans[look.grid as usize].advance(FREQUENCIES, &mut state.scratch)),
            None if state.wait > 0 => return None,
            None => {
                let n = state.windows.len();
                let turn = (1..=n).map(|step| (state.last + step) % n);
                let met = |k: usize| Some((k, state.windows[k].grid.filter(|_| heard(k))?));
                let (next, grid) = turn.filter_map(met).next()?;
                (state.wait, state.last) = (TURN_CYCLES, next);
                let look = Look { link: LinkId(next as u16), at, grid };
                let window = &state.windows[next].state;
                let at_once = self.plans[grid as usize].begin(window, &mut state.scratch);
                state.look = Some(look);
                (look, at_once)
            }
        };
        let reading = reading?;
        state.look = None;
        state.readings[look.link.index()] =
            Some(LinkBreathing { at: look.at, breathing: published(&reading) });
        Some(Finding { link: look.link, reading })
    }
}

impl State {
    /// Nothing heard yet.
    pub fn new(plan: &Plan) -> State {
        State {
            // Memory depends on bands and window alone, which all grids share.
            windows: vec![Window { grid: None, state: breathing::State::new(&plan.plans[0]) }; MAX_LINKS],
            readings: vec![None; MAX_LINKS],
            scratch: breathing::Scratch::new(&plan.plans[0]),
            look: None,
            is_looking: false,
            last: MAX_LINKS - 1,
            wait: 0,
        }
    }

    /// Whether this cycle had a share of a look, which costs something.
    pub fn is_looking(&self) -> bool {
        self.is_looking
    }

    /// Something moves on a link: its window begins anew, and what it said before holds no longer.
    pub fn disturb(&mut self, link: LinkId, at: Timestamp) {
        let (Some(window), Some(reading)) =
            (self.windows.get_mut(link.index()), self.readings.get_mut(link.index()))
        else {
            return;
        };
        window.state.clear();
        *reading = Some(LinkBreathing { at, breathing: Breathing::Unknown(NoBreathing::Motion) });
        if self.look.is_some_and(|look| look.link == link) {
            self.look = None;
        }
    }

    /// What a link said last.
    pub fn reading(&self, link: LinkId) -> Option<LinkBreathing> {
        self.readings.get(link.index()).copied().flatten()
    }
}

fn published(reading: &Reading) -> Breathing {
    match reading {
        Reading::Rate(rate) => Breathing::Rate(BreathingRate {
            bpm: rate.bpm as f32,
            sigma_bpm: rate.sigma_bpm as f32,
            false_alarm: rate.false_alarm as f32,
            links: 1,
            span_s: rate.span_s as f32,
        }),
        Reading::Unknown(reason) => Breathing::Unknown(match reason {
            Unknown::TooShort => NoBreathing::TooShort,
            Unknown::TooSparse => NoBreathing::TooSparse,
            Unknown::Motion => NoBreathing::Motion,
            Unknown::NoLine => NoBreathing::NoLine,
            Unknown::Rivals => NoBreathing::Rivals,
        }),
    }
}

impl Canonical for Finding {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self { link, reading } = self;
        link.canonical(out);
        reading.canonical(out);
    }
}
