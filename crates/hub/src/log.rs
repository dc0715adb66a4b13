//! Logging to standard error, with a filter that a reload can change.

use std::io::IsTerminal;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, fmt, reload};

/// Changes the filter.
pub struct Handle(Option<reload::Handle<EnvFilter, Registry>>);

fn filter(text: &str) -> Result<EnvFilter, String> {
    EnvFilter::try_new(text).map_err(|e| format!("log.filter = {text}: {e}"))
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
        // Under a service manager the journal has its own clock.
        let started = if std::env::var_os("JOURNAL_STREAM").is_some() {
            tracing_subscriber::registry().with(layer).with(output.without_time()).try_init()
        } else {
            tracing_subscriber::registry().with(layer).with(output).try_init()
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
