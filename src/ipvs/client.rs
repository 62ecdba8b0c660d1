//! The client: one socket to the kernel's IPVS.

use std::cell::Cell;
use std::collections::HashSet;
use std::process::{Command as Process, Stdio};

use netlink_packet_core::{Emitable, NLMSG_NOOP, NlasIterator, Parseable};
use netlink_packet_generic::GenlMessage;
use netlink_packet_generic::constants::{GENL_HDRLEN, GENL_ID_CTRL};
use netlink_packet_generic::ctrl::nlas::GenlCtrlAttrs;
use netlink_packet_generic::ctrl::{GenlCtrl, GenlCtrlCmd};

use super::command::Command;
use super::error::{IpvsError, Refused};
use super::model::{Daemon, DestinationStatus, Info, ServiceKey, ServiceStatus, Table, Timeouts};
use super::reconcile::{Desired, Others, Removal, reconcile};
use super::wire::{
    CommandNumber, IpvsMessage, daemon_dump, destination_dump, encode, read_daemon,
    read_destination, read_info, read_service, read_timeouts, service_get,
};
use crate::netlink::{Batch, KernelError, NetlinkError, Socket};

/// Reads one object from a reply's payload, or `None` from a reply of another kind.
type Reader<'a, T> = dyn Fn(&[u8]) -> Result<Option<T>, IpvsError> + 'a;

/// Reads and programs IPVS in the network namespace in which it was opened.
///
/// Everything, reading included, needs `CAP_NET_ADMIN` in the user namespace that owns the network namespace.
///
/// ```no_run
/// use lvslab::ipvs::{Client, Destination, Forwarding, Service, ServiceKey, Transport, TunnelKind};
///
/// # fn main() -> Result<(), lvslab::ipvs::IpvsError> {
/// let ipvs = Client::open()?;
/// let vip = ServiceKey::Address {
///     transport: Transport::Tcp,
///     address: "192.168.4.15".parse().unwrap(),
///     port: 80,
/// };
/// ipvs.create_service(&Service::new(vip, "wrr"))?;
/// ipvs.add_destination(
///     vip,
///     &Destination {
///         address: "192.168.4.100".parse().unwrap(),
///         port: 80,
///         forwarding: Forwarding::Route,
///         weight: 1,
///         upper_threshold: 0,
///         lower_threshold: 0,
///         tunnel: TunnelKind::Ipip,
///         tunnel_flags: 0,
///     },
/// )?;
/// for service in ipvs.table()? {
///     println!("{}: {} connections", service.service.key, service.counters.connections);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Client {
    socket: Socket,
    /// The number of the netlink family, which changes when the kernel module is loaded again.
    family: Cell<u16>,
}

impl Client {
    /// Opens a socket in the current network namespace. Loads the kernel module `ip_vs` if need be.
    ///
    /// # Errors
    /// [`IpvsError::Unavailable`] when the kernel has no IPVS.
    pub fn open() -> Result<Self, IpvsError> {
        let socket = Socket::open(netlink_sys::protocols::NETLINK_GENERIC)?;
        let family = match resolve(&socket) {
            Err(IpvsError::Unavailable) => {
                load_module();
                resolve(&socket)?
            }
            result => result?,
        };
        Ok(Self {
            socket,
            family: Cell::new(family),
        })
    }

    /// The whole table.
    ///
    /// The kernel sends it piece by piece, so a change made meanwhile may hide an entry, and nothing says so.
    /// Read it again before you delete something because it is not there.
    ///
    /// # Errors
    /// When the kernel does not answer, or answers with an error.
    pub fn table(&self) -> Result<Table, IpvsError> {
        let mut table = self.services()?;
        for service in &mut table {
            service.destinations = self.destinations(service.service.key)?;
        }
        Ok(table)
    }

    /// Every service, without its destinations.
    ///
    /// # Errors
    /// When the kernel does not answer, or answers with an error.
    pub fn services(&self) -> Result<Vec<ServiceStatus>, IpvsError> {
        let message = IpvsMessage {
            command: CommandNumber::GET_SERVICE,
            attributes: Vec::new(),
        };
        let mut services = self.dump(&message.encode(), &read_service)?;
        // The kernel resumes a dump by counting the services of all network namespaces, so one that is added
        // elsewhere makes it send another one twice (ip_vs_genl_dump_services in ip_vs_ctl.c).
        let mut seen = HashSet::new();
        services.retain(|status| seen.insert(status.service.key));
        Ok(services)
    }

    /// Destinations of a service, in the kernel's order. Empty if there is no such service.
    ///
    /// # Errors
    /// When the kernel does not answer, or answers with an error.
    pub fn destinations(&self, key: ServiceKey) -> Result<Vec<DestinationStatus>, IpvsError> {
        let mut message = Vec::with_capacity(64);
        destination_dump(key, &mut message);
        let mut destinations =
            self.dump(&message, &|payload| read_destination(payload, key.family()))?;
        // Resumed by counting, too, so a destination added meanwhile makes the kernel send another one twice.
        let mut seen = HashSet::new();
        destinations.retain(|status| seen.insert(status.destination.key()));
        Ok(destinations)
    }

    /// One service with its destinations, or `None`.
    ///
    /// # Errors
    /// When the kernel does not answer, or answers with an error.
    pub fn service(&self, key: ServiceKey) -> Result<Option<ServiceStatus>, IpvsError> {
        let found = self.get(service_get(key), &read_service);
        match found {
            Err(error) if error.errno() == Some(libc::ESRCH) => Ok(None),
            Err(error) => Err(error),
            Ok(None) => Ok(None),
            Ok(Some(mut service)) => {
                service.destinations = self.destinations(key)?;
                Ok(Some(service))
            }
        }
    }

    /// Sends one command.
    ///
    /// # Errors
    /// [`IpvsError::Refused`] with the command and the reason.
    pub fn run(&self, command: &Command) -> Result<(), IpvsError> {
        if may_have_no_answer(command) {
            return self.all(std::slice::from_ref(command));
        }
        let mut message = Vec::new();
        encode(command, &mut message);
        match self.tell(&message) {
            Err(NetlinkError::Kernel(error)) => Err(Refused::new(0, command, error).into()),
            result => Ok(result?),
        }
    }

    /// Sends commands in their order, with few system calls. The kernel goes on after a command that it
    /// refuses; all refusals are returned, in order.
    ///
    /// # Errors
    /// When the commands cannot be sent. Those sent before are carried out.
    pub fn batch(&self, commands: &[Command]) -> Result<Vec<Refused>, IpvsError> {
        let mut refused = self.batch_once(commands)?;
        // ENOENT for every command may mean that the family has another number now.
        if refused.len() == commands.len()
            && refused.iter().all(|one| one.kernel.errno == libc::ENOENT)
            && self.has_new_family()?
        {
            refused = self.batch_once(commands)?;
        }
        Ok(refused)
    }

    /// Turns the table into the desired one with the fewest changes, and returns the commands that it sent.
    /// What stays is not touched and keeps its connections. With [`Removal::WhenIdle`], destinations without
    /// connections are removed in this call and the others in a later one.
    ///
    /// # Errors
    /// The first command that was refused; the others were carried out.
    pub fn apply(
        &self,
        desired: &[Desired],
        others: Others,
        removal: Removal,
    ) -> Result<Vec<Command>, IpvsError> {
        let changes = || Ok::<_, IpvsError>(reconcile(&self.table()?, desired, others, removal));
        let mut commands = changes()?;
        // While others change the table it may be read wrongly, and a deletion cannot be taken back.
        let deletes = commands.iter().any(|command| {
            matches!(
                command,
                Command::DeleteService(_) | Command::DeleteDestination(..)
            )
        });
        if deletes {
            commands = changes()?;
        }
        self.all(&commands)?;
        if removal == Removal::WhenIdle && !commands.is_empty() {
            let removals = changes()?;
            self.all(&removals)?;
            commands.extend(removals);
        }
        Ok(commands)
    }

    /// A batch whose first refusal is an error.
    fn all(&self, commands: &[Command]) -> Result<(), IpvsError> {
        match self.batch(commands)?.into_iter().next() {
            Some(refused) => Err(refused.into()),
            None => Ok(()),
        }
    }

    /// The number of the generic netlink family `IPVS`.
    #[must_use]
    pub fn family_id(&self) -> u16 {
        self.family.get()
    }

    fn batch_once(&self, commands: &[Command]) -> Result<Vec<Refused>, IpvsError> {
        let mut refused = Vec::new();
        let mut batch = Batch::new(&self.socket);
        let mut sent = 0;
        let mut flush = |batch: &mut Batch<'_>| -> Result<(), IpvsError> {
            let count = batch.len();
            let last = (sent + count).checked_sub(1);
            if last
                .and_then(|last| commands.get(last))
                .is_some_and(may_have_no_answer)
            {
                batch.push(NLMSG_NOOP, 0, |_| {})?;
            }
            refused.extend(batch.send()?.into_iter().filter_map(|(index, error)| {
                let index = sent + index;
                Some(Refused::new(index, commands.get(index)?, error))
            }));
            sent += count;
            Ok(())
        };
        for command in commands {
            if batch.is_full() {
                flush(&mut batch)?;
            }
            batch.push(self.family.get(), 0, |bytes| encode(command, bytes))?;
        }
        flush(&mut batch)?;
        Ok(refused)
    }

    /// Version and size of the connection table.
    ///
    /// # Errors
    /// When the kernel does not answer, or answers with an error.
    pub fn info(&self) -> Result<Info, IpvsError> {
        let message = IpvsMessage {
            command: CommandNumber::GET_INFO,
            attributes: Vec::new(),
        };
        self.get(message, &read_info)?.ok_or(IpvsError::Missing {
            attribute: "IPVS_CMD_SET_INFO",
        })
    }

    /// Timeouts of connections.
    ///
    /// # Errors
    /// When the kernel does not answer, or answers with an error.
    pub fn timeouts(&self) -> Result<Timeouts, IpvsError> {
        let message = IpvsMessage {
            command: CommandNumber::GET_CONFIG,
            attributes: Vec::new(),
        };
        self.get(message, &read_timeouts)?
            .ok_or(IpvsError::Missing {
                attribute: "IPVS_CMD_SET_CONFIG",
            })
    }

    /// The synchronisation daemons that run, the master first.
    ///
    /// # Errors
    /// When the kernel does not answer, or answers with an error.
    pub fn daemons(&self) -> Result<Vec<Daemon>, IpvsError> {
        self.dump(&daemon_dump().encode(), &read_daemon)
    }

    fn tell(&self, message: &[u8]) -> Result<(), NetlinkError> {
        let tell = || {
            self.socket
                .request(self.family.get(), 0, message, &mut |_| Ok(()))
        };
        match tell() {
            Err(error) if is_not_found(&error) && self.has_new_family().unwrap_or(false) => tell(),
            result => result,
        }
    }

    fn get<T>(&self, message: IpvsMessage, read: &Reader<T>) -> Result<Option<T>, IpvsError> {
        let message = message.encode();
        let get = || {
            let mut found = None;
            self.socket
                .request(self.family.get(), 0, &message, &mut |reply| {
                    found = Some(read(reply.payload));
                    Ok(())
                })
                .map(|()| found)
        };
        let found = match get() {
            Err(error) if is_not_found(&error) && self.has_new_family()? => get()?,
            result => result?,
        };
        found.unwrap_or(Ok(None))
    }

    fn dump<T>(&self, message: &[u8], read: &Reader<T>) -> Result<Vec<T>, IpvsError> {
        let mut failure = None;
        let mut dump = || {
            self.socket.dump(self.family.get(), message, &mut |reply| {
                Ok(match read(reply.payload) {
                    Ok(item) => item,
                    Err(error) => {
                        failure.get_or_insert(error);
                        None
                    }
                })
            })
        };
        let items = match dump() {
            Err(error) if is_not_found(&error) && self.has_new_family()? => dump()?,
            result => result?,
        };
        failure.map_or(Ok(items), Err)
    }

    /// Asks for the family's number again and returns whether it has changed.
    fn has_new_family(&self) -> Result<bool, IpvsError> {
        let family = resolve(&self.socket)?;
        Ok(self.family.replace(family) != family)
    }
}

/// Whether the kernel may not answer: if a daemon is stopped before it has run, `kthread_stop` returns EINTR,
/// and netlink sends no answer for that. The daemon is stopped all the same.
fn may_have_no_answer(command: &Command) -> bool {
    matches!(command, Command::StopDaemon(_))
}

fn is_not_found(error: &NetlinkError) -> bool {
    matches!(error, NetlinkError::Kernel(KernelError { errno, .. }) if *errno == libc::ENOENT)
}

/// The number of the family `IPVS`.
fn resolve(socket: &Socket) -> Result<u16, IpvsError> {
    let message = GenlMessage::from_payload(GenlCtrl {
        cmd: GenlCtrlCmd::GetFamily,
        nlas: vec![GenlCtrlAttrs::FamilyName("IPVS".to_owned())],
    });
    let mut bytes = vec![0; message.buffer_len()];
    message.emit(&mut bytes);
    let mut family = None;
    let asked = socket.request(GENL_ID_CTRL, 0, &bytes, &mut |reply| {
        let attributes = reply.payload.get(GENL_HDRLEN..).unwrap_or_default();
        for attribute in NlasIterator::new(attributes) {
            // Other attributes (operations, policies) differ from kernel to kernel and are not needed.
            if let Ok(GenlCtrlAttrs::FamilyId(number)) = GenlCtrlAttrs::parse(&attribute?) {
                family = Some(number);
            }
        }
        Ok(())
    });
    match asked {
        Err(error) if is_not_found(&error) => Err(IpvsError::Unavailable),
        Err(error) => Err(error.into()),
        Ok(()) => family.ok_or(IpvsError::Unavailable),
    }
}

/// Where modprobe(8) is, because the caller's search path may lack these directories.
const MODPROBE: [&str; 2] = ["/sbin/modprobe", "/usr/sbin/modprobe"];

/// Loads `ip_vs`, as ipvsadm does. Failing is no error: the module may be built in, or modprobe missing.
fn load_module() {
    let start = |path: &str| {
        Process::new(path)
            .args(["--", "ip_vs"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
    };
    let _ = MODPROBE.into_iter().find(|path| start(path).is_ok());
}
