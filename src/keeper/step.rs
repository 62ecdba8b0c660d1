//! What a keeper asks to be made true, with its purpose, its reason and what a person would type.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::{shell, system};
use crate::model::InterfaceName;
use crate::resource::Resource;

/// One resource with its reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What should be.
    pub resource: Resource,
    /// What it is for.
    pub purpose: Purpose,
    /// Why the lab needs it, one sentence.
    pub why: String,
    /// What a person would type for the same effect on this host, a line each.
    pub by_hand: Vec<String>,
}

/// What a step is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// The package of a program or of the web server.
    Package,
    /// The file that brings up an interface with its own address, and the gateway where it names one.
    NetworkFile {
        interface: InterfaceName,
        gateway: Option<Ipv4Addr>,
    },
    /// The file that brings up the VIP as an alias.
    AliasFile { interface: InterfaceName },
    /// The file that sets kernel settings at boot.
    SettingsFile,
    /// The page that the web server shows.
    Page,
    /// The file that has the web server listen on another port than 80.
    ListenFile,
    /// The rules that a boot restores.
    SavedRules,
    /// A program in place of one of the ipvsadm package.
    IpvsadmProgram,
    /// The unit that runs our agent at boot.
    BootUnit,
    /// firewalld's default zone.
    Firewall,
    /// SELinux's mode.
    Selinux,
    /// A kernel setting, now.
    Setting,
    /// An interface that is up.
    Link,
    /// A host's own address.
    OwnAddress,
    /// The VIP where it is no host's own address.
    Vip,
    /// The director as the way back to the client.
    Gateway,
    /// The web server, running and started at boot.
    WebServer,
    /// The service in the IPVS table.
    VirtualService,
    /// The boot unit, started at boot.
    BootSequence,
}

impl Purpose {
    /// Its place in the order of application on a host.
    ///
    /// Packages come first, then files. Firewall and SELinux open before anything is used. Settings come before
    /// addresses: without the ARP settings a real server would answer for the VIP for a moment. Routes need addresses,
    /// services need files, and what repeats all that at boot comes last.
    #[must_use]
    pub fn place(&self) -> usize {
        match self {
            Self::Package => 0,
            Self::NetworkFile { .. } => 1,
            Self::AliasFile { .. } => 2,
            Self::SettingsFile => 3,
            Self::Page => 4,
            Self::ListenFile => 5,
            Self::SavedRules => 6,
            Self::IpvsadmProgram => 7,
            Self::BootUnit => 8,
            Self::Firewall => 9,
            Self::Selinux => 10,
            Self::Setting => 11,
            Self::Link => 12,
            Self::OwnAddress => 13,
            Self::Vip => 14,
            Self::Gateway => 15,
            Self::WebServer => 16,
            Self::VirtualService => 17,
            Self::BootSequence => 18,
        }
    }

    /// Whether it is a file that only a boot reads. The page, programs and what a service reads when it starts count now.
    #[must_use]
    pub fn is_read_at_boot(&self) -> bool {
        matches!(
            self,
            Self::NetworkFile { .. }
                | Self::AliasFile { .. }
                | Self::SettingsFile
                | Self::SavedRules
                | Self::BootUnit
        )
    }
}

impl Step {
    /// What a person types to put right what lvslab itself has set on the host.
    ///
    /// That is [`Self::by_hand`] but for what a person who builds the lab by hand does without, because the
    /// distribution brings something else for it: a file, the unit that runs at boot.
    #[must_use]
    pub fn repair(&self) -> Vec<String> {
        match (&self.resource, &self.purpose) {
            (Resource::File(file), _) if self.by_hand.is_empty() => shell::make_file(file),
            (Resource::Service(unit), Purpose::BootSequence) => system::enable_unit(&unit.name),
            _ => self.by_hand.clone(),
        }
    }
}
