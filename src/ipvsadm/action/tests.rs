use super::*;
use crate::ipvs::Destination;
use crate::ipvsadm::names::Names;

fn action(line: &str) -> Result<Action, String> {
    action_of(Behaviour::Ours, line)
}

fn action_of(behaviour: Behaviour, line: &str) -> Result<Action, String> {
    let setting = Setting {
        names: Names::from_texts("192.168.4.100 web1\n", "http 80/tcp\n"),
        behaviour,
    };
    let words: Vec<&str> = line.split_whitespace().collect();
    understand("ipvsadm", &words, &setting)
        .map_err(|failure| format!("{} [{}]", failure.message, failure.status()))
}

fn command(line: &str) -> Command {
    match action(line) {
        Ok(Action::Change(command)) => command,
        other => panic!("{line}: {other:?}"),
    }
}

fn vip() -> ServiceKey {
    ServiceKey::tcp([192, 168, 4, 5].into(), 80)
}

fn web1() -> Destination {
    Destination::new([192, 168, 4, 100].into(), 80, Forwarding::Route, 1)
}

#[test]
fn the_first_lab_is_understood() {
    assert_eq!(
        command("-A -t 192.168.4.5:80 -s wrr"),
        Command::CreateService(Service::new(vip(), "wrr"))
    );
    assert_eq!(
        command("-a -t 192.168.4.5:80 -r web1"),
        Command::AddDestination(vip(), web1())
    );
    assert_eq!(
        command("-a -t 192.168.4.5:http -r web1:8080 -m -w 2"),
        Command::AddDestination(
            vip(),
            Destination {
                port: 8080,
                forwarding: Forwarding::Masquerade,
                weight: 2,
                ..web1()
            }
        )
    );
    assert_eq!(command("-C"), Command::Flush);
    assert_eq!(
        command("-D -t 192.168.4.5:80"),
        Command::DeleteService(vip())
    );
    assert_eq!(command("-Z"), Command::Zero(None));
    assert_eq!(command("-Zt 192.168.4.5:80"), Command::Zero(Some(vip())));
}

#[test]
fn only_masquerading_has_a_port_of_its_own() {
    let Command::AddDestination(_, destination) = command("-a -t 192.168.4.5:80 -r web1:8080 -g")
    else {
        panic!("a destination");
    };
    assert_eq!(destination.port, 80);
    let Command::AddDestination(_, destination) = command("-a -f 1 -r web1:8080 -g") else {
        panic!("a destination");
    };
    assert_eq!(destination.port, 8080);
}

#[test]
fn a_real_server_named_before_its_service_has_no_port_to_take() {
    let Command::AddDestination(_, destination) = command("-a -r web1 -t 192.168.4.5:80 -m") else {
        panic!("a destination");
    };
    assert_eq!(destination.port, 0);
}

#[test]
fn an_edit_keeps_what_it_leaves_out_except_as_the_original() {
    let scheduler = "-E -t 192.168.4.5:80 -o";
    let method = "-e -t 192.168.4.5:80 -r web1 -w 3";
    for line in ["-E -t 192.168.4.5:80 -p", method] {
        assert!(matches!(action(line), Ok(Action::Edit(_))), "{line}");
    }
    let original = |line| match action_of(Behaviour::Original, line) {
        Ok(Action::Change(command)) => command,
        other => panic!("{line}: {other:?}"),
    };
    assert_eq!(
        original("-E -t 192.168.4.5:80"),
        Command::EditService(Service::new(vip(), "wlc"))
    );
    assert_eq!(
        original(method),
        Command::EditDestination(
            vip(),
            Destination {
                weight: 3,
                ..web1()
            }
        )
    );
    assert_eq!(
        action(scheduler).unwrap_err(),
        action_of(Behaviour::Original, scheduler).unwrap_err()
    );
    // The original takes `-b` for its default scheduler, wlc.
    let flags = "-E -t 192.168.4.5:80 -b sh-port";
    assert!(matches!(action(flags), Ok(Action::Edit(_))));
    assert_eq!(
        action_of(Behaviour::Original, flags).unwrap_err(),
        "incompatible scheduler flag `sh-port' [2]"
    );
}

#[test]
fn mistakes_are_told_in_ipvsadms_words() {
    let mut told = String::new();
    for line in [
        "-q",
        "-n",
        "rules",
        "-A",
        "-A -t 80",
        "-A -t 192.168.4.5 -s rr",
        "-A -t 192.168.4.5:80 -o",
        "-A -t 192.168.4.5:80 -p 0",
        "-A -t 192.168.4.5:80 -M nowhere",
        "-A -t [::1]:80 -M 129",
        "-A -t 192.168.4.5:80 -s rr -b sh-port",
        "-A -t 192.168.4.5:80 -b wide",
        "-A -t 192.168.4.5:80 -u 192.168.4.5:80",
        "-A -f 0",
        "-A -6 -f 1",
        "-A -t 192.168.4.5:80 -L",
        "-A -t 192.168.4.5:80 -s",
        "-A -t 192.168.4.5:80 rules",
        "-a -t 192.168.4.5:80 -r web2",
        "-a -t 192.168.4.5:80 -r [::1]:80",
        "-a -t 192.168.4.5:80 -r web1 -w 2147483648",
        "-a -t 192.168.4.5:80 -r web1 -x -1",
        "-a -t 192.168.4.5:80 -r web1 --tun-type gre",
        "-a -t 192.168.4.5:80 -r web1 -i --tun-type gue",
        "-a -t 192.168.4.5:80 -r web1 -i --tun-type sit",
        "-a -t 192.168.4.5:80 -r web1 -i -g",
        "--set 1 2",
        "--set 1 2 x",
        "--set 1 2 3 4",
        "--start-daemon slave",
        "--start-daemon master --mcast-group 10.0.0.1",
        "--start-daemon master --mcast-ttl 256",
        "-L --timeout --stats",
        "-L -t 192.168.4.5:80 --daemon",
        "-Ln -w 1",
    ] {
        told.push_str(&format!("{line}\n    {}\n", action(line).unwrap_err()));
    }
    insta::assert_snapshot!(told);
}
