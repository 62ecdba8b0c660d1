use super::*;

fn target() -> SshTarget {
    SshTarget {
        user: Some("root".to_owned()),
        host: "10.20.0.12".to_owned(),
        port: Some(2222),
        identity: None,
        known_hosts: None,
        origin: "inventory.yaml:9".to_owned(),
    }
}

fn of_web2(resolved: &str) -> BTreeMap<HostName, String> {
    let name: HostName = "web2".parse().unwrap();
    let block = block(&name, &target(), resolved, HostKeys::Strict);
    BTreeMap::from([(name, block)])
}

fn seen_by_ssh(file: &Path, host: &str) -> BTreeSet<String> {
    let mut ssh = Command::new("ssh");
    ssh.arg("-G").arg("-F").arg(file).arg(host);
    let output = ssh.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn a_block_says_where_the_host_is_and_keeps_logins_plain() {
    let resolved = "user root\nhostname 10.20.0.12\nport 2222\nproxyjump bastion\n\
                    identityfile ~/.ssh/no-such-key\nforwardx11 yes\nproxycommand none\n";
    let blocks = of_web2(resolved);
    insta::assert_snapshot!(file(&blocks, Some(Path::new("/home/ann lee"))), @r#"
    # Written by lvslab and rewritten by its next run.

    # inventory.yaml:9
    Host web2
        User root
        HostName 10.20.0.12
        Port 2222
        ProxyJump bastion
        StrictHostKeyChecking ask
        ConnectTimeout 10
        ClearAllForwardings yes
        ForwardAgent no
        ForwardX11 no
        PermitLocalCommand no
        RemoteCommand none

    Host * !web2
        Include "/home/ann lee/.ssh/config"
        Include /etc/ssh/ssh_config
    "#);
}

#[test]
fn a_key_from_the_inventory_is_the_only_one_offered() {
    let target = SshTarget {
        identity: Some("/keys/lab key".into()),
        known_hosts: Some("/keys/known_hosts".into()),
        ..target()
    };
    // Exists, so it would be kept if the inventory had not named another.
    let resolved = "identityfile /etc/passwd\nuser root\nidentitiesonly no\n\
                    userknownhostsfile /dev/null\n";
    let text = block(
        &"web2".parse().unwrap(),
        &target,
        resolved,
        HostKeys::AcceptNew,
    );
    for ruled_out in ["/etc/passwd", "IdentitiesOnly no", "/dev/null"] {
        assert!(!text.contains(ruled_out), "{text}");
    }
    assert!(text.contains("IdentityFile \"/keys/lab key\"\n    IdentitiesOnly yes"));
    assert!(text.contains("UserKnownHostsFile /keys/known_hosts"));
    assert!(text.contains("StrictHostKeyChecking accept-new"));
}

#[test]
fn relative_key_files_are_written_in_full() {
    let target = SshTarget {
        identity: Some("keys/lab".into()),
        ..target()
    };
    let identity = from_anywhere(&target).unwrap().identity.unwrap();
    assert!(identity.is_absolute() && identity.ends_with("keys/lab"));
}

#[test]
fn ssh_itself_reads_the_file_back() {
    crate::testing::programs::program("ssh", "openssh-client").unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ssh_config");
    let blocks = of_web2(&resolve(&target(), None).unwrap());
    std::fs::write(&path, file(&blocks, None)).unwrap();
    let seen = seen_by_ssh(&path, "web2");
    for line in ["hostname 10.20.0.12", "port 2222", "user root"] {
        assert!(seen.contains(line), "{line}\n{seen:#?}");
    }
}

/// A destination that is an alias, a lab's name that is another machine's, a jump host.
const OF_A_USER: &str = "\
Host lab-web2
    HostName 10.20.0.12
    ProxyJump ann@bastion
    IdentitiesOnly yes
    IdentityAgent none
    UserKnownHostsFile /keys/a /keys/b
    KnownHostsCommand /usr/bin/keys %H
    HostKeyAlgorithms ssh-ed25519
    PubkeyAcceptedAlgorithms ssh-ed25519
    KexAlgorithms curve25519-sha256
    BindAddress 10.20.0.1
    AddressFamily inet
Host web2 director
    ProxyJump elsewhere
    User mallory
    Ciphers aes128-ctr
Host bastion
    HostName 10.0.0.1
    Port 2200
";

#[test]
fn a_users_configuration_is_asked_by_destination_and_for_jump_hosts_by_their_names() {
    crate::testing::programs::program("ssh", "openssh-client").unwrap();
    let home = tempfile::tempdir().unwrap();
    let own = home.path().join(".ssh/config");
    std::fs::create_dir(home.path().join(".ssh")).unwrap();
    std::fs::write(&own, OF_A_USER).unwrap();
    let mut blocks = BTreeMap::new();
    for (name, destination) in [("director", "10.20.0.11"), ("web2", "lab-web2")] {
        let target = SshTarget {
            host: destination.to_owned(),
            ..target()
        };
        let resolved = resolve(&target, Some(&own)).unwrap();
        let name: HostName = name.parse().unwrap();
        let block = block(&name, &target, &resolved, HostKeys::Strict);
        blocks.insert(name, block);
    }
    let path = home.path().join("ssh_config");
    std::fs::write(&path, file(&blocks, Some(home.path()))).unwrap();

    let kept = |seen: &BTreeSet<String>| -> BTreeSet<String> {
        let is_kept = |line: &&String| {
            let key = line.split(' ').next().unwrap();
            KEPT.iter().any(|(name, _)| *name == key)
        };
        seen.iter().filter(is_kept).cloned().collect()
    };
    let (web2, wanted) = (seen_by_ssh(&path, "web2"), seen_by_ssh(&own, "lab-web2"));
    assert_eq!(kept(&web2), kept(&wanted));
    assert!(web2.contains("hostname 10.20.0.12") && web2.contains("user root"));
    let director = seen_by_ssh(&path, "director");
    let plain = seen_by_ssh(Path::new("/dev/null"), "10.20.0.11");
    assert_eq!(kept(&director), kept(&plain));
    assert!(director.contains("user root"));
    let bastion = seen_by_ssh(&path, "bastion");
    assert!(bastion.contains("hostname 10.0.0.1") && bastion.contains("port 2200"));
}
