//! Command lines for ipvsadm: most of them legal, some not, some half.
//!
//! Services and real servers come from small pools, so that commands meet what earlier ones made. What ours
//! does differently on purpose is only generated for the original's behaviour: `-E` without `-s`, `-e` without
//! a method, and firewall marks from 2^31 up.

use lvslab::ipvsadm::Behaviour;

use super::random::Random;

/// None is half the address space from two others: the original's order of three such addresses depends on the
/// kernel's own order, which differs from one network namespace to the next.
const SERVICES: &[&str] = &[
    "-t 10.0.0.1:80",
    "-t 10.0.0.1:80",
    "-t 100.64.4.15:80",
    "-u 10.0.0.1:53",
    "--sctp-service 10.0.0.1:9",
    "-t [2001:db8::1]:80",
    "-u [2001:db8::1]:53",
    "-f 1",
    "-f 2 -6",
    "--fwmark-service 2147483647",
    "-t localhost:http",
    "-u 10.1:domain",
    "--tcp-service=10.0.0.1:443",
    "-t10.0.0.9:21",
    "-t [2001:db8:1234:5678:9abc:def0:1234:5678]:443",
    "-u [::ffff:10.0.0.3]:53",
    "-t [2001:db8::1:0:0:1]:80",
    "-t 10.0.0.2:0",
    "-t 10.0.0.2",
];

const LARGE_MARKS: &[&str] = &["-f 4294967295", "-f 2147483648 -6"];

const BAD_SERVICES: &[&str] = &[
    "-t 80",
    "-t [::1]",
    "-t [::1",
    "-t 10.0.0.1:99999",
    "-t 10.0.0.1:",
    "-t 10.0.0.1:nosuch",
    "-t 300.1.1.1:80",
    "-t nosuchhost:80",
    "-f 0",
    "-f -1",
    "-f x",
    "-f 4294967296",
    "-t",
    "-6",
    "-t 10.0.0.1:80 -u 10.0.0.1:80",
];

const SCHEDULERS: &[&str] = &[
    "rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh",
];

const SERVICE_OPTIONS: &[&str] = &[
    "-p",
    "-p 300",
    "-p 60 -M 255.255.255.0",
    "-p -M 255.255.255.255",
    "--persistent=2678400",
    "-p 10 -M 64",
    "-p 10 -M 127",
    "-o",
    "-p 120 --pe sip",
    "-M 255.255.0.0",
    "-p 5 -M 0.0.0.0",
    "-p 5 -M 255.0.255.0",
    "-b flag-1",
    "-b flag-1,flag-3",
    "-b flag-3",
];

const BAD_SERVICE_OPTIONS: &[&str] = &[
    "-p 0",
    "-p x",
    "-p 2678401",
    "-M x",
    "-M 129",
    "-M 0",
    "--pe none",
    "--pe",
    "-b",
    "-b sh-port",
    "-b wide",
    "-w 1",
    "-p 1 -p 2",
    "-s",
    "-q",
    "--schedule rr",
    "--numeric",
    "extra",
];

const SERVERS: &[&str] = &[
    "-r 10.1.0.1:80",
    "-r 10.1.0.1:80",
    "-r 10.1.0.2",
    "-r 10.1.0.3:8080",
    "-r 192.168.4.100:80",
    "-r [2001:db8::2]:80",
    "-r 2001:db8::3",
    "-r 127.0.0.1:80",
    "-r [2001:db8:1234:5678:9abc:def0:1234:5679]:80",
    "-r [::ffff:10.1.0.6]:80",
    "--real-server=10.1.0.4:80",
    "-r 10.1.0.1:http",
    "-r 10.1.0.5:0",
];

const BAD_SERVERS: &[&str] = &[
    "-r 224.0.0.1",
    "-r 255.255.255.255",
    "-r x",
    "-r 80",
    "-r",
    "-r 10.1.0.1:70000",
    "",
];

const METHODS: &[&str] = &[
    "-g",
    "-g",
    "-m",
    "-m",
    "-i",
    "--gatewaying",
    "--masquerading",
    "--ipip",
    "-i --tun-type ipip",
    "-i --tun-type gue --tun-port 6080",
    "-i --tun-type gue --tun-port 6080 --tun-csum",
    "-i --tun-type gue --tun-port 6080 --tun-remcsum",
    "-i --tun-type gre",
    "-i --tun-type gre --tun-csum",
    "-i --tun-type gre --tun-nocsum",
];

const BAD_METHODS: &[&str] = &[
    "-g -m",
    "-m=w 3",
    "-g=",
    "-i --tun-type gue",
    "-i --tun-type gre --tun-port 1",
    "-i --tun-type gre --tun-csum --tun-nocsum",
    "-i --tun-type sit",
    "-i --tun-port 0",
    "-i --tun-port 1",
    "-i --tun-csum",
    "-g --tun-type gre",
    "-m --tun-remcsum",
];

const SERVER_OPTIONS: &[&str] = &[
    "-w 0",
    "-w 1",
    "-w 5",
    "--weight=65535",
    "-w 65536",
    "-w 2147483647",
    "-x 100",
    "-x 100 -y 50",
    "-w 3 -x 2147483647",
];

const BAD_SERVER_OPTIONS: &[&str] = &[
    "-w 2147483648",
    "-w -1",
    "-w x",
    "-w",
    "-w=",
    "-w==3",
    "-w 1 -w 2",
    "-x 1 -y 2",
    "-x -1",
    "-y 5000000000",
    "-s rr",
    "-p",
    "-n",
    "--syncid 1",
    "extra",
];

const LISTS: &[&str] = &[
    "-L",
    "-Ln",
    "-Ln",
    "-l -n",
    "--list --numeric",
    "-Ln --stats",
    "-Ln --stats --exact",
    "-LnX --rate",
    "-Ln --rate",
    "-Ln --thresholds",
    "-Ln --persistent-conn",
    "-Ln --tun-info",
    "-Ln --sort",
    "-L --timeout",
    "-L --daemon",
    "-Lc",
    "-Lnc",
    "-Lc --persistent-conn",
    "-Ln --stats --rate --thresholds",
    "-S",
    "-Sn",
    "--save -n",
];

const BAD_LISTS: &[&str] = &[
    "-L --timeout --daemon",
    "-L -c --stats",
    "-L --daemon --persistent-conn",
    "-L -w 1",
    "-Lnn",
    "-Sc",
    "-S --stats",
    "-nL",
    "-L --stat",
    "-L --list=1",
    "-L extra",
    "-L -- extra",
    "-L -",
    "--numeric",
    "--lis",
    "-Lq",
    "-LA",
    "-L -h",
    "-=",
    "-L=n",
    "-Ln=",
    "-L -n=x",
    "-S=n",
];

const OTHERS: &[&str] = &[
    "-C",
    "--clear",
    "-Z",
    "--zero",
    "--set 100 10 50",
    "--set 0 20 0",
    "--set 0 0 0",
    "-v",
    "--start-daemon master --mcast-interface eth0 --syncid 1",
    "--start-daemon backup --syncid 255 --sync-maxlen 1000",
    "--start-daemon master --mcast-group 224.0.0.90 --mcast-port 9000 --mcast-ttl 3",
    "--stop-daemon master",
    "--stop-daemon backup",
];

const BAD_OTHERS: &[&str] = &[
    "-h",
    "--set 1 2",
    "--set 1 2 3 4",
    "--set x 1 2",
    "--set 2678401 1 1",
    "--set",
    "-C -n",
    "-C=x",
    "-C=",
    "-C -t 10.0.0.1:80",
    "-Z extra",
    "--start-daemon",
    "--start-daemon slave",
    "--start-daemon master --mcast-interface nosuch0",
    "--start-daemon master --syncid 256",
    "--start-daemon master --mcast-group 10.0.0.1",
    "--start-daemon master --mcast-group ff02::1:2:3:4:5:6:7:8",
    "--start-daemon master --mcast-port 0",
    "--start-daemon master --mcast-ttl 256",
    "--start-daemon master --sync-maxlen 65508",
    "--start-daemon master --mcast-interface averyveryverylongname",
    "--stop-daemon",
    "--stop-daemon slave",
    "--stop-daemon master --mcast-interface eth0",
    "",
    "extra",
    "-",
    "--",
];

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

/// One command line.
pub fn command(random: &mut Random, behaviour: Behaviour) -> Vec<String> {
    match random.below(100) {
        0..28 => service_command(random, &["-A", "-A", "-A", "--add-service"], behaviour),
        28..34 => service_command(random, &["-E", "--edit-service"], behaviour),
        34..58 => server_command(random, &["-a", "-a", "-a", "--add-server"], behaviour),
        58..66 => server_command(random, &["-e", "--edit-server"], behaviour),
        66..70 => {
            let verb = random.pick(&["-D", "--delete-service"]);
            let service = service(random, behaviour);
            words(&format!("{verb} {service}"))
        }
        70..75 => {
            let verb = random.pick(&["-d", "--delete-server"]);
            let service = service(random, behaviour);
            let server = random.mostly(SERVERS, BAD_SERVERS);
            words(&format!("{verb} {service} {server}"))
        }
        75..78 => {
            let verb = random.pick(&["-L", "-Ln", "-Z", "-Ln --stats"]);
            let service = service(random, behaviour);
            words(&format!("{verb} {service}"))
        }
        78..91 => words(random.mostly(LISTS, BAD_LISTS)),
        91..94 => words(random.pick(BAD_LISTS)),
        94..98 => words(random.mostly(OTHERS, BAD_OTHERS)),
        _ => words(random.pick(BAD_OTHERS)),
    }
}

fn service(random: &mut Random, behaviour: Behaviour) -> &'static str {
    if behaviour == Behaviour::Original && random.chance(5) {
        return random.pick(LARGE_MARKS);
    }
    random.mostly(SERVICES, BAD_SERVICES)
}

/// Whether a command names what it may leave out: it has to where leaving it out means an edit that ours
/// completes differently.
fn names_it(random: &mut Random, percent: usize, is_edit: bool, behaviour: Behaviour) -> bool {
    (is_edit && behaviour == Behaviour::Ours) || random.chance(percent)
}

fn service_command(random: &mut Random, verbs: &[&str], behaviour: Behaviour) -> Vec<String> {
    let verb = random.pick(verbs);
    let service = service(random, behaviour);
    let is_edit = verb.contains(['E', 'd']) && !verb.contains("add");
    let mut options = Vec::new();
    if names_it(random, 80, is_edit, behaviour) {
        let scheduler = random.mostly(
            SCHEDULERS,
            &["wwr", "none", "averyveryverylongname", "RR", "-x"],
        );
        options.push(format!("-s {scheduler}"));
        if (scheduler == "sh" || scheduler == "mh") && random.chance(60) {
            let flag = random.pick(&["fallback", "port"]);
            options.push(format!("-b {scheduler}-{flag}"));
        }
    }
    if random.chance(35) {
        options.push(
            random
                .mostly(SERVICE_OPTIONS, BAD_SERVICE_OPTIONS)
                .to_owned(),
        );
    }
    if random.chance(15) {
        let another = [random.pick(SERVICE_OPTIONS), random.pick(SERVICE_OPTIONS)];
        options.extend(another.map(str::to_owned));
    }
    ordered(random, verb, service, options)
}

fn server_command(random: &mut Random, verbs: &[&str], behaviour: Behaviour) -> Vec<String> {
    let verb = random.pick(verbs);
    let service = service(random, behaviour);
    let is_edit = verb.starts_with("-e") || verb.starts_with("--e");
    let mut options = vec![random.mostly(SERVERS, BAD_SERVERS).to_owned()];
    if names_it(random, 75, is_edit, behaviour) {
        options.push(random.mostly(METHODS, BAD_METHODS).to_owned());
    }
    if random.chance(50) {
        options.push(random.mostly(SERVER_OPTIONS, BAD_SERVER_OPTIONS).to_owned());
    }
    if random.chance(10) {
        options.push(random.pick(SERVER_OPTIONS).to_owned());
    }
    ordered(random, verb, service, options)
}

/// The command first; the service usually next.
fn ordered(
    random: &mut Random,
    verb: &str,
    service: &str,
    mut options: Vec<String>,
) -> Vec<String> {
    options.insert(0, service.to_owned());
    if random.chance(10) {
        random.shuffle(&mut options);
    }
    words(&format!("{verb} {}", options.join(" ")))
}
