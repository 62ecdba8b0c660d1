//! Applying and putting back as laws, on a machine that is a table in memory and fails on demand.

use std::collections::BTreeMap;
use std::fs;
use std::io;

use proptest::prelude::*;

use super::super::revert::{Revert, revert};
use super::*;
use crate::agent::change::machine::{Applied, GuardStart};
use crate::agent::protocol::error::failed;
use crate::resource::{File, FileState, Package, Service, ServiceState, Sysctl};

/// Observations by id; what is not in it is absent.
#[derive(Debug, Default)]
pub(in crate::agent) struct Model {
    pub(in crate::agent) state: BTreeMap<String, Observed>,
    pub(in crate::agent) directories: Vec<String>,
    /// Every change in order.
    log: Vec<String>,
    /// Number of the change that fails, counted from 1, and whether it is made all the same.
    pub(in crate::agent) fails_at: Option<(usize, bool)>,
    pub(in crate::agent) changes: usize,
    /// Held while the guard lives.
    guard_lock: Option<fs::File>,
}

impl Model {
    /// Every process ends, the guard among them.
    pub(in crate::agent) fn end_processes(&mut self) {
        self.guard_lock = None;
    }

    fn change(&mut self, what: String) -> Result<bool, ResourceError> {
        self.changes += 1;
        match self.fails_at {
            Some((at, made)) if at == self.changes && !made => {
                Err(failed(what, "the model says no"))
            }
            Some((at, _)) if at == self.changes => {
                self.log.push(what);
                Ok(true)
            }
            _ => {
                self.log.push(what);
                Ok(false)
            }
        }
    }

    fn set(&mut self, resource: &Resource, state: Observed) {
        if state == absent(resource) {
            self.state.remove(&resource.id().0);
        } else {
            self.state.insert(resource.id().0, state);
        }
    }
}

fn absent(resource: &Resource) -> Observed {
    match resource {
        Resource::Package(_) => Observed::Package { version: None },
        Resource::File(_) => Observed::File { state: None },
        Resource::Service(_) => Observed::Service { state: None },
        _ => Observed::Sysctl { value: None },
    }
}

fn file_state(content: &str) -> Observed {
    Observed::File {
        state: Some(FileState {
            content_base64: FileState::encode(content.as_bytes()),
            mode: 0o644,
            uid: 0,
            gid: 0,
            context: None,
            read_instead: None,
        }),
    }
}

fn service_state(running: bool, enabled: bool) -> Observed {
    Observed::Service {
        state: Some(ServiceState {
            running,
            enabled,
            masked: false,
        }),
    }
}

impl Machine for Model {
    fn observe(&mut self, resource: &Resource) -> Result<Observed, ResourceError> {
        let found = self.state.get(&resource.id().0).cloned();
        Ok(found.unwrap_or_else(|| absent(resource)))
    }

    fn side_effects(&mut self, resource: &Resource) -> Result<Vec<Item>, ResourceError> {
        Ok(match resource {
            Resource::File(file) if !self.directories.contains(&file.path) => {
                vec![Item::Directory {
                    path: file.path.clone(),
                }]
            }
            _ => vec![],
        })
    }

    fn apply(&mut self, resource: &Resource, _: &Observed) -> Result<Applied, ResourceError> {
        let dies = self.change(format!("apply {}", resource.id()))?;
        let mut applied = Applied::default();
        let state = match resource {
            Resource::Package(p) => {
                // As Debian does: the service comes running and enabled.
                self.state
                    .insert(format!("service {}", p.name), service_state(true, true));
                applied.installed = vec![p.name.clone(), "lib".into()];
                Observed::Package {
                    version: Some("1".into()),
                }
            }
            Resource::File(f) => {
                if !self.directories.contains(&f.path) {
                    self.directories.push(f.path.clone());
                }
                file_state(&f.content)
            }
            Resource::Service(s) => service_state(s.running, s.enabled),
            Resource::Sysctl(s) => Observed::Sysctl {
                value: Some(s.value.clone()),
            },
            other => return Err(failed(other.id(), "the model has no such kind")),
        };
        self.set(resource, state);
        if dies {
            return Err(failed(resource.id(), "cut off after the change"));
        }
        Ok(applied)
    }

    fn restore(
        &mut self,
        resource: &Resource,
        before: &Observed,
        _: &Observed,
    ) -> Result<(), ResourceError> {
        let dies = self.change(format!("restore {}", resource.id()))?;
        let state = match (resource, before) {
            (Resource::Service(s), Observed::Service { state: None })
                if self.state.contains_key(&format!("package {}", s.name)) =>
            {
                service_state(false, false)
            }
            _ => before.clone(),
        };
        if let (Resource::File(f), Observed::File { state: Some(_) }) = (resource, before)
            && !self.directories.contains(&f.path)
        {
            self.directories.push(f.path.clone());
        }
        self.set(resource, state);
        if dies {
            return Err(failed(resource.id(), "cut off after the change"));
        }
        Ok(())
    }

    fn remove_directory(&mut self, path: &str) -> Result<bool, ResourceError> {
        if self.state.contains_key(&format!("file {path}")) {
            // Not empty.
            return Ok(false);
        }
        self.directories.retain(|d| d != path);
        Ok(true)
    }

    fn restart(&mut self, service: &str) -> Result<(), ResourceError> {
        self.change(format!("restart {service}")).map(|_| ())
    }

    fn start_guard(
        &mut self,
        start: GuardStart<'_>,
    ) -> io::Result<Option<std::process::ChildStdin>> {
        let GuardStart { lab, run, .. } = start;
        self.log.push(format!("guard {lab} {run}"));
        self.guard_lock = Some(start.alive);
        Ok(None)
    }

    fn purge(&mut self, package: &str, installed: &[String]) -> Result<(), ResourceError> {
        self.change(format!("purge {package} of {}", installed.join(" ")))?;
        self.state.remove(&format!("package {package}"));
        self.state.remove(&format!("service {package}"));
        Ok(())
    }
}

pub(in crate::agent) fn sysctl(key: &str, value: &str) -> Resource {
    Resource::Sysctl(Sysctl {
        key: key.into(),
        value: value.into(),
    })
}

pub(in crate::agent) fn file(path: &str, content: &str) -> Resource {
    Resource::File(File {
        path: path.into(),
        content: content.into(),
        mode: 0o644,
    })
}

pub(in crate::agent) fn httpd(restart_on: &[&str]) -> Resource {
    Resource::Service(Service {
        name: "httpd".into(),
        running: true,
        enabled: true,
        restart_on: restart_on.iter().map(|&p| p.to_owned()).collect(),
    })
}

pub(in crate::agent) fn package() -> Resource {
    Resource::Package(Package {
        name: "httpd".into(),
    })
}

/// A machine whose sysctls have their first values and whose httpd is `httpd`.
pub(in crate::agent) fn machine(httpd: Option<(bool, bool)>) -> Model {
    let mut model = Model::default();
    for key in ["a.a", "b.b", "c.c"] {
        model.state.insert(
            format!("sysctl {key}"),
            Observed::Sysctl {
                value: Some("0".into()),
            },
        );
    }
    model
        .state
        .insert("file /etc/there".into(), file_state("theirs\n"));
    model.directories.push("/etc/there".into());
    if let Some((running, enabled)) = httpd {
        model
            .state
            .insert("service httpd".into(), service_state(running, enabled));
        model.state.insert(
            "package httpd".into(),
            Observed::Package {
                version: Some("0".into()),
            },
        );
    }
    model
}

pub(in crate::agent) struct Host {
    _directory: tempfile::TempDir,
    pub(in crate::agent) root: Root,
    pub(in crate::agent) model: Model,
}

impl Host {
    pub(in crate::agent) fn new(model: Model) -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self {
            root: Root::at(directory.path()),
            _directory: directory,
            model,
        }
    }

    fn apply_lab(&mut self, lab: &str, resources: &[Resource]) -> Vec<Outcome> {
        let request = Apply {
            lab: lab.parse().unwrap(),
            run: "test".into(),
            resources: resources.to_vec(),
            confirm_within_seconds: None,
        };
        let report = apply(&mut self.model, &self.root, &request, &mut |_| Ok(())).unwrap();
        assert!(!report.on_trial);
        report.outcomes
    }

    pub(in crate::agent) fn apply(&mut self, resources: &[Resource]) -> Vec<Outcome> {
        self.apply_lab("dr", resources)
    }

    pub(in crate::agent) fn revert(&mut self, purge: bool) -> Vec<Outcome> {
        let request = Revert {
            lab: &"dr".parse().unwrap(),
            run: "test",
            purge,
        };
        revert(&mut self.model, &self.root, &request, &mut |_| Ok(())).unwrap()
    }

    pub(in crate::agent) fn log(&mut self) -> Vec<String> {
        std::mem::take(&mut self.model.log)
    }
}

fn words(outcomes: &[Outcome]) -> Vec<String> {
    outcomes
        .iter()
        .map(|o| {
            let word = match &o.result {
                OutcomeResult::Unchanged => "unchanged".to_owned(),
                OutcomeResult::Changed { .. } => "changed".to_owned(),
                OutcomeResult::Failed { error } => format!("failed: {error}"),
                OutcomeResult::NotAttempted => "not attempted".to_owned(),
            };
            format!("{} {word}", o.resource)
        })
        .collect()
}

#[test]
fn a_second_run_changes_nothing_and_says_so() {
    let plan = [
        package(),
        file("/srv/page", "ip\n"),
        sysctl("a.a", "1"),
        httpd(&[]),
    ];
    let mut host = Host::new(machine(None));
    let first = host.apply(&plan);
    assert_eq!(
        words(&first),
        [
            "package httpd changed",
            "file /srv/page changed",
            "sysctl a.a changed",
            // The package started and enabled it.
            "service httpd unchanged",
        ]
    );
    host.log();
    let second = host.apply(&plan);
    assert!(second.iter().all(|o| o.result == OutcomeResult::Unchanged));
    assert_eq!(host.log(), [] as [&str; 0]);
}

#[test]
fn things_are_put_back_newest_first_and_a_second_time_there_is_nothing() {
    let mut host = Host::new(machine(Some((false, false))));
    let before = host.model.state.clone();
    host.apply(&[sysctl("a.a", "1"), file("/etc/there", "ours\n"), httpd(&[])]);
    host.log();
    let outcomes = host.revert(false);
    assert_eq!(
        words(&outcomes),
        [
            "service httpd changed",
            "file /etc/there changed",
            "sysctl a.a changed"
        ]
    );
    assert_eq!(host.model.state, before);
    assert!(!host.root.state().exists());
    assert_eq!(host.revert(false), []);
    assert!(!host.root.state().exists());
}

#[test]
fn the_first_failure_ends_the_run() {
    let mut host = Host::new(machine(None));
    host.model.fails_at = Some((2, false));
    let outcomes = host.apply(&[sysctl("a.a", "1"), sysctl("b.b", "1"), sysctl("c.c", "1")]);
    assert_eq!(
        words(&outcomes),
        [
            "sysctl a.a changed",
            "sysctl b.b failed: apply sysctl b.b: the model says no",
            "sysctl c.c not attempted"
        ]
    );
}

#[test]
fn what_a_later_plan_no_longer_has_is_put_back() {
    let mut host = Host::new(machine(None));
    host.apply(&[
        sysctl("a.a", "1"),
        file("/srv/page", "ip\n"),
        sysctl("b.b", "1"),
    ]);
    let outcomes = host.apply(&[sysctl("b.b", "1"), sysctl("c.c", "1")]);
    assert_eq!(
        words(&outcomes),
        [
            "sysctl b.b unchanged",
            "sysctl c.c changed",
            "file /srv/page changed",
            "directory /srv/page changed",
            "sysctl a.a changed"
        ]
    );
    assert!(!host.model.state.contains_key("file /srv/page"));
    assert_eq!(host.model.directories, ["/etc/there"]);
}

#[test]
fn a_service_that_came_with_its_package_is_idle_after_down_and_gone_after_purge() {
    let plan = [package(), httpd(&[])];
    let mut host = Host::new(machine(None));
    host.apply(&plan);
    assert_eq!(
        words(&host.revert(false)),
        ["package httpd unchanged", "service httpd changed"]
    );
    assert_eq!(
        host.model.state["service httpd"],
        service_state(false, false)
    );

    let mut host = Host::new(machine(None));
    let before = host.model.state.clone();
    host.apply(&plan);
    host.log();
    assert_eq!(
        words(&host.revert(true)),
        ["package httpd changed", "service httpd unchanged"]
    );
    assert_eq!(host.log(), ["purge httpd of httpd lib"]);
    assert_eq!(host.model.state, before);
}

#[test]
fn a_package_that_was_there_before_is_never_removed() {
    let mut host = Host::new(machine(Some((true, true))));
    host.apply(&[package(), sysctl("a.a", "1")]);
    host.log();
    host.revert(true);
    assert_eq!(host.log(), ["restore sysctl a.a"]);
}

#[test]
fn a_running_service_is_restarted_once_when_one_of_its_files_changes() {
    let plan = |text| [file("/etc/listen", text), httpd(&["/etc/listen"])];
    let mut host = Host::new(machine(Some((true, true))));
    let outcomes = host.apply(&plan("8080"));
    assert_eq!(
        words(&outcomes),
        ["file /etc/listen changed", "service httpd changed"]
    );
    assert_eq!(host.log(), ["apply file /etc/listen", "restart httpd"]);
    host.apply(&plan("8080"));
    assert_eq!(host.log(), [] as [&str; 0]);

    host.revert(false);
    assert_eq!(host.log(), ["restore file /etc/listen", "restart httpd"]);
}

#[test]
fn a_restart_that_a_broken_off_run_owes_is_made_up_for() {
    let plan = [
        file("/etc/listen", "8080"),
        sysctl("a.a", "1"),
        httpd(&["/etc/listen"]),
    ];
    let mut host = Host::new(machine(Some((true, true))));
    host.model.fails_at = Some((2, false));
    host.apply(&plan);
    host.model.fails_at = None;
    host.log();
    host.apply(&plan);
    assert_eq!(host.log(), ["apply sysctl a.a", "restart httpd"]);
}

#[test]
fn a_stopped_service_is_started_and_not_restarted() {
    let plan = [file("/etc/listen", "8080"), httpd(&["/etc/listen"])];
    let mut host = Host::new(machine(Some((false, false))));
    host.apply(&plan);
    host.apply(&plan);
    assert_eq!(
        host.log(),
        ["apply file /etc/listen", "apply service httpd"]
    );
}

#[test]
fn what_another_lab_has_set_is_not_touched() {
    let mut host = Host::new(machine(None));
    host.apply_lab("nat", &[sysctl("a.a", "1")]);
    let outcomes = host.apply(&[sysctl("a.a", "2")]);
    assert_eq!(
        words(&outcomes),
        ["sysctl a.a failed: lab nat has set it and is still up on this host"]
    );
    // What it set is fine as it is, and taking this lab down leaves it.
    assert_eq!(
        words(&host.apply(&[sysctl("a.a", "1")])),
        ["sysctl a.a unchanged"]
    );
    assert_eq!(host.revert(false), []);
    assert!(host.root.state().exists());
}

#[test]
fn a_controller_that_goes_away_ends_the_run_before_the_next_change() {
    let mut host = Host::new(machine(None));
    let request = Apply {
        lab: "dr".parse().unwrap(),
        run: "test".into(),
        resources: vec![sysctl("a.a", "1"), sysctl("b.b", "1")],
        confirm_within_seconds: None,
    };
    let mut told = 0;
    let report = apply(&mut host.model, &host.root, &request, &mut |_| {
        told += 1;
        if told == 1 {
            Ok(())
        } else {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    })
    .unwrap();
    assert_eq!(
        words(&report.outcomes),
        [
            "sysctl a.a changed",
            "sysctl b.b failed: the controller is gone: broken pipe"
        ]
    );
    assert_eq!(host.log(), ["apply sysctl a.a"]);
}

fn resource() -> impl Strategy<Value = Resource> {
    prop_oneof![
        ("[abc]", "[0-2]").prop_map(|(k, v)| sysctl(&format!("{k}.{k}"), &v)),
        ("there|new|other", "[xy]").prop_map(|(p, c)| file(&format!("/etc/{p}"), &c)),
        Just(package()),
        prop::sample::subsequence(vec!["/etc/there", "/etc/new"], 0..=2)
            .prop_map(|files| httpd(&files)),
    ]
}

pub(in crate::agent) fn plan() -> impl Strategy<Value = Vec<Resource>> {
    prop::collection::vec(resource(), 0..7).prop_map(|mut plan| {
        let mut seen = std::collections::BTreeSet::new();
        plan.retain(|resource| seen.insert(resource.id()));
        // A service of a package that is not there cannot run.
        if !plan.contains(&package()) {
            plan.retain(|r| !matches!(r, Resource::Service(_)));
        }
        // As plans are: packages, then everything else, then services.
        plan.sort_by_key(|r| match r {
            Resource::Package(_) => 0,
            Resource::Service(_) => 2,
            _ => 1,
        });
        plan
    })
}

proptest! {
    // Every case writes and syncs real journals.
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_was_applied_and_wherever_it_broke_off_down_puts_everything_back(
        httpd in any::<Option<(bool, bool)>>(),
        runs in prop::collection::vec((plan(), prop::option::of((1_usize..6, any::<bool>()))), 1..4),
        broken_down in prop::option::of((1_usize..4, any::<bool>())),
    ) {
        let mut host = Host::new(machine(httpd));
        let (before, directories) = (host.model.state.clone(), host.model.directories.clone());
        for (plan, fails_at) in runs {
            host.model.changes = 0;
            host.model.fails_at = fails_at;
            host.apply(&plan);
        }
        host.model.changes = 0;
        host.model.fails_at = broken_down;
        host.revert(true);
        host.model.fails_at = None;
        host.revert(true);
        prop_assert_eq!(&host.model.state, &before);
        prop_assert_eq!(&host.model.directories, &directories);
        prop_assert_eq!(host.revert(true), vec![]);
        prop_assert!(!host.root.state().exists());
    }

    #[test]
    fn after_a_whole_run_the_next_one_changes_nothing(plans in prop::collection::vec(plan(), 1..4)) {
        let mut host = Host::new(machine(None));
        for plan in plans {
            let first = host.apply(&plan);
            prop_assert!(!first.iter().any(is_failure), "{:?}", words(&first));
            host.log();
            let second = host.apply(&plan);
            prop_assert!(second.iter().all(|o| o.result == OutcomeResult::Unchanged), "{:?}", words(&second));
            prop_assert_eq!(host.log(), vec![] as Vec<String>);
        }
    }
}
