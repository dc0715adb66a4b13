//! What the stream of one node says about the node.

use crate::clock::NodeClock;
use wavewitness_types::{CsiFrame, NodeHealth, NodeId, Sender, Timestamp};

/// Bins of the sliding window of rate and level.
const BINS: usize = 20;
/// Frames that are remembered to recognise a duplicate.
const REMEMBERED: usize = 64;
/// A frame this far behind is late; one further behind comes from a counter that started anew. At 22 frames a second
/// 64 frames are three seconds: no network reorders that far.
const LATE_FRAMES: u32 = 64;

/// Lengths of time that the bookkeeping goes by, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spans {
    pub silence: u64,
    pub rate_window: u64,
    pub hint: u64,
    pub conflict: u64,
    pub clock_window: u64,
}

impl Spans {
    /// At least one nanosecond, so that a bin number is always defined.
    fn bin(&self) -> u64 {
        (self.rate_window / BINS as u64).max(1)
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Bin {
    number: u64,
    frames: u32,
    rssi_sum: i64,
    rssi_count: u32,
}

/// One of the two last senders that used this id.
#[derive(Clone, Copy, Debug, Default)]
struct SenderTrack {
    sender: Sender,
    used: bool,
    highest: Option<u32>,
}

/// How a sequence number follows the highest one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Ahead, or the same number again.
    Forward,
    /// A little behind: overtaken on the way.
    Late,
    /// Far behind and near zero: the counter started anew.
    Reboot,
    /// Far behind, but not near zero.
    Back,
}

fn step(highest: Option<u32>, sequence: u32) -> Step {
    let Some(highest) = highest else { return Step::Forward };
    // The counter wraps, so what is less than half its range ahead is ahead.
    let behind = highest.wrapping_sub(sequence);
    if behind == 0 || behind.cast_signed() < 0 {
        Step::Forward
    } else if behind <= LATE_FRAMES {
        Step::Late
    } else if sequence < behind {
        Step::Reboot
    } else {
        Step::Back
    }
}

/// The bookkeeping of one node.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub id: NodeId,
    pub rejected: u64,
    pub clock: NodeClock,
    last: Timestamp,
    first_frame: Option<Timestamp>,
    frames: u64,
    reordered: u64,
    duplicates: u64,
    reboots: u32,
    hint: Option<(Timestamp, bool)>,
    bins: [Bin; BINS],
    recent: [Option<(u32, u64)>; REMEMBERED],
    next_recent: usize,
    senders: [SenderTrack; 2],
    current_sender: usize,
    /// When the stream last went back to a sender that it had left before, and the time before that.
    returns: [Option<Timestamp>; 2],
}

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    New,
    Duplicate,
}

impl Node {
    pub fn new(id: NodeId, at: Timestamp) -> Node {
        Node {
            id,
            rejected: 0,
            clock: NodeClock::new(),
            last: at,
            first_frame: None,
            frames: 0,
            reordered: 0,
            duplicates: 0,
            reboots: 0,
            hint: None,
            bins: [Bin::default(); BINS],
            recent: [None; REMEMBERED],
            next_recent: 0,
            senders: [SenderTrack::default(); 2],
            current_sender: 0,
            returns: [None; 2],
        }
    }

    /// Something of this node arrived.
    pub fn heard(&mut self, at: Timestamp) {
        if at > self.last {
            self.last = at;
        }
    }

    /// The node's own opinion on presence arrived.
    pub fn hinted(&mut self, at: Timestamp, presence: bool) {
        self.hint = Some((at, presence));
    }

    /// Takes a channel frame; sets its mesh time if it is new.
    pub fn take(&mut self, from: Sender, frame: &mut CsiFrame, spans: &Spans) -> Taken {
        let key = (frame.sequence, fingerprint(frame));
        if self.recent.contains(&Some(key)) {
            self.duplicates += 1;
            return Taken::Duplicate;
        }
        self.recent[self.next_recent] = Some(key);
        self.next_recent = (self.next_recent + 1) % REMEMBERED;
        self.follow(from, frame.at, frame.sequence);
        self.frames += 1;
        self.first_frame.get_or_insert(frame.at);
        self.count(frame, spans);
        // While two nodes share the id, nobody knows whose clock it is.
        if !self.id_conflict(frame.at, spans) {
            frame.mesh_time = self.clock.mesh_time(frame.at, frame.sequence, spans.clock_window);
        }
        Taken::New
    }

    /// Follows the counter, one for each sender: two nodes that share an id do not look like a node that restarts.
    fn follow(&mut self, from: Sender, at: Timestamp, sequence: u32) {
        let before = self.senders[self.current_sender].highest;
        let is_new = self.switch_to(from, at);
        let track = &mut self.senders[self.current_sender];
        // A restarted node often has another port: a new sender's counter is compared with the one before.
        match step(if is_new { before } else { track.highest }, sequence) {
            Step::Reboot => {
                self.reboots += 1;
                self.clock.reset();
                track.highest = Some(sequence);
            }
            _ if is_new => track.highest = Some(sequence),
            Step::Forward => track.highest = Some(sequence),
            Step::Late => self.reordered += 1,
            Step::Back => {
                self.reordered += 1;
                track.highest = Some(sequence);
            }
        }
    }

    /// Makes `from` the current sender; true if it is a new one. An unknown sender changes nothing.
    fn switch_to(&mut self, from: Sender, at: Timestamp) -> bool {
        let previous = self.current_sender;
        if from == Sender::default() {
            return false;
        }
        match self.senders.iter().position(|s| s.used && s.sender == from) {
            Some(k) if k != previous => {
                self.returns = [Some(at), self.returns[0]];
                self.current_sender = k;
                false
            }
            Some(_) => false,
            None => {
                let slot = if self.senders[previous].used { 1 - previous } else { previous };
                self.senders[slot] = SenderTrack { sender: from, used: true, highest: None };
                self.current_sender = slot;
                true
            }
        }
    }

    fn count(&mut self, frame: &CsiFrame, spans: &Spans) {
        let number = frame.at.0 / spans.bin();
        let bin = &mut self.bins[(number % BINS as u64) as usize];
        if bin.number > number {
            return; // Older than the whole window.
        }
        if bin.number < number {
            *bin = Bin { number, ..Bin::default() };
        }
        bin.frames += 1;
        if let Some(dbm) = frame.radio.rssi_dbm {
            bin.rssi_sum += i64::from(dbm);
            bin.rssi_count += 1;
        }
    }

    fn id_conflict(&self, now: Timestamp, spans: &Spans) -> bool {
        self.returns[1].is_some_and(|t| now.nanos_since(t) <= spans.conflict)
    }

    /// The node's condition at `now`.
    pub fn health(&self, now: Timestamp, spans: &Spans) -> NodeHealth {
        let width = spans.bin();
        let present = now.0 / width;
        let (mut frames, mut rssi_sum, mut rssi_count) = (0u64, 0i64, 0u32);
        for bin in &self.bins {
            if bin.number <= present && bin.number + BINS as u64 > present {
                frames += u64::from(bin.frames);
                rssi_sum += bin.rssi_sum;
                rssi_count += bin.rssi_count;
            }
        }
        // The window reaches back over whole bins, but not before the first frame.
        let covered = (BINS as u64 - 1) * width + now.0 % width;
        let since_first = self.first_frame.map_or(0, |t| now.nanos_since(t));
        let span_s = covered.min(since_first).max(width) as f64 * 1e-9;
        NodeHealth {
            node: self.id,
            last: self.last,
            rate_hz: (frames as f64 / span_s) as f32,
            frames: self.frames,
            rejected: self.rejected,
            reordered: self.reordered,
            duplicates: self.duplicates,
            reboots: self.reboots,
            id_conflict: self.id_conflict(now, spans),
            silent: now.nanos_since(self.last) > spans.silence,
            hint_presence: self.hint.and_then(|(t, p)| (now.nanos_since(t) <= spans.hint).then_some(p)),
            rssi_dbm: (rssi_count > 0).then(|| (rssi_sum as f64 / f64::from(rssi_count)) as f32),
        }
    }
}

/// A 64-bit fingerprint of what was measured (FNV-1a over 32-bit words; Fowler, Noll and Vo 1991). The arrival time is
/// no part of it.
fn fingerprint(frame: &CsiFrame) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    let mut mix = |word: u32| hash = (hash ^ u64::from(word)).wrapping_mul(0x0000_0100_0000_01b3);
    mix(frame.layout as u32);
    if let Some(mac) = frame.transmitter {
        mac.0.iter().for_each(|&b| mix(u32::from(b)));
    }
    frame.samples.re().iter().for_each(|x| mix(x.to_bits()));
    frame.samples.im().iter().for_each(|x| mix(x.to_bits()));
    hash
}

#[cfg(test)]
mod tests {
    //! Guards what counts as late, ahead and restarted, at the edges of the counter.
    use super::*;

    #[test]
    fn steps_of_the_counter() {
        assert_eq!(step(None, 5), Step::Forward);
        assert_eq!(step(Some(5), 5000), Step::Forward);
        assert_eq!(step(Some(u32::MAX - 3), 2), Step::Forward);
        assert_eq!(step(Some(2), u32::MAX - 3), Step::Late);
        assert_eq!(step(Some(100), 99), Step::Late);
        assert_eq!(step(Some(60), 0), Step::Late);
        assert_eq!(step(Some(100_000), 0), Step::Reboot);
        assert_eq!(step(Some(100_000), 40_000), Step::Reboot);
        // Backwards by much, but nowhere near zero: not a restart.
        assert_eq!(step(Some(100_000), 99_000), Step::Back);
    }
}
