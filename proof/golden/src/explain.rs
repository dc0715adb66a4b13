//! What a golden that differs says: the first cycle and stage, the first value by link and element with both bit
//! patterns, and what may be the cause.

use crate::companion::{Stored, read_cycles, read_values};
use crate::names::{Leaf, Value, segments};
use crate::tap::{CHANNELS, CycleValues, channel_name};
use crate::{EVERY, Minted};
use std::fmt::{self, Write as _};
use wavewitness_witness::Stage;

/// The first value of a cycle that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueDifference {
    /// The cycle.
    pub cycle: u64,
    /// The channel.
    pub channel: usize,
    /// Which link, frame, tone and quantity.
    pub name: String,
    /// What it is here and there; `None` where it is missing.
    pub stored: Option<Value>,
    /// See `stored`.
    pub computed: Option<Value>,
    /// How many values of the channel differ, and of how many.
    pub parted: (usize, usize),
}

/// Compares the values of one cycle in the order of computation; what differs later may follow from it. Channels of which either side has no values are passed
/// over.
pub fn first_difference(stored: &CycleValues, computed: &CycleValues) -> Option<ValueDifference> {
    let known = |k: usize| !stored.channels[k].is_empty() && !computed.channels[k].is_empty();
    if (0..CHANNELS).all(|k| !known(k) || stored.channels[k] == computed.channels[k]) {
        return None;
    }
    for (s, c) in segments(stored).into_iter().zip(segments(computed)) {
        if !known(s.channel) {
            continue;
        }
        let bytes = |values: &CycleValues| byte_leaves(&values.channels[s.channel]);
        let (stored_leaves, computed_leaves) = match (s.leaves, c.leaves) {
            (Some(a), Some(b)) => (a, b),
            _ => (bytes(stored), bytes(computed)),
        };
        if let Some(found) = differ(&stored_leaves, &computed_leaves) {
            let (name, stored_value, computed_value, parted) = found;
            return Some(ValueDifference {
                cycle: stored.cycle,
                channel: s.channel,
                name,
                stored: stored_value,
                computed: computed_value,
                parted,
            });
        }
    }
    None
}

fn byte_leaves(bytes: &[u8]) -> Vec<Leaf> {
    let leaf = |(k, &b): (usize, &u8)| Leaf {
        name: format!("byte {k} (not of this build's form)"),
        value: Value::U8(b),
    };
    bytes.iter().enumerate().map(leaf).collect()
}

type Found = (String, Option<Value>, Option<Value>, (usize, usize));

fn differ(stored: &[Leaf], computed: &[Leaf]) -> Option<Found> {
    let count = if stored.len() > computed.len() { stored.len() } else { computed.len() };
    let parted = |k: &usize| stored.get(*k) != computed.get(*k);
    let first = (0..count).find(parted)?;
    let (s, c) = (stored.get(first), computed.get(first));
    let name = s.or(c).map(|leaf| leaf.name.clone()).unwrap_or_default();
    // Where the two lists part in what they list, only one of them has this value.
    let c = c.filter(|c| c.name == name);
    Some((name, s.map(|l| l.value), c.map(|l| l.value), ((0..count).filter(parted).count(), count)))
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Value::U8(x) => write!(f, "{x} ({x:#04x})"),
            Value::U16(x) => write!(f, "{x} ({x:#06x})"),
            Value::U32(x) => write!(f, "{x} ({x:#010x})"),
            Value::U64(x) => write!(f, "{x} ({x:#018x})"),
            Value::I8(x) => write!(f, "{} ({x:#04x})", x as i8),
            Value::F32(x) => write!(f, "{:?} ({x:#010x})", f32::from_bits(x)),
            Value::F64(x) => write!(f, "{:?} ({x:#018x})", f64::from_bits(x)),
            Value::Mac(x) => write!(f, "{}", wavewitness_types::Mac(x)),
        }
    }
}

/// Steps between neighbouring floats from one to the other.
fn steps_between(a: Value, b: Value) -> Option<u64> {
    // Bits as integers that ascend with the number.
    let ordered = |bits: i64, sign: i64| if bits & sign != 0 { sign.wrapping_sub(bits) } else { bits };
    match (a, b) {
        (Value::F32(a), Value::F32(b)) => {
            let line = |x: u32| if x >> 31 == 1 { -i64::from(x & 0x7fff_ffff) } else { i64::from(x) };
            Some(line(a).abs_diff(line(b)))
        }
        (Value::F64(a), Value::F64(b)) => {
            Some(ordered(a as i64, i64::MIN).abs_diff(ordered(b as i64, i64::MIN)))
        }
        _ => None,
    }
}

impl ValueDifference {
    fn steps(&self) -> Option<u64> {
        steps_between(self.stored?, self.computed?)
    }
}

impl fmt::Display for ValueDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cycle, channel, name, stored, computed, parted: (parted, count) } = self;
        writeln!(f, "  at cycle {cycle}, stage {}, {name}:", channel_name(*channel))?;
        let text = |v: &Option<Value>| v.map_or("not there".to_owned(), |v| v.to_string());
        writeln!(f, "    stored   {}", text(stored))?;
        write!(f, "    computed {}", text(computed))?;
        match self.steps() {
            Some(1) => write!(f, ", the next float to it")?,
            Some(n) if n < 1 << 20 => write!(f, ", {n} floats apart")?,
            _ => {}
        }
        writeln!(f, "\n    {parted} of the {count} values of this stage's part differ in that cycle")
    }
}

/// What a difference of this kind usually is.
fn causes(first: Option<&ValueDifference>) -> &'static str {
    match first.map(|d| (d.steps(), d.stored.is_some() && d.computed.is_some())) {
        Some((Some(0..=1024), _)) => {
            "  possible causes: rounding. An operation that this target, C library or build computes otherwise (see the\n  \
             table of hazards in docs/determinism.md): a fused multiply-add, a transcendental function not of num::math, a\n  \
             sum in another order, a dependency's feature; or a formula that was rewritten\n"
        }
        Some((Some(_), _)) => {
            "  possible causes: another number altogether. A formula, constant or default that changed; a decision before it\n  \
             (a threshold, an iteration's end) that rounding tipped; a NaN or an overflow; a cast that saturates\n"
        }
        Some((None, true)) => {
            "  possible causes: a count or a decision. A threshold that rounding tipped in an earlier cycle; a tie whose order\n  \
             is not fixed; an order of arrival; an overflow; a cast by way of usize; a rule or default that changed\n"
        }
        _ => {
            "  possible causes: an intended change of numbers; a platform-dependent operation (docs/determinism.md,\n  \
             .clippy.toml); a changed default; an uninitialised or order-dependent value\n"
        }
    }
}

const NEXT: &str = "  next: if every build says so, the numbers changed: bisect, or raise NUMERICS_VERSION, `proof-runner bless` and a\n  \
     commit of its own with the reason. If some builds say so, it is a determinism bug, never to be blessed: `.ci/cross`\n  \
     compares their values around the cycle (`golden-check --trace`, `--against`)\n";

/// Compares two runs of the same cycles. `None` if all values agree.
pub fn compare_values(name: &str, stored: &[CycleValues], computed: &[CycleValues]) -> Option<String> {
    let mut pairs = stored.iter().filter_map(|s| Some((s, computed.iter().find(|c| c.cycle == s.cycle)?)));
    let found = pairs.find_map(|(s, c)| first_difference(s, c))?;
    Some(format!("golden {name}: the values differ:\n{found}{}", causes(Some(&found))))
}

/// Compares a golden's files with what was computed now: `None` if equal, else what parted first, where, what that may
/// mean, and what to do next. Of a run of only the first cycles, those are compared.
pub fn difference(name: &str, stored: &Stored, minted: &Minted) -> Option<String> {
    if minted.chain.is_empty() {
        return Some(format!("golden {name}: {EVERY} cycles at least have to be computed\n"));
    }
    let computed = Stored::of(name, minted);
    let cut = |text: &str| if minted.complete { text.to_owned() } else { prefix(text, minted) };
    let (golden, now) = (cut(&stored.golden), cut(&computed.golden));
    let values = read_values(&stored.values);
    let pair =
        |s: &CycleValues| minted.values.iter().find(|c| c.cycle == s.cycle).map(|c| (s.clone(), c.clone()));
    let pairs: Vec<_> = values.iter().flatten().filter_map(pair).collect();
    let cycles = first_cycle(stored, minted);
    let alike = cycles.is_none() && pairs.iter().all(|(s, c)| first_difference(s, c).is_none());
    let whole = !minted.complete || (computed.cycles == stored.cycles && pairs.len() == minted.values.len());
    if golden == now && alike && whole {
        return None;
    }
    let mut out = format!("golden {name} differs:\n");
    if golden == now {
        out += "  not in its own digests: the files beside it are stale, missing or changed (`proof-runner bless` writes them)\n";
    } else {
        lines_that_differ(&mut out, &golden, &now, minted, cycles.is_some());
    }
    if let Some((cycle, channels)) = &cycles {
        let names: Vec<_> = channels.iter().map(|k| channel_name(*k)).collect();
        let _ = writeln!(out, "  the first cycle that differs is {cycle}, in: {}", names.join(", "));
    }
    let found = value_that_differs(cycles.as_ref(), &pairs);
    match &found {
        Some(found) => out += &format!("  the first stored value that differs:\n{found}"),
        None if values.is_none() => out += "  there are no values of this numerics version beside it\n",
        None => {
            let from = cycles.as_ref().map_or(0, |c| c.0);
            let _ = writeln!(
                out,
                "  no stored value of that stage differs. By a build that passes: golden-check --only {name} --trace FILE --from \
                 {from};\n  by this one: golden-check --only {name} --against FILE"
            );
        }
    }
    out += causes(found.as_ref());
    out += NEXT;
    Some(out)
}

/// The first cycle whose digests differ, and in which channels.
fn first_cycle(stored: &Stored, minted: &Minted) -> Option<(u64, Vec<usize>)> {
    let lines = read_cycles(&stored.cycles);
    lines.iter().zip(&minted.cycle_digests).find_map(|((_, s), (cycle, c))| {
        let parted: Vec<_> = (0..CHANNELS).filter(|k| s[*k] != c[*k]).collect();
        (!parted.is_empty()).then_some((*cycle, parted))
    })
}

/// Where the digests say that a stage parted first, that stage's first stored value from then on; without them, the
/// first of all.
fn value_that_differs(
    first: Option<&(u64, Vec<usize>)>,
    pairs: &[(CycleValues, CycleValues)],
) -> Option<ValueDifference> {
    let mut found = pairs.iter().filter_map(|(s, c)| first_difference(s, c));
    let Some((cycle, channels)) = first else { return found.next() };
    let found: Vec<_> = found.filter(|d| d.cycle >= *cycle).collect();
    found.iter().find(|d| channels.contains(&d.channel)).or(found.first()).cloned()
}

/// What of a golden's text a run of fewer cycles must give too: the genesis, and the chain up to its last value.
fn prefix(text: &str, minted: &Minted) -> String {
    let last = minted.chain.last().map_or(0, |(cycle, _)| *cycle);
    let keep = |line: &&str| {
        let key = line.split(' ').next().unwrap_or("");
        let chain = key.strip_prefix("chain.").and_then(|c| c.parse::<u64>().ok());
        ["numerics", "genesis"].contains(&key) || chain.is_some_and(|cycle| cycle <= last)
    };
    text.lines().filter(keep).fold(String::new(), |out, line| out + line + "\n")
}

fn lines_that_differ(out: &mut String, stored: &str, computed: &str, minted: &Minted, exact: bool) {
    let field = |text: &str, key: &str| {
        text.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix(' ').map(str::to_owned))
    };
    let parted = |key: &str| field(stored, key) != field(computed, key);
    let mut say = |text: &str| {
        let _ = writeln!(out, "  {text}");
    };
    if parted("numerics") {
        say("it is of another numerics version");
    }
    if parted("capture") {
        say("the scene's datagrams differ: the simulator changed, or its numbers are not repeatable here");
    }
    if parted("genesis") {
        say("the genesis differs: a default of the configuration changed");
    }
    if let Some(stage) = Stage::ALL.into_iter().find(|s| parted(&format!("stage.{}", s.name()))) {
        say(&format!("the first stage that differs is {}", stage.name()));
    }
    if let Some((cycle, _)) = minted.chain.iter().find(|(cycle, _)| parted(&format!("chain.{cycle}")))
        && !exact
    {
        say(&format!("the chain parts within the {EVERY} cycles before cycle {cycle}"));
    }
}
