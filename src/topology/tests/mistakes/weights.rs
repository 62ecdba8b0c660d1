//! Weights that leave a client without a real server.

use super::*;

#[test]
fn no_server_with_a_weight() {
    insta::assert_snapshot!(message(&DR.replace("weight: 1", "weight: 0")), @"
    error: every real server has weight 0, so none would get a request
      ┌ lab.yaml:7:42
    7 │   web1: { rip: 192.168.4.100/24, weight: 0 }
      │                                          ^
      = give at least one a weight from 1 to 65535
    ");
}

#[test]
fn weight_0_with_the_scheduler_that_passes_nobody_over() {
    let text = DR.replace("scheduler: wrr", "scheduler: dh");
    let text = text.replace("192.168.4.200/24, weight: 1", "192.168.4.200/24, weight: 0");
    insta::assert_snapshot!(message(&text), @"
    error: `dh` does not pass over web2, whose weight is 0
      ┌ lab.yaml:8:42
    8 │   web2: { rip: 192.168.4.200/24, weight: 0 }
      │                                          ^
      = it picks a real server by the VIP alone; IPVS refuses every request where that has weight 0
      = give it a weight from 1 to 65535, or take another scheduler
    ");
    // With weights of its own every scheduler is taken.
    for scheduler in crate::model::Scheduler::ALL {
        let text = DR.replace("scheduler: wrr", &format!("scheduler: {scheduler}"));
        parse(&text, "lab.yaml", None).unwrap();
        let idle = text.replace("192.168.4.200/24, weight: 1", "192.168.4.200/24, weight: 0");
        let refused = parse(&idle, "lab.yaml", None).is_err();
        assert_eq!(
            refused,
            scheduler == crate::model::Scheduler::Dh,
            "{scheduler}"
        );
    }
}
