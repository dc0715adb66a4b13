//! Whatever the bytes: no panic, no endless loop, every byte accounted for, and what is intact behind the damage is
//! found again.

mod common;

use common::*;
use wavewitness_captures::{CaptureFrame, Chip, Fault, Format, Reader, Reason, nexmon as udp};

/// Reads to the end and checks what must hold for any bytes.
fn drain(format: Format, bytes: &[u8]) -> (u64, Vec<Fault>) {
    let mut reader = Reader::new(format, bytes);
    let mut frame = CaptureFrame::default();
    let mut faults: Vec<Fault> = Vec::new();
    let mut calls = 0;
    while let Some(result) = reader.read(&mut frame) {
        calls += 1;
        assert!(calls <= bytes.len() + 1, "it does not end");
        match result {
            Ok(()) => sound(&frame),
            Err(fault) => {
                assert!(fault.bytes > 0 && fault.offset + fault.bytes <= bytes.len());
                assert!(faults.last().is_none_or(|f| f.offset + f.bytes <= fault.offset));
                assert!(faults.last().is_none_or(|f| f.reason != Reason::Truncated), "nothing follows a cut");
                faults.push(fault);
            }
        }
    }
    assert!(reader.read(&mut frame).is_none(), "the end is the end");
    let counts = reader.counts();
    assert_eq!(
        (counts.faults, counts.fault_bytes),
        (faults.len() as u64, faults.iter().map(|f| f.bytes as u64).sum())
    );
    let cut = faults.last().filter(|f| f.reason == Reason::Truncated);
    assert_eq!(reader.consumed(), cut.map_or(bytes.len(), |f| f.offset));
    (counts.frames, faults)
}

fn sound(frame: &CaptureFrame) {
    assert!((1..=4).contains(&frame.rx) && (1..=4).contains(&frame.tx) && frame.spacing_hz > 0.0);
    assert_eq!(frame.values.len(), frame.rx * frame.tx * frame.tones.len());
    assert!(frame.values.iter().all(|v| v.re.is_finite() && v.im.is_finite()));
    assert!(frame.tones.windows(2).all(|w| w[0] < w[1]));
    assert!(frame.stream(frame.rx - 1, frame.tx - 1).is_some());
    assert!(frame.sqrt_mw().is_none_or(f64::is_finite));
}

#[test]
fn nothing_is_nothing() {
    for format in Format::ALL {
        assert_eq!(drain(format, &[]), (0, vec![]));
    }
    assert_eq!(Format::detect(&[]), None);
}

#[test]
fn formats_are_told_apart() {
    for (format, bytes) in one_of_each() {
        assert_eq!(Format::detect(&bytes), Some(format));
        // And one is not another: no frame, and all of it a fault.
        for other in Format::ALL.into_iter().filter(|&f| f != format) {
            let (frames, faults) = drain(other, &bytes);
            assert_eq!(frames, 0, "{other:?} reads {format:?}");
            assert!(!faults.is_empty());
        }
    }
}

#[test]
fn cut_at_every_byte() {
    for (format, one) in one_of_each() {
        // For pcap a record is what follows the file's header.
        let head = if format == Format::NexmonPcap { 24 } else { 0 };
        let stream = [&one[..], &one[head..], &one[head..]].concat();
        let each = one.len() - head;
        for length in 0..=stream.len() {
            let (frames, faults) = drain(format, &stream[..length]);
            let whole = length.saturating_sub(head) / each;
            let rest = if length < head { length } else { (length - head) % each };
            assert_eq!(frames, whole as u64, "{format:?} cut to {length}");
            let cut = Fault { offset: length - rest, bytes: rest, reason: Reason::Truncated };
            assert_eq!(faults, if rest == 0 { vec![] } else { vec![cut] });
        }
    }
}

#[test]
fn a_growing_recording_is_read_as_it_grows() {
    for (format, one) in one_of_each() {
        let head = if format == Format::NexmonPcap { 24 } else { 0 };
        let stream = [&one[..], &one[head..], &one[head..]].concat();
        let mut frame = CaptureFrame::default();
        let mut reader = Reader::new(format, &[]);
        for length in (0..stream.len()).step_by(7).chain([stream.len()]) {
            reader = reader.resume(&stream[..length]);
            while let Some(result) = reader.read(&mut frame) {
                assert!(result.is_ok_and(|()| true) || reader.consumed() < length);
            }
        }
        let counts = reader.counts();
        assert_eq!((counts.frames, counts.faults, counts.fault_bytes), (3, 0, 0));
    }
}

#[test]
fn garbage_between_records_costs_only_itself() {
    let mut r = Random(11);
    for (format, one) in one_of_each() {
        let head = if format == Format::NexmonPcap { 24 } else { 0 };
        for n in [1, 2, 3, 5, 17, 100, 400] {
            let garbage: Vec<u8> = (0..n).map(|_| r.bits() as u8 | 0x80).collect();
            let stream = [&one[..], &garbage, &one[head..], &garbage, &one[head..]].concat();
            let (frames, faults) = drain(format, &stream);
            assert_eq!(frames, 3, "{format:?} after {n} bytes: {faults:?}");
            assert_eq!(faults.iter().map(|f| f.bytes).sum::<usize>(), 2 * n);
            assert!(faults.iter().all(|f| f.reason == Reason::Framing));
        }
    }
}

#[test]
fn flipped_bits() {
    let mut r = Random(12);
    for (format, one) in one_of_each() {
        let head = if format == Format::NexmonPcap { 24 } else { 0 };
        let good = [&one[..], &one[head..], &one[head..]].concat();
        for _ in 0..400 {
            let mut stream = good.clone();
            // Beyond the file header, whose loss is the loss of the file.
            for _ in 0..=r.below(3) {
                let at = head + r.below(one.len() - head);
                stream[at] ^= 1 << r.below(8);
            }
            let (frames, faults) = drain(format, &stream);
            assert!((2..=3).contains(&frames), "{format:?}: {frames} frames, {faults:?}");
        }
    }
}

#[test]
fn random_bytes() {
    let mut r = Random(13);
    let fronts: Vec<(Format, Vec<u8>)> = one_of_each();
    for round in 0..300 {
        let n = r.below(3000);
        let noise: Vec<u8> = (0..n).map(|_| r.bits() as u8).collect();
        for format in Format::ALL {
            drain(format, &noise);
        }
        // Noise behind a sound front reaches the decoders.
        let (format, front) = &fronts[round % fronts.len()];
        let keep = r.below(front.len());
        drain(*format, &[&front[..keep], &noise].concat());
    }
    let mut frame = CaptureFrame::default();
    for _ in 0..2000 {
        let chip = [1, 0x65, 3, 0x6a][r.below(4)];
        let words: Vec<u32> = (0..r.below(300)).map(|_| r.bits() as u32).collect();
        if udp::payload(&nexmon(r.bits() as u16, chip, &words), &mut frame).is_ok() {
            sound(&frame);
        }
    }
}

#[test]
fn an_unsupported_record_is_skipped_as_a_whole() {
    let good = one_of_each().remove(0).1;
    // EHT.
    let other = [ax_header(1, 1, 100, 0x500), vec![0; 400]].concat();
    let (frames, faults) = drain(Format::FeitCsi, &[&good[..], &other, &good].concat());
    assert_eq!(frames, 2);
    assert_eq!(faults, [Fault { offset: good.len(), bytes: 672, reason: Reason::Unsupported }]);

    let good = intel5300(1, 1, 0, 0x0101, &[(1, 1); 30]);
    let (frames, faults) =
        drain(Format::Intel5300, &[&framed_5300(0xc1, b"a received frame"), &good[..]].concat());
    assert_eq!((frames, faults), (1, vec![]));
}

#[test]
fn a_frame_that_is_read_into_keeps_nothing_of_the_last() {
    let each = one_of_each();
    let mut reused = CaptureFrame::default();
    for (format, bytes) in each.iter().chain(each.iter().rev()) {
        assert_eq!(Reader::new(*format, bytes).read(&mut reused), Some(Ok(())));
        assert_eq!(Reader::new(*format, bytes).next(), Some(Ok(reused.clone())));
    }
    assert_eq!(reused.chip, Chip::IntelAx);
}
