//! The beginning of a chain.

use crate::context;
use crate::digest::{Digest, Digester};
use wavewitness_types::canonical::Reader;
use wavewitness_types::{Canonical, PrivacyMode, Sink, Source, Timestamp};

/// The chain that a chain continues, after its configuration changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Predecessor {
    /// Digest of its genesis.
    pub genesis: Digest,
    /// Its last chain value.
    pub head: Digest,
}

/// Everything that fixes how a chain is computed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Genesis {
    /// [`crate::SPECIFICATION`] that the chain follows.
    pub specification: u32,
    /// Numerics version of the build that began it.
    pub numerics: u32,
    /// Source that the operator declared; a cycle may say `simulated` although the chain began as another.
    pub source: Source,
    /// When it began.
    pub started: Timestamp,
    /// Name and version of the software that began it.
    pub software: String,
    /// Canonical bytes of the engine's configuration; where the privacy mode withholds them,
    /// [`Genesis::withheld_config`] of them.
    pub config: Vec<u8>,
    /// The chain before it, if any.
    pub predecessor: Option<Predecessor>,
    /// The mode under which all of the chain was kept.
    pub privacy: PrivacyMode,
}

impl Genesis {
    /// Longest configuration that is read.
    pub const MAX_CONFIG_BYTES: usize = 1 << 20;

    /// Digest: the value of the chain before its first entry, and its name.
    pub fn digest(&self) -> Digest {
        Digester::of(context::GENESIS, self)
    }

    /// What stands for a configuration that is withheld: its digest, with 32 bytes.
    pub fn withheld_config(config: &[u8]) -> Vec<u8> {
        let mut digester = Digester::new(context::CONFIG);
        digester.put(config);
        digester.finish().0.to_vec()
    }

    /// Reads canonical bytes; `None` if they are not exactly one genesis.
    pub fn from_canonical_bytes(bytes: &[u8]) -> Option<Genesis> {
        let mut r = Reader::new(bytes);
        let mut genesis = Genesis {
            specification: r.u32()?,
            numerics: r.u32()?,
            source: Source::from_code(r.u8()?)?,
            started: Timestamp(r.u64()?),
            software: String::from_utf8(r.bytes(256)?.to_vec()).ok()?,
            config: r.bytes(Genesis::MAX_CONFIG_BYTES)?.to_vec(),
            predecessor: r
                .option(|r| Some(Predecessor { genesis: Digest(r.array()?), head: Digest(r.array()?) }))?,
            privacy: PrivacyMode::RawResearch,
        };
        // Left out where nothing is withheld: a genesis from before there were modes is one of these.
        if r.remaining() > 0 {
            genesis.privacy =
                PrivacyMode::from_code(r.u8()?).filter(|&mode| mode != PrivacyMode::RawResearch)?;
        }
        r.finished()?;
        Some(genesis)
    }
}

impl Canonical for Genesis {
    fn canonical<S: Sink>(&self, out: &mut S) {
        let Self { specification, numerics, source, started, software, config, predecessor, privacy } = self;
        out.u32(*specification);
        out.u32(*numerics);
        source.canonical(out);
        started.canonical(out);
        out.bytes(software.as_bytes());
        out.bytes(config);
        out.option(predecessor.as_ref(), |s, p| {
            let Predecessor { genesis, head } = p;
            genesis.canonical(s);
            head.canonical(s);
        });
        if *privacy != PrivacyMode::RawResearch {
            out.u8(*privacy as u8);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_genesis_round_trips_and_every_field_changes_its_digest() {
        let genesis = Genesis {
            specification: 1,
            numerics: 1,
            source: Source::Live,
            started: Timestamp(7),
            software: "wavewitness 0.1.0".into(),
            config: vec![1, 2, 3],
            predecessor: None,
            privacy: PrivacyMode::RawResearch,
        };
        assert_eq!(Genesis::from_canonical_bytes(&genesis.to_canonical_bytes()), Some(genesis.clone()));
        let variants = [
            Genesis { specification: 2, ..genesis.clone() },
            Genesis { numerics: 2, ..genesis.clone() },
            Genesis { source: Source::Simulated, ..genesis.clone() },
            Genesis { started: Timestamp(8), ..genesis.clone() },
            Genesis { software: "other".into(), ..genesis.clone() },
            Genesis { config: vec![1, 2], ..genesis.clone() },
            Genesis {
                predecessor: Some(Predecessor { genesis: Digest::ZERO, head: Digest::ZERO }),
                ..genesis.clone()
            },
            Genesis { privacy: PrivacyMode::Strict, ..genesis.clone() },
        ];
        for v in variants {
            assert_ne!(v.digest(), genesis.digest(), "{v:?}");
            assert_eq!(Genesis::from_canonical_bytes(&v.to_canonical_bytes()), Some(v));
        }
        let with = |byte: u8| [genesis.to_canonical_bytes(), vec![byte]].concat();
        assert_eq!(Genesis::from_canonical_bytes(&with(0)), None, "two ways to say the same");
        assert_eq!(Genesis::from_canonical_bytes(&with(5)), None);
    }
}
