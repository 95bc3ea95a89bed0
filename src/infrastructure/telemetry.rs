//! What the operator hears: the log, the panic hook and the metrics.

use std::{io::IsTerminal, panic};

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

pub mod metrics;

/// Below this, what others write names the machine it was built on, or says over many lines what we say in one.
const QUIET: &str = "refinery_core=warn,r2d2=warn";

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Lines for people.
    Pretty,
    /// One JSON object a line.
    Json,
}

/// Starts the log on stderr, and lets it tell of panics. `filter` is a level, or levels by module.
///
/// # Errors
/// If the filter is none, or a log was started before.
pub fn start_log(filter: &str, form: Form) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let filter = EnvFilter::try_new(format!("{QUIET},{filter}"))?;
    let registry = tracing_subscriber::registry().with(filter);
    match form {
        Form::Pretty => {
            let colours = std::io::stderr().is_terminal();
            registry.with(fmt::layer().with_ansi(colours).with_writer(std::io::stderr)).try_init()?;
        }
        Form::Json => {
            registry
                .with(fmt::layer().json().flatten_event(true).with_span_list(false).with_writer(std::io::stderr))
                .try_init()?;
        }
    }
    panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// A panic is a bug: the log says where. Its words stay out, since they may hold what a request brought.
fn log_panic(panic: &panic::PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string);
    tracing::error!(place, "a panic was caught; this is a bug");
}
