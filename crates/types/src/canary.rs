//! Everything that the canary tries: one table, by which the guest names what it does, `sandbox doctor --canary` prints it, and
//! tests compare both.
//!
//! An id is stable. Where it ends in a colon, each attempt adds what it was about: `net.unreachable:10.0.0.1:22`.

use crate::probe::Expect;

/// One thing that is tried at the start of every run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Its stable id.
    pub id: &'static str,
    /// The threats that it stands for; empty for a control.
    pub threat: &'static str,
    /// What must come of it.
    pub expect: Expect,
    /// What is tried.
    pub what: &'static str,
    /// True when gVisor may answer it itself: the attempt ends in that kernel, which is a process like any other to the machine's.
    pub is_gvisors_own: bool,
}

const fn held(id: &'static str, threat: &'static str, what: &'static str) -> Probe {
    Probe { id, threat, expect: Expect::Held, what, is_gvisors_own: false }
}

/// Held by Linux's system call filter or missing capability; gVisor has a harmless version of its own.
const fn filtered(id: &'static str, threat: &'static str, what: &'static str) -> Probe {
    Probe { id, threat, expect: Expect::Held, what, is_gvisors_own: true }
}

const fn works(id: &'static str, what: &'static str) -> Probe {
    Probe { id, threat: "", expect: Expect::Works, what, is_gvisors_own: false }
}

/// The table, in the order of the attempts.
pub const CANARY: &[Probe] = &[
    works("control.kernel", "the kernel is the one that the runtime is known for"),
    filtered("sys.unshare", "K-04", "unshare of a user namespace"),
    filtered("sys.unshare-mount", "K-04", "unshare of a mount namespace"),
    filtered("sys.setns", "K-04", "entering a namespace"),
    filtered("sys.clone3", "K-04", "clone3, whose flags no filter can see"),
    filtered("sys.clone-userns", "K-04", "clone into a user namespace"),
    filtered("sys.mount", "K-04", "mount"),
    filtered("sys.umount", "K-04", "umount2"),
    held("sys.mount-api", "K-04", "fsopen"),
    held("sys.move-mount", "K-04", "move_mount"),
    held("sys.mount-setattr", "K-04", "mount_setattr"),
    held("sys.open-tree", "K-04", "open_tree"),
    filtered("sys.pivot-root", "K-04", "pivot_root"),
    filtered("sys.chroot", "K-04", "chroot"),
    held("sys.bpf", "K-04", "bpf"),
    filtered("sys.perf", "K-04", "perf_event_open"),
    filtered("sys.keyctl", "K-04", "keyctl"),
    filtered("sys.add-key", "K-04", "add_key"),
    filtered("sys.request-key", "K-04", "request_key, which starts a helper on the machine"),
    held("sys.io-uring", "K-04", "io_uring_setup"),
    held("sys.userfaultfd", "K-04", "userfaultfd"),
    held("sys.memfd-secret", "K-04", "memfd_secret"),
    held("sys.vmsplice", "K-04", "vmsplice"),
    held("sys.fanotify", "K-04", "fanotify_init"),
    held("sys.pidfd-getfd", "K-04 K-07", "taking a descriptor out of another process"),
    filtered("sys.open-by-handle", "K-04", "open_by_handle_at"),
    filtered("sys.name-to-handle", "K-04", "name_to_handle_at"),
    held("sys.modules", "K-04", "finit_module"),
    held("sys.kexec", "K-04", "kexec_load"),
    held("sys.swap", "K-04", "swapon"),
    held("sys.quota", "K-04", "quotactl"),
    held("sys.accounting", "K-04", "acct"),
    held("sys.clock", "K-04", "settimeofday"),
    filtered("sys.kernel-log", "K-04 K-18", "reading the kernel's log"),
    held("sys.hostname", "K-04", "sethostname"),
    held("sys.ptrace-init", "K-07", "ptrace of PID 1"),
    held("sys.kill-init", "K-07", "a signal to PID 1"),
    #[cfg(target_arch = "x86_64")]
    held("sys.io-ports", "K-04", "iopl"),
    #[cfg(target_arch = "x86_64")]
    held("sys.ldt", "K-04", "modify_ldt"),
    #[cfg(target_arch = "x86_64")]
    held("sys.x32", "K-04", "a call of the x32 ABI"),
    #[cfg(target_arch = "x86_64")]
    held("sys.i386", "K-04", "a call of the 32-bit ABI"),
    held("cap.status", "K-02", "the process's state can be read"),
    held("cap.empty", "K-02", "every capability set is empty"),
    held("cap.no-new-privs", "K-02", "no program can gain rights, setuid or not"),
    filtered("cap.seccomp", "K-02", "a system call filter is in force"),
    held("cap.uid", "K-02", "every uid is the agent's, not 0"),
    held("cap.gid", "K-02", "no gid and no group is 0"),
    held("cap.setuid", "K-02", "becoming uid 0"),
    held("cap.setgid", "K-02", "becoming gid 0"),
    held("cap.setgroups", "K-02", "dropping groups"),
    held("limit.core", "C-11", "core dumps are off"),
    held("proc.init-environ", "C-01", "PID 1's environment is closed, or holds no credential"),
    held("proc.init-memory", "C-01 K-07", "PID 1's memory"),
    held("proc.init-descriptors", "C-01 K-07", "PID 1's descriptors, the null device apart"),
    held("env.secrets", "C-01 C-07 C-09", "no variable is a credential or names a socket of the host"),
    held("fs.root-read-only", "K-05", "the root file system is read-only"),
    held("fs.guest-binary", "K-07", "changing the guest's program"),
    held("fs.sysrq", "K-05", "/proc/sysrq-trigger"),
    held("fs.core-pattern", "K-05", "core_pattern"),
    held("fs.modprobe", "K-05", "the kernel's module loader"),
    held("fs.uevent-helper", "K-05", "the kernel's event helper"),
    held("fs.memory-device", "K-05", "/dev/mem"),
    held("fs.cgroup-procs", "K-05", "moving processes between control groups"),
    held("fs.release-agent", "K-05", "the control groups' release agent"),
    held("fs.cgroup", "K-05", "making a control group"),
    held("fs.kcore", "K-05", "the kernel's memory image"),
    held("engine.socket", "K-01 N-24", "no engine's socket is there"),
    held("fs.sockets", "K-01 C-07", "no Unix socket but PID 1's own can be reached"),
    held("fs.devices", "K-05", "no device is there but the harmless ones"),
    held("fs.mknod", "K-05", "making a device"),
    held("host.name", "K-18", "the host name is ours"),
    held("host.firmware", "K-18", "nothing tells of the machine's maker and serial numbers"),
    held("host.command-line", "K-18", "the kernel's command line is hidden"),
    held("host.mounts", "K-18", "no directory of a person's home is mounted"),
    works("control.write:", "a directory that the agent must be able to write"),
    held("net.icmp", "N-27", "a raw ICMP socket"),
    held("net.packet-socket", "N-27", "a packet socket"),
    held("net.packet-datagram", "N-27", "a packet socket without headers"),
    held("net.vsock", "N-27", "a socket to the machine's hypervisor"),
    held("net.mptcp", "N-27", "a Multipath TCP socket"),
    held("sys.af-alg", "K-04", "AF_ALG"),
    held("sys.af-rxrpc", "K-04", "AF_RXRPC"),
    held("sys.af-key", "K-04", "AF_KEY"),
    held("sys.af-xdp", "K-04", "AF_XDP"),
    held("sys.af-tipc", "K-04", "AF_TIPC"),
    held("sys.af-can", "K-04", "AF_CAN"),
    held("sys.af-bluetooth", "K-04", "AF_BLUETOOTH"),
    held("sys.netlink-xfrm", "K-04", "NETLINK_XFRM"),
    held("sys.netlink-netfilter", "K-04", "NETLINK_NETFILTER"),
    held("net.ping", "N-27", "an ICMP echo leads nowhere"),
    held("net.sctp", "N-27", "SCTP leads nowhere"),
    held("net.routes", "N-01", "there is no route"),
    held("net.raw-ip", "N-01 N-03", "TCP to an address"),
    held("net.udp", "N-27", "UDP to an address"),
    held("net.metadata", "N-21", "the metadata service"),
    held("net.bridge", "N-22 N-23", "the engine's bridge"),
    held("net.ipv6", "N-26", "TCP over IPv6"),
    held("dns.udp53", "D-01", "DNS over UDP past the resolver"),
    held("dns.tcp53", "D-01", "DNS over TCP past the resolver"),
    held("dns.multicast", "D-05", "multicast DNS"),
    held("net.unreachable:", "N-01 N-21 N-22", "an address that must be out of reach"),
    works("control.model", "the model gateway answers"),
    held("proxy.denied-name", "N-02", "the proxy refuses a denied name, in words"),
    works("control.proxy", "the proxy answers"),
    held("dns.resolver", "D-02", "every name server is the guest's"),
    held("dns.unknown-name", "D-02 D-03", "a name that is not trusted does not exist"),
    works("control.trusted-name", "a trusted name has a loopback address of its own"),
];

/// The table's row for the id of a check.
#[must_use]
pub fn probe(id: &str) -> Option<&'static Probe> {
    CANARY.iter().find(|probe| if probe.id.ends_with(':') { id.starts_with(probe.id) } else { id == probe.id })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn ids_are_unique_and_what_is_held_names_its_threat() {
        let ids: BTreeSet<_> = CANARY.iter().map(|probe| probe.id).collect();
        assert_eq!(ids.len(), CANARY.len());
        for probe in CANARY {
            assert_eq!(probe.threat.is_empty(), probe.expect == Expect::Works, "{}", probe.id);
        }
    }

    #[test]
    fn ids_with_a_subject_are_found_by_their_beginning() {
        assert_eq!(probe("control.write:/tmp").map(|probe| probe.id), Some("control.write:"));
        assert_eq!(probe("net.icmp").map(|probe| probe.threat), Some("N-27"));
        assert_eq!(probe("net.icmp:x"), None);
    }
}
