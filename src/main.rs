//! The binary: runs the command line and ends with its exit code.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    rollbook::cli::Cli::parse().run()
}
