//! Who is on the roll and who comes next. A customer is a number, from which name and address follow.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use rollbook::{
    application::{Registry, register_customer::RegisterCustomer},
    domain::{
        customer::Particulars, customer_name::CustomerName, email_address::EmailAddress, history::Actor,
        ids::CustomerId, metadata::Metadata,
    },
};
use tokio::task::JoinSet;

use super::{
    Outcome,
    names::{name, scattered},
};

/// How many are registered at once to fill a roll: as many as one commit serves.
const AT_ONCE: usize = 256;

/// Everybody who is on a roll, without keeping all of them.
#[derive(Default)]
pub struct People {
    /// The number of the next newcomer, and how many there were.
    next: AtomicU64,
    met: Mutex<Acquaintance>,
    picks: AtomicU64,
}

impl People {
    /// How many there are.
    pub fn count(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }

    /// What somebody who is not on the roll yet registers with.
    pub fn newcomer(&self) -> Outcome<RegisterCustomer> {
        command(self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// Registers newcomers, many at once, until there are so many.
    pub async fn register_up_to(self: &Arc<Self>, customers: u64, registry: &Registry) -> Outcome<()> {
        let mut queues = JoinSet::new();
        for _ in 0..AT_ONCE {
            let (people, registry) = (Arc::clone(self), registry.clone());
            queues.spawn(async move {
                while let Some(number) = people.next_below(customers) {
                    let customer = registry.register_customer(command(number)?).await?;
                    people.meet(number, customer.id);
                }
                Outcome::Ok(())
            });
        }
        while let Some(done) = queues.join_next().await {
            done??;
        }
        Ok(())
    }

    /// Somebody at random, from anywhere on the roll.
    pub fn somebody(&self) -> Outcome<CustomerId> {
        let met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        let at = self.random_below(met.ids.len() as u64);
        Ok(*met.ids.get(usize::try_from(at)?).ok_or("nobody was met yet")?)
    }

    /// The first name and the surname of somebody at random.
    pub fn somebodys_name(&self) -> (&'static str, String) {
        name(self.random_below(self.count()))
    }

    fn random_below(&self, end: u64) -> u64 {
        scattered(self.picks.fetch_add(1, Ordering::Relaxed)) % end.max(1)
    }

    fn next_below(&self, end: u64) -> Option<u64> {
        let step = |next| (next < end).then_some(next + 1);
        self.next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step).ok()
    }

    fn meet(&self, number: u64, id: CustomerId) {
        self.met.lock().unwrap_or_else(PoisonError::into_inner).meet(number, id);
    }
}

/// Some ids from all over the roll, however long it grows.
struct Acquaintance {
    ids: Vec<CustomerId>,
    /// Whoever's number is a multiple of it is remembered.
    stride: u64,
}

impl Default for Acquaintance {
    fn default() -> Self {
        Self { ids: Vec::new(), stride: 1 }
    }
}

impl Acquaintance {
    const MOST: usize = 16_384;

    fn meet(&mut self, number: u64, id: CustomerId) {
        if !number.is_multiple_of(self.stride) {
            return;
        }
        self.ids.push(id);
        if self.ids.len() == Self::MOST {
            // Every other one is enough from here on, of those who were met and of those to come.
            let mut stays = false;
            self.ids.retain(|_| {
                stays = !stays;
                stays
            });
            self.stride *= 2;
        }
    }
}

fn command(number: u64) -> Outcome<RegisterCustomer> {
    let (first, surname) = name(number);
    let email = format!("{}.{}.{number}@example.org", first.to_lowercase(), surname.to_lowercase());
    let particulars = Particulars {
        name: CustomerName::parse(&format!("{first} {surname}"))?,
        email: EmailAddress::parse(&email)?,
        external_id: None,
        locale: None,
        metadata: Metadata::default(),
    };
    Ok(RegisterCustomer { particulars, actor: Actor::Rollbook })
}
