//! `rollbook openapi`: the document, for the repository and for whoever generates clients.

use clap::Args;

use super::{Failed, print};
use crate::infrastructure::http;

#[derive(Debug, Args)]
pub(super) struct Format {
    /// As YAML instead of JSON
    #[arg(long)]
    yaml: bool,
}

pub(super) fn run(format: &Format) -> Result<(), Failed> {
    print(&if format.yaml { http::document_yaml() } else { http::document_json() })
}
