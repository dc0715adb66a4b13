//! Guards what a reader relies on from one check to the next: pins that are made, follow an honest log and never a
//! faulty one; logs that were pruned as they announced; keys that nobody vouched for; and logs that are being written.

mod log_site;

use log_site::*;
use std::fs;
use std::path::Path;
use wavewitness_proof::log::fsck::{LogReport, Options, PinState, fsck};
use wavewitness_proof::log::{LogError, Trust, prove};
use wavewitness_types::{CycleIndex, Timestamp};

fn check(c: &Copy, journal: bool, pin: Option<&Path>) -> LogReport {
    let path = c.journal();
    let options = Options { journal: journal.then_some(path.as_path()), pin };
    fsck(&site().trust(), &c.log(), &options, &mut |_, _| {}).unwrap()
}

fn state(report: &LogReport) -> PinState {
    report.pin.as_ref().unwrap().state
}

fn differences(report: &LogReport) -> Vec<String> {
    let runs = &report.journal.as_ref().unwrap().differences;
    runs.iter().map(|r| format!("{} {}-{}", r.kind.name(), r.first_cycle, r.last_cycle)).collect()
}

const LATER: Timestamp = Timestamp(2_000_000_000_000_000_000);

#[test]
fn a_pin_is_made_follows_an_honest_log_and_never_a_faulty_one() {
    let copy = site().copy();
    let pin = copy.path("pin");
    copy.roll_back();
    assert_eq!(state(&check(&copy, false, Some(&pin))), PinState::Made);
    assert_eq!(state(&check(&copy, false, Some(&pin))), PinState::Unchanged);
    let text = fs::read_to_string(&pin).unwrap();
    assert_eq!(text.as_bytes(), copy.read("log/checkpoint"), "a pin is a checkpoint");
    assert!(text.starts_with(&format!("{ORIGIN}\n305\n")), "{text}");
    // The log as it went on.
    let whole = site().copy();
    fs::copy(&pin, whole.path("pin")).unwrap();
    let pin = whole.path("pin");
    assert_eq!(state(&check(&whole, true, Some(&pin))), PinState::Advanced);
    assert_eq!(fs::read(&pin).unwrap(), whole.read("log/checkpoint"));
    // Its three lines alone are a pin, too.
    fs::write(&pin, text.split_once("\n\n").unwrap().0.to_owned() + "\n").unwrap();
    assert_eq!(state(&check(&whole, false, Some(&pin))), PinState::Advanced);
    // Another past of that size.
    let other = text.replacen(&text[text.find("305\n").unwrap() + 4..][..8], "AAAAAAAA", 1);
    fs::write(&pin, &other).unwrap();
    let report = check(&whole, false, Some(&pin));
    assert!(report.faults.iter().any(|f| f.detail.contains("root of the pin at size 305")), "{report}");
    assert_eq!(state(&report), PinState::Kept);
    assert_eq!(fs::read_to_string(&pin).unwrap(), other);
    // Faults of the journal hold a pin, too.
    fs::write(&pin, &text).unwrap();
    fs::remove_file(&whole.segments()[1]).unwrap();
    assert_eq!(state(&check(&whole, true, Some(&pin))), PinState::Kept);
    assert_eq!(fs::read_to_string(&pin).unwrap(), text);
}

#[test]
fn a_pin_of_another_log_and_what_is_no_pin_are_refused() {
    let copy = site().copy();
    let pin = copy.path("pin");
    for (text, why) in [
        ("other.example\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n", "pin of other.example"),
        ("607\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n", "is no pin"),
        ("", "is no pin"),
    ] {
        fs::write(&pin, text).unwrap();
        let options = Options { journal: None, pin: Some(&pin) };
        let error = fsck(&site().trust(), &copy.log(), &options, &mut |_, _| {}).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
        assert!(!error.is_refusal());
    }
}

#[test]
fn the_key_beside_the_log_is_used_and_never_trusted() {
    let copy = site().copy();
    fs::remove_dir_all(copy.log()).unwrap();
    wavewitness_ledger::key::create(&copy.path("other.key"), ORIGIN).unwrap();
    let mut log = open(&copy.log(), &copy.path("other.key"), LATER);
    publish(&mut log, LATER);
    // A log that was replaced as a whole is sound in itself: only the key tells.
    let trust = Trust::find(None, &copy.log()).unwrap();
    assert!(!trust.given);
    let report = fsck(&trust, &copy.log(), &Options::default(), &mut |_, _| {}).unwrap();
    assert!(report.is_clean());
    let text = report.to_string();
    assert!(text.contains("did not come by a safe way") && text.contains("nobody vouched for"), "{text}");
    let report = check(&copy, false, None);
    assert!(!report.is_clean() && !report.to_string().contains("safe way"), "{report}");
}

#[test]
fn a_log_pruned_as_announced_stays_verifiable_and_says_what_is_gone() {
    let copy = site().copy();
    let pin = copy.path("pin");
    fs::copy(copy.path("log/checkpoint"), &pin).unwrap();
    let mut log = copy.writer();
    assert_eq!(prune(&mut log, 300, 100, LATER), 256);
    drop(log);
    // The journal is whole still: what lacks its entries is no fault.
    let report = check(&copy, true, Some(&pin));
    assert!(report.is_clean(), "{report}");
    assert_eq!((report.pruned, state(&report)), (256, PinState::Advanced));
    assert_eq!(differences(&report), ["entry-gone 0-251"]);
    // Its first segment goes, as announced; the boot in it is a kept entry.
    fs::remove_file(&copy.segments()[0]).unwrap();
    let report = check(&copy, true, Some(&pin));
    assert!(report.is_clean(), "{report}");
    assert_eq!(differences(&report), ["pruned 0-0", "entry-gone 100-251"]);
    // More than was announced.
    fs::remove_file(&copy.segments()[0]).unwrap();
    fs::remove_file(&copy.segments()[0]).unwrap();
    let report = check(&copy, true, Some(&pin));
    assert_eq!(differences(&report), ["pruned 0-0", "lost-before 252-299"], "{report}");
    assert!(!report.is_clean());
    // A kept entry that was changed.
    copy.edit("log/kept", |bytes| bytes[20] ^= 1);
    let report = check(&copy, false, Some(&pin));
    assert!(report.faults.iter().any(|f| f.kind == "kept-entry"), "{report}");
}

#[test]
fn a_pin_inside_what_was_pruned_is_not_moved_silently() {
    let copy = site().copy();
    let pin = copy.path("pin");
    let old = "hub.example/room\n200\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n";
    fs::write(&pin, old).unwrap();
    prune(&mut copy.writer(), 300, 0, LATER);
    let report = check(&copy, false, Some(&pin));
    assert!(report.is_clean() && report.notices.iter().any(|n| n.kind == "unjudged"), "{report}");
    assert_eq!(state(&report), PinState::Kept);
    assert_eq!(fs::read_to_string(&pin).unwrap(), old);
}

#[test]
fn a_log_that_goes_on_after_a_crash_holds_what_the_journal_holds() {
    // The hub opens the log of a crash: a new epoch, and what was not signed is told again from the journal. Here it
    // is not, so the journal's end is behind the checkpoint.
    let copy = site().copy();
    copy.roll_back();
    drop(copy.writer());
    let report = check(&copy, true, None);
    assert!(report.is_clean(), "{report}");
    assert_eq!(differences(&report), ["unsigned 300-599"]);
    let error =
        prove::prove(&site().trust(), &copy.log(), &copy.journal(), CycleIndex(400), None).unwrap_err();
    assert!(matches!(error, LogError::Unavailable(_)), "{error}");
    assert!(
        error.to_string().contains("not signed yet") && error.to_string().contains("cycle 299"),
        "{error}"
    );
}
