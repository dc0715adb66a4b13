//! `GET /api/v1/witness`: the chain of the last minutes from the journal, for whoever computes it again.
//!
//! Read from the journal and not from memory: what is checked is then what is on the disk, a restart is part of it, and
//! a day without a reader costs nothing.

use crate::boot;
use crate::message::live::Refusal;
use crate::server::{Shared, error, refused};
use axum::Router;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::stream;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::Path;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, timeout_at};
use wavewitness_journal::{ChainId, Content, Journal, JournalError, SegmentInfo};
use wavewitness_types::{Canonical, Sink, Timestamp};
use wavewitness_witness::{Digest, EntryKind, Genesis, Witness};

/// What an answer begins with: its magic and version.
pub const MAGIC: &[u8; 8] = b"wwrec\0\0\x01";
/// Most minutes of one answer.
pub const MAX_MINUTES: u64 = 10;
/// Bytes that are collected before they are handed to the network.
const PIECE: usize = 128 << 10;
/// Somebody who takes an answer by the byte must not keep one of the two places for ever.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);
/// Answers that are read from the journal at once; others are refused, so that no reader costs the hub its cycle.
static READING: Semaphore = Semaphore::const_new(2);

/// `/api/v1/witness`.
pub fn routes() -> Router<Shared> {
    Router::new().route("/api/v1/witness", get(witness))
}

/// How many minutes a query asks for.
fn minutes(query: &BTreeMap<String, String>) -> Result<u64, Refusal> {
    let refusal = |field: &str, value: &str, allowed: String| Refusal {
        field: field.to_owned(),
        value: value.to_owned(),
        allowed,
    };
    if let Some(key) = query.keys().find(|key| *key != "minutes") {
        return Err(refusal("(query)", key, "minutes".to_owned()));
    }
    let Some(text) = query.get("minutes") else { return Ok(2) };
    let wanted = text.parse().ok().filter(|n| (1..=MAX_MINUTES).contains(n));
    wanted.ok_or_else(|| refusal("minutes", text, format!("a whole number, 1 to {MAX_MINUTES}")))
}

/// The records of the present chain over the last minutes: `docs/protocol.md` has the form.
async fn witness(State(shared): State<Shared>, Query(query): Query<BTreeMap<String, String>>) -> Response {
    let minutes = match minutes(&query) {
        Ok(minutes) => minutes,
        Err(refusal) => return refused(refusal),
    };
    let Some(data_dir) = shared.data_dir.clone() else {
        return error(StatusCode::NOT_FOUND, "no journal is kept: nothing of the past can be checked");
    };
    let Ok(permit) = READING.try_acquire() else {
        return error(StatusCode::SERVICE_UNAVAILABLE, "others are reading: try again in a moment");
    };
    let genesis = shared.status.snapshot().genesis;
    let since = Timestamp(shared.clock.now().0.saturating_sub(minutes * 60_000_000_000));
    let (pieces, receiver) = mpsc::channel::<Vec<u8>>(2);
    let opened =
        tokio::task::spawn_blocking(move || segments(&boot::journal_dir(&data_dir), &genesis, minutes));
    let (journal, segments) = match opened.await {
        Ok(Ok(Some(found))) => found,
        Ok(Ok(None)) => return error(StatusCode::NOT_FOUND, "the journal does not hold this chain"),
        Ok(Err(e)) => return error(StatusCode::INTERNAL_SERVER_ERROR, e),
        Err(_) => return error(StatusCode::INTERNAL_SERVER_ERROR, "the journal can't be read"),
    };
    tokio::task::spawn_blocking(move || {
        let _permit = permit;
        let runtime = Handle::current();
        let until = Instant::now() + ANSWER_TIMEOUT;
        read(&journal, &segments, since, &mut |piece| {
            matches!(runtime.block_on(timeout_at(until, pieces.send(piece))), Ok(Ok(())))
        });
    });
    let body = stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|piece| (Ok::<_, Infallible>(piece), receiver))
    });
    let headers = [(header::CONTENT_TYPE, "application/octet-stream"), (header::CACHE_CONTROL, "no-store")];
    (headers, Body::from_stream(body)).into_response()
}

/// The segments of a chain that hold its last minutes, oldest first: a segment has 64 s, and one is needed for what
/// was before.
fn segments(
    directory: &Path,
    genesis: &Digest,
    minutes: u64,
) -> Result<Option<(Journal, Vec<SegmentInfo>)>, JournalError> {
    let journal = Journal::open(directory)?.of_chain(ChainId::from_digest(&genesis.0));
    let all = journal.segments();
    let last = all.len().saturating_sub(minutes as usize + 3);
    let wanted = all[last..].to_vec();
    Ok((!wanted.is_empty()).then_some((journal, wanted)))
}

/// Hands the answer on piece by piece, until `send` says that nobody takes it.
///
/// What can't be read of the journal is left out: the chain then shows it.
fn read(
    journal: &Journal,
    segments: &[SegmentInfo],
    since: Timestamp,
    send: &mut dyn FnMut(Vec<u8>) -> bool,
) {
    let mut out = Vec::with_capacity(PIECE + (16 << 10));
    // Genesis record, and the chain value before the record that comes next.
    let mut start: Option<(Vec<u8>, Digest, bool)> = None;
    let mut begun = false;
    for segment in segments {
        for chunk in journal.of_segment(segment.name).records().filter_map(Result::ok) {
            let (witness, published) = match chunk.content {
                Content::Start { genesis, head, .. } if start.is_none() => {
                    start = beginning(genesis, &head);
                    continue;
                }
                Content::Start { .. } => continue,
                Content::Cycle { witness, pose, .. } => (witness, pose.unwrap_or_default()),
                Content::Entry { witness, .. } => (witness, Vec::new()),
            };
            let (Some(bytes), Some((genesis, before, whole))) = (witness, &mut start) else { continue };
            let Some(witness) = Witness::from_canonical_bytes(&bytes) else { continue };
            // A stop alone says nothing that could be checked.
            if !begun && (chunk.at < since || witness.kind == EntryKind::Stop) {
                (*before, *whole) = (witness.chain, false);
                continue;
            }
            if !begun {
                begun = true;
                head(&mut out, genesis, before, *whole);
            }
            out.u32(u32::try_from(published.len()).unwrap_or(u32::MAX));
            out.put(&bytes);
            out.put(&published);
            if out.len() >= PIECE
                && !send(std::mem::replace(&mut out, Vec::with_capacity(PIECE + (16 << 10))))
            {
                return;
            }
        }
    }
    if let (false, Some((genesis, before, whole))) = (begun, &start) {
        head(&mut out, genesis, before, *whole);
    }
    send(out);
}

/// What the first segment says of the chain before it.
fn beginning(genesis: Vec<u8>, head: &[u8]) -> Option<(Vec<u8>, Digest, bool)> {
    if head.is_empty() {
        let digest = Genesis::from_canonical_bytes(&genesis)?.digest();
        return Some((genesis, digest, true));
    }
    let before = Witness::from_canonical_bytes(head)?.chain;
    Some((genesis, before, false))
}

fn head(out: &mut Vec<u8>, genesis: &[u8], before: &Digest, whole: bool) {
    out.put(MAGIC);
    out.bool(whole);
    before.canonical(out);
    out.bytes(genesis);
}
