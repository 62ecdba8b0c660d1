//! Schedulers that fill up whoever has least: what they must have done, from what everybody had before.
//!
//! `lc` and `wlc` count every connection that the director remembers, an open one as 256 that have ended
//! (`ip_vs_dest_conn_overhead`, `include/net/ip_vs.h`), divided by the weight under `wlc`. The director
//! remembers ended ones for about two minutes, so what happened before weighs: with what it remembered
//! before the requests the shares can be worked out.

/// How sure a bound is: in this share of all runs of a healthy lab the counts are within it.
pub(super) const CONFIDENCE: &str = "99.9 %";

/// One less the above.
const DOUBT: f64 = 0.001;

/// Share of requests that at most begin before the director has seen the end of the one before: only then
/// does a scheduler find an open connection.
const OVERLAP: f64 = 0.02;

/// What the director remembered per real server, in the lab's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Loads {
    /// Before the requests, as the scheduler counts.
    pub(super) before: Vec<u64>,
    /// Connections open or remembered after them.
    pub(super) after: Vec<u64>,
}

/// What is expected of the counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Levels {
    /// Per real server.
    pub(super) counts: Vec<u32>,
    /// By how much each may differ.
    pub(super) tolerance: u32,
}

impl Levels {
    pub(super) fn allow(&self, counts: &[u32]) -> bool {
        self.counts
            .iter()
            .zip(counts)
            .all(|(expected, count)| expected.abs_diff(*count) <= self.tolerance)
    }
}

/// Each connection to whoever has least for its share, one after the other.
pub(super) fn levels(shares: &[u32], total: u32, loads: &Loads) -> Levels {
    let mut load: Vec<u64> = loads.before.clone();
    load.resize(shares.len(), 0);
    let mut counts = vec![0u32; shares.len()];
    for _ in 0..total {
        // load/share compared without dividing; the first of equals is taken.
        let least = (0..shares.len())
            .filter(|at| shares[*at] > 0)
            .min_by(|a, b| {
                let (a, b) = (*a, *b);
                (load[a] * u64::from(shares[b])).cmp(&(load[b] * u64::from(shares[a])))
            });
        let Some(least) = least else { break };
        load[least] += 1;
        counts[least] += 1;
    }
    // What the director forgot meanwhile made room that this does not know of.
    let had: u64 = loads
        .before
        .iter()
        .map(|load| load % 256 + load / 256)
        .sum();
    let has: u64 = loads.after.iter().sum();
    let forgotten = (had + u64::from(total)).saturating_sub(has);
    let tolerance = 1 + overlaps(total) + u32::try_from(forgotten).unwrap_or(u32::MAX).min(total);
    Levels { counts, tolerance }
}

/// Most of `total` requests that overlap with the one before.
pub(super) fn overlaps(total: u32) -> u32 {
    most(total, OVERLAP)
}

/// The smallest number that more than it of `total` events of this probability come true only in one of
/// a thousand runs.
pub(super) fn most(total: u32, probability: f64) -> u32 {
    let n = f64::from(total);
    let mean = n * probability;
    if probability <= 0.0 {
        return 0;
    }
    if probability >= 1.0 {
        return total;
    }
    if mean * (1.0 - probability) > 1000.0 {
        // The normal distribution's quantile for 0.999.
        let bound = mean + 3.091 * (mean * (1.0 - probability)).sqrt() + 1.0;
        return (bound as u32).min(total);
    }
    // The binomial distribution, term by term, each from the one before; as logarithms, since the first ones
    // may be smaller than any number.
    let odds = (probability / (1.0 - probability)).ln();
    let mut term = n * (1.0 - probability).ln();
    let mut sum = term.exp();
    for k in 0..total {
        if sum >= 1.0 - DOUBT {
            return k;
        }
        let k = f64::from(k);
        term += ((n - k) / (k + 1.0)).ln() + odds;
        sum += term.exp();
    }
    total
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fresh(servers: usize, total: u32) -> Loads {
        Loads {
            before: vec![0; servers],
            after: vec![u64::from(total), 0],
        }
    }

    #[test]
    fn equals_share_equally_and_weights_count() {
        let expected = levels(&[1, 1], 100, &fresh(2, 100));
        assert_eq!(expected.counts, [50, 50]);
        let weighted = levels(&[1, 3, 0], 100, &fresh(3, 100));
        assert_eq!(weighted.counts, [25, 75, 0]);
        assert!(weighted.allow(&[27, 73, 0]));
        assert!(!weighted.allow(&[50, 50, 0]));
    }

    #[test]
    fn who_had_more_before_gets_less_now() {
        let loads = Loads {
            before: vec![40, 0],
            after: vec![70, 70],
        };
        let expected = levels(&[1, 1], 100, &loads);
        assert_eq!(expected.counts, [30, 70]);
        assert!(!expected.allow(&[50, 50]));
    }

    #[test]
    fn what_the_director_forgot_meanwhile_widens_the_tolerance() {
        let loads = Loads {
            before: vec![40, 40],
            after: vec![50, 50],
        };
        let expected = levels(&[1, 1], 100, &loads);
        assert_eq!(expected.tolerance, 1 + overlaps(100) + 80);
    }

    #[test]
    fn bounds_are_those_of_the_binomial_distribution() {
        // From a table of the cumulative distribution.
        assert_eq!(most(20, 0.02), 3);
        assert_eq!(most(100, 0.02), 7);
        assert_eq!(most(100, 0.5), 65);
        assert_eq!(most(10, 0.0), 0);
        assert_eq!(most(10, 1.0), 10);
        let large = most(100_000, 0.02);
        assert!((2130..2145).contains(&large), "{large}");
    }

    proptest! {
        #[test]
        fn bounds_grow_with_the_probability(total in 1u32..3000, a in 0.0f64..1.0, b in 0.0f64..1.0) {
            let (low, high) = (a.min(b), a.max(b));
            prop_assert!(most(total, low) <= most(total, high));
            prop_assert!(f64::from(most(total, low)) >= (f64::from(total) * low).floor());
            prop_assert!(most(total, high) <= total);
        }

        #[test]
        fn every_connection_goes_to_somebody_with_a_share(
            shares in prop::collection::vec(0u32..5, 1..6),
            before in prop::collection::vec(0u64..600, 6),
            total in 0u32..200,
        ) {
            let loads = Loads { before, after: Vec::new() };
            let expected = levels(&shares, total, &loads);
            let sum: u32 = expected.counts.iter().sum();
            prop_assert_eq!(sum, if shares.iter().any(|share| *share > 0) { total } else { 0 });
            for (share, count) in shares.iter().zip(&expected.counts) {
                prop_assert!(*share > 0 || *count == 0);
            }
        }
    }
}
