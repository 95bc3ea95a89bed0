//! What a page of customers costs, and where it is read.

use std::time::Duration;

use jiff::Timestamp;

use super::*;
use crate::{
    application::ports::CustomerOrder::{NewestFirst, OldestFirst},
    domain::search::{RULES, Search},
    infrastructure::sqlite::{StoreSettings, connection, migrations},
};

const ROLL: &str = "WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < 2999)
    INSERT INTO customers (id, id_tail, name, email, email_canonical, metadata, created_at, updated_at, version,
        steps, proof, proof_state, proof_attempts, verified_at)
    SELECT n << 16, n, 'Ada ' || n, n || '@example.org', n || '@example.org', '{}', n * 1000, n * 1000, 1, 1, 1,
        'confirmed', 0, 0 FROM n";
const INDEXED: &str =
    "INSERT INTO customers_search (rowid, text) SELECT id, 'ada' FROM customers WHERE id <= 1500 << 16";
const MARK: &str = "UPDATE customers_search_mark SET indexed_to = 1500 << 16, rules = ?1";
const NOTES: &str = "INSERT INTO customers_metadata SELECT 'plan', 'a', id FROM customers";

/// A customer for each of the first 3,000 milliseconds, all with a note, the first half in the search index.
fn roll() -> (Connection, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rollbook.db");
    migrations::migrate(&path, &StoreSettings::LEAST, folder.path(), "t").unwrap();
    let db = connection::open_to_write(&path, Duration::ZERO, false).unwrap();
    db.execute(ROLL, []).unwrap();
    db.execute(NOTES, []).unwrap();
    db.execute(INDEXED, []).unwrap();
    db.execute(MARK, [RULES]).unwrap();
    teach(&db).unwrap();
    (db, folder)
}

/// Sets customers back behind their ids, as a clock would that was wrong.
fn set_back(db: &Connection, customers: &str) {
    db.execute(&format!("UPDATE customers SET created_at = created_at - 1 WHERE {customers}"), []).unwrap();
}

fn at(millisecond: i64) -> Timestamp {
    Timestamp::from_millisecond(millisecond).unwrap()
}

fn by_key() -> WriteCustomer {
    Box::new(|text, customer| text.extend(customer.id.key().to_le_bytes()))
}

/// The milliseconds in the ids of a page's customers.
fn ids_of(page: &CustomerPage) -> Vec<u64> {
    page.text.chunks_exact(8).map(|key| u64::from_le_bytes(key.try_into().unwrap()) >> 16).collect()
}

/// The same of a page that is read in no more steps than some dozen customers take.
fn read_in_few_steps(db: &Connection, query: &CustomerQuery) -> Vec<u64> {
    let page = in_few_steps(db, || page(db, query, by_key(), &Damage::default()));
    ids_of(&page.unwrap_or_else(|error| panic!("{error}: {query:?}")))
}

/// What is read, unless one of its statements takes more steps.
fn in_few_steps<T>(db: &Connection, read: impl FnOnce() -> rusqlite::Result<T>) -> rusqlite::Result<T> {
    // A statement that is kept goes on counting its steps.
    db.flush_prepared_statement_cache();
    db.progress_handler(4_000, Some(|| true)).unwrap();
    let outcome = read();
    db.progress_handler(0, None::<fn() -> bool>).unwrap();
    outcome
}

/// Whether a query is answered by a short page; which is the whole page then.
fn is_short(db: &Connection, query: &CustomerQuery) -> bool {
    let whole = page(db, query, by_key(), &Damage::default()).unwrap();
    let short = short_page(db, query, by_key()).unwrap();
    short.is_ok_and(|short| {
        assert_eq!(short, whole);
        true
    })
}

#[test]
fn a_page_of_some_time_costs_no_look_at_those_of_another() {
    let (db, _folder) = roll();
    let narrowings: [fn(&mut CustomerQuery); 4] = [
        |_| (),
        |query| query.verified = Some(true),
        |query| query.metadata = vec![("plan".into(), "a".into())],
        |query| query.search = Some(Search::parse("ada").unwrap()),
    ];
    for narrow in narrowings {
        let read = |order, created_after, created_before, after: Option<u64>| {
            let after = after.map(|millisecond| millisecond << 16);
            let mut query = CustomerQuery { after, order, created_after, created_before, ..CustomerQuery::default() };
            query.limit = 3;
            narrow(&mut query);
            read_in_few_steps(&db, &query)
        };
        assert_eq!(read(NewestFirst, None, Some(at(101)), None), [100, 99, 98]);
        assert_eq!(read(NewestFirst, None, Some(at(2_901)), Some(102)), [101, 100, 99]);
        assert_eq!(read(OldestFirst, Some(at(2_899)), None, None), [2_900, 2_901, 2_902]);
        assert_eq!(read(OldestFirst, Some(at(99)), None, Some(2_900)), [2_901, 2_902, 2_903]);
        for order in [NewestFirst, OldestFirst] {
            assert_eq!(read(order, Some(at(2_000)), Some(at(2_002)), None), [2_001]);
            assert!(read(order, None, Some(at(-7)), None).is_empty(), "before 1970");
            assert!(read(order, Some(at(250_000_000_000_000)), None, None).is_empty(), "in the year 9892");
        }
    }
}

/// They would be passed over one by one.
#[test]
fn a_list_bounded_by_time_is_not_short_where_the_ids_of_many_are_ahead() {
    let (db, _folder) = roll();
    let bounded = [
        CustomerQuery { limit: 3, created_after: Some(at(2_000)), order: OldestFirst, ..CustomerQuery::default() },
        CustomerQuery { limit: 3, created_before: Some(at(2_000)), ..CustomerQuery::default() },
    ];
    let unbounded = CustomerQuery { limit: 3, ..CustomerQuery::default() };
    let found = |query| ids_of(&page(&db, query, by_key(), &Damage::default()).unwrap());
    set_back(&db, "id >> 16 > 2900");
    assert!(bounded.iter().chain([&unbounded]).all(|query| is_short(&db, query)), "these are few");
    set_back(&db, "id >> 16 BETWEEN 2700 AND 2900");
    assert!(!is_short(&db, &bounded[1]));
    assert_eq!(read_in_few_steps(&db, &bounded[1]), [1_999, 1_998, 1_997], "they are passed over by their own index");
    set_back(&db, "id >> 16 < 2700");
    assert!(bounded.iter().all(|query| !is_short(&db, query)));
    let behind_them = CustomerQuery { after: Some(1_000 << 16), ..bounded[1].clone() };
    assert!(is_short(&db, &behind_them), "none of them is in its way");
    assert!(is_short(&db, &unbounded));
    assert_eq!(bounded.each_ref().map(found), [[2_001, 2_002, 2_003], [2_000, 1_999, 1_998]]);
}

/// What is rare is then found sooner without the index of those ahead.
#[test]
fn where_nearly_all_ids_are_ahead_all_are_looked_at() {
    let (db, _folder) = roll();
    set_back(&db, "TRUE");
    db.execute("INSERT INTO customers_metadata VALUES ('tier', 'gold', 7 << 16)", []).unwrap();
    let tier = vec![("tier".into(), "gold".into())];
    let query = CustomerQuery { limit: 3, created_before: Some(at(8)), metadata: tier, ..CustomerQuery::default() };
    let read = |most| in_few_steps(&db, || page_with_apart(most, &db, &query, by_key(), &Damage::default()));
    assert_eq!(ids_of(&read(100).unwrap()), [7]);
    assert!(read(3_000).is_err(), "too many apart");
    let plain = CustomerQuery { metadata: vec![], ..query.clone() };
    let found = |most| page_with_apart(most, &db, &plain, by_key(), &Damage::default()).unwrap();
    assert_eq!(found(100), found(3_000));
}

#[test]
fn one_customer_is_found_at_once_whatever_else_is_asked() {
    let (db, _folder) = roll();
    set_back(&db, "TRUE");
    let query = CustomerQuery {
        limit: 3,
        email: Some("7@example.org".into()),
        created_before: Some(at(1_000)),
        search: Some(Search::parse("ada").unwrap()),
        ..CustomerQuery::default()
    };
    assert!(!looks_at_many(&query));
    assert!(is_short(&db, &query));
    assert_eq!(read_in_few_steps(&db, &query), [7]);
}

#[test]
fn a_page_of_many_bytes_is_not_short() {
    let (db, _folder) = roll();
    let query = CustomerQuery { limit: 200, ..CustomerQuery::default() };
    let long = || -> WriteCustomer { Box::new(|text, _| text.extend([0; SHORT / 100])) };
    let unused = short_page(&db, &query, long()).unwrap().unwrap_err();
    assert_eq!(page(&db, &query, unused, &Damage::default()).unwrap().text.len(), SHORT / 100 * 200);
    let query = CustomerQuery { limit: 99, ..query };
    assert!(short_page(&db, &query, long()).unwrap().is_ok());
}

fn looks_at_many_with(narrow: impl FnOnce(&mut CustomerQuery)) -> bool {
    let mut query = CustomerQuery { limit: 50, ..CustomerQuery::default() };
    narrow(&mut query);
    looks_at_many(&query)
}

/// What an index leads to is read where it is asked for; anything else could hold up all others there.
#[test]
fn only_lists_that_an_index_leads_through_are_read_among_the_quick_ones() {
    let note = |key: &str| (key.to_owned(), "x".to_owned());
    assert!(!looks_at_many_with(|_| ()));
    assert!(!looks_at_many_with(|query| query.after = Some(7)));
    assert!(!looks_at_many_with(|query| query.email = Some("ada@example.org".into())));
    assert!(!looks_at_many_with(|query| query.verified = Some(false)));
    assert!(!looks_at_many_with(|query| query.created_after = Some(at(0))));
    assert!(!looks_at_many_with(|query| query.created_before = Some(at(0))));
    assert!(!looks_at_many_with(|query| query.metadata = vec![note("plan")]));

    assert!(looks_at_many_with(|query| query.search = Some(Search::parse("ada").unwrap())));
    assert!(looks_at_many_with(|query| query.metadata = vec![note("plan"), note("tier")]));
    assert!(looks_at_many_with(|query| {
        query.metadata = vec![note("plan")];
        query.verified = Some(true);
    }));
}
