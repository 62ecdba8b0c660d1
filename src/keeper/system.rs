//! What the families of distributions call things.

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
        match self.family {
            OsFamily::Rhel => "httpd",
            OsFamily::Debian => "apache2",
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
