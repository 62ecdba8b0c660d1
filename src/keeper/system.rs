//! What the families of distributions call things, and how one types there.

use crate::resource::{Facts, NetworkFiles, OsFamily, ServiceManager};

/// A host's system, as far as a boot and the way to type commands differ by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct System {
    pub family: OsFamily,
    pub service_manager: ServiceManager,
    /// Who reads ifcfg files.
    pub network_files: NetworkFiles,
    /// Whether NetworkManager runs.
    pub network_manager: bool,
}

impl System {
    /// The system of a host with these facts.
    #[must_use]
    pub fn of(facts: &Facts) -> Self {
        Self {
            family: facts.family,
            service_manager: facts.service_manager,
            network_files: facts.network_files,
            network_manager: facts.network_manager,
        }
    }

    /// Package and service of the Apache web server.
    #[must_use]
    pub fn web_server(self) -> &'static str {
        self.family.web_server()
    }

    /// A file that Apache reads after its own.
    #[must_use]
    pub fn web_server_drop_in(self) -> &'static str {
        match self.family {
            OsFamily::Rhel => "/etc/httpd/conf.d/lvslab.conf",
            OsFamily::Debian => "/etc/apache2/conf-enabled/lvslab.conf",
        }
    }

    /// Installs a package by hand.
    #[must_use]
    pub fn install(self, package: &str) -> Vec<String> {
        match self.family {
            OsFamily::Rhel => vec![format!("yum -y install {package}")],
            OsFamily::Debian => vec![
                "apt-get update".to_owned(),
                format!("apt-get -y install {package}"),
            ],
        }
    }

    /// Starts a service by hand: now, with the first command, by which a running one reads its files again, and at
    /// boot, with the others.
    ///
    /// `update-rc.d NAME enable` only renames the links of `/etc/rc?.d` that are there, and `defaults` makes none
    /// where there is one, so all are made anew (update-rc.d(8)).
    #[must_use]
    pub fn start(self, service: &str) -> Vec<String> {
        match (self.service_manager, self.family) {
            (ServiceManager::Systemd, _) => vec![
                format!("systemctl restart {service}"),
                format!("systemctl enable {service}"),
            ],
            (ServiceManager::SysV, OsFamily::Debian) => vec![
                format!("service {service} restart"),
                format!("update-rc.d -f {service} remove"),
                format!("update-rc.d {service} defaults"),
            ],
            (ServiceManager::SysV, OsFamily::Rhel) => vec![
                format!("service {service} restart"),
                format!("chkconfig {service} on"),
            ],
        }
    }

    /// Where the distribution's ipvsadm package keeps saved rules.
    #[must_use]
    pub fn saved_rules(self) -> &'static str {
        match self.family {
            OsFamily::Rhel => "/etc/sysconfig/ipvsadm",
            OsFamily::Debian => "/etc/ipvsadm.rules",
        }
    }
}

/// Has systemd read a new unit, and run it now and at boot.
pub(super) fn enable_unit(name: &str) -> Vec<String> {
    vec![
        "systemctl daemon-reload".to_owned(),
        format!("systemctl enable --now {name}"),
    ]
}
