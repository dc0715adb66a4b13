//! The result of a check as a row of numbers, which is what crosses the border to the page.

/// Numbers of a report.
pub const REPORT_LENGTH: usize = 16;

/// What was found. The numbers are part of the border: `crates/hub/web/verify.js` has their words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Fault {
    /// Nothing.
    None = 0,
    /// The answer is not in the form of `docs/protocol.md`.
    Format = 1,
    /// The genesis record is malformed, or not that of the first chain value.
    Genesis = 2,
    /// The genesis is another than the one that the page was told when it connected.
    OtherChain = 3,
    /// A chain value does not follow from the record and the value before: something was changed, removed or inserted.
    Broken = 4,
    /// Records in an order that no hub writes.
    Order = 5,
    /// The published bytes do not have the digest that the record says.
    Output = 6,
    /// The published bytes speak of another cycle, time or source than the record.
    Head = 7,
    /// The page received another chain value, or another output digest, for this cycle.
    SeenOther = 8,
    /// The page received a cycle that the answer leaves out.
    SeenMissing = 9,
    /// What the page showed is not what was witnessed.
    ShownOther = 10,
    /// The root key is not one.
    RootKey = 11,
    /// The certificate of the signing key is not the root key's, or not of this log.
    Certificate = 12,
    /// The checkpoint is not one, or not signed by the certified key.
    Checkpoint = 13,
    /// A file of the log is missing or malformed.
    Files = 14,
    /// The files do not give the root that the checkpoint signs.
    Root = 15,
    /// A cycle that must stand in the signed log does not, or stands there with another chain value.
    NotLogged = 16,
}

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Report {
    /// What was found first.
    pub fault: Fault,
    /// Cycle at which it was found; 0 if it concerns none.
    pub cycle: u64,
    /// What was counted; the checks say at which place what stands.
    pub counts: [u64; REPORT_LENGTH - 2],
}

impl Report {
    /// Nothing found, nothing counted.
    pub const EMPTY: Report = Report { fault: Fault::None, cycle: 0, counts: [0; REPORT_LENGTH - 2] };

    /// A fault at a cycle, with what was counted until then.
    pub fn with(mut self, fault: Fault, cycle: u64) -> Report {
        (self.fault, self.cycle) = (fault, cycle);
        self
    }

    /// As numbers of JavaScript. Cycle numbers and counts are far below 2^53, where those are exact; one that is not
    /// is only shown, never compared.
    pub fn numbers(&self) -> [f64; REPORT_LENGTH] {
        let mut out = [0.0; REPORT_LENGTH];
        out[0] = f64::from(self.fault as u8);
        out[1] = self.cycle as f64;
        out[2..].iter_mut().zip(self.counts).for_each(|(to, from)| *to = from as f64);
        out
    }
}
