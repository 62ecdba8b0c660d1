//! Each real server's share of the requests in words that stay short for many servers.

use crate::model::HostName;

/// Up to this many real servers are listed one by one.
const LISTED: usize = 8;

/// This many servers with the same share are still named when there are more in all.
const NAMED: usize = 3;

/// `web1 50`, `web2 50`; of many real servers `38 real servers 1 each`, `web7 0`, `web9 2`.
#[must_use]
pub fn shares<'a>(of: impl IntoIterator<Item = (&'a HostName, String)>) -> Vec<String> {
    let all: Vec<(&HostName, String)> = of.into_iter().collect();
    let one_by_one = |(host, share): &(&HostName, String)| format!("{host} {share}");
    if all.len() <= LISTED {
        return all.iter().map(one_by_one).collect();
    }
    let mut groups: Vec<(&str, Vec<&(&HostName, String)>)> = Vec::new();
    for entry in &all {
        match groups.iter_mut().find(|(share, _)| *share == entry.1) {
            Some((_, members)) => members.push(entry),
            None => groups.push((&entry.1, vec![entry])),
        }
    }
    // Stable, so groups of one size keep the servers' order.
    groups.sort_by_key(|(_, members)| std::cmp::Reverse(members.len()));
    let words = groups.into_iter().flat_map(|(share, members)| {
        if members.len() <= NAMED {
            members.into_iter().map(one_by_one).collect()
        } else {
            vec![format!("{} real servers {share} each", members.len())]
        }
    });
    words.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(counts: &[u32]) -> String {
        let hosts: Vec<HostName> = (1..=counts.len())
            .map(|number| format!("web{number}").parse().unwrap())
            .collect();
        let counts = counts.iter().map(u32::to_string);
        shares(hosts.iter().zip(counts)).join(", ")
    }

    #[test]
    fn few_real_servers_are_listed_and_many_are_counted() {
        assert_eq!(of(&[50, 50]), "web1 50, web2 50");
        assert_eq!(of(&[1; 40]), "40 real servers 1 each");
        let mut counts = [1; 40];
        (counts[6], counts[8]) = (0, 2);
        assert_eq!(of(&counts), "38 real servers 1 each, web7 0, web9 2");
        counts[20..].fill(3);
        assert_eq!(
            of(&counts),
            "20 real servers 3 each, 18 real servers 1 each, web7 0, web9 2"
        );
    }
}
