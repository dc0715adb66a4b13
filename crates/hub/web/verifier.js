// The verifier: crates/verify-web as WebAssembly, fed with one typed array a check. Runs in browsers and in Node.

const REPORT_LENGTH = 16;

/** A module that does nothing but need simd128: whoever accepts it has it. */
const SIMD_PROBE = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11,
]);

export const hasSimd = () => WebAssembly.validate(SIMD_PROBE);

/** What a fault of a report means, by its number: crates/verify-web/src/report.rs. */
export const FAULTS = [
  null,
  "the answer is not in the form that the protocol describes",
  "the genesis record is malformed, or not the beginning of this chain",
  "the answer is of another chain than the one that this page was told",
  "a chain value does not follow from its record and the value before: something was changed, removed or inserted",
  "records stand in an order that no hub writes",
  "published bytes do not have the digest that the record holds",
  "published bytes speak of another cycle, time or source than their record",
  "this page received another chain value or output digest for this cycle",
  "this page received this cycle, and the answer leaves it out",
  "what this page showed is not what was witnessed",
  "the root key is malformed",
  "the certificate of the signing key is not signed by the root key, or is of another log",
  "the checkpoint is malformed or not signed by the certified key",
  "a file of the log is missing or malformed",
  "the log's files do not give the root that the checkpoint signs",
  "a cycle does not stand in the signed log with this chain value",
];

const CHAIN = ["records", "cycles", "first", "last", "outputs", "withheld", "seen", "outside", "shown", "unread", "whole", "source", "boots"];
const LOG = ["size", "signed", "unsigned", "older", "epoch", "leaves"];

function named(names, numbers) {
  const [fault, cycle, ...counts] = numbers;
  const report = { fault, cycle, words: fault === 0 ? null : (FAULTS[fault] ?? `fault ${fault}`) };
  names.forEach((name, k) => (report[name] = counts[k]));
  return report;
}

/** Many byte arrays as one. */
export function joined(...parts) {
  const out = new Uint8Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** 64 hexadecimal digits as 32 bytes; null if they are not. */
export function digest(hex) {
  if (typeof hex !== "string" || !/^[0-9a-f]{64}$/.test(hex)) return null;
  return Uint8Array.from({ length: 32 }, (_, k) => parseInt(hex.slice(2 * k, 2 * k + 2), 16));
}

export class Verifier {
  #exports;

  /** From the bytes of `verify.wasm` or `verify-simd.wasm`. */
  static async load(bytes) {
    const { instance } = await WebAssembly.instantiate(bytes, {});
    const verifier = new Verifier();
    verifier.#exports = instance.exports;
    return verifier;
  }

  #put(bytes) {
    const at = this.#exports.input(bytes.length);
    new Uint8Array(this.#exports.memory.buffer, at, bytes.length).set(bytes);
  }

  #report(names, at) {
    return named(names, [...new Float64Array(this.#exports.memory.buffer, at, REPORT_LENGTH)]);
  }

  /** Checks an answer of `/api/v1/witness` of the chain with this genesis against what was received live. */
  chain(genesis, answer, seen) {
    this.#put(joined(genesis, answer, seen));
    return this.#report(CHAIN, this.#exports.check_chain(answer.length));
  }

  /** The files of the log that a check of the chain checked last needs; null if that is no checkpoint. */
  wanted(checkpoint) {
    this.#put(checkpoint);
    const length = this.#exports.wanted();
    const text = new Uint8Array(this.#exports.memory.buffer, this.#exports.output(), length);
    const paths = new TextDecoder().decode(text).split("\n").filter(Boolean);
    return paths.length > 0 ? paths : null;
  }

  /** Checks files of the log, [name, bytes] each, and the chain checked last against them. */
  log(files) {
    const parts = files.flatMap(([name, bytes]) => [new TextEncoder().encode(name), bytes]);
    this.#put(joined(...parts.flatMap((part) => [length(part.length), part])));
    return this.#report(LOG, this.#exports.check_log());
  }
}

const length = (n) => new Uint8Array(new Uint32Array([n]).buffer);

const NOTHING = 255;
const PRESENCE = { unknown: 0, absent: 1, present: 2 };

/** A cycle message as the verifier compares it: what was received, and what was shown of it. Null if it has no witness. */
export function seenRow(message) {
  const [chain, output] = [digest(message.witness?.chain), digest(message.witness?.output)];
  if (!chain || !output) return null;
  const people = message.people?.every((p) => p.position_m && p.id !== undefined) ? message.people : null;
  const row = new DataView(new ArrayBuffer(74 + 16 * (people?.length ?? 0)));
  row.setBigUint64(0, BigInt(message.cycle), true);
  new Uint8Array(row.buffer).set(chain, 8);
  new Uint8Array(row.buffer).set(output, 40);
  row.setUint8(72, PRESENCE[message.presence?.state] ?? NOTHING);
  row.setUint8(73, people ? people.length : NOTHING);
  people?.forEach((person, k) => {
    row.setUint32(74 + 16 * k, person.id, true);
    person.position_m.forEach((x, axis) => row.setFloat32(78 + 16 * k + 4 * axis, x, true));
  });
  return new Uint8Array(row.buffer);
}
