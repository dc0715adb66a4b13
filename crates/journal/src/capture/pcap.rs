//! UDP datagrams of a pcap or pcapng file.

use super::{CaptureError, Parsed};
use std::fs;
use std::path::Path;
use wavewitness_ingest::pcap::{Record, Skip, records};
use wavewitness_types::Event;
use wavewitness_types::limits::MAX_DATAGRAM_BYTES;

/// Bytes of the longest file: it is read at once, an hour of four nodes at 100 Hz being 0.5 GB.
const MAX_FILE_BYTES: u64 = 1 << 30;

/// True for the first bytes of such a file.
pub(super) fn is_one(start: &[u8]) -> bool {
    records(start).is_some()
}

/// Reads a file: its datagrams, and the reason for each packet that is none.
pub(super) fn read(path: &Path) -> Result<Vec<Parsed>, CaptureError> {
    let error = |error| CaptureError::Io { path: path.to_owned(), error };
    let bytes = fs::metadata(path).map_err(error)?.len();
    if bytes > MAX_FILE_BYTES {
        return Err(CaptureError::TooLong { path: path.to_owned(), bytes, limit: MAX_FILE_BYTES });
    }
    let file = fs::read(path).map_err(error)?;
    Ok(records(&file).into_iter().flatten().map(parsed).collect())
}

fn parsed(record: Record<'_>) -> Parsed {
    match record {
        Record::Datagram { payload, .. } if payload.len() > MAX_DATAGRAM_BYTES => Err("datagram too long"),
        Record::Datagram { at, from, payload, .. } => {
            Ok(Event::Datagram { at, from, bytes: payload.to_vec() })
        }
        Record::Skipped(skip) => Err(match skip {
            Skip::NotUdp => "packet that is not UDP",
            Skip::Fragment => "packet that is a fragment",
            Skip::Truncated => "packet that was not captured whole",
            Skip::Malformed => "packet that contradicts itself",
            Skip::LinkType => "packet of an unknown link type",
            Skip::NoInterface => "packet without a time",
            Skip::Damaged => "damaged place; nothing after it is read",
        }),
    }
}
