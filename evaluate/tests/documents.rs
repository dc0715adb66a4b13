//! Guards what the documents tell a reader to type: every subcommand and option of `evaluate` in them exists.

#[path = "../../proof/tests/told/mod.rs"]
mod told;

#[test]
fn evaluate_takes_what_the_documents_say() {
    told::hold("evaluate", "wavewitness-evaluate", env!("CARGO_BIN_EXE_evaluate"), &[]);
}
