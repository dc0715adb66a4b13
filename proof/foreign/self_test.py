#!/usr/bin/env python3
"""Guards chain.py: a check that accepts everything proves nothing.    self_test.py JOURNAL

Takes the first four entries of a journal, flips every single bit of every message, drops, repeats and exchanges entries
and events. The container is not touched, so no checksum helps: as somebody would who seals the chunk again."""
import sys

import chain


def accepted(genesis, *entries):
    try:
        state = chain.Chain(genesis)
        for entry in entries:
            state.entry(*entry)
    except chain.BAD_BYTES:
        return False
    return True


def flips(data):
    for bit in range(8 * len(data)):
        yield data[: bit // 8] + bytes([data[bit // 8] ^ 1 << bit % 8]) + data[bit // 8 + 1 :]


def changed_entries(events, record, pose):
    for n, event in enumerate(events):
        yield events[:n] + events[n + 1 :], record, pose
        yield events[:n] + [event] + events[n:], record, pose
        yield from ((events[:n] + [e] + events[n + 1 :], record, pose) for e in flips(event))
    yield from ((events, r, pose) for r in flips(record))
    yield from ((events, record, p) for p in flips(pose or b""))
    yield events, record, b"" if pose is None else None


def changed(genesis, entries):
    for g in flips(genesis):
        yield g, *entries
    for k in range(len(entries) - 1):  # The end of a chain can be cut unnoticed, as docs/witness.md says.
        before, entry, behind = entries[:k], entries[k], entries[k + 1 :]
        for other in changed_entries(*entry):
            yield genesis, *before, other, *behind
        yield genesis, *before, *behind
        yield genesis, *before, entry, entry, *behind
        yield genesis, *before, behind[0], entry, *behind[1:]


def main(journal):
    parts = chain.segment(next(chain.chains_in_order(journal))[0])
    (genesis, _), entries = next(parts), [entry for entry, _ in zip(parts, range(4))]
    if not accepted(genesis, *entries):
        sys.exit("the sound entries are refused")
    events, record, pose = entries[1]
    if not accepted(genesis, entries[0], (events[::-1], record, pose), *entries[2:]):
        sys.exit("the order in which events are stored must not matter")
    tried = 0
    for tried, material in enumerate(changed(genesis, entries), 1):
        if accepted(*material):
            sys.exit(f"change {tried} was not noticed")
    print(f"self-test: {tried} changes, each noticed")


if __name__ == "__main__":
    main(*sys.argv[1:])
