//! What the families of distributions call things, and how one types there.

use super::shell;
use crate::resource::{Facts, NetworkFiles, OsFamily, ServiceManager};

/// Where Apache serves files from, on both families.
pub(super) const DOCUMENT_ROOT: &str = "/var/www/html";

/// Where ifcfg files are: RHEL's place, and on other systems the place our agent reads them from.
pub(super) const NETWORK_SCRIPTS: &str = "/etc/sysconfig/network-scripts";

/// A host's system as far as plans differ by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct System {
    pub family: OsFamily,
    pub service_manager: ServiceManager,
    pub network_files: NetworkFiles,
    pub network_manager: bool,
}

impl System {
    pub fn of(facts: &Facts) -> Self {
        Self {
            family: facts.family,
            service_manager: facts.service_manager,
            network_files: facts.network_files,
            network_manager: facts.network_manager,
        }
    }

    /// Package and service of the Apache web server.
    pub fn httpd(self) -> &'static str {
        match self.family {
            OsFamily::Rhel => "httpd",
            OsFamily::Debian => "apache2",
        }
    }

    /// A directory whose `*.conf` Apache reads, last.
    pub fn httpd_drop_in(self) -> &'static str {
        match self.family {
            OsFamily::Rhel => "/etc/httpd/conf.d/lvslab.conf",
            OsFamily::Debian => "/etc/apache2/conf-enabled/lvslab.conf",
        }
    }

    /// Where the distribution's ipvsadm package keeps saved rules.
    pub fn ipvs_rules(self) -> &'static str {
        match self.family {
            OsFamily::Rhel => "/etc/sysconfig/ipvsadm",
            OsFamily::Debian => "/etc/ipvsadm.rules",
        }
    }

    /// Installs a package by hand.
    pub fn install(self, package: &str) -> Vec<String> {
        match self.family {
            OsFamily::Rhel => shell::lines([format!("yum -y install {package}")]),
            OsFamily::Debian => shell::lines([
                "apt-get update".to_owned(),
                format!("apt-get -y install {package}"),
            ]),
        }
    }

    /// Starts a service by hand: now, with the first command, by which a running one reads its files again, and at
    /// boot, with the others.
    ///
    /// `update-rc.d NAME enable` only renames the links of `/etc/rc?.d` that are there, and `defaults` makes none
    /// where there is one, so all are made anew (update-rc.d(8)).
    pub fn start(self, service: &str) -> Vec<String> {
        match (self.service_manager, self.family) {
            (ServiceManager::Systemd, _) => shell::lines([
                format!("systemctl restart {service}"),
                format!("systemctl enable {service}"),
            ]),
            (ServiceManager::SysV, OsFamily::Debian) => shell::lines([
                format!("service {service} restart"),
                format!("update-rc.d -f {service} remove"),
                format!("update-rc.d {service} defaults"),
            ]),
            (ServiceManager::SysV, OsFamily::Rhel) => shell::lines([
                format!("service {service} restart"),
                format!("chkconfig {service} on"),
            ]),
        }
    }
}
