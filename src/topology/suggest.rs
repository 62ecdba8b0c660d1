//! "Did you mean …?"

/// The candidate that was probably meant: one letter may differ, or up to a third of them.
pub(super) fn nearest<'a>(
    text: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    // Longer than any key, scheduler or host name: comparing would only cost time.
    if text.chars().count() > 64 {
        return None;
    }
    let lower = text.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&lower, candidate), candidate))
        .filter(|&(distance, candidate)| distance <= (candidate.chars().count() / 3).max(1))
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

/// ``did you mean `wrr`?``, when something is near.
pub(super) fn did_you_mean<'a>(
    text: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    nearest(text, candidates).map(|near| format!("did you mean `{near}`?"))
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn swapped_and_missing_letters_are_near_and_other_words_are_not() {
        assert_eq!(nearest("wwr", ["rr", "wrr", "wlc"]), Some("wrr"));
        assert_eq!(
            nearest("sheduler", ["scheduler", "port"]),
            Some("scheduler")
        );
        assert_eq!(nearest("VIP", ["vip"]), Some("vip"));
        assert_eq!(nearest("round-robin", ["rr", "wrr"]), None);
    }
}
