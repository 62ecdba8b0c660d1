//! A number from a seed, the same on every machine.

/// One step of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
fn mixed(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number below `count`, which is not 0. For counts this small, the bias of the modulo does not matter.
pub(super) fn below(seed: u64, count: usize) -> usize {
    let count = u64::try_from(count).unwrap_or(u64::MAX);
    usize::try_from(mixed(seed) % count).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_published_generator() {
        // The first output of SplitMix64 seeded with 0 and 1234567.
        assert_eq!(mixed(0), 0xe220_a839_7b1d_cdaf);
        assert_eq!(mixed(1_234_567), 6_457_827_717_110_365_317);
    }

    #[test]
    fn every_number_comes_up_and_none_too_often() {
        let mut counts = [0u32; 40];
        for seed in 0..4000 {
            counts[below(seed, 40)] += 1;
        }
        assert!(
            counts.iter().all(|count| (50..=160).contains(count)),
            "{counts:?}"
        );
    }
}
