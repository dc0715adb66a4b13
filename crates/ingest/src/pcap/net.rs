//! From a captured link-layer frame to a UDP payload.

use super::Skip;
use wavewitness_types::Sender;

/// A UDP datagram.
pub(super) struct Udp<'a> {
    pub from: Sender,
    pub to_port: u16,
    pub payload: &'a [u8],
}

/// Link types (tcpdump.org, LINKTYPE_…).
mod link {
    pub const NULL: u32 = 0;
    pub const ETHERNET: u32 = 1;
    /// RAW as some systems number it in files.
    pub const RAW_BSD: u32 = 12;
    pub const RAW_OPENBSD: u32 = 14;
    pub const RAW: u32 = 101;
    pub const LOOP: u32 = 108;
    pub const LINUX_SLL: u32 = 113;
    pub const IPV4: u32 = 228;
    pub const IPV6: u32 = 229;
    pub const LINUX_SLL2: u32 = 276;
}

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;
/// 802.1Q and 802.1ad tags.
const ETHERTYPES_VLAN: [u16; 2] = [0x8100, 0x88a8];
const MAX_VLAN_TAGS: usize = 2;
const PROTOCOL_UDP: u8 = 17;
/// IPv6 headers that may stand before UDP: hop-by-hop, routing, destination options; each says its length.
const EXTENSIONS: [u8; 3] = [0, 43, 60];
const EXTENSION_FRAGMENT: u8 = 44;
const MAX_EXTENSIONS: usize = 8;

/// Bytes that a cut capture does not have are truncated; of a whole one, malformed.
struct Cut(bool);

impl Cut {
    fn need<T>(&self, value: Option<T>) -> Result<T, Skip> {
        value.ok_or(if self.0 { Skip::Truncated } else { Skip::Malformed })
    }
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The datagram in a frame; `cut` says that the capture kept only its start.
pub(super) fn udp(link: u32, frame: &[u8], cut: bool, little_endian: bool) -> Result<Udp<'_>, Skip> {
    let cut = Cut(cut);
    match link {
        link::ETHERNET => ethernet(frame, &cut),
        link::RAW | link::RAW_BSD | link::RAW_OPENBSD | link::IPV4 | link::IPV6 => ip(frame, &cut),
        link::NULL | link::LOOP => {
            let family = *cut.need(frame.first_chunk::<4>())?;
            // NULL has the capturing host's byte order, LOOP the network's. 2 is IPv4 everywhere; IPv6 differs.
            let little = link == link::NULL && little_endian;
            let family = if little { u32::from_le_bytes(family) } else { u32::from_be_bytes(family) };
            if [2, 10, 23, 24, 28, 30].contains(&family) { ip(&frame[4..], &cut) } else { Err(Skip::NotUdp) }
        }
        link::LINUX_SLL => {
            let ethertype = cut.need(be16(frame, 14))?;
            by_ethertype(ethertype, &frame[16..], &cut)
        }
        link::LINUX_SLL2 => {
            let ethertype = cut.need(be16(frame, 0))?;
            by_ethertype(ethertype, cut.need(frame.get(20..))?, &cut)
        }
        _ => Err(Skip::LinkType),
    }
}

fn ethernet<'a>(frame: &'a [u8], cut: &Cut) -> Result<Udp<'a>, Skip> {
    let ethertype = cut.need(be16(frame, 12))?;
    by_ethertype(ethertype, &frame[14..], cut)
}

fn by_ethertype<'a>(mut ethertype: u16, mut rest: &'a [u8], cut: &Cut) -> Result<Udp<'a>, Skip> {
    for _ in 0..MAX_VLAN_TAGS {
        if !ETHERTYPES_VLAN.contains(&ethertype) {
            break;
        }
        ethertype = cut.need(be16(rest, 2))?;
        rest = &rest[4..];
    }
    match ethertype {
        ETHERTYPE_IPV4 | ETHERTYPE_IPV6 => ip(rest, cut),
        _ => Err(Skip::NotUdp),
    }
}

fn ip<'a>(packet: &'a [u8], cut: &Cut) -> Result<Udp<'a>, Skip> {
    match cut.need(packet.first())? >> 4 {
        4 => ipv4(packet, cut),
        6 => ipv6(packet, cut),
        _ => Err(Skip::NotUdp),
    }
}

fn ipv4<'a>(packet: &'a [u8], cut: &Cut) -> Result<Udp<'a>, Skip> {
    let header = cut.need(packet.first_chunk::<20>())?;
    let header_bytes = 4 * usize::from(header[0] & 0x0f);
    let total = usize::from(u16::from_be_bytes([header[2], header[3]]));
    if header[9] != PROTOCOL_UDP {
        return Err(Skip::NotUdp);
    }
    // More fragments, or an offset.
    if u16::from_be_bytes([header[6], header[7]]) & 0x3fff != 0 {
        return Err(Skip::Fragment);
    }
    if header_bytes < 20 || total < header_bytes {
        return Err(Skip::Malformed);
    }
    // Short Ethernet frames are padded: the packet ends where it says.
    let body = cut.need(packet.get(header_bytes..total))?;
    let mut address = [0; 16];
    address[10..12].fill(0xff);
    address[12..].copy_from_slice(&header[12..16]);
    ports(body, address, cut)
}

fn ipv6<'a>(packet: &'a [u8], cut: &Cut) -> Result<Udp<'a>, Skip> {
    let header = cut.need(packet.first_chunk::<40>())?;
    let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
    let mut body = packet.get(40..40 + length);
    // A cut packet may still show that it is no UDP.
    if body.is_none() && cut.0 {
        body = packet.get(40..);
    }
    let mut body = cut.need(body)?;
    let mut next = header[6];
    for _ in 0..MAX_EXTENSIONS {
        if next == EXTENSION_FRAGMENT {
            // A whole packet in one "fragment" is allowed (RFC 6946).
            if cut.need(be16(body, 2))? & 0xfff9 != 0 {
                return Err(Skip::Fragment);
            }
            next = body[0];
            body = cut.need(body.get(8..))?;
        } else if EXTENSIONS.contains(&next) {
            let (following, eights) = (cut.need(body.first())?, cut.need(body.get(1))?);
            next = *following;
            body = cut.need(body.get(8 + 8 * usize::from(*eights)..))?;
        } else {
            break;
        }
    }
    if next != PROTOCOL_UDP {
        return Err(Skip::NotUdp);
    }
    let mut address = [0; 16];
    address.copy_from_slice(&header[8..24]);
    ports(body, address, cut)
}

fn ports<'a>(body: &'a [u8], ip: [u8; 16], cut: &Cut) -> Result<Udp<'a>, Skip> {
    let from_port = cut.need(be16(body, 0))?;
    let to_port = cut.need(be16(body, 2))?;
    let length = usize::from(cut.need(be16(body, 4))?);
    if length < 8 {
        return Err(Skip::Malformed);
    }
    let payload = cut.need(body.get(8..length))?;
    Ok(Udp { from: Sender { ip, port: from_port }, to_port, payload })
}
