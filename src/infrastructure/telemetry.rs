//! What the operator hears: the log, the panic hook and the metrics.

use std::{io::IsTerminal, panic};

use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    fmt,
    layer::SubscriberExt,
    util::{SubscriberInitExt, TryInitError},
};

pub mod metrics;

/// Below this, what others write names the machine it was built on, or says over many lines what we say in one; it can be
/// asked for by name.
const QUIET: [(&str, LevelFilter); 2] = [("refinery_core", LevelFilter::WARN), ("r2d2", LevelFilter::WARN)];

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
/// If a log was started before.
pub fn start_log(filter: Targets, form: Form) -> Result<(), TryInitError> {
    let others = filter.default_level().unwrap_or(LevelFilter::OFF);
    let quiet = QUIET.map(|(module, level)| (module, level.min(others)));
    let filter = Targets::new().with_default(others).with_targets(quiet).with_targets(filter);
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
