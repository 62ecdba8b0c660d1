//! How a scheduler spreads the fresh connections one client makes one after the other.
//!
//! `rr` and `wrr` deal connections out in a cycle (`ip_vs_rr.c`, `ip_vs_wrr.c`), whose shares are exact over
//! every full cycle wherever it begins; over part of a cycle a real server gets at most its share. Hashing
//! schedulers and persistence bind one client to one real server. `lc` and `wlc` fill up whoever has least,
//! remembered connections included, so what they had before decides ([`super::level`]). The others look at
//! open connections only, and between two requests of one client there are none, so they make the same choice
//! every time, but for requests that overlap with the end of the one before.

use super::level::{self, Levels, Loads};
use crate::model::{Scheduler, VirtualService};

/// Longest cycle the number of requests is rounded to.
const LONGEST_CYCLE: u32 = 1000;

/// What can be said of the counts beforehand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Law {
    /// Dealt out in a cycle, these shares per real server in the lab's order.
    Cycle(Vec<u32>),
    /// All to one real server of a weight above 0.
    OneServer,
    /// The same as long as connections do not overlap.
    OneAtATime,
    /// To whoever has least for this share, in the lab's order; 0 for nobody.
    Level(Vec<u32>),
    /// By lot, by weight.
    Chance,
    /// No real server has a weight above 0: nobody is asked.
    Nobody,
}

/// The law for real servers of these weights, in the lab's order.
pub(super) fn law(service: &VirtualService, weights: &[u16]) -> Law {
    if weights.iter().all(|weight| *weight == 0) {
        return Law::Nobody;
    }
    if service.persistence.is_some() {
        return Law::OneServer;
    }
    let present = |weight: &u16| u32::from(*weight != 0);
    match service.scheduler {
        Scheduler::Rr => Law::Cycle(weights.iter().map(present).collect()),
        Scheduler::Wrr => {
            let unit = weights.iter().copied().fold(0, gcd);
            Law::Cycle(weights.iter().map(|w| u32::from(w / unit)).collect())
        }
        Scheduler::Sh | Scheduler::Dh | Scheduler::Mh => Law::OneServer,
        Scheduler::Lc => Law::Level(weights.iter().map(present).collect()),
        Scheduler::Wlc => Law::Level(weights.iter().copied().map(u32::from).collect()),
        Scheduler::Sed
        | Scheduler::Nq
        | Scheduler::Fo
        | Scheduler::Ovf
        | Scheduler::Lblc
        | Scheduler::Lblcr => Law::OneAtATime,
        Scheduler::Twos => Law::Chance,
    }
}

fn gcd(a: u16, b: u16) -> u16 {
    if b == 0 { a } else { gcd(b, a % b) }
}

impl Law {
    /// `requests` rounded up to whole cycles, unless a cycle is too long for that; at least 1.
    pub(super) fn whole_cycles(&self, requests: u32) -> u32 {
        let requests = requests.max(1);
        match self {
            Self::Cycle(shares) => match shares.iter().sum() {
                cycle @ 1..=LONGEST_CYCLE => requests
                    .div_ceil(cycle)
                    .checked_mul(cycle)
                    .unwrap_or(requests),
                _ => requests,
            },
            _ => requests,
        }
    }

    /// Fewest and most of `total` connections in a row that each real server can get.
    pub(super) fn bounds(&self, weights: &[u16], total: u32) -> Vec<(u32, u32)> {
        match self {
            Self::Cycle(shares) => {
                let cycle: u32 = shares.iter().sum::<u32>().max(1);
                let (full, rest) = (total / cycle, total % cycle);
                shares
                    .iter()
                    .map(|share| {
                        let others = cycle - share;
                        (
                            full * share + rest.saturating_sub(others),
                            full * share + rest.min(*share),
                        )
                    })
                    .collect()
            }
            Self::Nobody => vec![(0, 0); weights.len()],
            Self::Chance => {
                let sum: f64 = weights.iter().copied().map(f64::from).sum();
                let lot = |weight: &u16| f64::from(*weight) / sum.max(1.0);
                weights
                    .iter()
                    .map(lot)
                    .map(|p| {
                        // Two are drawn and the less busy one taken: at worst it loses or wins every time.
                        let (loses, wins) = (p * p, 1.0 - (1.0 - p) * (1.0 - p));
                        let least = total - level::most(total, 1.0 - loses);
                        (least, level::most(total, wins))
                    })
                    .collect()
            }
            Self::OneServer | Self::OneAtATime | Self::Level(_) => weights
                .iter()
                .map(|weight| (0, if *weight == 0 { 0 } else { total }))
                .collect(),
        }
    }

    /// The same where up to `others` connections were dealt out in between.
    ///
    /// The deal as a whole is even; of any real server's part at most `others` were not of these.
    pub(super) fn bounds_beside(
        &self,
        weights: &[u16],
        total: u32,
        others: u32,
    ) -> Vec<(u32, u32)> {
        match self {
            Self::Cycle(_) => self
                .bounds(weights, total.saturating_add(others))
                .into_iter()
                .map(|(least, most)| (least.saturating_sub(others), most.min(total)))
                .collect(),
            _ => self.bounds(weights, total),
        }
    }

    /// What is expected where the real servers had `loads` before and after.
    pub(super) fn levels(&self, total: u32, loads: Option<&Loads>) -> Option<Levels> {
        match (self, loads) {
            (Self::Level(shares), Some(loads)) => Some(level::levels(shares, total, loads)),
            _ => None,
        }
    }

    /// Whether these counts, of connections in a row but for `others` in between, can be this law's.
    pub(super) fn allows(
        &self,
        weights: &[u16],
        counts: &[u32],
        (loads, others): (Option<&Loads>, u32),
    ) -> bool {
        let total = counts.iter().sum();
        let within = self
            .bounds_beside(weights, total, others)
            .iter()
            .zip(counts)
            .all(|((least, most), count)| (least..=most).contains(&count));
        let most = counts.iter().copied().max().unwrap_or(0);
        let fits = match self {
            Self::OneServer => most == total,
            Self::OneAtATime => total - most <= level::overlaps(total),
            _ => self
                .levels(total, loads)
                .is_none_or(|levels| levels.allow(counts)),
        };
        within && fits
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn service(scheduler: Scheduler) -> VirtualService {
        VirtualService {
            vip: "192.168.4.15/24".parse().unwrap(),
            port: 80.try_into().unwrap(),
            protocol: crate::model::Protocol::Tcp,
            scheduler,
            persistence: None,
            real_servers: Vec::new(),
        }
    }

    #[test]
    fn wrr_deals_by_weight_over_their_greatest_common_divisor() {
        let law = law(&service(Scheduler::Wrr), &[2, 6, 0]);
        assert_eq!(law, Law::Cycle(vec![1, 3, 0]));
        assert_eq!(law.whole_cycles(100), 100);
        assert_eq!(law.whole_cycles(101), 104);
    }

    #[test]
    fn rr_ignores_weights_but_leaves_weight_0_out() {
        let law = law(&service(Scheduler::Rr), &[5, 0, 1]);
        assert_eq!(law, Law::Cycle(vec![1, 0, 1]));
        assert_eq!(law.whole_cycles(0), 2);
    }

    #[test]
    fn a_cycle_too_long_to_be_gone_through_does_not_raise_the_number_of_requests() {
        let law = law(&service(Scheduler::Wrr), &[65535, 1]);
        assert_eq!(law.whole_cycles(100), 100);
        assert!(law.allows(&[65535, 1], &[100, 0], (None, 0)));
        assert!(law.allows(&[65535, 1], &[99, 1], (None, 0)));
        assert!(!law.allows(&[65535, 1], &[98, 2], (None, 0)));
    }

    #[test]
    fn a_few_connections_of_others_excuse_a_few_and_no_more() {
        let law = law(&service(Scheduler::Rr), &[1, 1]);
        assert!(!law.allows(&[1, 1], &[48, 52], (None, 0)));
        assert!(law.allows(&[1, 1], &[48, 52], (None, 4)));
        assert!(!law.allows(&[1, 1], &[40, 60], (None, 4)));
    }

    #[test]
    fn persistence_binds_a_client_to_one_real_server_whatever_the_scheduler() {
        let mut persistent = service(Scheduler::Rr);
        persistent.persistence = Some(std::time::Duration::from_secs(60));
        let law = law(&persistent, &[1, 1]);
        assert!(law.allows(&[1, 1], &[0, 10], (None, 0)));
        assert!(!law.allows(&[1, 1], &[1, 9], (None, 0)));
    }

    #[test]
    fn schedulers_that_look_at_open_connections_make_the_same_choice_every_time() {
        for scheduler in [Scheduler::Sed, Scheduler::Nq, Scheduler::Lblc] {
            let law = law(&service(scheduler), &[1, 3]);
            assert!(law.allows(&[1, 3], &[0, 100], (None, 0)));
            assert!(law.allows(&[1, 3], &[95, 5], (None, 0)));
            assert!(!law.allows(&[1, 3], &[50, 50], (None, 0)));
        }
    }

    #[test]
    fn lots_fall_by_weight_within_what_chance_allows() {
        let law = law(&service(Scheduler::Twos), &[1, 1, 0]);
        assert!(law.allows(&[1, 1, 0], &[50, 50, 0], (None, 0)));
        assert!(law.allows(&[1, 1, 0], &[30, 70, 0], (None, 0)));
        assert!(!law.allows(&[1, 1, 0], &[3, 97, 0], (None, 0)));
        assert!(!law.allows(&[1, 1, 0], &[49, 50, 1], (None, 0)));
    }

    #[test]
    fn nobody_may_answer_where_every_weight_is_0() {
        let law = law(&service(Scheduler::Wrr), &[0, 0]);
        assert_eq!(law, Law::Nobody);
        assert!(!law.allows(&[0, 0], &[1, 0], (None, 0)));
    }

    /// Smooth deal of one cycle; the kernel's own order differs, its shares do not.
    fn dealt(shares: &[u32]) -> Vec<usize> {
        let most = shares.iter().copied().max().unwrap_or(0);
        (0..most)
            .flat_map(|turn| {
                shares
                    .iter()
                    .enumerate()
                    .filter(move |(_, share)| turn < **share)
                    .map(|(server, _)| server)
            })
            .collect()
    }

    proptest! {
        #[test]
        fn any_run_of_any_rotation_is_allowed(
            weights in prop::collection::vec(0u16..6, 1..6),
            start in 0usize..100,
            total in 0usize..200,
            scheduler in prop::sample::select(vec![Scheduler::Rr, Scheduler::Wrr]),
        ) {
            prop_assume!(weights.iter().any(|w| *w > 0));
            let law = law(&service(scheduler), &weights);
            let Law::Cycle(shares) = &law else { panic!("a cycle") };
            let cycle = dealt(shares);
            let mut counts = vec![0u32; weights.len()];
            for at in 0..total {
                counts[cycle[(start + at) % cycle.len()]] += 1;
            }
            prop_assert!(law.allows(&weights, &counts, (None, 0)));
        }

        #[test]
        fn any_run_with_connections_of_others_in_between_is_allowed(
            weights in prop::collection::vec(0u16..6, 1..6),
            start in 0usize..100,
            ours in prop::collection::vec(any::<bool>(), 0..200),
        ) {
            prop_assume!(weights.iter().any(|w| *w > 0));
            let law = law(&service(Scheduler::Wrr), &weights);
            let Law::Cycle(shares) = &law else { panic!("a cycle") };
            let cycle = dealt(shares);
            let mut counts = vec![0u32; weights.len()];
            for (at, ours) in ours.iter().enumerate() {
                counts[cycle[(start + at) % cycle.len()]] += u32::from(*ours);
            }
            let others = ours.iter().filter(|ours| !**ours).count() as u32;
            prop_assert!(law.allows(&weights, &counts, (None, others)));
        }

        #[test]
        fn any_skew_of_whole_cycles_is_refused(
            weights in prop::collection::vec(0u16..6, 2..6),
            cycles in 1u32..20,
            (from, to) in (0usize..6, 0usize..6),
        ) {
            let (from, to) = (from % weights.len(), to % weights.len());
            prop_assume!(from != to && weights[from] > 0);
            let law = law(&service(Scheduler::Wrr), &weights);
            let Law::Cycle(shares) = &law else { panic!("a cycle") };
            let mut counts: Vec<u32> = shares.iter().map(|share| share * cycles).collect();
            prop_assert!(law.allows(&weights, &counts, (None, 0)));
            counts[from] -= 1;
            counts[to] += 1;
            prop_assert!(!law.allows(&weights, &counts, (None, 0)));
        }

        #[test]
        fn rounding_never_lowers_and_ends_on_whole_cycles(
            weights in prop::collection::vec(0u16..50, 1..6),
            requests in 0u32..100_000,
        ) {
            let law = law(&service(Scheduler::Wrr), &weights);
            let rounded = law.whole_cycles(requests);
            prop_assert!(rounded >= requests.max(1));
            if let Law::Cycle(shares) = &law {
                prop_assert_eq!(rounded % shares.iter().sum::<u32>(), 0);
            }
        }
    }
}
