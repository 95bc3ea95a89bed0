//! How many connections the process's file descriptors allow.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that are not for clients: the database's, the mail's, the log's.
const RESERVED: u64 = 256;

/// The connections to serve at a time: those wanted, as far as `descriptors` less 256 for all else reach, but one at
/// least.
#[must_use]
pub fn connection_cap(wanted: usize, descriptors: u64) -> usize {
    let affordable = usize::try_from(descriptors.saturating_sub(RESERVED)).unwrap_or(usize::MAX);
    wanted.min(affordable).max(1)
}

/// Raises the process's soft limit of open files as far as `connections` need and the hard limit permits, and gives the
/// limit then in force ([`u64::MAX`] for none). It is never lowered.
#[must_use]
pub fn raise_for(connections: usize) -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let needed = u64::try_from(connections).unwrap_or(u64::MAX).saturating_add(RESERVED);
    let Some(raised) = raised(limit, needed) else { return in_force(limit) };
    setrlimit(Resource::Nofile, raised).map_or(in_force(limit), |()| in_force(raised))
}

/// The limit to set, where the one in force is too low and can be raised.
fn raised(limit: Rlimit, needed: u64) -> Option<Rlimit> {
    let target = limit.maximum.map_or(needed, |maximum| maximum.min(needed));
    (target > in_force(limit)).then_some(Rlimit { current: Some(target), maximum: limit.maximum })
}

fn in_force(limit: Rlimit) -> u64 {
    limit.current.unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_for_all_else() {
        assert_eq!(connection_cap(10_000, 1024), 768);
        assert_eq!(connection_cap(10_000, 65_536), 10_000);
        assert_eq!(connection_cap(10_000, u64::MAX), 10_000);
    }

    #[test]
    fn somebody_is_always_served() {
        assert_eq!(connection_cap(10_000, 40), 1);
    }

    #[test]
    fn the_soft_limit_rises_to_the_need_or_to_the_hard_one() {
        let limit = |current, maximum| Rlimit { current: Some(current), maximum };
        assert_eq!(raised(limit(1024, Some(1_048_576)), 10_256), Some(limit(10_256, Some(1_048_576))));
        assert_eq!(raised(limit(1024, Some(4096)), 10_256), Some(limit(4096, Some(4096))));
        assert_eq!(raised(limit(1024, None), 10_256), Some(limit(10_256, None)));
    }

    #[test]
    fn a_limit_that_is_high_enough_or_cannot_rise_stays() {
        assert_eq!(raised(Rlimit { current: None, maximum: None }, 10_256), None);
        assert_eq!(raised(Rlimit { current: Some(65_536), maximum: None }, 10_256), None);
        assert_eq!(raised(Rlimit { current: Some(1024), maximum: Some(1024) }, 10_256), None);
    }

    #[test]
    fn what_is_raised_is_in_force() {
        let before = in_force(getrlimit(Resource::Nofile));
        assert!(raise_for(1) >= before.min(1 + RESERVED));
        assert_eq!(raise_for(0), in_force(getrlimit(Resource::Nofile)));
    }
}
