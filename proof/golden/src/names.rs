//! Names for what is in canonical bytes: which link, which tone, which quantity.
//!
//! Canonical bytes carry no names. What is written here is the order of every encoder once more, so that a difference of
//! two byte strings can be told in the field's terms. Nothing is computed from it, and a test holds it to every stored
//! cycle: the names must use up all the bytes.

use crate::tap::{CHANNELS, CycleValues};
use std::fmt::Write as _;
use wavewitness_types::canonical::Reader;
use wavewitness_types::limits::{FUSION_TONES, MAX_LINKS, MAX_PEOPLE};
use wavewitness_types::{Link, ToneGrid, Transmitter};
use wavewitness_witness::Stage;

/// A number by its bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Value {
    U8(u8),
    U16(u16),
    U32(u32),
    U64(u64),
    I8(u8),
    F32(u32),
    F64(u64),
    Mac([u8; 6]),
}

/// One named number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// Link, frame, tone and quantity, as far as they apply.
    pub name: String,
    /// The number.
    pub value: Value,
}

/// A stretch of one channel's values that is computed in one go.
pub struct Segment {
    /// The channel.
    pub channel: usize,
    /// Its numbers in the order of their bytes; `None` if the bytes are not what this build writes.
    pub leaves: Option<Vec<Leaf>>,
}

/// The values of one cycle in the order in which they were computed: calibration speaks twice, of the frames before
/// phase alignment and of the baselines after it.
pub fn segments(values: &CycleValues) -> Vec<Segment> {
    let links = link_names(&values.channels[Stage::Links as usize]);
    let mut out = Vec::new();
    let mut conditions = None;
    for channel in 0..CHANNELS {
        let mut walk = Walk::new(&values.channels[channel], &links);
        let read = walk.channel(channel).filter(|()| walk.reader.remaining() == 0);
        let tail = walk.out.split_off(walk.conditions_from.unwrap_or(walk.out.len()));
        out.push(Segment { channel, leaves: read.map(|()| walk.out) });
        if channel == Stage::Calibration as usize {
            conditions = read.map(|()| Segment { channel, leaves: Some(tail) });
        }
        if channel == Stage::PhaseAlign as usize {
            out.extend(conditions.take());
        }
    }
    out
}

/// `node 1 → node 2` by link id, from the links' records.
fn link_names(records: &[u8]) -> Vec<String> {
    let mut walk = Walk::new(records, &[]);
    let _ = walk.channel(Stage::Links as usize);
    walk.met
}

fn name_of(link: &Link) -> String {
    let from = match link.tx() {
        Transmitter::Node(node) => node.to_string(),
        Transmitter::Station(mac) => format!("station {mac}"),
        Transmitter::Ambient(n) => format!("ambient transmitter {n}"),
    };
    format!("{from} → {}", link.rx())
}

struct Walk<'a> {
    reader: Reader<'a>,
    links: &'a [String],
    prefix: String,
    out: Vec<Leaf>,
    /// Links in the order of their records.
    met: Vec<String>,
    /// The first leaf about the condition of a baseline.
    conditions_from: Option<usize>,
}

type Read = Option<()>;

impl<'a> Walk<'a> {
    fn new(bytes: &'a [u8], links: &'a [String]) -> Walk<'a> {
        Walk {
            reader: Reader::new(bytes),
            links,
            prefix: String::new(),
            out: Vec::new(),
            met: Vec::new(),
            conditions_from: None,
        }
    }

    fn leaf(&mut self, name: &str, value: Value) {
        self.out.push(Leaf { name: format!("{}{name}", self.prefix), value });
    }

    fn within(&mut self, name: &str, read: impl FnOnce(&mut Self) -> Read) -> Read {
        let length = self.prefix.len();
        let _ = write!(self.prefix, "{name}, ");
        let done = read(self);
        self.prefix.truncate(length);
        done
    }

    /// Until the end of the bytes.
    fn all(&mut self, mut read: impl FnMut(&mut Self) -> Read) -> Read {
        while self.reader.remaining() > 0 {
            read(self)?;
        }
        Some(())
    }

    /// Reads what follows if that is all that follows.
    fn is_tail(&mut self, read: impl FnOnce(&mut Self) -> Read) -> bool {
        let (reader, leaves, length) = (self.reader.clone(), self.out.len(), self.prefix.len());
        if read(self).is_some() && self.reader.remaining() == 0 {
            return true;
        }
        self.reader = reader;
        self.out.truncate(leaves);
        self.prefix.truncate(length);
        false
    }

    fn u8(&mut self, name: &str) -> Option<u8> {
        let x = self.reader.u8()?;
        self.leaf(name, Value::U8(x));
        Some(x)
    }
    fn code(&mut self, name: &str, least_above: u8) -> Option<u8> {
        self.u8(name).filter(|x| *x < least_above)
    }
    fn i8(&mut self, name: &str) -> Read {
        let x = self.reader.u8()?;
        self.leaf(name, Value::I8(x));
        Some(())
    }
    fn u16(&mut self, name: &str) -> Option<u16> {
        let x = self.reader.u16()?;
        self.leaf(name, Value::U16(x));
        Some(x)
    }
    fn u32(&mut self, name: &str) -> Option<u32> {
        let x = self.reader.u32()?;
        self.leaf(name, Value::U32(x));
        Some(x)
    }
    fn u64(&mut self, name: &str) -> Option<u64> {
        let x = self.reader.u64()?;
        self.leaf(name, Value::U64(x));
        Some(x)
    }
    fn f32(&mut self, name: &str) -> Read {
        let x = self.reader.u32()?;
        self.leaf(name, Value::F32(x));
        Some(())
    }
    fn f64(&mut self, name: &str) -> Read {
        let x = self.reader.u64()?;
        self.leaf(name, Value::F64(x));
        Some(())
    }
    fn mac(&mut self, name: &str) -> Read {
        let x = self.reader.array()?;
        self.leaf(name, Value::Mac(x));
        Some(())
    }
    fn f32s(&mut self, names: &[&str]) -> Read {
        names.iter().try_for_each(|name| self.f32(name))
    }
    fn f64s(&mut self, names: &[&str]) -> Read {
        names.iter().try_for_each(|name| self.f64(name))
    }
    fn u16s(&mut self, names: &[&str]) -> Read {
        names.iter().try_for_each(|name| self.u16(name).map(drop))
    }
    fn xyz(&mut self, name: &str) -> Read {
        self.within(name, |w| w.f64s(&["x", "y", "z"]))
    }
    fn xyz_f32(&mut self, name: &str) -> Read {
        self.within(name, |w| w.f32s(&["x", "y", "z"]))
    }
    fn square(&mut self, name: &str, side: usize) -> Read {
        for k in 0..side * side {
            self.f64(&format!("{name} ({}, {})", k / side, k % side))?;
        }
        Some(())
    }

    fn option(&mut self, name: &str, read: impl FnOnce(&mut Self, &str) -> Read) -> Read {
        match self.code(&format!("{name}: is there one"), 2)? {
            0 => Some(()),
            _ => read(self, name),
        }
    }
    fn option_f32(&mut self, name: &str) -> Read {
        self.option(name, Self::f32)
    }
    fn list(&mut self, name: &str, mut read: impl FnMut(&mut Self) -> Read) -> Read {
        let count = self.u32(&format!("number of {name}s"))?;
        for k in 0..count {
            self.within(&format!("{name} {k}"), &mut read)?;
        }
        Some(())
    }

    fn link_label(&self, id: u16) -> String {
        match self.links.get(usize::from(id)) {
            Some(ends) => format!("link {id} ({ends})"),
            None => format!("link {id}"),
        }
    }
    /// Under the label of a link whose id follows after `skip` bytes.
    fn within_link(&mut self, skip: usize, read: impl FnOnce(&mut Self) -> Read) -> Read {
        let mut ahead = self.reader.clone();
        ahead.take(skip)?;
        let id = ahead.u16().filter(|id| usize::from(*id) < MAX_LINKS)?;
        self.within(&self.link_label(id), read)
    }

    fn channel(&mut self, channel: usize) -> Read {
        let Some(stage) = Stage::ALL.get(channel) else {
            return if self.reader.remaining() == 0 { Some(()) } else { self.pose_frame() };
        };
        if self.reader.remaining() == 0 {
            return Some(());
        }
        let mut number = 0;
        let mut frame = |walk: &mut Self, read: fn(&mut Self) -> Read| {
            number += 1;
            walk.within(&format!("frame {number} of the cycle"), read)
        };
        match stage {
            Stage::Ingest => self.all(|w| {
                number += 1;
                w.within(&format!("datagram {number} of the cycle"), Self::outcome)
            }),
            Stage::Links => self.list("record", Self::link_record),
            Stage::Calibration => {
                let mut id = 0;
                loop {
                    let leaves = self.out.len();
                    if self.is_tail(|w| {
                        id = 0;
                        w.all(|w| {
                            let label = w.link_label(id);
                            id += 1;
                            w.within(&label, Self::condition)
                        })
                    }) {
                        self.conditions_from = Some(leaves);
                        return Some(());
                    }
                    self.within_link(8, |w| frame(w, Self::calibrated_frame))?;
                }
            }
            Stage::PhaseAlign => {
                while !self.is_tail(|w| {
                    let count = w.u32("number of observations").filter(|n| *n <= MAX_LINKS as u32)?;
                    (0..count).try_for_each(|_| w.within_link(0, Self::observation))
                }) {
                    self.within_link(8, |w| frame(w, Self::aligned_frame))?;
                }
                Some(())
            }
            Stage::Fusion => self
                .fused_frame()
                .and_then(|()| self.link_motions())
                .and_then(|()| self.breathing_of_a_link()),
            Stage::Cir => self.all(|w| w.within_link(0, Self::impulse_response)),
            Stage::Gate => {
                // What each decision rests on, then the decisions of all links, ascending from 0.
                while !self.is_tail(|w| {
                    let mut id = 0;
                    w.all(|w| {
                        id += 1;
                        let follows = w.reader.clone().u16()? == id - 1;
                        follows.then_some(()).and_then(|()| w.within_link(0, Self::gate_decision))
                    })
                }) {
                    self.within_link(0, Self::gate_evidence)?;
                }
                Some(())
            }
            Stage::Tomography => self.imaging(),
            Stage::Pose => self.tracking(),
            Stage::World => self.world(),
        }
    }

    fn tracking(&mut self) -> Read {
        self.list("track", Self::track)?;
        self.u16s(&["assigned", "born", "ignored", "deleted"])?;
        self.f64("sum of NIS")?;
        self.verdict()
    }

    fn samples(&mut self) -> Read {
        let grid = ToneGrid::from_code(self.u8("tone grid")?)?;
        for part in ["real part", "imaginary part"] {
            self.tones(grid.indices(), part)?;
        }
        Some(())
    }

    fn tones(&mut self, indices: &[i16], part: &str) -> Read {
        indices.iter().try_for_each(|tone| self.f32(&format!("tone {tone:+}, {part}")))
    }

    fn radio(&mut self) -> Read {
        self.option("channel, MHz", |w, n| w.u16(n).map(drop))?;
        self.option("RSSI, dBm", Self::i8)?;
        self.option("noise floor, dBm", Self::i8)
    }

    fn outcome(&mut self) -> Read {
        match self.code("outcome (0 frame, 1 other, 2 rejected)", 3)? {
            0 => {
                self.u64("arrival, ns")?;
                self.option("mesh time, ns", |w, n| w.u64(n).map(drop))?;
                self.u8("node")?;
                self.u32("sequence")?;
                self.option("transmitter", Self::mac)?;
                self.u8("layout")?;
                self.radio()?;
                self.samples()
            }
            1 => self.u8("kind").map(drop),
            _ => self.u8("reason").map(drop),
        }
    }

    fn link_ends(&mut self) -> Read {
        match self.code("transmitter's kind", 3)? {
            0 => self.u8("transmitting node").map(drop)?,
            1 => self.mac("transmitting station")?,
            _ => self.u8("ambient transmitter").map(drop)?,
        }
        self.u8("receiving node")?;
        self.u8("layout").map(drop)
    }

    fn link_record(&mut self) -> Read {
        let ends = name_of(&Link::read(&mut self.reader.clone())?);
        self.met.push(ends.clone());
        self.within(&format!("link {} ({ends})", self.met.len() - 1), |w| {
            w.link_ends()?;
            w.u8("identification")?;
            w.u64("first seen, ns")?;
            w.u64("last seen, ns")?;
            w.u64("frames")?;
            w.option_f32("distance within")?;
            w.option_f32("distance between")?;
            w.option("beacon schedule", |w, _| {
                w.f64s(&["beacon period, ns", "beacon phase, ns"])?;
                w.f32("beacon concentration")
            })?;
            w.option("retirement", |w, _| {
                if w.code("why retired (0 merged, 1 silent)", 2)? == 0 {
                    w.u16("merged into")?;
                }
                w.u64("retired, ns").map(drop)
            })
        })
    }

    fn calibrated_frame(&mut self) -> Read {
        self.u64("arrival, ns")?;
        self.u16("link")?;
        self.radio()?;
        self.f32("power, dB")?;
        self.samples()
    }

    fn aligned_frame(&mut self) -> Read {
        self.u64("arrival, ns")?;
        self.u16("link")?;
        self.radio()?;
        self.f32s(&["power, dB", "common phase, rad", "delay, ns", "correlation"])?;
        self.samples()
    }

    fn observation(&mut self) -> Read {
        self.within("observation", |w| {
            w.u16s(&["link", "frames"])?;
            w.u64("newest arrival, ns")?;
            w.samples()?;
            ["scatter", "change", "RSSI, dBm", "noise floor, dBm"].iter().try_for_each(|n| w.option_f32(n))
        })
    }

    fn condition(&mut self) -> Read {
        match self.code("condition of the baseline", 5)? {
            1 => {
                self.u32("observations collected")?;
                self.u32("observations needed").map(drop)
            }
            2 => self.code("empty room", 2).map(drop),
            4 => self.code("refusal", 3).map(drop),
            _ => Some(()),
        }
    }

    fn fused_frame(&mut self) -> Read {
        let mut present = Vec::new();
        for id in 0..MAX_LINKS as u16 {
            if self.u64(&format!("{}, mask", self.link_label(id)))? != 0 {
                present.push(id);
            }
        }
        let indices = &ToneGrid::Ht20.indices()[..FUSION_TONES];
        for id in present {
            for part in ["real part", "imaginary part"] {
                self.within(&self.link_label(id), |w| w.tones(indices, part))?;
            }
        }
        for quantity in ["attention", "motion"] {
            for id in 0..MAX_LINKS as u16 {
                self.f32(&format!("{}, {quantity}", self.link_label(id)))?;
            }
        }
        self.option_f32("fused motion")?;
        self.option_f32("cross coherence")
    }

    fn link_motions(&mut self) -> Read {
        let count = self.u32("number of motion detectors")?;
        (0..count as u16).try_for_each(|id| self.within(&self.link_label(id), Self::link_motion))
    }

    fn breathing_of_a_link(&mut self) -> Read {
        self.option("breathing", |w, name| {
            w.within(name, |w| {
                w.u16("link")?;
                match w.u8("why there is no rate, or 255")? {
                    255 => w.f64s(&["rate, 1/min", "sigma, 1/min", "false alarm", "strength", "span, s"]),
                    _ => Some(()),
                }
            })
        })
    }

    fn breathing(&mut self) -> Read {
        if self.code("breathing known", 2)? == 0 {
            return self.u8("why breathing is unknown").map(drop);
        }
        for name in ["breathing rate, 1/min", "its sigma, 1/min", "its false alarm"] {
            self.f32(name)?;
        }
        self.u16("links that agree")?;
        self.f32("span of breathing, s")
    }

    fn link_motion(&mut self) -> Read {
        self.option_f32("motion score")?;
        self.option_f32("motion evidence")?;
        self.code("moving", 2)?;
        self.option_f32("energy of motion")?;
        self.option_f32("score with a machine")?;
        match self.code("quiet is known", 2)? {
            0 => {
                self.u32("looks to learn quiet from")?;
                self.u32("looks needed")?;
                self.code("learning was refused", 2).map(drop)
            }
            _ => Some(()),
        }
    }

    fn impulse_response(&mut self) -> Read {
        self.u16("link")?;
        self.u8("tone grid")?;
        for k in 0..self.u16("number of taps")? {
            self.within(&format!("tap {k}"), |w| w.f32s(&["delay, ns", "real part", "imaginary part"]))?;
        }
        self.u16("support")?;
        self.f32("residual")?;
        self.u16("iterations")?;
        self.u8("converged")?;
        self.f32s(&["dominant-path ratio", "delay spread, ns"])
    }

    fn gate_decision(&mut self) -> Read {
        self.u16("link")?;
        self.u8("gate")?;
        self.option_f32("coherence")?;
        self.f32("noise inflation")
    }

    fn gate_evidence(&mut self) -> Read {
        self.within("evidence", |w| {
            w.u16("link")?;
            let names = ["dominant-path ratio", "delay spread, ns", "residual", "tap coherence", "level, dB"];
            names.iter().try_for_each(|n| w.option_f32(n))
        })
    }

    fn imaging(&mut self) -> Read {
        if self.code("imaged", 2)? == 1 {
            self.within("motion image", Self::reconstruction)?;
            self.option("shadowing image", |w, name| w.within(name, Self::reconstruction))?;
        } else if matches!(self.code("why there is no image", 4)?, 1 | 2) {
            self.u16s(&["have", "need"])?;
        }
        self.option("follower", |w, name| {
            w.within(name, |w| {
                w.u32("paths")?;
                w.u32("people")?;
                w.f64s(&["evidence of another, nats"])?;
                w.option("numbers of people", |w, name| w.within(name, Self::numbers))
            })
        })?;
        self.list("followed", Self::followed)?;
        self.option("strength", |w, name| w.within(name, Self::by_strength))?;
        self.list("detection", |w| {
            w.xyz("position, m")?;
            w.square("covariance, m²", 3)?;
            w.f64("strength")
        })
    }

    fn numbers(&mut self) -> Read {
        (1..=MAX_PEOPLE).try_for_each(|n| self.f64(&format!("probability of {n}")))?;
        self.f64s(&["level", "what of it is new"])
    }

    fn followed(&mut self) -> Read {
        self.u32("number")?;
        self.xyz("mean position, m")?;
        self.xyz("mean velocity, m/s")?;
        self.square("covariance", 6)?;
        self.f64("existence")?;
        self.u8("measured").map(drop)
    }

    fn by_strength(&mut self) -> Read {
        self.list("path with evidence", |w| {
            w.u16("path")?;
            w.f32("deviation, ln")
        })?;
        self.u16("paths")?;
        self.f64s(&["somebody in the room", "anybody around", "cluttered"])?;
        self.code("is a step", 2).map(drop)
    }

    fn reconstruction(&mut self) -> Read {
        self.xyz("origin, m")?;
        self.xyz("pitch, m")?;
        let mut counts = [0; 3];
        for (count, axis) in counts.iter_mut().zip(["x", "y", "z"]) {
            *count = self.u16(&format!("voxels along {axis}"))?;
        }
        let [nx, ny, nz] = counts.map(usize::from);
        for v in 0..nx * ny * nz {
            self.f32(&format!("voxel ({}, {}, {})", v % nx, v / nx % ny, v / nx / ny))?;
        }
        self.u16s(&["links", "paths", "iterations"])?;
        self.u8("converged")?;
        self.f64s(&["step", "lambda"])
    }

    fn track(&mut self) -> Read {
        self.u32("id")?;
        self.u8("state")?;
        self.xyz("mean position, m")?;
        self.xyz("mean velocity, m/s")?;
        self.square("covariance", 6)?;
        self.f64("existence")?;
        self.u32("age, cycles")?;
        self.u32("missed, cycles").map(drop)
    }

    fn presence(&mut self) -> Read {
        if self.code("presence known", 2)? == 0 {
            return self.u8("why presence is unknown").map(drop);
        }
        self.u8("present")?;
        self.f32("probability of presence")?;
        self.u8("basis of presence").map(drop)
    }

    fn count(&mut self) -> Read {
        if self.code("count known", 2)? == 0 {
            return self.u8("why the count is unknown").map(drop);
        }
        (0..=MAX_PEOPLE).try_for_each(|n| self.f32(&format!("probability of {n} people")))
    }

    fn quality(&mut self) -> Read {
        self.f32("quality score")?;
        for name in ["frames", "rejected", "unassigned"] {
            self.u32(name)?;
        }
        self.u16s(&["links heard", "links known"])
    }

    fn world(&mut self) -> Read {
        self.presence()?;
        self.count()?;
        self.u8("gate of the room")?;
        self.quality()?;
        self.breathing()?;
        self.option("room", |w, _| w.f64s(&["min x", "min y", "min z", "max x", "max y", "max z"]))?;
        self.list("sensor", |w| {
            w.u8("node")?;
            w.u8("silent")?;
            w.u64("since, ns")?;
            w.u8("in the room").map(drop)
        })?;
        self.list("graph link", |w| {
            w.within_link(0, |w| {
                w.u16("id")?;
                w.link_ends()?;
                w.condition()?;
                w.option("disturbed, ns", |w, n| w.u64(n).map(drop))
            })
        })?;
        self.list("person", |w| {
            w.u32("track")?;
            w.u8("state")?;
            w.u64("since, ns")?;
            w.xyz("position, m")?;
            w.u8("in the room")?;
            w.u64("supporting links").map(drop)
        })?;
        if self.code("presence in the graph", 3)? == 0 {
            self.u8("why presence is unknown in the graph")?;
        }
        self.list("event", Self::event)?;
        self.u64("events in all").map(drop)
    }

    fn event(&mut self) -> Read {
        self.u64("time, ns")?;
        match self.code("kind", 6)? {
            0 if self.code("presence", 3)? == 0 => self.u8("why unknown").map(drop),
            0 => Some(()),
            1 | 2 => self.u32("track").map(drop),
            3 => {
                self.u16("link")?;
                self.condition()
            }
            _ => self.u8("node").map(drop),
        }
    }

    fn pose_frame(&mut self) -> Read {
        self.u64("cycle")?;
        self.u64("time, ns")?;
        self.u8("source")?;
        self.presence()?;
        self.option_f32("motion")?;
        self.count()?;
        let mut people = 0;
        self.list("person", |w| {
            people += 1;
            w.u32("track")?;
            w.u8("state")?;
            w.f32("existence")?;
            for name in ["position, m", "sigma, m", "velocity, m/s"] {
                w.xyz_f32(name)?;
            }
            wavewitness_types::pose_frame::KEYPOINT_NAMES.iter().try_for_each(|keypoint| {
                w.within(keypoint, |w| {
                    w.xyz_f32("position, m")?;
                    w.xyz_f32("sigma, m")?;
                    w.u8("basis").map(drop)
                })
            })
        })?;
        self.u8("gate of the room")?;
        self.quality()?;
        self.list("node entry", Self::node_health)?;
        self.list("link entry", |w| w.within_link(0, Self::link_status))?;
        self.breathing()?;
        (0..people).try_for_each(|k| self.within(&format!("person {k}"), Self::body))?;
        self.fall_watch()
    }

    fn body(&mut self) -> Read {
        self.posture()?;
        self.option("heading", |w, _| {
            w.f32("heading, rad")?;
            w.f32("its sigma, rad")
        })
    }

    fn posture(&mut self) -> Read {
        if self.code("posture known", 2)? == 0 {
            return self.u8("why the posture is unknown").map(drop);
        }
        self.u8("posture")?;
        let classes = wavewitness_types::PostureClass::ALL;
        classes.iter().try_for_each(|c| self.f32(&format!("probability of {}", c.name())))
    }

    fn verdict(&mut self) -> Read {
        self.posture()?;
        self.option("probabilities", |w, _| {
            let classes = wavewitness_types::PostureClass::ALL;
            classes.iter().try_for_each(|c| w.f64(&format!("evidence for {}", c.name())))
        })?;
        self.f64("probability of the floor")?;
        self.fall_watch()?;
        self.option("evidence of a fall, nats", Self::f64)?;
        for kind in ["", "typical "] {
            for apart in ["10 ms", "30 ms", "a cycle", "two cycles", "four cycles"] {
                self.f64(&format!("{kind}change over {apart}"))?;
            }
            self.f64(&format!("{kind}departure"))?;
        }
        self.u8("departure known")?;
        self.u8("steady").map(drop)
    }

    fn fall_watch(&mut self) -> Read {
        if self.code("falls watched", 2)? == 0 {
            return self.u8("why falls are not watched").map(drop);
        }
        self.option("fall", |w, _| {
            w.u64("time of the fall, ns")?;
            w.f32("its probability")?;
            w.option("person who fell", |w, name| w.u32(name).map(drop))
        })
    }

    fn node_health(&mut self) -> Read {
        self.u8("node")?;
        self.u64("last, ns")?;
        self.f32("rate, Hz")?;
        for name in ["frames", "rejected", "reordered", "duplicates"] {
            self.u64(name)?;
        }
        self.u32("reboots")?;
        self.u8("id conflict")?;
        self.u8("silent")?;
        self.option("presence hint", |w, n| w.u8(n).map(drop))?;
        self.option_f32("RSSI, dBm")
    }

    fn link_status(&mut self) -> Read {
        self.u16("id")?;
        self.link_ends()?;
        self.u8("identification")?;
        self.option_f32("distance within")?;
        self.option_f32("distance between")?;
        self.u64("frames")?;
        self.u16("frames of the cycle")?;
        self.u8("gate")?;
        self.option_f32("coherence")?;
        self.f32("attention")?;
        for name in ["motion", "dominant-path ratio", "delay spread, ns"] {
            self.option_f32(name)?;
        }
        self.condition()
    }
}
