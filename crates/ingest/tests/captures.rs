//! Guards the capture reader: every link type, both byte orders, both resolutions, what is skipped and why; and that
//! damage ends the reading instead of inventing packets. Files are built here from the formats' tables.

mod common;

use common::recordings;
use wavewitness_ingest::pcap::{Record, Skip, records};
use wavewitness_types::{Sender, Timestamp};

const PAYLOAD: &[u8] = b"CSI of the room";

fn udp(payload: &[u8]) -> Vec<u8> {
    let length = (8 + payload.len()) as u16;
    [&4000u16.to_be_bytes()[..], &5005u16.to_be_bytes(), &length.to_be_bytes(), &[0, 0], payload].concat()
}

fn ipv4(fragment: u16, protocol: u8, body: &[u8]) -> Vec<u8> {
    let total = (20 + body.len()) as u16;
    let mut header = vec![0x45, 0];
    header.extend(total.to_be_bytes());
    header.extend([0, 1]);
    header.extend(fragment.to_be_bytes());
    header.extend([64, protocol, 0, 0, 192, 168, 1, 7, 192, 168, 1, 100]);
    [header, body.to_vec()].concat()
}

/// Next headers with their bodies before UDP, which is 17.
fn ipv6(first: u8, extensions: &[u8], body: &[u8]) -> Vec<u8> {
    let mut header = vec![0x60, 0, 0, 0];
    header.extend(((extensions.len() + body.len()) as u16).to_be_bytes());
    header.extend([first, 64]);
    header.extend((1..=16).collect::<Vec<u8>>());
    header.extend([9; 16]);
    [header, extensions.to_vec(), body.to_vec()].concat()
}

fn ethernet(tags: &[u8], ethertype: u16, body: &[u8]) -> Vec<u8> {
    [&[0xaa; 12][..], tags, &ethertype.to_be_bytes(), body].concat()
}

fn v4_sender() -> Sender {
    common::sender(7, 4000)
}

/// A classic file of one link type; each packet may be cut.
fn classic(big: bool, nanos: bool, link: u32, packets: &[(&[u8], usize)]) -> Vec<u8> {
    let put = |x: u32| if big { x.to_be_bytes() } else { x.to_le_bytes() };
    let mut file = put(if nanos { 0xa1b2_3c4d } else { 0xa1b2_c3d4 }).to_vec();
    file.extend(if big { [0, 2, 0, 4] } else { [2, 0, 4, 0] });
    [0, 0, 262_144, link].iter().for_each(|&x| file.extend(put(x)));
    for (k, (packet, kept)) in packets.iter().enumerate() {
        [1_700_000_000 + k as u32, 250, *kept as u32, packet.len() as u32]
            .iter()
            .for_each(|&x| file.extend(put(x)));
        file.extend(&packet[..*kept]);
    }
    file
}

fn one(link: u32, packet: &[u8]) -> Record<'static> {
    let file = classic(false, false, link, &[(packet, packet.len())]).leak();
    let all: Vec<Record<'static>> = records(file).unwrap().collect();
    assert_eq!(all.len(), 1);
    all[0]
}

fn expect_datagram(record: Record<'_>, sender: Sender) {
    let Record::Datagram { at, from, to_port, payload } = record else { panic!("{record:?}") };
    assert_eq!((at, from, to_port, payload), (Timestamp(1_700_000_000_000_250_000), sender, 5005, PAYLOAD));
}

#[test]
fn every_link_type_of_tcpdump() {
    let ip = ipv4(0x4000, 17, &udp(PAYLOAD));
    let padded = [ip.clone(), vec![0; 6]].concat();
    let vlan = [0x81, 0x00, 0, 5];
    let two_tags = [0x88, 0xa8, 0, 5, 0x81, 0x00, 0, 6];
    let sll = [&[0; 14][..], &[8, 0], &ip].concat();
    let sll2 = [&[8, 0][..], &[0; 18], &ip].concat();
    for (link, packet) in [
        (1, ethernet(&[], 0x0800, &ip)),
        (1, ethernet(&[], 0x0800, &padded)),
        (1, ethernet(&vlan, 0x0800, &ip)),
        (1, ethernet(&two_tags, 0x0800, &ip)),
        (101, ip.clone()),
        (228, ip.clone()),
        (0, [&[2, 0, 0, 0][..], &ip].concat()),
        (108, [&[0, 0, 0, 2][..], &ip].concat()),
        (113, sll),
        (276, sll2),
        // A frame check sequence is announced in the upper bits of the link type.
        (1 | 0x2400_0000, ethernet(&[], 0x0800, &padded)),
    ] {
        expect_datagram(one(link, &packet), v4_sender());
    }
    assert_eq!(one(147, &ip), Record::Skipped(Skip::LinkType));
}

#[test]
fn ipv6_with_and_without_extensions() {
    let sender = Sender { ip: std::array::from_fn(|k| k as u8 + 1), port: 4000 };
    let body = udp(PAYLOAD);
    expect_datagram(one(101, &ipv6(17, &[], &body)), sender);
    // Hop-by-hop of 8 bytes, then destination options of 16.
    let mut extensions = vec![60, 0, 0, 0, 0, 0, 0, 0];
    extensions.extend([17, 1]);
    extensions.extend([0; 14]);
    expect_datagram(one(101, &ipv6(0, &extensions, &body)), sender);
    // A fragment header around a whole packet is none.
    expect_datagram(one(101, &ipv6(44, &[17, 0, 0, 0, 0, 0, 0, 1], &body)), sender);
    let first = ipv6(44, &[17, 0, 0, 1, 0, 0, 0, 1], &body);
    assert_eq!(one(101, &first), Record::Skipped(Skip::Fragment));
    assert_eq!(one(101, &ipv6(58, &[], &body)), Record::Skipped(Skip::NotUdp));
}

#[test]
fn byte_orders_and_resolutions() {
    let packet = ipv4(0, 17, &udp(PAYLOAD));
    for (big, nanos, fraction) in
        [(false, false, 250_000), (true, false, 250_000), (false, true, 250), (true, true, 250)]
    {
        let file = classic(big, nanos, 101, &[(packet.as_slice(), packet.len()); 2]);
        let times: Vec<u64> = records(&file)
            .unwrap()
            .map(|r| if let Record::Datagram { at, .. } = r { at.0 } else { panic!("{r:?}") })
            .collect();
        assert_eq!(times, [1_700_000_000_000_000_000 + fraction, 1_700_000_001_000_000_000 + fraction]);
    }
    // The family of a NULL link has the byte order of the file.
    let null = [&[0, 0, 0, 2][..], &packet].concat();
    let file = classic(true, false, 0, &[(&null, null.len())]);
    assert!(matches!(records(&file).unwrap().next(), Some(Record::Datagram { .. })));
}

#[test]
fn what_is_no_datagram_is_skipped_by_reason() {
    let body = udp(PAYLOAD);
    assert_eq!(one(101, &ipv4(0x2000, 17, &body)), Record::Skipped(Skip::Fragment));
    assert_eq!(one(101, &ipv4(0x0010, 17, &body)), Record::Skipped(Skip::Fragment));
    assert_eq!(one(101, &ipv4(0, 6, &body)), Record::Skipped(Skip::NotUdp));
    assert_eq!(one(1, &ethernet(&[], 0x0806, &[0; 28])), Record::Skipped(Skip::NotUdp));
    assert_eq!(one(1, &[0; 5]), Record::Skipped(Skip::Malformed));
    let mut longer = body.clone();
    longer[5] += 1;
    assert_eq!(one(101, &ipv4(0, 17, &longer)), Record::Skipped(Skip::Malformed));
    // The snapshot length cut it.
    let packet = ipv4(0, 17, &body);
    for kept in 1..packet.len() {
        let file = classic(false, false, 101, &[(&packet, kept)]);
        assert_eq!(records(&file).unwrap().collect::<Vec<_>>(), [Record::Skipped(Skip::Truncated)], "{kept}");
    }
}

#[test]
fn a_file_that_ends_early_says_so() {
    let packet = ipv4(0, 17, &udp(PAYLOAD));
    let file = classic(false, false, 101, &[(packet.as_slice(), packet.len()); 3]);
    let each = 16 + packet.len();
    for length in 24..file.len() {
        let all: Vec<Record> = records(&file[..length]).unwrap().collect();
        let whole = (length - 24) / each;
        let damaged = usize::from(!(length - 24).is_multiple_of(each));
        assert_eq!(all.len(), whole + damaged);
        assert_eq!(all.last() == Some(&Record::Skipped(Skip::Damaged)), damaged == 1);
    }
    assert!(records(&file[..23]).is_none());
    assert!(records(b"not a capture file at all").is_none());
}

struct Next {
    big: bool,
    file: Vec<u8>,
}

impl Next {
    fn put(&self, x: u32) -> [u8; 4] {
        if self.big { x.to_be_bytes() } else { x.to_le_bytes() }
    }
    fn put16(&self, x: u16) -> [u8; 2] {
        if self.big { x.to_be_bytes() } else { x.to_le_bytes() }
    }
    fn block(&mut self, kind: u32, body: &[u8]) {
        let padded = body.len().next_multiple_of(4);
        let length = self.put(12 + padded as u32);
        self.file.extend(self.put(kind));
        self.file.extend(length);
        self.file.extend(body);
        self.file.extend(vec![0; padded - body.len()]);
        self.file.extend(length);
    }
    fn section(&mut self, big: bool) {
        self.big = big;
        let body = [&self.put(0x1a2b_3c4d)[..], &self.put16(1), &self.put16(0), &[0xff; 8]].concat();
        self.block(0x0a0d_0d0a, &body);
    }
    fn interface(&mut self, link: u16, options: &[(u16, Vec<u8>)]) {
        let mut body = [&self.put16(link)[..], &[0, 0], &self.put(0)].concat();
        for (code, value) in options {
            body.extend(self.put16(*code));
            body.extend(self.put16(value.len() as u16));
            body.extend(value);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        if !options.is_empty() {
            body.extend([0; 4]);
        }
        self.block(1, &body);
    }
    fn packet(&mut self, interface: u32, units: u64, data: &[u8]) {
        let n = data.len() as u32;
        let mut body = Vec::new();
        [interface, (units >> 32) as u32, units as u32, n, n].iter().for_each(|&x| body.extend(self.put(x)));
        body.extend(data);
        self.block(6, &body);
    }
}

#[test]
fn pcapng_sections_interfaces_and_clocks() {
    let packet = ipv4(0, 17, &udp(PAYLOAD));
    let framed = ethernet(&[], 0x0800, &packet);
    let mut next = Next { big: false, file: Vec::new() };
    for big in [false, true] {
        next.section(big);
        next.interface(1, &[(2, b"eth0".to_vec())]);
        next.interface(101, &[(9, vec![9])]);
        next.interface(
            101,
            &[(9, vec![0x80 | 10]), (14, if big { 5i64.to_be_bytes() } else { 5i64.to_le_bytes() }.to_vec())],
        );
        next.block(4, b"names are not read");
        next.packet(0, 1_700_000_000_000_250, &framed);
        next.packet(1, 1_700_000_000_000_250_000, &packet);
        next.packet(2, 3 * 1024 + 512, &packet);
        next.packet(7, 1, &packet);
        next.block(3, &[0; 8]);
    }
    let all: Vec<Record> = records(&next.file).unwrap().collect();
    assert_eq!(all.len(), 10);
    for half in all.chunks(5) {
        expect_datagram(half[0], v4_sender());
        expect_datagram(half[1], v4_sender());
        let Record::Datagram { at, .. } = half[2] else { panic!() };
        assert_eq!(at, Timestamp(8_500_000_000));
        assert_eq!(half[3..], [Record::Skipped(Skip::NoInterface); 2]);
    }
    // Either length of a block is damaged.
    let mut bad = next.file.clone();
    *bad.last_mut().unwrap() ^= 1;
    assert_eq!(records(&bad).unwrap().last(), Some(Record::Skipped(Skip::Damaged)));
    assert_eq!(
        records(&next.file[..next.file.len() - 1]).unwrap().last(),
        Some(Record::Skipped(Skip::Damaged))
    );
}

#[test]
fn captures_of_real_radios_walk_to_their_end() {
    let Some(directory) = recordings("parsers") else { return };
    let mut files = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "pcap") {
            continue;
        }
        let file = std::fs::read(&path).unwrap();
        let (mut datagrams, mut skipped) = (0, 0);
        for record in records(&file).unwrap() {
            match record {
                Record::Datagram { to_port, payload, .. } => {
                    assert_eq!(to_port, 5500);
                    assert_eq!(payload[..2], [0x11, 0x11]);
                    datagrams += 1;
                }
                Record::Skipped(skip) => {
                    assert_ne!(skip, Skip::Damaged, "{path:?}");
                    skipped += 1;
                }
            }
        }
        println!("{:?}: {datagrams} datagrams, {skipped} skipped", path.file_name().unwrap());
        assert!(datagrams > 0 && skipped == 0);
        files += 1;
    }
    assert_eq!(files, 8);
}
