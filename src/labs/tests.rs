use super::*;

const DR: &str = include_str!("../../topologies/dr.yaml");
const NAT: &str = include_str!("../../topologies/nat.yaml");

struct Home {
    directory: tempfile::TempDir,
    dirs: Dirs,
}

fn home() -> Home {
    let directory = tempfile::tempdir().unwrap();
    let below = |name: &str| directory.path().join(name);
    let dirs = Dirs {
        cache: below("cache"),
        state: below("state"),
        runtime: below("run"),
    };
    Home { directory, dirs }
}

fn lab(text: &str) -> Lab {
    topology::parse(text, "x.yaml", None).unwrap()
}

fn on_machines(room: &str) -> Lab {
    let ssh: String = ["client", "director", "web1", "web2"]
        .iter()
        .map(|host| format!("  {host}: {{ ssh: root@{host}.{room}.example }}\n"))
        .collect();
    let inventory = topology::Inventory {
        text: &format!("hosts:\n{ssh}"),
        file_name: "inventory.yaml",
        directory: "/".as_ref(),
        home: None,
    };
    topology::parse(DR, "dr.yaml", Some(inventory)).unwrap()
}

fn selection(topology: impl Into<PathBuf>) -> Selection {
    Selection {
        topology: topology.into(),
        inventory: None,
    }
}

fn which(lab: Option<&str>) -> WhichLab {
    WhichLab {
        lab: lab.map(|name| name.parse().unwrap()),
    }
}

#[test]
fn a_lab_that_is_up_goes_by_its_name_until_it_is_forgotten() {
    let home = home();
    let dr = lab(DR);
    remember(&home.dirs, &dr).unwrap();
    assert_eq!(selection("dr").load(&home.dirs).unwrap(), dr);
    assert_eq!(running(&home.dirs).unwrap(), [dr.id().clone()]);
    forget(&home.dirs, dr.id()).unwrap();
    assert!(selection("dr").load(&home.dirs).is_err());
    assert!(!home.dirs.lab(dr.id()).exists());
    assert!(running(&home.dirs).unwrap().is_empty());
}

#[test]
fn a_file_wins_over_a_lab_of_the_same_name() {
    let home = home();
    remember(&home.dirs, &lab(DR)).unwrap();
    let file = home.directory.path().join("dr");
    std::fs::write(&file, NAT).unwrap();
    let found = selection(file).load(&home.dirs).unwrap();
    assert_eq!(found.name().as_str(), "nat");
}

#[test]
fn the_lab_has_to_be_named_only_where_several_have_such_a_host() {
    let home = home();
    let web1: HostName = "web1".parse().unwrap();
    let none = which(None).with_host(&home.dirs, &web1);
    assert!(matches!(none, Err(LabsError::NothingUp)));
    remember(&home.dirs, &lab(DR)).unwrap();
    assert_eq!(which(None).with_host(&home.dirs, &web1).unwrap(), lab(DR));
    remember(&home.dirs, &lab(NAT)).unwrap();
    let both = which(None).with_host(&home.dirs, &web1);
    assert!(matches!(both, Err(LabsError::WhichLab { labs }) if labs.len() == 2));
    let named = which(Some("nat")).with_host(&home.dirs, &web1);
    assert_eq!(named.unwrap(), lab(NAT));
    let web9 = "web9".parse().unwrap();
    let unknown = which(Some("nat")).with_host(&home.dirs, &web9);
    assert!(matches!(unknown, Err(LabsError::UnknownHost { .. })));
}

#[test]
fn a_lab_cannot_be_in_two_places() {
    let home = home();
    remember(&home.dirs, &lab(DR)).unwrap();
    assert!(same_place(&home.dirs, &lab(DR)).is_ok());
    assert!(matches!(
        same_place(&home.dirs, &on_machines("a")),
        Err(LabsError::ElsewhereUp { sandbox: true, .. })
    ));
    assert!(same_place(&home.dirs, &lab(NAT)).is_ok());
}

#[test]
fn machines_that_were_touched_cannot_be_left_out() {
    let home = home();
    let (room_a, room_b) = (on_machines("a"), on_machines("b"));
    remember(&home.dirs, &room_a).unwrap();
    // Nobody was reached: an address that was wrong can be corrected.
    touch(&home.dirs, &room_a, |_| false).unwrap();
    assert!(same_place(&home.dirs, &room_b).is_ok());
    touch(&home.dirs, &room_a, |host| host.as_str() == "web2").unwrap();
    touch(&home.dirs, &room_a, |host| host.as_str() == "web2").unwrap();
    assert!(same_place(&home.dirs, &room_a).is_ok());
    match same_place(&home.dirs, &room_b) {
        Err(LabsError::MachinesLeftOut { machines, .. }) => {
            assert_eq!(machines, ["web2 (web2.a.example)"]);
        }
        other => panic!("{other:?}"),
    }
    forget(&home.dirs, room_a.id()).unwrap();
    assert!(same_place(&home.dirs, &room_b).is_ok());
    assert!(!home.dirs.lab(room_a.id()).exists());
}
