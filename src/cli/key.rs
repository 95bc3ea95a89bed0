//! `rollbook key create|list|revoke`: who may call the API.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{Failed, migrate, print, say, small_runtime};
use crate::{
    app,
    application::manage_keys::KeyDesk,
    domain::api_key::{ApiKey, KeyId, KeyName, Scope},
    infrastructure::{config::Config, sqlite::migrations::Migrated},
};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Make a key and print it, once: it is kept nowhere
    Create(Create),
    /// List the keys, without their secrets
    List {
        /// For machines: a JSON array
        #[arg(long)]
        json: bool,
    },
    /// Revoke a key for good; a running server refuses it within a second
    Revoke {
        /// The key's id: the part between the underscores
        #[arg(value_parser = key_id)]
        id: KeyId,
    },
}

#[derive(Debug, Args)]
pub(super) struct Create {
    /// What the key is for, in words
    #[arg(long, value_parser = key_name)]
    name: KeyName,
    /// What it may do: customers:read, customers:write, mail:read, mail:write or admin; may be given several times
    #[arg(long = "scope", value_name = "SCOPE", required = true, value_parser = scope, value_delimiter = ',')]
    scopes: Vec<Scope>,
}

fn key_name(text: &str) -> Result<KeyName, &'static str> {
    KeyName::parse(text)
}

fn key_id(text: &str) -> Result<KeyId, &'static str> {
    KeyId::parse(text).ok_or("must be 16 hexadecimal digits, as `rollbook key list` shows them")
}

fn scope(text: &str) -> Result<Scope, String> {
    Scope::parse(text).ok_or_else(|| format!("must be one of {}", Scope::ALL.map(Scope::as_str).join(", ")))
}

pub(super) fn run(config: &Config, verb: Verb) -> Result<(), Failed> {
    small_runtime()?.block_on(async {
        match verb {
            Verb::Create(create) => make(&app::key_desk_of_any_folder(config, tell).await?, create).await,
            Verb::List { json } => list(&app::key_desk(config, tell).await?, json).await,
            Verb::Revoke { id } => revoke(&app::key_desk(config, tell).await?, id).await,
        }
    })
}

/// Nobody asked for a migration, so it is not done in silence; a new folder has nothing that could be missed.
fn tell(migrated: &Migrated) {
    if migrated.from > 0 {
        migrate::tell(migrated);
    }
}

async fn make(desk: &KeyDesk, create: Create) -> Result<(), Failed> {
    let mut scopes = create.scopes;
    scopes.sort_unstable();
    scopes.dedup();
    let (key, secret) = desk.create(create.name, scopes).await?;
    say(&format!("rollbook: key {} ({}) is made; this is the only time it is shown:", key.id, words(&key)));
    if let Err(error) = super::print_whole(&format!("{}\n", secret.expose())) {
        // A key that nobody has must not count.
        desk.revoke(key.id).await?;
        return Err(Failed { code: 1, message: format!("the key could not be shown, so it is revoked: {error}") });
    }
    Ok(())
}

async fn list(desk: &KeyDesk, json: bool) -> Result<(), Failed> {
    let now = desk.now();
    let keys = desk.list().await?;
    if json {
        let keys: Vec<Value> = keys.iter().map(object).collect();
        return print(&format!("{:#}\n", Value::Array(keys)));
    }
    if keys.is_empty() {
        say("rollbook: there are no keys; rollbook key create --name NAME --scope SCOPE makes one");
    }
    let line = |key: &ApiKey| {
        let state = match key.revoked_at {
            Some(_) => "revoked",
            None if key.counts(now) => "counts",
            None => "expired",
        };
        let used = key.last_used_at.map_or("never used".to_owned(), |last| format!("last used {last:.0}"));
        format!("{}  {state:<7}  {:.0}  {}  {}  {used}\n", key.id, key.created_at, key.name.as_str(), words(key))
    };
    print(&keys.iter().map(line).collect::<String>())
}

async fn revoke(desk: &KeyDesk, id: KeyId) -> Result<(), Failed> {
    if desk.revoke(id).await? {
        say(&format!("rollbook: key {id} is revoked"));
        Ok(())
    } else {
        Err(Failed { code: 1, message: format!("there is no key {id}; rollbook key list shows them") })
    }
}

fn words(key: &ApiKey) -> String {
    key.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(",")
}

fn object(key: &ApiKey) -> Value {
    let time = |time: Option<jiff::Timestamp>| time.map(|time| format!("{time:.6}"));
    json!({
        "id": key.id.to_string(),
        "name": key.name.as_str(),
        "scopes": key.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>(),
        "created_at": time(Some(key.created_at)),
        "expires_at": time(key.expires_at),
        "revoked_at": time(key.revoked_at),
        "last_used_at": time(key.last_used_at),
    })
}
