use super::*;
use crate::ipvs::Command;
use crate::ipvsadm::rules::parse_rules;

/// The table that these rules make, each destination with numbers of its own.
fn table(rules: &str) -> Table {
    let mut table = Table::new();
    let mut number = 0;
    for command in parse_rules(rules).unwrap() {
        number += 1;
        let counters = Counters {
            connections: number,
            packets_in: 99_999_999 * number,
            packets_out: 100_000_000 * number,
            bytes_in: 1_000_000_000 * number,
            bytes_out: 100_000_000_000_000 * number,
            connections_per_second: number,
            packets_in_per_second: 10 * number,
            packets_out_per_second: 100 * number,
            bytes_in_per_second: 123_456_789 * number,
            bytes_out_per_second: 0,
        };
        match command {
            Command::CreateService(service) => table.push(ServiceStatus {
                service,
                counters,
                destinations: Vec::new(),
            }),
            Command::AddDestination(key, destination) => table
                .iter_mut()
                .find(|status| status.service.key == key)
                .unwrap()
                .destinations
                .push(DestinationStatus {
                    destination,
                    active: number as u32,
                    inactive: 1000,
                    persistent: 7,
                    counters,
                }),
            other => panic!("{other:?}"),
        }
    }
    table
}

const RULES: &str = "\
-A -t 10.0.0.1:80 -s rr
-a -t 10.0.0.1:80 -r 10.1.0.2:80 -i -w 0
-a -t 10.0.0.1:80 -r 10.1.0.1:8080 -m -w 3 -x 2000 -y 1500
-A -t 10.0.0.1:443 -s sh -p 600 -M 255.255.255.0 -b sh-fallback,sh-port
-a -t 10.0.0.1:443 -r 2001:db8::2 -i --tun-type gue --tun-port 6080 --tun-remcsum
-A -u 10.0.0.1:53 -s wrr -o
-A -t [2001:db8::1]:80 -s rr -p 300 -M 64
-A -f 8 -6 -s wrr
-A -f 3000000000 -s wlc
-A -u 192.168.4.15:5060 -s rr -p 60 --pe sip
";

const INFO: Info = Info {
    version: [1, 2, 1],
    connection_table_size: 4096,
};

fn shown(format: Format) -> String {
    let names = Names::from_texts("10.0.0.1 vip.example\n", "https 443/tcp\n");
    // Blanks at line ends are part of the format.
    everything(&INFO, &table(RULES), format, &names).replace(" \n", "·\n")
}

#[test]
fn the_plain_list() {
    insta::assert_snapshot!(shown(Format {
        numeric: true,
        ..Format::default()
    }));
}

#[test]
fn the_plain_list_with_names() {
    insta::assert_snapshot!(shown(Format::default()));
}

#[test]
fn statistics_are_shortened_from_nine_digits_up() {
    insta::assert_snapshot!(shown(Format {
        numeric: true,
        stats: true,
        ..Format::default()
    }));
}

#[test]
fn exact_statistics_push_their_columns() {
    insta::assert_snapshot!(shown(Format {
        numeric: true,
        stats: true,
        exact: true,
        ..Format::default()
    }));
}

#[test]
fn rates() {
    insta::assert_snapshot!(shown(Format {
        numeric: true,
        rate: true,
        ..Format::default()
    }));
}

#[test]
fn thresholds() {
    insta::assert_snapshot!(shown(Format {
        numeric: true,
        thresholds: true,
        ..Format::default()
    }));
}

#[test]
fn persistent_connections() {
    insta::assert_snapshot!(shown(Format {
        numeric: true,
        persistent_conn: true,
        ..Format::default()
    }));
}

#[test]
fn tunnels() {
    insta::assert_snapshot!(shown(Format {
        numeric: true,
        tunnel_info: true,
        ..Format::default()
    }));
}

#[test]
fn the_saved_table_restores_to_itself() {
    let setting = Setting::default();
    let first = saved(&table(RULES), true, &setting);
    assert_eq!(saved(&table(&first), true, &setting), first);
    insta::assert_snapshot!(first);
}

#[test]
fn the_original_loses_thresholds_flags_and_the_sign_of_marks() {
    let rules = "\
-A -f 3000000000 -s mh -b flag-3
-a -f 3000000000 -r 10.1.0.1:80 -m -w 3 -x 2000 -y 1500
-A -t 10.0.0.1:80 -s sh -b sh-port,flag-3
-A -t 10.0.0.1:81 -s rr -b flag-3
";
    let setting = Setting {
        behaviour: Behaviour::Original,
        ..Setting::default()
    };
    assert_eq!(
        saved(&table(rules), true, &setting),
        "-A -f -1294967296 -s mh -b \n\
         -a -f -1294967296 -r 10.1.0.1:80 -m -w 3\n\
         -A -t 10.0.0.1:80 -s sh -b sh-port\n\
         -A -t 10.0.0.1:81 -s rr -b flag-3\n"
    );
    let format = Format {
        numeric: true,
        behaviour: Behaviour::Original,
        ..Format::default()
    };
    let list = everything(&INFO, &table(rules), format, &Names::default());
    assert!(list.contains("\nFWM  -1294967296 mh ()\n"), "{list}");
}

#[test]
fn one_service_has_no_version_line() {
    let names = Names::from_texts("", "");
    let status = table(RULES).remove(0);
    let format = Format {
        numeric: true,
        ..Format::default()
    };
    assert_eq!(
        one(&status, format, &names),
        "Prot LocalAddress:Port Scheduler Flags\n\
        \x20 -> RemoteAddress:Port           Forward Weight ActiveConn InActConn\n\
         TCP  10.0.0.1:80 rr\n\
        \x20 -> 10.1.0.1:8080                Masq    3      3          1000      \n\
        \x20 -> 10.1.0.2:80                  Tunnel  0      2          1000      \n"
    );
}

#[test]
fn daemons_and_timeouts() {
    let master = Daemon {
        role: crate::ipvs::DaemonRole::Master,
        interface: "eth0".to_owned(),
        sync_id: 7,
        max_length_bytes: 1000.try_into().ok(),
        group: Some([224, 0, 0, 82].into()),
        port: 8849.try_into().ok(),
        ttl: 2.try_into().ok(),
    };
    assert_eq!(
        daemons(&[master]),
        "master sync daemon (mcast=eth0, syncid=7, maxlen=1000, group=224.0.0.82, port=8849, ttl=2)\n"
    );
    assert_eq!(
        super::timeouts(&Timeouts {
            tcp_seconds: 900,
            tcp_fin_seconds: 120,
            udp_seconds: 300
        }),
        "Timeout (tcp tcpfin udp): 900 120 300\n"
    );
}
