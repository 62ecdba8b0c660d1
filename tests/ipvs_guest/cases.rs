//! Sequences that are worth running every time: shrunk ones that once differed, and corners of the format.

/// Sequences of command lines, without the program's name.
pub fn committed() -> Vec<Vec<Vec<String>>> {
    let text = include_str!("cases.txt");
    let mut cases = vec![Vec::new()];
    for line in text.lines() {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        match (line.starts_with('#'), words.is_empty(), cases.last_mut()) {
            (false, false, Some(case)) => case.push(words),
            (false, true, _) => cases.push(Vec::new()),
            _ => {}
        }
    }
    cases.retain(|case| !case.is_empty());
    assert!(cases.len() > 20, "only {} cases", cases.len());
    cases
}
