//! The command line: one verb a file. Data goes to stdout, talk to stderr.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::infrastructure::config::{Config, Environment, Loaded};

pub mod config;
pub mod flags;
mod key;
mod migrate;
mod openapi;
mod serve;

/// The customer registry with verified e-mail that a small team runs itself.
#[derive(Debug, Parser)]
#[command(name = "rollbook", version, max_term_width = 120)]
pub struct Cli {
    #[command(flatten)]
    flags: flags::Flags,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Serve the API and the pages, and deliver mail, until SIGTERM or Ctrl-C
    Serve,
    /// Make, list and revoke API keys; a server may be running
    #[command(subcommand)]
    Key(key::Verb),
    /// Bring the database up to date, under a snapshot taken first
    Migrate,
    /// Print the OpenAPI document
    Openapi(openapi::Format),
    /// Print every setting and where it came from
    Config {
        /// For machines: a JSON array
        #[arg(long)]
        json: bool,
    },
}

/// Why a verb failed, and with which exit code.
#[derive(Debug)]
struct Failed {
    code: u8,
    message: String,
}

impl Failed {
    fn of_use(message: String) -> Self {
        Self { code: 2, message }
    }
}

impl From<crate::app::StartError> for Failed {
    fn from(error: crate::app::StartError) -> Self {
        Self { code: error.exit_code(), message: with_causes(&error) }
    }
}

/// An error with the causes that it does not tell itself.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !told.contains(&words) {
            told = format!("{told}: {words}");
        }
        cause = error.source();
    }
    told
}

impl From<std::io::Error> for Failed {
    fn from(error: std::io::Error) -> Self {
        Self { code: 1, message: error.to_string() }
    }
}

impl From<crate::application::ports::StoreError> for Failed {
    fn from(error: crate::application::ports::StoreError) -> Self {
        Self::from(crate::app::StartError::from(error))
    }
}

/// Does what the command line asks for, see [`Cli::run`].
#[must_use]
pub fn run() -> ExitCode {
    Cli::parse().run()
}

impl Cli {
    /// Does what was asked for and says how it ended: 0 good, 1 failed, 2 usage or configuration, 3 data damaged or
    /// missing, 4 locked or of a newer schema, 5 a migration failed.
    #[must_use]
    pub fn run(self) -> ExitCode {
        match self.try_run() {
            Ok(()) => ExitCode::SUCCESS,
            Err(Failed { code, message }) => {
                for line in message.lines() {
                    say(&format!("rollbook: {line}"));
                }
                ExitCode::from(code)
            }
        }
    }

    fn try_run(self) -> Result<(), Failed> {
        // What the document says depends on no setting.
        if let Verb::Openapi(format) = &self.verb {
            return openapi::run(format);
        }
        let load = || Config::load(&self.flags.over(Environment::of_the_process()?));
        let Loaded { config, explained, warnings } = load().map_err(|error| Failed::of_use(error.to_string()))?;
        for warning in warnings {
            say(&format!("rollbook: warning: {warning}"));
        }
        match self.verb {
            Verb::Serve => serve::run(&config),
            Verb::Key(verb) => key::run(&config, verb),
            Verb::Migrate => migrate::run(&config),
            Verb::Openapi(format) => openapi::run(&format),
            Verb::Config { json } => print(&config::run(&explained, json)),
        }
    }
}

/// Talks on stderr, in whole lines. If nobody hears it any more, that is no reason to stop, as `eprintln!` would.
fn say(text: &str) {
    use std::io::Write;
    let _ = std::io::stderr().write_all(format!("{text}\n").as_bytes());
}

/// Writes to stdout, all of it or an error.
fn print_whole(text: &str) -> std::io::Result<()> {
    use std::io::Write;
    let mut stdout = std::io::stdout();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// Writes to stdout; a reader that has heard enough, such as `head`, is no failure.
fn print(text: &str) -> Result<(), Failed> {
    match print_whole(text) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// A runtime for a verb that asks the store a question or two.
fn small_runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}
