//! The packet filter's rules, as the host's own tools print them.
//!
//! Most lab hosts have no rules, and starting a program to find out costs more than all other evidence together. So the
//! kernel is asked first whether it has any table.

use std::fs;

use crate::agent::protocol::FirewallEvidence;
use crate::agent::system::command::{Limits, command, find, succeed};
use crate::agent::system::root::Root;
use crate::netlink::{NetlinkError, Socket};

/// `NETLINK_NETFILTER` (`linux/netlink.h`).
const NETLINK_NETFILTER: isize = 12;

/// `NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETTABLE` (`linux/netfilter/nfnetlink.h`, `nf_tables.h`).
const GET_TABLE: u16 = 10 << 8 | 1;

/// `struct nfgenmsg`: family `AF_UNSPEC`, version 0, resource 0.
const ALL_FAMILIES: [u8; 4] = [0; 4];

/// The rules. Where there are rules that cannot be read, the evidence says why.
pub(in crate::agent) fn rules(root: &Root) -> FirewallEvidence {
    let mut found = FirewallEvidence::default();
    if has_nft_tables() {
        match printed("nft", &["-j", "list", "ruleset"]) {
            Ok(text) => found.nft = Some(text),
            Err(cause) => found.unread = Some(cause),
        }
    }
    let mut wanted = Vec::new();
    if has_iptables(root) {
        wanted.push("iptables-legacy-save");
    }
    if found.nft_has_extensions() {
        wanted.push("iptables-nft-save");
    }
    for variant in wanted {
        // A system with only one of them gives it the plain name.
        let program = [variant, "iptables-save"]
            .into_iter()
            .find(|program| find(program).is_some());
        match printed(program.unwrap_or("iptables-save"), &[]) {
            Ok(text) => *found.iptables.get_or_insert_default() += &format!("{text}\n"),
            Err(cause) => found.unread = Some(cause),
        }
    }
    found
}

fn printed(program: &str, arguments: &[&str]) -> Result<String, String> {
    if find(program).is_none() {
        return Err(format!(
            "the kernel has rules and there is no `{program}` to read them"
        ));
    }
    let output = succeed(command(program).args(arguments), Limits::seconds(20))
        .map_err(|error| error.cause)?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Whether nf_tables has a table; a kernel without nf_tables answers with an error.
fn has_nft_tables() -> bool {
    let tables = || -> Result<usize, NetlinkError> {
        let socket = Socket::open(NETLINK_NETFILTER)?;
        let tables = socket.dump(GET_TABLE, &ALL_FAMILIES, &mut |_| Ok(Some(())))?;
        Ok(tables.len())
    };
    tables().is_ok_and(|count| count > 0)
}

/// Whether ip_tables has a table: it makes one when it is first used.
fn has_iptables(root: &Root) -> bool {
    fs::read_to_string(root.join("/proc/thread-self/net/ip_tables_names"))
        .is_ok_and(|names| !names.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::test_namespace::in_new_network;

    #[test]
    fn a_new_network_has_no_rules_and_no_program_is_started_to_learn_that() {
        in_new_network(
            "agent::look::packet_filter::tests::a_new_network_has_no_rules_and_no_program_is_started_to_learn_that",
            || assert_eq!(rules(&Root::machine()), FirewallEvidence::default()),
        );
    }
}
