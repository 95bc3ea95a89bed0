//! `rollbook serve`: the server, until it is told to stop.

use tokio::signal::unix::{SignalKind, signal};

use super::Failed;
use crate::{
    app::{App, World},
    infrastructure::{
        config::{Config, LogFormat},
        telemetry::{self, Form},
    },
};

pub(super) fn run(config: &Config) -> Result<(), Failed> {
    let form = match config.log.format {
        LogFormat::Pretty => Form::Pretty,
        LogFormat::Json => Form::Json,
    };
    telemetry::start_log(&config.log.filter, form).map_err(|error| Failed::of_use(format!("ROLLBOOK_LOG: {error}")))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(config))
}

async fn serve(config: &Config) -> Result<(), Failed> {
    // Before the start: a signal that comes while it migrates is not lost.
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let app = App::start(config, World::real()).await?;
    greet(&app, config).await?;
    app.run(async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping: what was taken is finished first");
    })
    .await;
    tracing::info!("stopped");
    Ok(())
}

/// Says where it is, and, as long as nobody could call, how to get a key.
async fn greet(app: &App, config: &Config) -> Result<(), Failed> {
    let Some(address) = app.address() else { return Ok(()) };
    tracing::info!(%address, transport = ?config.mail.transport, data = %config.store.data_dir.display(), "rollbook serves");
    eprintln!("rollbook: browse the API at http://{address}/docs");
    if let Some(admin) = app.admin_address() {
        eprintln!("rollbook: health and metrics are at http://{admin}");
    }
    let now = app.registry().clock.now();
    if !app.registry().list_keys().await?.iter().any(|key| key.counts(now)) {
        let folder = config.store.data_dir.display();
        eprintln!("rollbook: nobody can call the API yet: there is no API key. Make one, in another terminal, with");
        eprintln!();
        eprintln!("    rollbook key create --data-dir {folder} --name first --scope admin");
        eprintln!();
        eprintln!(
            "rollbook: (from the source: cargo run --release -- key create --data-dir {folder} --name first --scope admin)"
        );
    }
    Ok(())
}
