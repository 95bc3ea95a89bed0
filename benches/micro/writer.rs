//! Registering through the store's port, which answers once the commit is on the disk.
//!
//! Who comes while the writer is at rest is committed alone; the rest of those who come at once gather meanwhile and share
//! the next commit.

use std::sync::Arc;

use divan::{Bencher, counter::ItemsCount};
use rollbook::{
    application::{Registry, register_customer::RegisterCustomer},
    domain::{
        customer::Customer,
        history::{Deed, Event},
        ids::{CustomerId, MessageId},
        message::{Departure, Request},
        verification::{Verification, VerificationId},
    },
};

use crate::{Stage, roll};

#[divan::bench(args = [1, 16, 64, 256], sample_size = 1)]
fn registers_at_once(bencher: Bencher, at_once: usize) {
    let stage = Stage::empty();
    let newcomers = || -> Vec<_> { (0..at_once).map(|_| newcomer(&stage)).collect() };
    bencher.counter(ItemsCount::new(at_once)).with_inputs(newcomers).bench_local_values(|newcomers| {
        let registrations = newcomers.into_iter().map(|(customer, request, event)| {
            let customers = Arc::clone(&stage.registry().customers);
            async move { customers.register(Arc::new(customer), request, event).await }
        });
        stage.wait_for(roll::together(registrations));
    });
}

fn newcomer(stage: &Stage) -> (Customer, Request, Event) {
    written_down(stage.people.newcomer().expect("a newcomer"), stage.registry())
}

/// What the use case hands to the port.
fn written_down(command: RegisterCustomer, registry: &Registry) -> (Customer, Request, Event) {
    let RegisterCustomer { particulars, actor } = command;
    let now = registry.clock.now();
    let next_id = || registry.ids.next(now, 0);
    let id = CustomerId::new(next_id());
    let proof = VerificationId { customer_key: id.key(), number: 1, salt: 0 };
    let verification = Verification::issue(proof, id, particulars.email.clone(), now);
    let departure = Departure::Capture(registry.policy.verification_life);
    let request = Request::issue(MessageId::new(next_id()), verification, departure, now);
    let customer = Customer::register(id, particulars, request.progress.clone(), now);
    (customer, request, Event { customer_id: id, at: now, deed: Deed::Registered, actor, note: None })
}
