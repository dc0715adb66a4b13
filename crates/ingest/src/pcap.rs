//! UDP payloads out of capture files: pcap and pcapng as tcpdump writes them.
//!
//! An iterator over the bytes of a whole file. What is no complete UDP datagram comes out as a [`Skip`] with its
//! reason, so that an importer can say how much it left out; a damaged file ends the iteration with
//! [`Skip::Damaged`]. Nothing panics and nothing allocates.
//!
//! What it does not do: it does not reassemble fragments, check checksums (captures on the sending host hold none),
//! or read pcapng blocks without a time.
//!
//! Sources: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng, the list of link types at tcpdump.org; RFC 791, 8200,
//! 768; IEEE Std 802.1Q.

mod net;

use wavewitness_types::{Sender, Timestamp};

/// Something from a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record<'a> {
    /// A UDP datagram.
    Datagram {
        /// When it was captured.
        at: Timestamp,
        /// Its source.
        from: Sender,
        /// Its destination port.
        to_port: u16,
        /// What it carried.
        payload: &'a [u8],
    },
    /// Something else.
    Skipped(Skip),
}

/// Why a captured packet gave no datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Skip {
    /// Not UDP over IP.
    NotUdp = 0,
    /// A fragment of a datagram.
    Fragment = 1,
    /// The capture kept only the start of it.
    Truncated = 2,
    /// Its headers contradict themselves.
    Malformed = 3,
    /// The interface has a link type that is not read.
    LinkType = 4,
    /// A packet block without a time, or of an interface that the file does not describe.
    NoInterface = 5,
    /// The file itself is cut off or damaged here; nothing after it is read.
    Damaged = 6,
}

impl Skip {
    /// Every reason, by index.
    pub const ALL: [Skip; 7] = [
        Skip::NotUdp,
        Skip::Fragment,
        Skip::Truncated,
        Skip::Malformed,
        Skip::LinkType,
        Skip::NoInterface,
        Skip::Damaged,
    ];

    /// Dense, for tables of counters.
    pub fn index(self) -> usize {
        self as usize
    }

    /// The stable name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Skip::NotUdp => "not-udp",
            Skip::Fragment => "fragment",
            Skip::Truncated => "truncated",
            Skip::Malformed => "malformed",
            Skip::LinkType => "link-type",
            Skip::NoInterface => "no-interface",
            Skip::Damaged => "damaged",
        }
    }
}

/// Interfaces of one pcapng section that are kept.
const MAX_INTERFACES: usize = 32;
/// pcapng block types.
mod block {
    pub const SECTION: u32 = 0x0A0D_0D0A;
    pub const INTERFACE: u32 = 1;
    pub const OLD_PACKET: u32 = 2;
    pub const SIMPLE_PACKET: u32 = 3;
    pub const ENHANCED_PACKET: u32 = 6;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Endian {
    Little,
    Big,
}

impl Endian {
    fn u16(self, bytes: [u8; 2]) -> u16 {
        if self == Endian::Little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) }
    }

    fn u32(self, bytes: [u8; 4]) -> u32 {
        if self == Endian::Little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) }
    }

    fn u32_at(self, bytes: &[u8], at: usize) -> Option<u32> {
        Some(self.u32(*bytes.get(at..)?.first_chunk()?))
    }

    fn u16_at(self, bytes: &[u8], at: usize) -> Option<u16> {
        Some(self.u16(*bytes.get(at..)?.first_chunk()?))
    }
}

/// How an interface's time stamps count.
#[derive(Clone, Copy, Debug)]
struct Interface {
    link: u32,
    /// Units a second.
    resolution: u64,
    offset_s: i64,
}

impl Interface {
    fn time(&self, units: u64) -> Timestamp {
        let nanos = i128::from(units) * 1_000_000_000 / i128::from(self.resolution);
        let nanos = nanos + i128::from(self.offset_s) * 1_000_000_000;
        Timestamp(u64::try_from(nanos.max(0)).unwrap_or(u64::MAX))
    }
}

#[derive(Clone, Copy, Debug)]
enum Format {
    /// The one interface of a classic file.
    Classic(Interface),
    /// pcapng.
    Next,
    /// Nothing more is read.
    Ended,
}

/// The records of a capture file.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    rest: &'a [u8],
    endian: Endian,
    format: Format,
    /// Those of the present pcapng section.
    interfaces: [Option<Interface>; MAX_INTERFACES],
    described: usize,
}

/// Reads a capture file; `None` if the bytes start neither as pcap nor as pcapng.
pub fn records(file: &[u8]) -> Option<Records<'_>> {
    let magic = *file.first_chunk::<4>()?;
    let start = |rest, endian, format| Records {
        rest,
        endian,
        format,
        interfaces: [None; MAX_INTERFACES],
        described: 0,
    };
    if u32::from_le_bytes(magic) == block::SECTION {
        return Some(start(file, Endian::Little, Format::Next));
    }
    let (endian, resolution) = match magic {
        [0xd4, 0xc3, 0xb2, 0xa1] => (Endian::Little, 1_000_000),
        [0xa1, 0xb2, 0xc3, 0xd4] => (Endian::Big, 1_000_000),
        [0x4d, 0x3c, 0xb2, 0xa1] => (Endian::Little, 1_000_000_000),
        [0xa1, 0xb2, 0x3c, 0x4d] => (Endian::Big, 1_000_000_000),
        _ => return None,
    };
    // The upper bits of the link type hold the length of a frame check sequence.
    let link = endian.u32_at(file, 20)? & 0x03ff_ffff;
    Some(start(&file[24..], endian, Format::Classic(Interface { link, resolution, offset_s: 0 })))
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let record = match self.format {
            Format::Classic(interface) => self.classic(interface).map(Some),
            Format::Next => self.blocks(),
            Format::Ended => return None,
        };
        record.unwrap_or_else(|| {
            self.format = Format::Ended;
            Some(Record::Skipped(Skip::Damaged))
        })
    }
}

impl<'a> Records<'a> {
    /// One record of a classic file; `None` if it is cut off.
    fn classic(&mut self, interface: Interface) -> Option<Record<'a>> {
        let seconds = self.endian.u32_at(self.rest, 0)?;
        let fraction = self.endian.u32_at(self.rest, 4)?;
        let kept = usize::try_from(self.endian.u32_at(self.rest, 8)?).ok()?;
        let sent = usize::try_from(self.endian.u32_at(self.rest, 12)?).ok()?;
        let data = self.rest.get(16..)?.get(..kept)?;
        self.rest = &self.rest[16 + kept..];
        let units = u64::from(seconds) * interface.resolution + u64::from(fraction);
        Some(record(interface, interface.time(units), data, kept < sent, self.endian))
    }

    /// Blocks up to the next packet; `Some(None)` at the orderly end of the file, `None` if it is damaged.
    fn blocks(&mut self) -> Option<Option<Record<'a>>> {
        while !self.rest.is_empty() {
            let is_section = self.rest.starts_with(&block::SECTION.to_le_bytes());
            if is_section {
                self.endian = match self.rest.get(8..12)? {
                    [0x4d, 0x3c, 0x2b, 0x1a] => Endian::Little,
                    [0x1a, 0x2b, 0x3c, 0x4d] => Endian::Big,
                    _ => return None,
                };
                self.interfaces = [None; MAX_INTERFACES];
                self.described = 0;
            }
            let endian = self.endian;
            let kind = endian.u32_at(self.rest, 0)?;
            let length = usize::try_from(endian.u32_at(self.rest, 4)?).ok()?;
            if length < 12 || !length.is_multiple_of(4) || length > self.rest.len() {
                return None;
            }
            let (whole, rest) = self.rest.split_at(length);
            self.rest = rest;
            // The length stands at either end.
            if endian.u32_at(whole, length - 4) != endian.u32_at(whole, 4) {
                return None;
            }
            let body = &whole[8..length - 4];
            match kind {
                block::INTERFACE => self.describe(body)?,
                block::ENHANCED_PACKET => return Some(Some(self.enhanced(body)?)),
                block::SIMPLE_PACKET | block::OLD_PACKET => {
                    return Some(Some(Record::Skipped(Skip::NoInterface)));
                }
                _ => {}
            }
        }
        Some(None)
    }

    fn describe(&mut self, body: &[u8]) -> Option<()> {
        let endian = self.endian;
        let link = u32::from(endian.u16_at(body, 0)?);
        let mut interface = Interface { link, resolution: 1_000_000, offset_s: 0 };
        let mut options = body.get(8..)?;
        while let (Some(code), Some(length)) = (endian.u16_at(options, 0), endian.u16_at(options, 2)) {
            let length = usize::from(length);
            let value = options.get(4..)?.get(..length)?;
            match (code, value) {
                (0, _) => break,
                (9, &[exponent]) => interface.resolution = resolution(exponent)?,
                (14, _) => {
                    let bytes: [u8; 8] = value.try_into().ok()?;
                    let little = endian == Endian::Little;
                    interface.offset_s =
                        if little { i64::from_le_bytes(bytes) } else { i64::from_be_bytes(bytes) };
                }
                _ => {}
            }
            options = options.get(4 + length.next_multiple_of(4)..)?;
        }
        if let Some(slot) = self.interfaces.get_mut(self.described) {
            *slot = Some(interface);
            self.described += 1;
        }
        Some(())
    }

    fn enhanced(&self, body: &'a [u8]) -> Option<Record<'a>> {
        let endian = self.endian;
        let id = usize::try_from(endian.u32_at(body, 0)?).ok()?;
        let high = endian.u32_at(body, 4)?;
        let low = endian.u32_at(body, 8)?;
        let kept = usize::try_from(endian.u32_at(body, 12)?).ok()?;
        let sent = usize::try_from(endian.u32_at(body, 16)?).ok()?;
        let data = body.get(20..)?.get(..kept)?;
        let Some(interface) = self.interfaces.get(id).copied().flatten() else {
            return Some(Record::Skipped(Skip::NoInterface));
        };
        let units = u64::from(high) << 32 | u64::from(low);
        Some(record(interface, interface.time(units), data, kept < sent, endian))
    }
}

/// Units a second of the option if_tsresol: a power of ten, or of two with the top bit set.
fn resolution(exponent: u8) -> Option<u64> {
    let power = u32::from(exponent & 0x7f);
    if exponent & 0x80 == 0 { 10u64.checked_pow(power) } else { 1u64.checked_shl(power) }
}

fn record(interface: Interface, at: Timestamp, data: &[u8], cut: bool, endian: Endian) -> Record<'_> {
    match net::udp(interface.link, data, cut, endian == Endian::Little) {
        Ok(net::Udp { from, to_port, payload }) => Record::Datagram { at, from, to_port, payload },
        Err(skip) => Record::Skipped(skip),
    }
}
