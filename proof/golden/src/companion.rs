//! What lies beside a golden file, so that a golden that fails can say where: `NAME.cycles` holds the first digits of
//! every cycle's digests, `NAME.values` the values themselves at some cycles. A golden passes or fails by its own file;
//! these explain, and are held to it all the same.

use crate::tap::{CHANNELS, CycleValues, channel_name};
use crate::{Golden, Minted, NUMERICS_VERSION};
use std::fmt::Write as _;
use std::path::Path;
use wavewitness_types::Sink;
use wavewitness_types::canonical::Reader;
use wavewitness_witness::{Digest, Witness};

/// First digits of the digest of every channel.
pub type Short = [u32; CHANNELS];

const VALUES_MAGIC: &[u8] = b"wavewitness values 1\n";
/// No channel of a cycle is longer.
const MAX_BYTES: usize = 16 << 20;

/// Whether a cycle's values are stored beside a golden: early once, then every five seconds.
pub fn is_sampled(cycle: u64) -> bool {
    cycle == 19 || (cycle + 1).is_multiple_of(100)
}

/// The first 32 bits of each digest.
pub fn short(witness: &Witness) -> Short {
    let first = |digest: &Digest| u32::from_be_bytes([digest.0[0], digest.0[1], digest.0[2], digest.0[3]]);
    let mut out = [first(&witness.output); CHANNELS];
    for (short, digest) in out.iter_mut().zip(&witness.stages) {
        *short = first(digest);
    }
    out
}

/// A golden's files as they are in its directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// `NAME.golden`.
    pub golden: String,
    /// `NAME.cycles`; empty if there is none.
    pub cycles: String,
    /// `NAME.values`; empty if there are none.
    pub values: Vec<u8>,
}

impl Stored {
    /// Reads a golden and what lies beside it.
    ///
    /// # Errors
    /// If there is no golden.
    pub fn read(directory: &Path, name: &str) -> Result<Stored, String> {
        let path = |kind: &str| directory.join(format!("{name}.{kind}"));
        Ok(Stored {
            golden: std::fs::read_to_string(path("golden"))
                .map_err(|e| format!("can't read {}: {e}", path("golden").display()))?,
            cycles: std::fs::read_to_string(path("cycles")).unwrap_or_default(),
            values: std::fs::read(path("values")).unwrap_or_default(),
        })
    }

    /// The files that a computation would write.
    pub fn of(name: &str, minted: &Minted) -> Stored {
        Stored {
            golden: minted.to_text(name),
            cycles: cycles_text(&minted.cycle_digests),
            values: values_bytes(&minted.values),
        }
    }

    /// Writes them.
    ///
    /// # Errors
    /// If a file can't be written.
    pub fn write(&self, directory: &Path, golden: &Golden) -> Result<(), String> {
        let Stored { golden: text, cycles, values } = self;
        for (kind, bytes) in [("golden", text.as_bytes()), ("cycles", cycles.as_bytes()), ("values", values)]
        {
            let path = directory.join(format!("{}.{kind}", golden.name));
            std::fs::write(&path, bytes).map_err(|e| format!("can't write {}: {e}", path.display()))?;
        }
        Ok(())
    }
}

fn cycles_text(cycles: &[(u64, Short)]) -> String {
    let mut out = format!("# numerics {NUMERICS_VERSION}: cycle, then the first digits of the digests of");
    (0..CHANNELS).for_each(|k| out += &format!(" {}", channel_name(k)));
    out += "\n";
    for (cycle, digests) in cycles {
        let _ = write!(out, "{cycle}");
        digests.iter().for_each(|d| out += &format!(" {d:08x}"));
        out += "\n";
    }
    out
}

/// The digests of `NAME.cycles`; lines that are none are left out.
pub fn read_cycles(text: &str) -> Vec<(u64, Short)> {
    let line = |line: &str| {
        let mut words = line.split(' ');
        let cycle = words.next()?.parse().ok()?;
        let mut digests = [0; CHANNELS];
        for digest in &mut digests {
            *digest = u32::from_str_radix(words.next()?, 16).ok()?;
        }
        Some((cycle, digests))
    };
    text.lines().filter_map(line).collect()
}

/// Values as a file: `NAME.values`, and what `--trace` writes.
pub fn values_bytes(cycles: &[CycleValues]) -> Vec<u8> {
    let mut out = VALUES_MAGIC.to_vec();
    out.u32(NUMERICS_VERSION);
    for CycleValues { cycle, channels } in cycles {
        out.u64(*cycle);
        channels.iter().for_each(|bytes| out.bytes(bytes));
    }
    out
}

/// Reads values back; `None` if the file is not one of values, or of another numerics version.
pub fn read_values(bytes: &[u8]) -> Option<Vec<CycleValues>> {
    let mut r = Reader::new(bytes.strip_prefix(VALUES_MAGIC)?);
    if r.u32()? != NUMERICS_VERSION {
        return None;
    }
    let mut out = Vec::new();
    while r.remaining() > 0 {
        let cycle = r.u64()?;
        let channels =
            (0..CHANNELS).map(|_| r.bytes(MAX_BYTES).map(<[u8]>::to_vec)).collect::<Option<_>>()?;
        out.push(CycleValues { cycle, channels });
    }
    Some(out)
}
