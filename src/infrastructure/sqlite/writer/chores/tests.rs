//! What the chores promise to searches, and to registrations that wait for them.

use std::{sync::Arc, time::Duration};

use rusqlite::{Connection, config::DbConfig};
use tempfile::TempDir;

use super::*;
use crate::{
    application::ports::Clock,
    infrastructure::sqlite::{
        StoreSettings, commits::told_clock::ToldClock, connection, migrations, writer::statements::Statements,
    },
};

fn roll() -> (Connection, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rollbook.db");
    migrations::migrate(&path, &StoreSettings::LEAST, folder.path(), "t").unwrap();
    let db = connection::open_to_write(&path, Duration::ZERO, false).unwrap();
    db.pragma_update(None, "synchronous", 0).unwrap();
    (db, folder)
}

fn register(db: &Connection, customers: std::ops::Range<i64>) {
    let all = "WITH RECURSIVE n (n) AS (SELECT ?1 UNION ALL SELECT n + 1 FROM n WHERE n + 1 < ?2)
        INSERT INTO customers (id, id_tail, name, email, email_canonical, metadata, created_at, updated_at, version,
            steps, proof, proof_state, proof_attempts)
        SELECT n, 0, 'Ada ' || n, n || '@example.org', n || '@example.org', '{}', 0, 0, 1, 1, 1, 'queued', 0 FROM n";
    db.execute(all, (customers.start, customers.end)).unwrap();
}

fn commits() -> Commits {
    Commits::by(Arc::new(ToldClock::default()))
}

fn finish(chores: &mut Chores<'_>) {
    while chores.are_left() {
        chores.step();
    }
}

/// Fills the index without merging any of it.
fn fill_all(db: &Connection, chores: &mut Chores<'_>) {
    while tail(db) > 0 {
        chores.fill();
    }
}

/// Changes what only FTS5 may change.
fn tamper(db: &Connection, sql: &str) {
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, false).unwrap();
    db.execute(sql, []).unwrap();
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true).unwrap();
}

/// Does what can be done now.
fn work(chores: &mut Chores<'_>) {
    while chores.are_left() && chores.rest().is_zero() && !chores.damage.is_noted() {
        chores.step();
    }
}

fn tail(db: &Connection) -> i64 {
    let count = "SELECT count(*) FROM customers WHERE id > (SELECT indexed_to FROM customers_search_mark)";
    db.query_row(count, [], |row| row.get(0)).unwrap()
}

/// How many parts the index has. The upper bits of a page's key number its part (`FTS5_SEGMENT_ROWID` of FTS5's source);
/// below the first of them lie the records of the index as a whole.
fn parts(db: &Connection) -> i64 {
    let count = "SELECT count(DISTINCT id >> 37) FROM customers_search_data WHERE id >> 37 > 0";
    db.query_row(count, [], |row| row.get(0)).unwrap()
}

#[test]
fn however_long_registrations_press_few_wait_to_be_indexed_and_the_index_has_few_parts() {
    let (db, _folder) = roll();
    let (statements, commits, damage) = (Statements::of(&db), commits(), Damage::default());
    // Each customer makes a part.
    let mut chores = Chores { bytes_at_once: 1, longest_tail: 10, ..Chores::begin(&statements, &commits, &damage) };
    for group in 1..1_000 {
        register(&db, 4 * group..4 * (group + 1));
        chores.keep_up(4);
        assert!(tail(&db) <= 10, "{} wait", tail(&db));
        assert!(parts(&db) <= 40, "{} parts", parts(&db));
    }
    finish(&mut chores);
    assert_eq!(tail(&db), 0);
    // Up to three of a size are left alone.
    assert!(parts(&db) <= 3 * 6, "{} parts", parts(&db));
}

/// With a part more than it can have an index of FTS5 would take nobody any more, nor be merged.
#[test]
fn an_index_that_is_never_merged_takes_everybody_all_the_same() {
    let (db, _folder) = roll();
    let (statements, commits, damage) = (Statements::of(&db), commits(), Damage::default());
    register(&db, 1..3_000);
    let mut chores = Chores { bytes_at_once: 1, ..Chores::begin(&statements, &commits, &damage) };
    while tail(&db) > 0 {
        chores.try_to_fill().unwrap();
    }
    assert!((500..1_000).contains(&parts(&db)), "{} parts", parts(&db));
    finish(&mut chores);
    assert!(parts(&db) < 16, "{} parts", parts(&db));
}

#[test]
fn what_was_merged_beyond_what_was_due_is_not_due_again() {
    let (db, _folder) = roll();
    let (statements, commits, damage) = (Statements::of(&db), commits(), Damage::default());
    // The list of all who have `exa`, say, takes several pages.
    register(&db, 1..20_000);
    let mut chores = Chores::begin(&statements, &commits, &damage);
    fill_all(&db, &mut chores);
    chores.pages_due = MERGED_AT_ONCE;
    chores.merge(1);
    assert!(chores.pages_due < MERGED_AT_ONCE - 1, "{} due", chores.pages_due);
}

#[test]
fn half_of_what_is_due_is_merged_after_each_group_however_much_that_is() {
    let (db, _folder) = roll();
    let (statements, commits, damage) = (Statements::of(&db), commits(), Damage::default());
    register(&db, 1..20_000);
    let mut chores = Chores::begin(&statements, &commits, &damage);
    fill_all(&db, &mut chores);
    chores.pages_due = 10 * MERGED_AT_ONCE;
    chores.keep_up(0);
    assert!(chores.pages_due <= 5 * MERGED_AT_ONCE, "{} due", chores.pages_due);
}

#[test]
fn parts_of_those_whom_the_mark_had_passed_already_are_merged_too() {
    let (db, _folder) = roll();
    let (statements, commits, damage) = (Statements::of(&db), commits(), Damage::default());
    register(&db, 1..100);
    let mut chores = Chores::begin(&statements, &commits, &damage);
    finish(&mut chores);
    for late in 1..50 {
        db.execute("INSERT INTO customers_search (rowid, text) VALUES (?1, 'ada')", [late]).unwrap();
        chores.keep_up(1);
    }
    finish(&mut chores);
    assert!(parts(&db) < 10, "{} parts", parts(&db));
}

#[test]
fn those_who_waited_when_the_program_ended_count_when_it_begins_anew() {
    let (db, _folder) = roll();
    let (statements, commits, damage) = (Statements::of(&db), commits(), Damage::default());
    register(&db, 1..100);
    let mut chores = Chores::begin(&statements, &commits, &damage);
    register(&db, 100..101);
    chores.keep_up(1);
    assert_eq!(tail(&db), 0);
}

#[test]
fn a_step_that_failed_is_tried_again_after_a_while_and_what_was_left_then_little_by_little() {
    let (db, _folder) = roll();
    let clock = Arc::new(ToldClock::default());
    let (statements, damage) = (Statements::of(&db), Damage::default());
    let commits = Commits::by(Arc::clone(&clock) as Arc<dyn Clock>);
    let mut chores = Chores { bytes_at_once: 1, longest_tail: 10, ..Chores::begin(&statements, &commits, &damage) };
    finish(&mut chores);
    register(&db, 1..100);
    db.pragma_update(None, "query_only", true).unwrap();
    chores.keep_up(99);
    assert!(!chores.can_fill());
    db.pragma_update(None, "query_only", false).unwrap();
    register(&db, 100..102);
    chores.keep_up(2);
    assert_eq!(tail(&db), 101, "nothing is tried yet");
    clock.pass(REST_AFTER_FAILURE);
    register(&db, 102..104);
    chores.keep_up(2);
    assert_eq!(tail(&db), 99, "as many as came, and as many again");
    finish(&mut chores);
    assert_eq!(tail(&db), 0);
}

#[test]
fn an_index_that_cannot_be_merged_is_filled_all_the_same() {
    let (db, _folder) = roll();
    let (statements, commits, damage) = (Statements::of(&db), commits(), Damage::default());
    register(&db, 1..100);
    let mut chores = Chores { bytes_at_once: 1, ..Chores::begin(&statements, &commits, &damage) };
    chores.no_merging_until = REST_AFTER_FAILURE;
    for _ in 0..100 {
        chores.step();
    }
    assert_eq!(tail(&db), 0);
    assert_eq!(chores.rest(), REST_AFTER_FAILURE, "merging is left");
}

/// Indexes customers, each in a part of the index of its own, and takes a page away from one.
fn damage_index(db: &Connection, customers: std::ops::Range<i64>, chores: &mut Chores<'_>) {
    register(db, customers);
    chores.unindexed = 1;
    chores.bytes_at_once = 1;
    fill_all(db, chores);
    let some = "SELECT max(id >> 37) - 7 FROM customers_search_data";
    tamper(db, &format!("DELETE FROM customers_search_data WHERE id >> 37 = ({some})"));
}

/// Nothing is to be found amiss by FTS5's own check.
fn assert_sound(db: &Connection) {
    db.execute("INSERT INTO customers_search (customers_search) VALUES ('integrity-check')", []).unwrap();
}

#[test]
fn an_index_that_is_found_to_be_damaged_is_made_anew() {
    let (db, _folder) = roll();
    let clock = Arc::new(ToldClock::default());
    let (statements, damage) = (Statements::of(&db), Damage::default());
    let commits = Commits::by(Arc::clone(&clock) as Arc<dyn Clock>);
    let mut chores = Chores::begin(&statements, &commits, &damage);
    damage_index(&db, 1..100, &mut chores);
    work(&mut chores);
    assert!(damage.is_noted());
    chores.step();
    assert_eq!((tail(&db), parts(&db), damage.is_noted()), (99, 0, false));
    finish(&mut chores);
    assert_eq!(tail(&db), 0);
    assert_sound(&db);
    damage_index(&db, 100..200, &mut chores);
    work(&mut chores);
    assert!(damage.is_noted());
    chores.step();
    assert_eq!((tail(&db), chores.rest()), (0, REST_AFTER_RENEWAL), "not at once");
    clock.pass(REST_AFTER_RENEWAL);
    chores.step();
    assert_eq!((tail(&db), damage.is_noted()), (199, false));
}

#[test]
fn an_index_that_has_forgotten_its_parts_is_made_anew() {
    let (db, _folder) = roll();
    let (statements, commits, damage) = (Statements::of(&db), commits(), Damage::default());
    register(&db, 1..100);
    let mut chores = Chores { bytes_at_once: 1, ..Chores::begin(&statements, &commits, &damage) };
    fill_all(&db, &mut chores);
    // The record of the structure (`FTS5_STRUCTURE_ROWID` of FTS5's source).
    tamper(&db, "UPDATE customers_search_data SET block = zeroblob(length(block)) WHERE id = 10");
    register(&db, 100..102);
    chores.unindexed = 2;
    chores.fill();
    assert!(damage.is_noted());
    finish(&mut chores);
    assert_eq!(tail(&db), 0);
    assert_sound(&db);
}

#[test]
fn a_damage_that_a_search_has_found_is_mended_however_long_registrations_press() {
    let (db, _folder) = roll();
    let (statements, commits, damage) = (Statements::of(&db), commits(), Damage::default());
    let mut chores = Chores::begin(&statements, &commits, &damage);
    damage_index(&db, 1..100, &mut chores);
    let search = "SELECT count(*) FROM customers_search WHERE customers_search MATCH 'ada AND org'";
    let known = damage.known();
    let error = db.query_row(search, [], |row| row.get::<_, i64>(0)).unwrap_err();
    damage.note(known, &error);
    register(&db, 100..101);
    chores.keep_up(1);
    assert_eq!((tail(&db), damage.is_noted()), (100, false));
    // Another search began before, and took its time.
    damage.note(known, &error);
    assert!(!damage.is_noted());
    assert_sound(&db);
}

#[test]
fn an_index_of_other_rules_finds_nobody_and_is_made_anew() {
    let (db, _folder) = roll();
    let (statements, commits, damage) = (Statements::of(&db), commits(), Damage::default());
    register(&db, 1..100);
    finish(&mut Chores::begin(&statements, &commits, &damage));
    db.execute("UPDATE customers_search_mark SET rules = rules + 1", []).unwrap();
    assert_eq!(search_index::mark(&db).unwrap(), 0, "all are looked through one by one");
    let mut chores = Chores { bytes_at_once: 1, ..Chores::begin(&statements, &commits, &damage) };
    chores.fill();
    assert!(damage.is_noted());
    chores.step();
    assert_eq!((tail(&db), parts(&db)), (99, 0));
    finish(&mut chores);
    assert_eq!(search_index::mark(&db).unwrap(), 99);
    assert_sound(&db);
}

#[test]
fn where_many_wait_to_be_indexed_a_short_pause_is_enough() {
    let (db, _folder) = roll();
    let (statements, commits, damage) = (Statements::of(&db), commits(), Damage::default());
    let mut chores = Chores::begin(&statements, &commits, &damage);
    finish(&mut chores);
    chores.keep_up(MANY - 1);
    assert_eq!(chores.patience(), IDLE_AFTER);
    chores.keep_up(1);
    assert_eq!(chores.patience(), IDLE_AFTER_IF_MANY_WAIT);
}

#[test]
fn no_step_waits_for_another_program_as_a_registration_does() {
    let (db, folder) = roll();
    // With this the test would not end.
    db.busy_timeout(Duration::from_hours(1)).unwrap();
    let (statements, commits, damage) = (Statements::of(&db), commits(), Damage::default());
    let mut chores = Chores::begin(&statements, &commits, &damage);
    let other = Connection::open(folder.path().join("rollbook.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    chores.step();
    assert_eq!(chores.rest(), REST_WHILE_LOCKED);
}

/// As after an upgrade, of a server that is never idle.
#[test]
fn an_index_of_other_rules_is_made_anew_also_where_registrations_leave_no_pause() {
    let (db, _folder) = roll();
    register(&db, 1..20);
    db.execute("UPDATE customers_search_mark SET rules = -1, indexed_to = 10", []).unwrap();
    let (statements, commits, damage) = (Statements::of(&db), commits(), Damage::default());
    let mut chores = Chores { longest_tail: 10, ..Chores::begin(&statements, &commits, &damage) };
    chores.keep_up(1);
    assert!(damage.is_noted());
    chores.keep_up(1);
    assert!(!damage.is_noted());
    finish(&mut chores);
    assert_eq!(tail(&db), 0);
}
