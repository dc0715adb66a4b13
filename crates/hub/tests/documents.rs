//! Guards what the documents tell a reader to type: every subcommand and option of `wavewitness` in them exists.

#[path = "../../../proof/tests/told/mod.rs"]
mod told;

const HUB: &str = env!("CARGO_BIN_EXE_wavewitness");

#[test]
fn the_hub_takes_what_the_documents_say() {
    told::hold("wavewitness", "wavewitness-hub", HUB, &[]);
}

/// A guard that can't fail guards nothing.
#[test]
fn what_does_not_exist_is_found() {
    let text = "`wavewitness run --cofnig x` and
```
sudo wavewitness calibrait       # no such thing
A=1 target/release/wavewitness export poses A B --rows cycles && cargo run --release -- demo --jornal D >out
```
and `wavewitness token new --name x`, `wavewitness`, `proof-runner nonsense`.";
    let mut program = told::Program::new(HUB);
    let commands: Vec<_> = told::code(text).iter().flat_map(|l| told::commands(l)).collect();
    let ours = commands.iter().filter_map(|w| told::arguments(w, "wavewitness", "wavewitness-hub"));
    let faults: Vec<_> = ours.map(|w| program.fault(w)).collect();
    let said = |i: usize, what: &str| faults[i].as_ref().is_some_and(|f: &String| f.contains(what));
    assert_eq!(faults.len(), 6, "{faults:?}");
    assert!(said(0, "calibrait") && said(2, "--jornal") && said(3, "--cofnig"), "{faults:?}");
    assert_eq!((&faults[1], &faults[4], &faults[5]), (&None, &None, &None));
}
