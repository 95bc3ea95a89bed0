//! `rollbook serve`: the server, until it is told to stop.

use std::{net::SocketAddr, path::Path, pin::pin, time::Duration};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::oneshot,
};

use super::{Failed, say};
use crate::{
    app::{App, World},
    infrastructure::{
        config::{Config, LogFormat},
        telemetry::{self, Form},
    },
};

/// How long the process waits at its end for threads that nobody waits for any more.
const LAST_WORDS: Duration = Duration::from_secs(1);

pub(super) fn run(config: &Config) -> Result<(), Failed> {
    let form = match config.log.format {
        LogFormat::Pretty => Form::Pretty,
        LogFormat::Json => Form::Json,
    };
    telemetry::start_log(config.log.filter.clone(), form).map_err(std::io::Error::other)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = runtime.block_on(serve(config));
    // A look-up of a name that was given up goes on in a thread of its own, and nobody is to wait for that.
    runtime.shutdown_timeout(LAST_WORDS);
    served
}

async fn serve(config: &Config) -> Result<(), Failed> {
    // Before the start: a signal that comes while it migrates is not lost.
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let app = App::start(config, World::real()).await?;
    greet(&app, config).await?;
    let (told, heard) = oneshot::channel();
    let mut running = pin!(app.run(async { heard.await.unwrap_or(()) }));
    let mut told = Some(told);
    loop {
        tokio::select! {
            () = &mut running => break,
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        let Some(told) = told.take() else {
            return Err(Failed { code: 1, message: "told twice to stop: what was under way is cut off".to_owned() });
        };
        tracing::info!("stopping: what was taken is finished first; a second signal cuts it off");
        // The app hears it, or has stopped already.
        let _ = told.send(());
    }
    tracing::info!("stopped");
    Ok(())
}

/// Says where it is, and, as long as nobody could call, how to get a key. Machines hear it by the log alone.
async fn greet(app: &App, config: &Config) -> Result<(), Failed> {
    let address = app.address();
    let admin_address = app.admin_address();
    let data = config.store.data_dir.display();
    let admin = admin_address.map(tracing::field::display);
    tracing::info!(%address, admin, transport = ?config.mail.transport, %data, "rollbook serves");
    let desk = app.registry().key_desk();
    let now = desk.now();
    let has_key = desk.list().await?.iter().any(|key| key.counts(now));
    let advice = if has_key { None } else { Some(key_command(&config.store.data_dir)?) };
    match (config.log.format, advice) {
        (LogFormat::Pretty, advice) => say(&greeting(address, admin_address, advice.as_deref())),
        (LogFormat::Json, Some(command)) => {
            tracing::warn!(command = format!("rollbook {command}"), "nobody can call the API yet: there is no API key");
        }
        (LogFormat::Json, None) => {}
    }
    Ok(())
}

fn greeting(address: SocketAddr, admin: Option<SocketAddr>, advice: Option<&str>) -> String {
    let browse = format!("rollbook: browse the API at http://{address}/docs");
    let admin = admin.map(|admin| format!("rollbook: health and metrics are at http://{admin}"));
    let advice = advice.map(|command| {
        format!(
            "rollbook: nobody can call the API yet: there is no API key. Make one, in another terminal, with\n\n    \
             rollbook {command}\n\nrollbook: (from the source: cargo run --release -- {command})"
        )
    });
    [Some(browse), admin, advice].into_iter().flatten().collect::<Vec<_>>().join("\n")
}

/// The folder is named whole: a relative one would mean another folder in a terminal that is elsewhere.
fn key_command(data_dir: &Path) -> std::io::Result<String> {
    let folder = std::path::absolute(data_dir)?;
    Ok(format!("key create --data-dir {} --name first --scope admin", shell_word(&folder.display().to_string())))
}

/// The text as one word of a POSIX shell.
fn shell_word(text: &str) -> String {
    let means_itself = |c: char| c.is_ascii_alphanumeric() || "/._-+,:@%".contains(c);
    if text.chars().all(means_itself) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}
