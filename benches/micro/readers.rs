//! Reading from a roll of ten thousand, through the use cases.

use divan::Bencher;
use rollbook::application::ports::CustomerQuery;

use crate::{
    Stage,
    roll::{first_page, names, page_behind, search, words_of_one},
};

#[divan::bench]
fn finds_a_customer(bencher: Bencher) {
    let stage = Stage::of_ten_thousand();
    let somebody = || stage.people.somebody().expect("somebody");
    bencher.with_inputs(somebody).bench_local_values(|id| stage.wait_for(stage.registry().find_customer(id)));
}

#[divan::bench]
fn lists_the_first_page(bencher: Bencher) {
    lists(bencher, |_| first_page());
}

#[divan::bench]
fn lists_a_page_in_the_middle(bencher: Bencher) {
    lists(bencher, |stage| page_behind(stage.people.somebody().expect("somebody")));
}

#[divan::bench]
fn searches_for_two_words(bencher: Bencher) {
    lists(bencher, |stage| search(&words_of_one(&stage.people)).expect("words"));
}

/// In the steady state: the key was looked up, and is looked up again as often as the policy says.
#[divan::bench]
fn checks_a_key(bencher: Bencher) {
    let stage = Stage::empty();
    let key = stage.key();
    bencher.bench_local(|| stage.wait_for(stage.registry().authenticate(&key)));
}

fn lists(bencher: Bencher, query: impl Fn(&Stage) -> CustomerQuery) {
    let stage = Stage::of_ten_thousand();
    bencher
        .with_inputs(|| query(&stage))
        .bench_local_values(|query| stage.wait_for(stage.registry().list_customers(query, names())));
}
