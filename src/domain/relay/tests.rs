//! What a relay's answers and faults mean, step by step.

use super::*;
use crate::domain::mail::Stage;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn relay() -> RelayHealth {
    RelayHealth::good(SignedDuration::from_secs(30))
}

/// A relay that speaks, and refuses all it can.
fn refusal() -> SendFault {
    SendFault::new(Stage::Greeting, Some(421), "4.7.0 too many connections")
}

fn silence() -> SendFault {
    SendFault::new(Stage::Greeting, None, "no answer in time")
}

/// A message of which nothing else is under way fails; when the relay is probed next.
fn fails(relay: &mut RelayHealth, second: i64) -> Timestamp {
    let attempt = relay.begin();
    let Failure::Down(until) = relay.failed(attempt, &refusal(), at(second)) else {
        panic!("nothing else is under way")
    };
    until
}

fn is_turned_down(relay: &mut RelayHealth) -> bool {
    let attempt = relay.begin();
    relay.turned_down(attempt, true)
}

fn answers(relay: &mut RelayHealth) {
    let attempt = relay.begin();
    relay.answered(attempt);
}

#[test]
fn a_failing_relay_is_probed_by_one_message_after_ever_longer_pauses() {
    let mut relay = relay();
    assert_eq!(relay.admit(at(0)), Ok(Admission::All));
    assert_eq!(fails(&mut relay, 0), at(30));
    assert_eq!(relay.admit(at(29)), Err(at(30)));
    assert_eq!(relay.admit(at(30)), Ok(Admission::Probe));
    assert_eq!(relay.admit(at(30)), Err(at(60)), "the probe is under way");
    assert_eq!(fails(&mut relay, 31), at(91));
    let mut now = 91;
    for _ in 0..20 {
        relay.admit(at(now)).unwrap();
        now = fails(&mut relay, now).as_second();
    }
    relay.admit(at(now)).unwrap();
    assert_eq!(fails(&mut relay, now).as_second() - now, 300);
}

#[test]
fn messages_that_fail_together_are_one_failure() {
    let mut relay = relay();
    let together = [(); 4].map(|()| relay.begin());
    let failures = [0, 1, 2, 3].map(|n: usize| relay.failed(together[n], &refusal(), at(n.try_into().unwrap())));
    let crowded = |sessions| Failure::Crowded(Some(sessions));
    assert_eq!(failures, [crowded(3), crowded(2), crowded(1), Failure::Down(at(33))]);
    assert_eq!(relay.room_beside(3, at(3)), Ok(()), "and the limit is forgotten");
}

#[test]
fn a_message_that_begins_although_the_relay_is_down_is_no_probe() {
    let mut relay = relay();
    fails(&mut relay, 0);
    assert_eq!([1, 2, 3].map(|second| fails(&mut relay, second)), [at(30); 3]);
}

#[test]
fn an_answer_lets_all_through_again() {
    let mut relay = relay();
    fails(&mut relay, 0);
    answers(&mut relay);
    assert!(relay.is_up());
    assert_eq!(relay.admit(at(1)), Ok(Admission::All));
}

#[test]
fn a_probe_that_found_nothing_to_send_is_given_back() {
    let mut relay = relay();
    fails(&mut relay, 0);
    assert_eq!(relay.admit(at(30)), Ok(Admission::Probe));
    relay.unused(at(30));
    assert_eq!(relay.admit(at(31)), Ok(Admission::Probe));
    let probe = relay.begin();
    relay.unsent(probe, at(32));
    assert_eq!(relay.admit(at(33)), Ok(Admission::Probe));
}

#[test]
fn a_probe_that_takes_longer_than_its_pause_makes_the_pause_longer_all_the_same() {
    let mut relay = relay();
    fails(&mut relay, 0);
    assert_eq!(relay.admit(at(30)), Ok(Admission::Probe));
    let probe = relay.begin();
    assert_eq!(relay.admit(at(60)), Ok(Admission::Probe), "the first one may never be heard of again");
    relay.unused(at(60));
    assert_eq!(relay.admit(at(61)), Err(at(90)), "the first one is still out");
    assert_eq!(relay.failed(probe, &silence(), at(65)), Failure::Down(at(125)));
    assert_eq!(relay.admit(at(124)), Err(at(125)));
}

#[test]
fn a_probe_that_is_never_heard_of_again_does_not_silence_probing() {
    let mut relay = relay();
    fails(&mut relay, 0);
    for now in [30, 60, 90] {
        assert_eq!(relay.admit(at(now)), Ok(Admission::Probe));
    }
}

#[test]
fn a_probe_that_ends_unknown_is_out_no_longer() {
    let mut relay = relay();
    fails(&mut relay, 0);
    assert_eq!(relay.admit(at(30)), Ok(Admission::Probe));
    let lost = relay.begin();
    relay.end(lost);
    assert_eq!(relay.admit(at(60)), Ok(Admission::Probe));
    relay.unused(at(60));
    assert_eq!(relay.admit(at(61)), Ok(Admission::Probe));
}

#[test]
fn a_fault_beside_others_lowers_the_sessions_to_theirs_and_twice_as_many_are_used_after_each_pause() {
    let mut relay = relay();
    let [_, _, third] = [(); 3].map(|()| relay.begin());
    assert_eq!(relay.failed(third, &refusal(), at(0)), Failure::Crowded(Some(2)));
    assert!(relay.is_up());
    assert_eq!(relay.admit(at(0)), Ok(Admission::All));
    assert_eq!(relay.room_beside(1, at(0)), Ok(()));
    assert_eq!(relay.room_beside(2, at(29)), Err(at(30)));
    assert_eq!(relay.room_beside(3, at(31)), Ok(()));
    assert_eq!(relay.room_beside(4, at(31)), Err(at(61)));
    assert_eq!(relay.room_beside(7, at(61)), Ok(()));
}

#[test]
fn a_clock_set_back_does_not_keep_the_sessions_few() {
    let mut relay = relay();
    let [_, second] = [(); 2].map(|()| relay.begin());
    relay.failed(second, &refusal(), at(1_000_000));
    assert_eq!(relay.room_beside(1, at(0)), Ok(()));
    assert_eq!(relay.room_beside(2, at(0)), Err(at(30)));
}

#[test]
fn a_fault_beside_one_that_was_answered_meanwhile_is_for_the_crowd_and_lowers_the_sessions_to_one_at_the_least() {
    let mut relay = relay();
    let [first, second, third] = [(); 3].map(|()| relay.begin());
    relay.answered(first);
    assert_eq!(relay.failed(second, &refusal(), at(0)), Failure::Crowded(Some(1)));
    assert_eq!(relay.failed(third, &refusal(), at(0)), Failure::Crowded(None), "which is no news");
    assert_eq!(fails(&mut relay, 1), at(31));
}

#[test]
fn a_message_that_ends_unknown_is_under_way_no_longer() {
    let mut relay = relay();
    let lost = relay.begin();
    relay.end(lost);
    assert_eq!(fails(&mut relay, 0), at(30));
}

#[test]
fn a_relay_that_leaves_one_session_after_the_other_hanging_is_down_although_others_are_under_way() {
    let mut relay = relay();
    let [first, second, third] = [(); 3].map(|()| relay.begin());
    assert_eq!(relay.failed(first, &silence(), at(300)), Failure::Crowded(Some(2)));
    assert_eq!(relay.room_beside(2, at(330)), Ok(()));
    let fourth = relay.begin();
    assert_eq!(relay.failed(second, &silence(), at(400)), Failure::Down(at(430)));
    assert_eq!([third, fourth].map(|last| relay.failed(last, &silence(), at(401))), [Failure::Down(at(430)); 2]);
}

#[test]
fn a_relay_that_says_so_or_answers_others_is_crowded_however_long_that_takes() {
    let mut relay = relay();
    let [_, slow, second] = [(); 3].map(|()| relay.begin());
    assert_eq!(relay.failed(second, &refusal(), at(0)), Failure::Crowded(Some(2)));
    assert_eq!(relay.room_beside(2, at(30)), Ok(()));
    let third = relay.begin();
    assert_eq!(relay.failed(third, &refusal(), at(30)), Failure::Crowded(Some(2)));
    relay.answered(slow);
    assert_eq!(relay.room_beside(2, at(60)), Ok(()));
    let fourth = relay.begin();
    assert_eq!(relay.failed(fourth, &silence(), at(60)), Failure::Crowded(Some(1)));
}

/// A mail every 40 seconds, each refused in words after 60: another one is always under way.
#[test]
fn a_relay_that_takes_its_time_to_refuse_all_is_down_in_the_end() {
    let mut relay = relay();
    let mut before = relay.begin();
    for mail in 1..20 {
        let _ = relay.room_beside(1, at(mail * 40));
        let next = relay.begin();
        if let Failure::Down(_) = relay.failed(before, &refusal(), at(mail * 40 + 20)) {
            return;
        }
        before = next;
    }
    panic!("a relay that has answered nobody for a quarter of an hour is down");
}

#[test]
fn three_messages_turned_down_in_a_row_are_no_longer_their_own_fault() {
    let mut relay = relay();
    assert_eq!([(); 4].map(|()| is_turned_down(&mut relay)), [false, false, false, true]);
    assert!(!relay.is_up());
    assert_eq!(relay.admit(at(0)), Ok(Admission::All), "mail to others goes on");
    answers(&mut relay);
    assert!(relay.is_up());
    assert!(!is_turned_down(&mut relay));
}

#[test]
fn a_clock_set_back_does_not_silence_the_probe() {
    let mut relay = relay();
    fails(&mut relay, 1_000_000);
    assert_eq!(relay.admit(at(0)), Ok(Admission::Probe));
}
