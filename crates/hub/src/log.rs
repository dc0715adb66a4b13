//! Logging with a filter that a reload can change: to the journal of systemd where standard error leads there, with priority,
//! module and place of each message as fields; to standard error otherwise.

use std::fs::File;
use std::io::IsTerminal;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, fmt, reload};

/// Changes the filter.
pub struct Handle(Option<reload::Handle<EnvFilter, Registry>>);

fn filter(text: &str) -> Result<EnvFilter, String> {
    EnvFilter::try_new(text).map_err(|e| format!("log.filter = {text}: {e}"))
}

/// Whether a filter can be read; changes nothing.
///
/// # Errors
/// If it can't.
pub fn check(text: &str) -> Result<(), String> {
    filter(text).map(drop)
}

impl Handle {
    /// Starts logging.
    ///
    /// # Errors
    /// If the filter can't be read.
    pub fn start(text: &str) -> Result<Handle, String> {
        let (layer, handle) = reload::Layer::new(filter(text)?);
        let output = fmt::layer().with_writer(std::io::stderr).with_target(false);
        // Colours are for people: a file or a service manager gets plain text.
        let output = if std::io::stderr().is_terminal() { output } else { output.with_ansi(false) };
        let journal = if stderr_is_journal() { tracing_journald::layer().ok() } else { None };
        let started = match journal {
            Some(journal) => {
                let journal = journal.with_field_prefix(Some("WAVEWITNESS".to_owned()));
                tracing_subscriber::registry().with(layer).with(journal).try_init()
            }
            None => tracing_subscriber::registry().with(layer).with(output).try_init(),
        };
        started.map_err(|e| e.to_string())?;
        Ok(Handle(Some(handle)))
    }

    /// Changes the filter.
    ///
    /// # Errors
    /// If it can't be read.
    pub fn set(&self, text: &str) -> Result<(), String> {
        let filter = filter(text)?;
        match &self.0 {
            Some(handle) => handle.reload(filter).map_err(|e| e.to_string()),
            None => Ok(()),
        }
    }
}

/// Whether standard error is the stream that `JOURNAL_STREAM` names: a shell that was started from a service has the
/// variable, but not the stream.
fn stderr_is_journal() -> bool {
    let Some(named) = std::env::var("JOURNAL_STREAM").ok() else { return false };
    let stream = std::io::stderr().as_fd().try_clone_to_owned().map(File::from);
    stream.and_then(|file| file.metadata()).is_ok_and(|stream| is_stream(&named, stream.dev(), stream.ino()))
}

/// Whether the text is `device:inode` of a stream (systemd.exec(5)).
fn is_stream(named: &str, device: u64, inode: u64) -> bool {
    named.split_once(':').is_some_and(|(d, i)| d.parse() == Ok(device) && i.parse() == Ok(inode))
}

#[cfg(test)]
mod tests {
    use super::is_stream;

    #[test]
    fn a_stream_is_known_by_device_and_inode() {
        assert!(is_stream("9:4711", 9, 4711));
        for other in ["9:4712", "8:4711", "9", "", "9:4711:1", "x:y"] {
            assert!(!is_stream(other, 9, 4711), "{other}");
        }
    }
}
