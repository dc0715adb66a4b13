//! Guards what the page's verdict rests on: a good answer passes, and whatever is changed, left out or computed anew is
//! found, by the chain, by what the page received, or by the signed log.

use wavewitness_log::{EpochKey, RootKey, SignerKey, TilePath, Tree};
use wavewitness_types::{
    Breathing, Canonical, Count, CycleIndex, FallWatch, Gate, NoBreathing, PoseFrame, Presence,
    PresenceBasis, PrivacyMode, Quality, Sink, Source, Timestamp, UnknownReason,
};
use wavewitness_verify_web::chain::{self, Checked, MAGIC, count};
use wavewitness_verify_web::{Fault, log};
use wavewitness_witness::{Chain, Digest, EntryKind, Genesis, Stage, Witness};

fn genesis() -> Genesis {
    Genesis {
        specification: 1,
        numerics: 1,
        source: Source::Simulated,
        started: Timestamp(5),
        software: "test".into(),
        config: vec![1, 2, 3],
        predecessor: None,
        privacy: PrivacyMode::RawResearch,
    }
}

fn frame(cycle: u64) -> PoseFrame {
    PoseFrame {
        cycle: CycleIndex(cycle),
        at: Timestamp(cycle * 50_000_000),
        source: Source::Simulated,
        presence: Presence::Known { present: true, probability: 0.9, basis: PresenceBasis::EmptyRoom },
        motion: None,
        count: Count::Unknown(UnknownReason::TooFewLinks),
        people: Vec::new(),
        gate: Gate::Accept,
        quality: Quality {
            score: 0.5,
            frames: 3,
            rejected: 0,
            unassigned: 0,
            links_heard: 1,
            links_known: 1,
        },
        nodes: Vec::new(),
        links: Vec::new(),
        breathing: Breathing::Unknown(NoBreathing::TooShort),
        fall: FallWatch::Unknown(UnknownReason::NoData),
    }
}

fn witness(kind: EntryKind, cycle: u64, output: Digest) -> Witness {
    Witness {
        kind,
        cycle: CycleIndex(cycle),
        at: Timestamp(cycle * 50_000_000),
        source: Source::Simulated,
        inputs: Digest([cycle as u8; 32]),
        stages: [Digest([1; 32]); Stage::COUNT],
        output,
        chain: Digest::ZERO,
    }
}

/// A boot and cycles, each with its published bytes.
fn records(cycles: u64, change: impl Fn(&mut PoseFrame)) -> Vec<(Witness, Vec<u8>)> {
    let mut chain = Chain::new(&genesis());
    let mut out = vec![(chain.extend(witness(EntryKind::Boot, 0, Digest::ZERO)), Vec::new())];
    for cycle in 0..cycles {
        let mut frame = frame(cycle);
        change(&mut frame);
        let published = frame.to_canonical_bytes();
        let output = Witness::output_digest(&published);
        out.push((chain.extend(witness(EntryKind::Cycle, cycle, output)), published));
    }
    out
}

fn answer(records: &[(Witness, Vec<u8>)], before: &Digest) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    out.bool(*before == genesis().digest());
    before.canonical(&mut out);
    out.bytes(&genesis().to_canonical_bytes());
    for (witness, published) in records {
        out.u32(published.len() as u32);
        witness.canonical(&mut out);
        out.put(published);
    }
    out
}

fn seen(records: &[(Witness, Vec<u8>)], presence: u8) -> Vec<u8> {
    let mut out = Vec::new();
    for (witness, _) in records.iter().filter(|(w, _)| w.kind == EntryKind::Cycle) {
        out.u64(witness.cycle.0);
        witness.chain.canonical(&mut out);
        witness.output.canonical(&mut out);
        out.u8(presence);
        out.u8(0);
    }
    out
}

fn checked(batch: &[u8], seen: &[u8]) -> (wavewitness_verify_web::Report, Vec<Checked>) {
    chain::check(batch, seen, &genesis().digest())
}

#[test]
fn a_good_answer_passes_from_its_beginning_and_from_the_middle() {
    let all = records(20, |_| ());
    let (report, cycles) = checked(&answer(&all, &genesis().digest()), &seen(&all[6..], 2));
    assert_eq!((report.fault, cycles.len()), (Fault::None, 20));
    let counts = |r: &wavewitness_verify_web::Report| {
        [count::RECORDS, count::OUTPUTS, count::SEEN, count::SHOWN, count::FROM_GENESIS].map(|k| r.counts[k])
    };
    assert_eq!(counts(&report), [21, 20, 15, 15, 1]);
    let (report, _) = checked(&answer(&all[8..], &all[7].0.chain), &seen(&all, 2));
    assert_eq!((report.fault, counts(&report)), (Fault::None, [13, 13, 13, 13, 0]));
    assert_eq!(report.counts[count::SEEN_OUTSIDE], 7);
}

#[test]
fn every_flipped_bit_is_found() {
    let all = records(3, |_| ());
    let batch = answer(&all, &genesis().digest());
    for bit in 0..batch.len() * 8 {
        // An answer that no longer says that it begins with the chain claims less, and holds.
        if bit / 8 == 8 {
            continue;
        }
        let mut changed = batch.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert_ne!(checked(&changed, &[]).0.fault, Fault::None, "byte {} bit {}", bit / 8, bit % 8);
    }
    for length in 0..batch.len() {
        let whole = [all.len(), 1, 2, 3].map(|n| answer(&all[..n], &genesis().digest()).len());
        let good = checked(&batch[..length], &[]).0.fault == Fault::None;
        let between_records = whole.contains(&length) || length == answer(&[], &genesis().digest()).len();
        assert_eq!(good, between_records, "{length} bytes");
    }
}

#[test]
fn a_chain_that_was_computed_anew_is_found_by_who_received_the_old_one() {
    let honest = records(10, |_| ());
    let forged = records(10, |frame| {
        if frame.cycle.0 == 6 {
            frame.presence =
                Presence::Known { present: false, probability: 0.1, basis: PresenceBasis::EmptyRoom };
        }
    });
    let batch = answer(&forged, &genesis().digest());
    assert_eq!(checked(&batch, &[]).0.fault, Fault::None, "consistent in itself");
    let report = checked(&batch, &seen(&honest, 255)).0;
    assert_eq!((report.fault, report.cycle), (Fault::SeenOther, 6));
    // One later value is enough, since it stands on all before it.
    let report = checked(&batch, &seen(&honest[9..10], 255)).0;
    assert_eq!((report.fault, report.cycle), (Fault::SeenOther, 8));
}

#[test]
fn what_was_shown_and_left_out_is_compared() {
    let all = records(10, |_| ());
    let batch = answer(&all, &genesis().digest());
    assert_eq!(checked(&batch, &seen(&all, 1)).0.fault, Fault::ShownOther);
    assert_eq!(checked(&batch, &seen(&all, 255)).0.counts[count::SHOWN], 10);
    let withheld: Vec<_> = all.iter().map(|(w, _)| (*w, Vec::new())).collect();
    let report = checked(&answer(&withheld, &genesis().digest()), &seen(&all, 1)).0;
    let counts = [count::WITHHELD, count::SEEN, count::SHOWN].map(|k| report.counts[k]);
    assert_eq!((report.fault, counts), (Fault::None, [10, 10, 0]));
    // A hub that never had cycle 4, and a page that received it.
    let mut chain = Chain::new(&genesis());
    let mut gap = records(4, |_| ());
    gap.iter().for_each(|(w, _)| chain.verify(w).unwrap());
    let published = frame(5).to_canonical_bytes();
    gap.push((chain.extend(witness(EntryKind::Cycle, 5, Witness::output_digest(&published))), published));
    let received = seen(&all[..6], 255);
    let report = checked(&answer(&gap, &genesis().digest()), &received).0;
    assert_eq!((report.fault, report.cycle), (Fault::SeenMissing, 4));
}

#[test]
fn another_chain_and_an_order_that_no_hub_writes_are_refused() {
    let all = records(5, |_| ());
    let batch = answer(&all, &genesis().digest());
    assert_eq!(chain::check(&batch, &[], &Digest([7; 32])).0.fault, Fault::OtherChain);
    assert_eq!(checked(b"wwrec", &[]).0.fault, Fault::Format);
    assert_eq!(checked(&batch, &[1, 2, 3]).0.fault, Fault::Format);
    let mut chain = Chain::new(&genesis());
    let cycles = [0, 3, 2].map(|k| {
        let published = frame(k).to_canonical_bytes();
        (chain.extend(witness(EntryKind::Cycle, k, Witness::output_digest(&published))), published)
    });
    let report = checked(&answer(&cycles, &genesis().digest()), &[]).0;
    assert_eq!((report.fault, report.cycle), (Fault::Order, 2));
    // Right digests over bytes that speak of another cycle.
    let mut chain = Chain::new(&genesis());
    let published = frame(9).to_canonical_bytes();
    let record = (chain.extend(witness(EntryKind::Cycle, 4, Witness::output_digest(&published))), published);
    assert_eq!(checked(&answer(&[record], &genesis().digest()), &[]).0.fault, Fault::Head);
}

/// A signed log over cycles, as the hub keeps one: entries that are no cycle stand between them.
struct Log {
    files: Vec<(String, Vec<u8>)>,
    checkpoint: Vec<u8>,
    root_key: String,
    certificate: String,
}

const ORIGIN: &str = "example.org/test";

impl Log {
    fn of(cycles: &[Checked], change: impl Fn(usize, &mut Vec<u8>)) -> Log {
        let root = RootKey::new(SignerKey::from_seed("example.org/test/root", &[1; 32]).unwrap());
        let epoch = EpochKey::from_seed(ORIGIN, &[2; 32]).unwrap();
        let mut tree = Tree::default();
        let certificate = root.certify(&epoch, 0, (0, tree.root()), 1_000_000, Timestamp(1)).unwrap();
        let mut files: Vec<(String, Vec<u8>)> = Vec::new();
        let mut entries: Vec<Vec<u8>> =
            vec![wavewitness_log::Entry::Epoch { certificate: certificate.clone() }.to_canonical_bytes()];
        for (k, c) in cycles.iter().enumerate() {
            let entry = wavewitness_log::Entry::Cycle {
                cycle: CycleIndex(c.cycle),
                at: c.at,
                source: c.source,
                chain: c.chain.0,
            };
            let mut bytes = entry.to_canonical_bytes();
            change(k, &mut bytes);
            entries.push(bytes);
        }
        let mut store = |path: TilePath, bytes: &[u8]| files.push((path.to_string(), bytes.to_vec()));
        for entry in &entries {
            tree.append(entry, &mut store).unwrap();
        }
        tree.partials(0, &mut store);
        let checkpoint = epoch.checkpoint(tree.size(), tree.root()).unwrap().into_bytes();
        Log { files, checkpoint, root_key: format!("{}\n", root.verifier()), certificate }
    }

    /// What the page sends: only the files that are wanted.
    fn input(&self, records: u64) -> Vec<u8> {
        let wanted = log::wanted(&self.checkpoint, records).unwrap();
        let mut out = Vec::new();
        let mut put = |name: &str, bytes: &[u8]| {
            out.bytes(name.as_bytes());
            out.bytes(bytes);
        };
        put("checkpoint", &self.checkpoint);
        put("root.pub", self.root_key.as_bytes());
        put("certificate", self.certificate.as_bytes());
        for path in wanted.lines() {
            let (name, bytes) =
                self.files.iter().find(|(name, _)| name == path).expect("a wanted file is one that is");
            put(name, bytes);
        }
        out
    }
}

fn cycles(n: u64) -> Vec<Checked> {
    let digest = |k: u64| Digest([(k % 251) as u8; 32]);
    let one = |k| Checked { cycle: k, at: Timestamp(k), source: Source::Live, chain: digest(k) };
    (0..n).map(one).collect()
}

#[test]
fn cycles_are_found_in_the_signed_log_whatever_its_size() {
    for size in [1, 2, 255, 256, 257, 700, 5_000, 70_000] {
        let all = cycles(size);
        let last = all.len().saturating_sub(600);
        let signed = Log::of(&all, |_, _| ());
        let report = log::check(&signed.input(600), &all[last..], 600);
        assert_eq!((report.fault, report.counts[log::count::SIGNED]), (Fault::None, size.min(600)), "{size}");
        assert_eq!(report.counts[log::count::SIZE], size + 1);
    }
}

#[test]
fn what_is_newer_or_older_than_the_files_is_said_and_not_claimed() {
    let all = cycles(5_000);
    let signed = Log::of(&all[..4_990], |_, _| ());
    let report = log::check(&signed.input(100), &all, 100);
    let [signed, unsigned, older] =
        [log::count::SIGNED, log::count::UNSIGNED, log::count::OLDER].map(|k| report.counts[k]);
    assert_eq!((report.fault, unsigned, signed + unsigned + older), (Fault::None, 10, 5_000));
    assert!((100..=100 + 512).contains(&signed), "{signed}");
}

#[test]
fn a_log_that_holds_another_past_is_found() {
    let all = cycles(1_000);
    let last = &all[600..];
    let found = |log: &Log| log::check(&log.input(400), last, 400).fault;
    assert_eq!(found(&Log::of(&all, |_, _| ())), Fault::None);
    // Signed all the same: the hub's own log is of another chain.
    assert_eq!(found(&Log::of(&all, |k, bytes| bytes[20] ^= u8::from(k == 800))), Fault::NotLogged);
    let mut without = all.clone();
    without.remove(800);
    assert_eq!(found(&Log::of(&without, |_, _| ())), Fault::NotLogged);
    // Files that are not what was signed.
    let mut changed = Log::of(&all, |_, _| ());
    changed
        .files
        .iter_mut()
        .filter(|(name, _)| name.contains("entries"))
        .for_each(|(_, bytes)| bytes[30] ^= 1);
    assert_eq!(found(&changed), Fault::Root);
    let mut changed = Log::of(&all, |_, _| ());
    changed
        .files
        .iter_mut()
        .filter(|(name, _)| name.starts_with("tile/1/"))
        .for_each(|(_, bytes)| bytes[0] ^= 1);
    assert_eq!(found(&changed), Fault::Root);
    // Signatures.
    let good = Log::of(&all, |_, _| ());
    let text = String::from_utf8(good.checkpoint.clone()).unwrap();
    let grown = text.replacen("1001\n", "1002\n", 1);
    let other = SignerKey::from_seed("example.org/test/root", &[9; 32]).unwrap();
    for (log, fault) in [
        (
            Log {
                checkpoint: text.replacen(ORIGIN, "example.org/other", 1).into_bytes(),
                ..Log::of(&all, |_, _| ())
            },
            Fault::Certificate,
        ),
        (Log { root_key: other.verifier().to_string(), ..Log::of(&all, |_, _| ()) }, Fault::Certificate),
        (Log { root_key: "not a key".into(), ..Log::of(&all, |_, _| ()) }, Fault::RootKey),
    ] {
        assert_eq!(found(&log), fault);
    }
    let mut input = good.input(400);
    let at = input.windows(5).position(|w| w == b"1001\n").unwrap();
    input[at + 3] = b'0';
    assert_eq!(log::check(&input, last, 400).fault, Fault::Checkpoint);
    assert_eq!(log::wanted(grown.as_bytes(), 400).map(|paths| paths.contains(".p/234")), Some(true));
    assert_eq!(log::check(&input[..40], last, 400).fault, Fault::Files);
    assert_eq!(log::wanted(b"nothing", 1), None);
}
