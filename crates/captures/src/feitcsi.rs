//! FeitCSI: records of a 272-byte header and samples, one after the other; a UDP datagram is one record. No magic
//! number: a record is known by a header that agrees with itself.

use crate::frame::CaptureFrame;
use crate::intel_ax::{self, HEADER_BYTES};
use crate::reader::Step;

pub(crate) fn begins(bytes: &[u8]) -> bool {
    intel_ax::header(bytes).is_some()
}

pub(crate) fn step(bytes: &[u8], frame: &mut CaptureFrame) -> Step {
    if bytes.len() < HEADER_BYTES {
        return Step::Short;
    }
    let Some(header) = intel_ax::header(bytes) else { return Step::Lost };
    let end = HEADER_BYTES + header.data_bytes;
    let Some(data) = bytes.get(HEADER_BYTES..end) else { return Step::Short };
    intel_ax::meta(bytes, frame);
    match intel_ax::samples(&header, data, frame) {
        Ok(()) => Step::Frame(end),
        Err(reason) => Step::Bad(end, reason),
    }
}
