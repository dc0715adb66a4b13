//! Guards what the documents tell a reader to type: every subcommand and option of `pose-head` in them exists.

#[path = "../../../proof/tests/told/mod.rs"]
mod told;

#[test]
fn pose_head_takes_what_the_documents_say() {
    // `run` is there with the feature onnx only; .ci/head runs it.
    let elsewhere: &[&str] = if cfg!(feature = "onnx") { &[] } else { &["run"] };
    told::hold("pose-head", "wavewitness-head", env!("CARGO_BIN_EXE_pose-head"), elsewhere);
}
