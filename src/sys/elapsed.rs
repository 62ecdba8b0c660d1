//! Times that something took, for people.

use std::time::Duration;

/// `7.7 s`.
#[must_use]
pub fn in_seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

/// `3 min 20 s`: the two largest units.
#[must_use]
pub fn in_large_units(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_have_one_digit_after_the_point() {
        assert_eq!(in_seconds(Duration::from_millis(7_651)), "7.7 s");
    }

    #[test]
    fn long_times_are_in_their_two_largest_units() {
        let table = [
            (0, "0 s"),
            (59, "59 s"),
            (200, "3 min 20 s"),
            (3600, "1 h 0 min"),
            (90_061, "1 d 1 h"),
        ];
        for (seconds, text) in table {
            assert_eq!(in_large_units(seconds), text);
        }
    }
}
