//! Links and the cycle plan.

use crate::canonical::{Canonical, Reader, Sink};
use crate::config::ConfigError;
use crate::ids::{Mac, NodeId};
use crate::limits::MAX_NODES;
use crate::units::Timestamp;

/// How a frame's samples were arranged on the wire: frames of different layouts pass different filters in the
/// chip, so they are never compared with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Layout {
    /// 64 pairs: the legacy field alone.
    Lltf64 = 0,
    /// 128 pairs: legacy field and HT20 field.
    LltfHt20 = 1,
    /// 192 pairs: legacy field, HT20 field, second STBC HT20 field.
    LltfHt20Stbc = 2,
    /// 192 pairs: legacy field and HT40 field.
    LltfHt40 = 3,
    /// 188 or 190 pairs: HT20 with STBC beside a secondary channel.
    Ht20StbcSecondary = 4,
    /// 306 pairs: HT40 with STBC.
    LltfHt40Stbc = 5,
    /// 64 pairs, carriers from the lowest to the highest (C6).
    ShiftedHt20 = 6,
    /// HE20 in 256 pairs, carriers from the lowest to the highest (C6).
    ShiftedHe20 = 7,
    /// A compact list without null carriers (C5 and C61).
    Compact = 8,
}

impl Layout {
    /// Every layout.
    pub const ALL: [Layout; 9] = [
        Layout::Lltf64,
        Layout::LltfHt20,
        Layout::LltfHt20Stbc,
        Layout::LltfHt40,
        Layout::Ht20StbcSecondary,
        Layout::LltfHt40Stbc,
        Layout::ShiftedHt20,
        Layout::ShiftedHe20,
        Layout::Compact,
    ];

    /// The layout of a canonical code.
    pub fn from_code(code: u8) -> Option<Layout> {
        Layout::ALL.into_iter().find(|l| *l as u8 == code)
    }

    /// The layout's name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Layout::Lltf64 => "lltf64",
            Layout::LltfHt20 => "lltf+ht20",
            Layout::LltfHt20Stbc => "lltf+ht20+stbc",
            Layout::LltfHt40 => "lltf+ht40",
            Layout::Ht20StbcSecondary => "ht20+stbc",
            Layout::LltfHt40Stbc => "ht40+stbc",
            Layout::ShiftedHt20 => "ht20-shifted",
            Layout::ShiftedHe20 => "he20-shifted",
            Layout::Compact => "compact",
        }
    }
}

/// Who sent the radio frame whose channel was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Transmitter {
    /// A node of the plan (known by MAC or TDMA slot).
    Node(NodeId),
    /// A station with a known MAC that is no node: usually an access point.
    Station(Mac),
    /// A transmitter known only by what its frames have in common at one receiver (1, 2, …).
    Ambient(u8),
}

/// A directed radio link in one layout. Its order is the iteration order of configured links.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link {
    tx: Transmitter,
    rx: NodeId,
    layout: Layout,
}

impl Link {
    /// A link; `None` if a node would hear itself.
    pub fn new(tx: Transmitter, rx: NodeId, layout: Layout) -> Option<Link> {
        (tx != Transmitter::Node(rx)).then_some(Link { tx, rx, layout })
    }
    /// The transmitter.
    pub fn tx(self) -> Transmitter {
        self.tx
    }
    /// The receiving node.
    pub fn rx(self) -> NodeId {
        self.rx
    }
    /// The layout of its frames.
    pub fn layout(self) -> Layout {
        self.layout
    }
}

/// By what evidence a frame was given to its link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Identification {
    /// The frame carried its transmitter's MAC.
    Mac = 0,
    /// The frame arrived in a transmitter's TDMA slot (node clocks synchronised).
    Slot = 1,
    /// The arrival fits a beacon schedule, and the shape agrees.
    BeaconPhase = 2,
    /// The shape over the tones fits one cluster clearly better than any other.
    Shape = 3,
}

impl Identification {
    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Identification::Mac => "mac",
            Identification::Slot => "slot",
            Identification::BeaconPhase => "beacon-phase",
            Identification::Shape => "shape",
        }
    }
}

/// The 20 Hz cycle: turns an unbounded stream into finite batches, and TDMA time into transmitters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CyclePlan {
    /// Length of a cycle in nanoseconds (50 ms).
    pub cycle_ns: u64,
    /// Nodes in the order of their transmit slots; empty without TDMA. Slots divide the cycle evenly.
    pub slots: Vec<NodeId>,
    /// At either edge of a slot this part of it (in 1/1000) names nobody: clocks are not that good.
    pub guard_permille: u16,
}

impl CyclePlan {
    /// 50 ms, no TDMA.
    pub fn ambient() -> CyclePlan {
        CyclePlan { cycle_ns: 50_000_000, slots: Vec::new(), guard_permille: 100 }
    }

    /// Reads canonical bytes.
    pub fn read(r: &mut Reader<'_>) -> Option<CyclePlan> {
        let cycle_ns = r.u64()?;
        let slots = (0..r.count(MAX_NODES)?).map(|_| r.u8().map(NodeId)).collect::<Option<_>>()?;
        Some(CyclePlan { cycle_ns, slots, guard_permille: r.u16()? })
    }

    /// Checks what the types can't.
    ///
    /// # Errors
    /// If the cycle's length, the slots or the guard are out of range.
    pub fn check(&self) -> Result<(), ConfigError> {
        ConfigError::check_range("tdma.cycle_ns", self.cycle_ns as f64, 1e6, 1e9)?;
        ConfigError::check_range("tdma.guard_permille", f64::from(self.guard_permille), 0.0, 499.0)?;
        if self.slots.len() > MAX_NODES {
            return Err(ConfigError::new(
                "tdma.slots",
                self.slots.len(),
                format_args!("at most {MAX_NODES} slots"),
            ));
        }
        let mut sorted = self.slots.clone();
        sorted.sort_unstable();
        match sorted.windows(2).find(|p| p[0] == p[1]) {
            Some(pair) => Err(ConfigError::new("tdma.slots", pair[0].0, "each node once")),
            None => Ok(()),
        }
    }

    /// Whose slot a moment of mesh time falls in; `None` in a guard interval or without TDMA.
    pub fn transmitter_at(&self, mesh_time: Timestamp) -> Option<NodeId> {
        let n = self.slots.len() as u64;
        if n == 0 {
            return None;
        }
        let slot_ns = self.cycle_ns / n;
        let within = mesh_time.0 % self.cycle_ns;
        let slot = within / slot_ns;
        let guard = slot_ns * u64::from(self.guard_permille) / 1000;
        let offset = within - slot * slot_ns;
        if slot >= n || offset < guard || offset + guard >= slot_ns {
            return None;
        }
        self.slots.get(usize::try_from(slot).ok()?).copied()
    }
}

impl Transmitter {
    /// Reads canonical bytes.
    pub fn read(r: &mut Reader<'_>) -> Option<Transmitter> {
        Some(match r.u8()? {
            0 => Transmitter::Node(NodeId(r.u8()?)),
            1 => Transmitter::Station(Mac(r.array()?)),
            2 => Transmitter::Ambient(r.u8()?),
            _ => return None,
        })
    }
}

impl Link {
    /// Reads canonical bytes.
    pub fn read(r: &mut Reader<'_>) -> Option<Link> {
        Link::new(Transmitter::read(r)?, NodeId(r.u8()?), Layout::from_code(r.u8()?)?)
    }
}

impl Canonical for Layout {
    fn canonical<S: Sink>(&self, out: &mut S) {
        out.u8(*self as u8);
    }
}

impl Canonical for Identification {
    fn canonical<S: Sink>(&self, out: &mut S) {
        out.u8(*self as u8);
    }
}

impl Canonical for Transmitter {
    fn canonical<S: Sink>(&self, out: &mut S) {
        match self {
            Transmitter::Node(id) => {
                out.u8(0);
                id.canonical(out);
            }
            Transmitter::Station(mac) => {
                out.u8(1);
                mac.canonical(out);
            }
            Transmitter::Ambient(n) => {
                out.u8(2);
                out.u8(*n);
            }
        }
    }
}

impl Canonical for Link {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self { tx, rx, layout } = self;
        tx.canonical(out);
        rx.canonical(out);
        layout.canonical(out);
    }
}

impl Canonical for CyclePlan {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self { cycle_ns, slots, guard_permille } = self;
        out.u64(*cycle_ns);
        slots.as_slice().canonical(out);
        out.u16(*guard_permille);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_does_not_hear_itself() {
        assert!(Link::new(Transmitter::Node(NodeId(1)), NodeId(1), Layout::Lltf64).is_none());
        assert!(Link::new(Transmitter::Ambient(1), NodeId(1), Layout::Lltf64).is_some());
    }

    #[test]
    fn slots_divide_the_cycle_and_guards_name_nobody() {
        let plan = CyclePlan {
            cycle_ns: 40,
            slots: vec![NodeId(1), NodeId(2), NodeId(3), NodeId(4)],
            guard_permille: 200,
        };
        assert_eq!(plan.transmitter_at(Timestamp(5)), Some(NodeId(1)));
        assert_eq!(plan.transmitter_at(Timestamp(40 + 15)), Some(NodeId(2)));
        assert_eq!(plan.transmitter_at(Timestamp(10)), None);
        assert_eq!(plan.transmitter_at(Timestamp(39)), None);
        assert_eq!(CyclePlan::ambient().transmitter_at(Timestamp(5)), None);
    }
}
