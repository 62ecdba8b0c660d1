use super::*;
use crate::model::HostName;
use crate::topology;

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
        lab: Some(topology.into()),
        ..Selection::default()
    }
}

fn which(lab: Option<&str>) -> LabOption {
    LabOption {
        named: lab.map(PathBuf::from),
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
    assert_eq!(found.id().as_str(), "nat");
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

#[test]
fn without_a_name_the_one_lab_that_is_up_is_meant() {
    let home = home();
    let unnamed = Selection::default();
    assert!(matches!(
        unnamed.load(&home.dirs),
        Err(LabsError::NothingUp)
    ));
    remember(&home.dirs, &lab(DR)).unwrap();
    let found = unnamed.load(&home.dirs).unwrap();
    assert_eq!(found, lab(DR));
    assert_eq!(unnamed.words(&found), "dr");
    remember(&home.dirs, &lab(NAT)).unwrap();
    let error = unnamed.load(&home.dirs).unwrap_err();
    assert_eq!(error.to_string(), "several labs are up: dr, nat");
    assert_eq!(error.hint().unwrap(), "name one: --lab dr, --lab nat");
}

#[test]
fn the_option_means_the_same_as_the_argument() {
    let home = home();
    remember(&home.dirs, &lab(DR)).unwrap();
    remember(&home.dirs, &lab(NAT)).unwrap();
    let mut both = Selection {
        named: Some("nat".into()),
        ..Selection::default()
    };
    assert_eq!(both.load(&home.dirs).unwrap(), lab(NAT));
    let file = home.directory.path().join("dr.yaml");
    std::fs::write(&file, DR).unwrap();
    let web1 = "web1".parse().unwrap();
    let by_file = which(file.to_str()).with_host(&home.dirs, &web1);
    assert_eq!(by_file.unwrap(), lab(DR));
    both.lab = Some("dr".into());
    assert!(matches!(
        both.load(&home.dirs),
        Err(LabsError::NamedTwice { .. })
    ));
}

#[test]
fn an_argument_that_is_no_lab_can_be_taken_for_another() {
    let home = home();
    remember(&home.dirs, &lab(DR)).unwrap();
    let mut fault = selection("no-gateway");
    assert_eq!(fault.take_word(&home.dirs).as_deref(), Some("no-gateway"));
    assert_eq!(fault.load(&home.dirs).unwrap(), lab(DR));
    assert_eq!(selection("dr").take_word(&home.dirs), None);
}

#[test]
fn a_lab_is_up_since_it_was_brought_up_in_this_shape() {
    let home = home();
    let dr = lab(DR);
    assert_eq!(since(&home.dirs, dr.id()), None);
    remember(&home.dirs, &dr).unwrap();
    let first = since(&home.dirs, dr.id()).unwrap();
    let earlier = first - std::time::Duration::from_secs(3600);
    let file = std::fs::File::options()
        .append(true)
        .open(home.dirs.lab(dr.id()).join(LAB_FILE))
        .unwrap();
    file.set_modified(earlier).unwrap();
    remember(&home.dirs, &dr).unwrap();
    assert_eq!(since(&home.dirs, dr.id()), Some(earlier));
}
