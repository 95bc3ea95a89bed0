//! From the operator's settings to what each part calls its own.

use std::{num::NonZeroUsize, time::Duration};

use jiff::SignedDuration;

use crate::{
    application::Policy,
    domain::retry::RetryPolicy,
    infrastructure::{
        config::{Config, MailTransport},
        http::server::Limits,
        sqlite::StoreSettings,
    },
};

pub(super) fn store_settings(config: &Config) -> StoreSettings {
    let at_least_one = |number: usize| NonZeroUsize::new(number).unwrap_or(NonZeroUsize::MIN);
    StoreSettings {
        readers: at_least_one(usize::try_from(config.store.pool_size).unwrap_or(usize::MAX)),
        writer_queue: at_least_one(config.store.writer_queue),
        busy_timeout: config.store.busy_timeout,
        list_timeout: config.store.list_timeout,
        echo: config.store.echo,
        serves: true,
    }
}

pub(super) fn policy(config: &Config) -> Policy {
    let mail = &config.mail;
    Policy {
        captures_mail: mail.transport == MailTransport::Capture,
        verification_life: signed(config.verification.ttl),
        resend_cooldown: signed(config.verification.resend_cooldown),
        retry: RetryPolicy {
            pauses: mail.backoff.iter().copied().map(signed).collect(),
            give_up: signed(mail.give_up),
        },
        lease: signed(mail.lease),
        key_trust: config.http.key_refresh,
    }
}

pub(super) fn limits(config: &Config, connections: usize) -> Limits {
    let limits = &config.limits;
    Limits {
        head: limits.head_timeout,
        idle: limits.idle_timeout,
        body: limits.body_timeout,
        body_grace: limits.body_grace,
        body_rate: u32::try_from(limits.body_min_rate).unwrap_or(u32::MAX),
        write_stall: limits.write_timeout,
        head_size: limits.max_head_bytes,
        head_fields: limits.max_head_fields,
        target_size: limits.max_target_bytes,
        connections,
        discard_size: u64::try_from(limits.discard_bytes).unwrap_or(u64::MAX),
        discard_time: limits.discard_timeout,
        drain: config.http.shutdown_timeout,
        ..Limits::default()
    }
}

/// Settings have upper bounds far below where this could fail.
pub(super) fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}
