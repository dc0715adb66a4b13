#!/usr/bin/env python3
"""chain.py JOURNAL [LOG]: recomputes every inputs digest, output digest and chain value of a journal, then holds the
entries of a log to them, in order. The hub must be stopped: a running one is ahead of its log. Written from
docs/witness.md, docs/journal.md and docs/log.md alone. Needs PyPI `blake3`, `mcap` and `zstandard`.

Not checked: stage digests (they take the hub's own build), signatures and the tree (check.go). Exit: 0 all agrees, 1 not.
"""
import struct
import sys
import time
from collections import Counter
from itertools import groupby
from pathlib import Path

from blake3 import blake3
from mcap.exceptions import McapError
from mcap.records import Chunk, Message
from mcap.stream_reader import StreamReader, breakup_chunk
from zstandard import ZstdError

CHANNELS = range(1, 6)  # genesis, head, events, witness, pose (journal.md)
BOOT, CYCLE, STOP = range(3)  # kinds of record
DATAGRAM, TICK, COMMAND, BOOTED, STOPPED = range(5)  # kinds of event
LOG_KINDS = "genesis boot cycle stop calibration epoch clock-step gap retention".split()
OF_CHAIN = 4  # kinds of log entry below this one stand for something in the journal
BAD_BYTES = (ValueError, McapError, ZstdError, struct.error, IndexError, StopIteration)


def need(true, what):
    if not true:
        raise ValueError(what)


def h(context, data):
    return blake3(data, derive_key_context="wavewitness v1 " + context).digest()


class Fields:
    """Reads canonical bytes from front to back."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, form):  # integers, little-endian; "32s" is 32 bytes
        values = struct.unpack_from("<" + form, self.data, self.at)
        self.at += struct.calcsize("<" + form)
        return values if len(values) > 1 else values[0]

    def string(self):
        return self.take(f"{self.take('I')}s")

    def option(self, form):
        need((present := self.take("B")) <= 1, "an option is neither 0 nor 1")
        return self.take(form) if present else None

    def end(self):
        need(self.at == len(self.data), "bytes behind the last field")


def order(event):
    """Sorts the events of a cycle: commands, datagrams (by address, port, payload), the tick."""
    kind, at = struct.unpack_from("<BQ", event)
    if kind == DATAGRAM:
        return 1, at, event[9:25], struct.unpack_from("<H", event, 25), event[31:]
    need(kind in (COMMAND, TICK), f"event of kind {kind} in a cycle")
    return (0, at, event) if kind == COMMAND else (2,)


class Chain:
    def __init__(self, genesis):
        f = Fields(genesis)
        need(f.take("I") == 1, "another specification than 1")
        numerics, source, started = f.take("IBQ")
        f.string(), f.string()  # software, configuration
        self.before = f.option("32s32s")  # chain_0 and last chain value of the predecessor
        # Privacy mode, left out if nothing is withheld: 1 keeps inputs out of the journal, 2 and above published bytes, too.
        self.mode = f.take("B") if f.at < len(genesis) else 0
        f.end()
        need(self.mode <= 4, "unknown privacy mode")
        self.withheld = 0
        self.first = self.value = h("genesis", genesis)
        self.record, self.running, self.last, self.next = b"", False, None, 0
        self.log_entry = struct.pack("<BQBI", 0, started, source, numerics) + self.first
        self.log_entry += b"\1" + self.before[1] if self.before else b"\0"

    def entry(self, events, record, pose):
        """Checks one entry against those before it. Gives the log entry that stands for it."""
        need(len(record) == 434, "record of another length than 434")
        kind, cycle, at, source = struct.unpack_from("<BQQB", record)
        inputs, stages_and_output, output, value = record[18:50], record[50:402], record[370:402], record[402:]
        need(value == h("chain", self.value + record[:402]), "chain value does not follow")
        need(kind == BOOT or self.running, "only a boot may stand here")
        if kind == CYCLE:
            events = sorted(events, key=order)
            need([e[0] for e in events].count(TICK) == 1, "not one tick in the cycle")
            need(struct.unpack("<BQQ", events[-1]) == (TICK, at, cycle), "tick of another time or cycle")
            if self.mode < 2:
                need(output == h("output", pose), "output is not the published bytes")
                need(struct.unpack_from("<QQ", pose) == (cycle, at), "published cycle or time is another")
            else:
                need(pose is None, "published bytes that the privacy mode withholds")
            need(cycle >= self.next, "cycle number does not grow")
            self.last, self.next, log = cycle, cycle + 1, struct.pack("<BQQB", 2, cycle, at, source)
        else:
            need(kind <= STOP and len(events) == 1 and pose is None, "a boot or stop does not stand alone")
            need(not any(stages_and_output), "boot or stop with stages or output")
            f = Fields(events[0])
            need(f.take("BQ") == (BOOTED if kind == BOOT else STOPPED, at), "event of another kind or time")
            if kind == BOOT:
                boot, _, (first, unclean, _), kept = f.take("Q"), f.option("Q"), f.take("QBQ"), f.string()
                need(not (self.mode and kept), "baselines that the privacy mode withholds")
                need(first == cycle >= self.next, "first cycle is not the boot's, or not later")
                self.next, log = cycle, struct.pack("<BQQBQB", 1, cycle, at, source, boot, unclean)
            else:
                need(self.last in (None, cycle), "the cycle of the stop is not the last used")
                log = struct.pack("<BQQB", 3, cycle, at, source)
            f.end()
        need(not self.mode or all(e[0] != DATAGRAM for e in events), "datagrams that the privacy mode withholds")
        whole = inputs == h("inputs", b"".join(events))
        need(whole or (self.mode and kind != STOP), "inputs are not the stored events")
        self.withheld += not whole
        self.value, self.record, self.running = value, record, kind != STOP
        return log + value


def segment(path):
    """The chunks of a segment: genesis and head, then (events, record, pose) of each entry."""
    with open(path, "rb") as file:
        parts = StreamReader(file, emit_chunks=True, validate_crcs=True).records
        for number, part in enumerate(p for p in parts if isinstance(p, Chunk)):
            messages = [m for m in breakup_chunk(part, validate_crc=True) if isinstance(m, Message)]
            genesis, head, events, witness, pose = ([m.data for m in messages if m.channel_id == c] for c in CHANNELS)
            entry = (events, *witness, *(pose or [None])) if number else (*genesis, *head)
            need(len(entry) == (3 if number else 2), "chunk is not one entry, or the first not genesis and head")
            yield entry


def chains_in_order(directory):
    """The segments of each chain; a chain stands behind the one that it names as its predecessor."""
    paths, follower = sorted(Path(directory).glob("*-????????.mcap")), {}
    files = {chain: list(paths) for chain, paths in groupby(paths, lambda path: path.name[:16])}
    for chain, paths in files.items():
        before = Chain(next(segment(paths[0]))[0]).before
        link = before[0].hex()[:16] if before else None
        need(link not in follower, f"two chains follow {link}")
        follower[link if link in files else None] = chain
    link = None
    while link := follower.pop(link, None):
        yield files[link]
    need(files and not follower, f"no journal, or chains that follow nothing: {follower}")


def journal(directory, count):
    """Checks the journal and gives the log entries that stand for what it holds."""
    chain = None
    for number, path in ((n, path) for paths in chains_in_order(directory) for n, path in enumerate(paths)):
        at, entries = 0, segment(path)
        try:
            need(int(path.name[17:25]) == number, "a segment is missing before it")
            genesis, head = next(entries)
            if number == 0:
                chain, ended = Chain(genesis), chain
                need(not ended or chain.before == (ended.first, ended.value), "not behind its predecessor's end")
                yield chain.log_entry
            need(h("genesis", genesis) == chain.first, "genesis of another chain")
            need(head == chain.record, "head is not the last record before the segment")
            for at, (events, record, pose) in enumerate(entries, 1):
                yield chain.entry(events, record, pose)
                count["datagrams"] += sum(e[0] == DATAGRAM for e in events)
                count["chain values"] += 1
        except BAD_BYTES as e:
            raise ValueError(f"{path.name}, entry {at}: {type(e).__name__}: {e}") from e


def log(directory):
    """The entries of the log's bundles, as far as its checkpoint goes (C2SP tlog-tiles)."""
    size = int((Path(directory) / "checkpoint").read_text().split("\n")[1])
    for n in range((size + 255) // 256):
        width = min(256, size - 256 * n)
        *high, low = (group.zfill(3) for group in f"{n:,}".split(","))  # 1234567 is x001/x234/567
        path = Path(directory, "tile/entries", *("x" + group for group in high), low)
        partial = path.with_name(f"{path.name}.p") / str(width)
        bundle = Fields((path if path.exists() else partial).read_bytes())
        for _ in range(width):
            yield bundle.take(f"{int.from_bytes(bundle.take('2s'), 'big')}s")


def compare(expected, told, count):
    """Both in step: entries of the log that stand for nothing in the journal are counted only."""
    for entry in told:
        count["log: " + LOG_KINDS[entry[0]]] += 1
        wanted = next(expected, b"") if entry[0] < OF_CHAIN else entry
        need(entry == wanted, f"log says {entry.hex()}, journal {wanted.hex() or 'nothing'}")
    need(not (left := next(expected, None)), f"the log ends before {left and left.hex()}")


def main(journal_dir, log_dir=None):
    count, began = Counter(), time.monotonic()
    expected = journal(journal_dir, count)
    compare(expected, log(log_dir), count) if log_dir else list(expected)
    rate = count["chain values"] / (time.monotonic() - began)
    print("; ".join(f"{n} {name}" for name, n in sorted(count.items())))
    print(f"accepted: {rate:.0f} chain values a second")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:]) if 2 <= len(sys.argv) <= 3 else sys.exit(__doc__)
    except (OSError, *BAD_BYTES) as error:
        sys.exit(f"REFUSED: {type(error).__name__}: {error}")
