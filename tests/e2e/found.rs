//! The state of a machine as text, to compare how it was found with how it was left.

use crate::stage::{Check, Ran};

/// Everything on a machine that a lab could touch, as text; `exec` runs a command there.
///
/// That includes every file, directory and link in `/etc`, `/var/www`, `/usr/local` and `/root`: name, mode, owner,
/// and a file's hash or a link's target. The journal, which systemd prints below a service's status, is left out.
pub fn state_of(exec: impl Fn(&[&str]) -> Ran) -> Result<String, String> {
    let script = "\
        ip -o addr show | sed 's/ tentative//; s/ valid_lft.*//' ; ip route ; \
        ip -o link show | sed 's/.*: \\([a-z0-9@]*\\): <.*state \\([A-Z]*\\).*/\\1 \\2/' ; \
        sysctl net.ipv4.ip_forward net.ipv4.conf.all.arp_ignore net.ipv4.conf.all.arp_announce \
        net.ipv4.conf.lo.arp_ignore net.ipv4.conf.lo.arp_announce ; \
        cat /proc/net/ip_vs | sed 1,3d ; \
        service apache2 status | sed '/^$/,$d' ; \
        find /etc /var/www /usr/local /root -xdev -printf '%p %y %m %u %g %l\\n' | sort ; \
        find /etc /var/www /usr/local /root -xdev -type f | sort | xargs -d '\\n' sha256sum ; \
        ls -d /var/lib/lvslab/journal /var/lib/lvslab/agent 2>/dev/null ; true";
    let ran = exec(&["sh", "-c", script]).exit(0)?;
    // Two empty states would be the same.
    let complete = [
        "net.ipv4.ip_forward",
        "/etc/passwd f",
        "  /etc/passwd",
        "lo UNKNOWN",
    ];
    for line in complete {
        if !ran.out.contains(line) {
            return Err(format!("the state of the machine lacks {line:?}\n{ran}"));
        }
    }
    Ok(ran.out)
}

/// Fails unless both states have the same lines.
pub fn same_lines(host: &str, before: &str, after: &str) -> Check {
    let lost: Vec<_> = before
        .lines()
        .filter(|line| !after.lines().any(|l| l == *line))
        .collect();
    let new: Vec<_> = after
        .lines()
        .filter(|line| !before.lines().any(|l| l == *line))
        .collect();
    if lost.is_empty() && new.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{host} is not as it was found\n-{}\n+{}",
        lost.join("\n-"),
        new.join("\n+")
    ))
}
