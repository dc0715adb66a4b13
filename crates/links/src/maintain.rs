//! Once a cycle one group is looked after: evidence refreshed, links that became one merged, new links found.

use crate::beacon::phase_of;
use crate::group::Candidate;
use crate::plan::Plan;
use crate::record::Retired;
use crate::state::State;
use wavewitness_num::math::{max_f64, min_f64};
use wavewitness_types::{Identification, Link, LinkId, Timestamp, Transmitter};

/// A link that misses this many of its usual intervals has fallen silent.
const SILENT_INTERVALS: f64 = 5.0;
/// A group is searched this often: a search compares every pair of unexplained frames.
const SEARCH_NS: u64 = 500_000_000;
/// How much a link's spread grows when frames just outside its gate turn out to be its own.
const WIDEN: f64 = 1.25;

fn seconds_ns(seconds: f64) -> u64 {
    (seconds * 1e9) as u64
}

impl Plan {
    /// Ends a cycle: looks after one node and layout in turn. `at` is the cycle's end.
    pub fn end_cycle(&self, at: Timestamp, state: &mut State) {
        if state.groups_used == 0 {
            self.refresh_named(at, state);
            return;
        }
        // One more turn than groups: the last is for links known by name.
        let turn = state.turn % (state.groups_used + 1);
        state.turn = turn + 1;
        if turn == state.groups_used {
            self.refresh_named(at, state);
            return;
        }
        self.merge(turn, at, state);
        self.search(turn, at, state);
        for k in 0..state.groups[turn].members().len() {
            let id = state.groups[turn].members()[k];
            self.refresh(id.index(), at, state);
        }
    }

    fn refresh_named(&self, at: Timestamp, state: &mut State) {
        for index in 0..state.records.len() {
            if !matches!(state.records[index].link.tx(), Transmitter::Ambient(_)) {
                self.refresh(index, at, state);
            }
        }
    }

    /// Refreshes what the record of a live link says of beacons and neighbours.
    fn refresh(&self, index: usize, at: Timestamp, state: &mut State) {
        let share = self.config.beacon_share;
        state.models[index].clock.track(at, share);
        let beacon = state.models[index].clock.evidence(at, self.period_ns, share);
        let mut between: Option<f64> = None;
        let link = state.records[index].link;
        for (other, record) in state.records.iter().enumerate() {
            let beside = record.link.rx() == link.rx() && record.link.layout() == link.layout();
            if other != index && beside && record.retired.is_none() {
                let d = state.models[index].shape.distance(&state.models[other].shape);
                between = Some(between.map_or(d, |b| min_f64(b, d)));
            }
        }
        let record = &mut state.records[index];
        record.between_distance = between.map(|d| d as f32);
        if matches!(link.tx(), Transmitter::Ambient(_)) {
            let by = if beacon.is_some() { Identification::BeaconPhase } else { Identification::Shape };
            record.identification = by;
        }
        record.beacon = beacon;
    }

    /// Retires a link that has become another, older one.
    fn merge(&self, group: usize, at: Timestamp, state: &mut State) {
        let mut k = 1;
        while k < state.groups[group].members().len() {
            let id = state.groups[group].members()[k];
            let older =
                state.groups[group].members()[..k].iter().copied().find(|&o| self.is_one(o, id, state));
            let since = match (older, state.models[id.index()].near) {
                (Some(o), Some((before, since))) if before == o => since,
                _ => at,
            };
            state.models[id.index()].near = older.map(|o| (o, since));
            match older {
                Some(into) if at.nanos_since(since) >= seconds_ns(self.config.merge_hold_s) => {
                    state.records[id.index()].retired = Some(Retired::Merged { into, at });
                    state.groups[group].remove_member(id);
                    state.counters.merges += 1;
                }
                _ => k += 1,
            }
        }
    }

    /// Whether two links are one transmitter: they can't be told apart and their beacons don't say otherwise, or they
    /// keep the same beacon schedule and are near enough to be two states of one changing channel.
    fn is_one(&self, a: LinkId, b: LinkId, state: &State) -> bool {
        let (a, b) = (&state.models[a.index()], &state.models[b.index()]);
        let share = self.config.beacon_share;
        let distance = a.shape.distance(&b.shape);
        if a.clock.is_schedule(share) && b.clock.is_schedule(share) {
            return a.clock.agrees(b.clock.phase()) && distance < self.config.beacon_gate;
        }
        distance < self.config.merge_ratio * max_f64(a.spread, b.spread)
    }

    /// Looks for a new link among the unexplained frames of a group.
    fn search(&self, group: usize, at: Timestamp, state: &mut State) {
        let c = &self.config;
        let window = seconds_ns(c.birth_window_s);
        let State { groups, models, scratch, .. } = state;
        let g = &mut groups[group];
        if !g.fresh || at.nanos_since(g.searched) < SEARCH_NS {
            return;
        }
        (g.fresh, g.searched) = (false, at);
        // What a link found since explains needs no other.
        let (mut waiting, members) = (core::mem::take(&mut g.waiting), g.members());
        waiting.retain(|w| {
            at.nanos_since(w.at) <= window
                && !members.iter().any(|id| {
                    let model = &models[id.index()];
                    model.shape.distance(&w.shape) <= self.gate(model.spread)
                })
        });
        g.waiting = waiting;
        let Some(oldest) = g.waiting.first() else { return };
        let full = g.waiting.len() == crate::group::WAITING_FRAMES;
        if !full && at.nanos_since(oldest.at) < seconds_ns(c.learn_s) {
            return;
        }
        let gate = |spread: f64| self.gate(spread);
        let Some(candidate) = g.densest(c.birth_frames as usize, c.birth_radius, gate, scratch) else {
            return;
        };
        self.settle(group, &candidate, at, state);
        let limit = self.gate(candidate.spread);
        state.groups[group].waiting.retain(|w| w.shape.distance(&candidate.shape) > limit);
        // There may be more to find.
        (state.groups[group].fresh, state.groups[group].searched) = (true, Timestamp(0));
    }

    /// Decides what a candidate is: the halo of a link, a link that changed, or a new one.
    fn settle(&self, group: usize, candidate: &Candidate, at: Timestamp, state: &mut State) {
        for k in 0..state.groups[group].members().len() {
            let model = &mut state.models[state.groups[group].members()[k].index()];
            let apart = self.config.birth_separation * max_f64(model.spread, candidate.spread);
            if model.shape.distance(&candidate.shape) < apart {
                // Frames just outside its gate: its channel varies more than was thought.
                model.spread = min_f64(self.config.gate_max, model.spread * WIDEN);
                return;
            }
        }
        if let Some(id) = self.changed_link(group, candidate, at, state) {
            let model = &mut state.models[id.index()];
            model.shape = candidate.shape.clone();
            model.spread = candidate.spread;
            state.counters.reanchors += 1;
            return;
        }
        self.birth(group, candidate, at, state);
    }

    /// The link that fell silent when the candidate's frames began, if they continue its beacons, or lie near it where
    /// it has none: the same transmitter, seen through a changed room.
    fn changed_link(
        &self,
        group: usize,
        candidate: &Candidate,
        at: Timestamp,
        state: &State,
    ) -> Option<LinkId> {
        let g = &state.groups[group];
        let limit = self.gate(candidate.spread);
        let mut best: Option<(LinkId, f64)> = None;
        for &id in g.members() {
            let (model, record) = (&state.models[id.index()], &state.records[id.index()]);
            let silence = at.nanos_since(record.last_seen) as f64;
            if record.frames < u64::from(self.config.birth_frames)
                || silence < SILENT_INTERVALS * model.interval_ns
            {
                continue;
            }
            let (mut since, mut on_schedule) = (0u32, 0u32);
            for w in g.waiting.iter().filter(|w| w.at > record.last_seen) {
                if w.shape.distance(&candidate.shape) <= limit {
                    since += 1;
                    on_schedule += u32::from(model.clock.agrees(phase_of(w.at, self.period_ns)));
                }
            }
            let distance = model.shape.distance(&candidate.shape);
            let continues = if model.clock.is_schedule(self.config.beacon_share) {
                2 * on_schedule >= since
            } else {
                distance <= self.config.beacon_gate
            };
            let nearer = best.is_none_or(|(_, d)| distance < d);
            if since >= self.config.birth_frames && continues && nearer {
                best = Some((id, distance));
            }
        }
        best.map(|(id, _)| id)
    }

    fn birth(&self, group: usize, candidate: &Candidate, at: Timestamp, state: &mut State) {
        if state.groups[group].members().len() >= self.config.max_ambient_links as usize
            && !self.silence_one(group, at, state)
        {
            state.counters.births_refused += 1;
            return;
        }
        let g = &state.groups[group];
        let limit = self.gate(candidate.spread);
        let its = || g.waiting.iter().filter(|w| w.shape.distance(&candidate.shape) <= limit).map(|w| w.at);
        let (first, last) = (its().min().unwrap_or(at), its().max().unwrap_or(at));
        // At most MAX_LINKS names are ever given.
        let name = Transmitter::Ambient(g.named + 1);
        let found = Link::new(name, g.node, g.layout).and_then(|link| {
            let shape = candidate.shape.clone();
            self.found(link, Identification::Shape, first, last, shape, candidate.spread, state)
        });
        let Some(id) = found else {
            state.counters.births_refused += 1;
            return;
        };
        let clock = &mut state.models[id.index()].clock;
        let g = &mut state.groups[group];
        for w in &g.waiting {
            if w.shape.distance(&candidate.shape) <= limit {
                clock.push(phase_of(w.at, self.period_ns));
            }
        }
        g.named += 1;
        g.add_member(id);
        state.counters.births += 1;
    }

    /// Takes the place of the longest silent link, if it was silent long enough.
    fn silence_one(&self, group: usize, at: Timestamp, state: &mut State) -> bool {
        let members = state.groups[group].members();
        let Some(id) = members.iter().copied().min_by_key(|id| state.records[id.index()].last_seen) else {
            return false;
        };
        if at.nanos_since(state.records[id.index()].last_seen) < seconds_ns(self.config.silence_s) {
            return false;
        }
        state.records[id.index()].retired = Some(Retired::Silent { at });
        state.groups[group].remove_member(id);
        state.counters.silenced += 1;
        true
    }
}
