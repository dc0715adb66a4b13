//! Shell completions and manual pages, made from the commands themselves.

use clap::Command;
use clap_complete::Shell;
use std::io::{self, Write};
use std::path::Path;

/// Writes completions for a shell.
pub fn completions(mut command: Command, shell: Shell, out: &mut dyn Write) {
    let name = command.get_name().to_owned();
    clap_complete::generate(shell, &mut command, name, out);
}

/// Writes a page for the program and one for each of its commands into a directory.
///
/// # Errors
/// If the directory is not there or can't be written.
pub fn pages(command: Command, dir: &Path) -> io::Result<()> {
    let command = command.disable_help_subcommand(true);
    clap_mangen::generate_to(command, dir).map_err(|e| {
        io::Error::new(e.kind(), format!("can't write manual pages into {}: {e}", dir.display()))
    })
}
