//! The border to the page: one buffer in, one row of numbers and one text out.
//!
//! A function that JavaScript calls by its name needs `#[unsafe(no_mangle)]`, which is what the crate allows here and
//! nothing else: there is no unsafe block. (The attribute is called unsafe because two functions of one name would be
//! undefined behaviour; the linker refuses them.) Addresses are only handed out; JavaScript reads and writes there
//! between calls, never during one, and a buffer moves only in [`input`].
#![allow(unsafe_code)]

use crate::chain::{self, Checked};
use crate::log;
use crate::report::{Fault, REPORT_LENGTH, Report};
use std::cell::RefCell;
use wavewitness_witness::Digest;

struct State {
    input: Vec<u8>,
    output: Vec<u8>,
    report: [f64; REPORT_LENGTH],
    checked: Vec<Checked>,
    records: u64,
}

thread_local! {
    static STATE: RefCell<State> = const {
        RefCell::new(State {
            input: Vec::new(),
            output: Vec::new(),
            report: [0.0; REPORT_LENGTH],
            checked: Vec::new(),
            records: 0,
        })
    };
}

/// Makes room for `length` bytes and gives their address. They keep what is written there until the next call.
#[unsafe(no_mangle)]
pub extern "C" fn input(length: usize) -> *mut u8 {
    STATE.with_borrow_mut(|state| {
        state.input.clear();
        state.input.resize(length, 0);
        state.input.as_mut_ptr()
    })
}

/// Checks the chain. The input is: 32-byte genesis digest · answer of `batch` bytes · what the page received. Gives
/// the address of the report's `f64`s.
#[unsafe(no_mangle)]
pub extern "C" fn check_chain(batch: usize) -> *const f64 {
    STATE.with_borrow_mut(|state| {
        let split = state.input.split_first_chunk::<32>().and_then(|(genesis, rest)| {
            let (batch, seen) = rest.split_at_checked(batch)?;
            Some((Digest(*genesis), batch, seen))
        });
        let (report, checked) = match split {
            Some((genesis, batch, seen)) => chain::check(batch, seen, &genesis),
            None => (Report::EMPTY.with(Fault::Format, 0), Vec::new()),
        };
        state.records = report.counts[chain::count::RECORDS];
        state.checked = checked;
        state.report = report.numbers();
        state.report.as_ptr()
    })
}

/// The files of the log that are wanted for the chain checked last, if the input is a checkpoint: length of the text
/// at [`output`], 0 if it is none.
#[unsafe(no_mangle)]
pub extern "C" fn wanted() -> usize {
    STATE.with_borrow_mut(|state| {
        state.output = log::wanted(&state.input, state.records).unwrap_or_default().into_bytes();
        state.output.len()
    })
}

/// Address of the text that [`wanted`] made.
#[unsafe(no_mangle)]
pub extern "C" fn output() -> *const u8 {
    STATE.with_borrow(|state| state.output.as_ptr())
}

/// Checks the log's files, which are the input, and the chain checked last against them. Gives the address of the
/// report's `f64`s.
#[unsafe(no_mangle)]
pub extern "C" fn check_log() -> *const f64 {
    STATE.with_borrow_mut(|state| {
        state.report = log::check(&state.input, &state.checked, state.records).numbers();
        state.report.as_ptr()
    })
}
