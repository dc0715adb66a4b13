//! Guards what happens when a reader closes the pipe (`proof-runner … | head`): no panic, and no code that claims success.

use std::process::{Command, Stdio};

#[test]
fn a_closed_pipe_ends_the_program_without_a_panic() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_proof-runner"))
        .args(["check", "--only", "quiet", "--goldens", concat!(env!("CARGO_MANIFEST_DIR"), "/goldens")])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), said.contains("panicked")), (Some(141), false), "{said}");
}
