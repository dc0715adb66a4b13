//! What can be found wrong with a configuration before the hub opens anything: `wavewitness run --check`, and each start.

use crate::config::HubConfig;
use crate::{log, server};
use std::path::Path;

/// Looks at everything outside the file that it names: certificates, passwords, directories, the filter of the log. Changes
/// nothing.
///
/// # Errors
/// The first key that can't be used: its value, why, and what is allowed.
pub fn check(config: &HubConfig) -> Result<(), String> {
    log::check(&config.log_filter)?;
    server::Door::new(&config.access)?;
    if let Some(mqtt) = &config.mqtt {
        mqtt.password()?;
    }
    data_dir(&config.data_dir)?;
    match &config.peer.ui_dir {
        Some(dir) if config.peer.enabled && !dir.is_dir() => {
            Err(format!("peer.ui_dir = {}: allowed is a directory that exists", dir.display()))
        }
        _ => Ok(()),
    }
}

/// It may be made later, but what is there of it must be a directory that can be written to.
fn data_dir(dir: &Path) -> Result<(), String> {
    let refused = |what: &Path, why: &dyn std::fmt::Display| {
        format!(
            "hub.data_dir = {}: {} {why}: allowed is a directory to write to",
            dir.display(),
            what.display()
        )
    };
    // The last parent of a relative path is the empty one: the working directory.
    let nearest = dir.ancestors().map(|d| if d.as_os_str().is_empty() { Path::new(".") } else { d });
    for part in nearest {
        match part.metadata() {
            Ok(found) if !found.is_dir() => return Err(refused(part, &"is no directory")),
            Ok(_) => {
                return rustix::fs::access(part, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK)
                    .map_err(|e| refused(part, &format_args!("can't be written to ({e})")));
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return Err(refused(part, &e)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        check(&HubConfig::from_toml(text).unwrap()).unwrap_err()
    }

    #[test]
    fn what_the_file_names_outside_itself_is_looked_at() {
        let dir = tempfile::tempdir().unwrap();
        let data = format!("[hub]\ndata_dir = {:?}\n", dir.path().join("not/yet/there"));
        check(&HubConfig::from_toml(&data).unwrap()).unwrap();
        assert!(!dir.path().join("not").exists(), "a check makes nothing");
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        for path in [file.clone(), file.join("below")] {
            let said = refusal(&format!("[hub]\ndata_dir = {path:?}"));
            assert!(said.starts_with("hub.data_dir = ") && said.contains("directory"), "{said}");
        }
        let said = refusal("[http]\ntls_cert = \"/nowhere/a\"\ntls_key = \"/nowhere/b\"");
        assert!(said.starts_with("http.tls_cert = /nowhere/a"), "{said}");
        let said = refusal("[log]\nfilter = \"]]][\"");
        assert!(said.starts_with("log.filter = ]]]["), "{said}");
        let said = refusal("[mqtt]\nurl = \"mqtt://b\"\nusername = \"a\"\npassword_file = \"/nowhere\"");
        assert!(said.starts_with("mqtt.password_file /nowhere"), "{said}");
        let said = refusal("[peer]\nenabled = true\nui_dir = \"/nowhere\"");
        assert!(said.starts_with("peer.ui_dir = /nowhere: allowed is"), "{said}");
    }
}
