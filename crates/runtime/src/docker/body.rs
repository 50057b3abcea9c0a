//! From a [`ContainerSpec`] to the engine's request. Pure, so that the walls can be read and tested in one place.

use crate::{
    spec::{ContainerSpec, Mount, Names, Tmpfs, TmpfsOwner},
    state::EngineKind,
};
use bollard::models::{
    ContainerCreateBody, HealthConfig, HostConfig, HostConfigCgroupnsModeEnum, HostConfigLogConfig,
    Mount as EngineMount, MountType, MountVolumeOptions, ResourcesUlimits, RestartPolicy, RestartPolicyNameEnum,
};
use std::collections::HashMap;

/// The system calls that are allowed, in groups with a comment each; everything else is refused.
///
/// Tracing is allowed on purpose: agents debug with gdb and strace, the kernel binds it to processes of the same uid, and
/// PID 1 has another one. 32-bit x86 and x32 programs are killed: their system call tables are not in the filter.
pub(crate) const SECCOMP: &str = include_str!("../seccomp.json");

/// What nobody inside may read: what describes the machine, and what the engines hide by default.
const MASKED: [&str; 17] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/cmdline",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/modules",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/dmi",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
    "/sys/fs/selinux",
    "/sys/kernel/security",
];

/// What nobody inside may write, whatever its uid.
const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

const MIB: i64 = 1024 * 1024;

/// Processes per uid on Podman: the limit it grants without rights of its own.
const PODMAN_NPROC: i64 = 20_000;

/// What a request depends on beside the spec.
#[derive(Clone, Copy)]
pub(super) struct Engine<'a> {
    pub(super) kind: EngineKind,
    /// The system call filter, or the engine's path to it.
    pub(super) seccomp: &'a str,
}

/// The request that creates `spec`, which has passed its check.
pub(super) fn create_body(spec: &ContainerSpec, names: Names, engine: Engine<'_>) -> ContainerCreateBody {
    let labels: HashMap<_, _> = spec.labels.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    ContainerCreateBody {
        hostname: Some("sandbox".to_owned()),
        user: Some(format!("{}:{}", spec.uid, spec.gid)),
        attach_stdin: Some(false),
        attach_stdout: Some(false),
        attach_stderr: Some(false),
        tty: Some(false),
        open_stdin: Some(false),
        env: Some(spec.env.iter().map(|(key, value)| format!("{key}={value}")).collect()),
        // An entry point of ours drops both the image's entry point and its command.
        entrypoint: Some(spec.command.iter().take(1).cloned().collect()),
        cmd: Some(spec.command.iter().skip(1).cloned().collect()),
        // An image's health check would run commands that nobody started.
        healthcheck: Some(HealthConfig { test: Some(vec!["NONE".to_owned()]), ..HealthConfig::default() }),
        image: Some(spec.image.clone()),
        working_dir: Some(spec.workdir.clone()),
        // The namespace is made by the OCI runtime either way, with nothing but loopback.
        network_disabled: Some(match names {
            Names::Engine => false,
            Names::Guest => true,
        }),
        labels: Some(labels),
        stop_signal: Some("SIGTERM".to_owned()),
        host_config: Some(host_config(spec, engine)),
        ..ContainerCreateBody::default()
    }
}

fn host_config(spec: &ContainerSpec, engine: Engine<'_>) -> HostConfig {
    let memory = i64::try_from(spec.limits.memory_mb).unwrap_or(i64::MAX / MIB).saturating_mul(MIB);
    let mut ulimits = vec![ulimit("core", 0), ulimit("nofile", i64::from(spec.limits.open_files))];
    let mut security = vec!["no-new-privileges".to_owned(), format!("seccomp={}", engine.seccomp)];
    match engine.kind {
        // The count is per uid over all containers, so that the limit is left to `pids_limit` where it can be.
        EngineKind::Docker => {}
        EngineKind::Podman => {
            // It sets one of its own otherwise, which it may not have the right to.
            ulimits.push(ulimit("nproc", PODMAN_NPROC));
            // It does not look at the request's list of masked paths.
            security.push(format!("mask={}", MASKED.join(":")));
        }
    }
    let tmpfs = |tmpfs: &Tmpfs| (tmpfs.target.clone(), tmpfs_options(tmpfs, spec, engine.kind));
    HostConfig {
        network_mode: Some("none".to_owned()),
        cap_drop: Some(vec!["ALL".to_owned()]),
        security_opt: Some(security),
        privileged: Some(false),
        readonly_rootfs: Some(true),
        ipc_mode: Some("private".to_owned()),
        cgroupns_mode: Some(HostConfigCgroupnsModeEnum::PRIVATE),
        log_config: Some(HostConfigLogConfig { typ: Some("none".to_owned()), config: None }),
        init: Some(false),
        auto_remove: Some(false),
        restart_policy: Some(RestartPolicy { name: Some(RestartPolicyNameEnum::NO), maximum_retry_count: None }),
        masked_paths: Some(MASKED.map(str::to_owned).to_vec()),
        readonly_paths: Some(READ_ONLY.map(str::to_owned).to_vec()),
        sysctls: Some(HashMap::from([("net.ipv4.ip_unprivileged_port_start".to_owned(), "0".to_owned())])),
        // The guest answers on loopback; without search and options of our own the host's would leak in.
        dns: Some(vec!["127.0.0.1".to_owned()]),
        dns_search: Some(vec![".".to_owned()]),
        dns_options: Some(vec!["timeout:2".to_owned()]),
        mounts: Some(spec.mounts.iter().map(engine_mount).collect()),
        tmpfs: Some(spec.tmpfs.iter().map(tmpfs).collect()),
        memory: Some(memory),
        memory_swap: Some(memory),
        oom_kill_disable: Some(false),
        // Under pressure the kernel ends what is inside before what is outside.
        oom_score_adj: Some(500),
        nano_cpus: Some((spec.limits.cpus * 1e9) as i64),
        pids_limit: Some(i64::from(spec.limits.pids)),
        ulimits: Some(ulimits),
        runtime: spec.oci_runtime.clone(),
        ..HostConfig::default()
    }
}

fn engine_mount(mount: &Mount) -> EngineMount {
    EngineMount {
        target: Some(mount.target.clone()),
        source: Some(mount.volume.clone()),
        typ: Some(MountType::VOLUME),
        read_only: Some(mount.read_only),
        volume_options: Some(MountVolumeOptions { no_copy: Some(!mount.copy_up), ..MountVolumeOptions::default() }),
        ..EngineMount::default()
    }
}

fn tmpfs_options(tmpfs: &Tmpfs, spec: &ContainerSpec, kind: EngineKind) -> String {
    let Tmpfs { size_mb, owner, mode, exec, .. } = tmpfs;
    let exec = if *exec { "exec" } else { "noexec" };
    let owner = match (owner, kind) {
        (TmpfsOwner::Root, EngineKind::Docker | EngineKind::Podman) => String::new(),
        (TmpfsOwner::Init, EngineKind::Docker) => format!(",uid={},gid={}", spec.uid, spec.gid),
        // It refuses numbers, and has this word for the user of PID 1.
        (TmpfsOwner::Init, EngineKind::Podman) => ",U".to_owned(),
    };
    format!("rw,{exec},nosuid,nodev,size={size_mb}m,mode={mode:o}{owner}")
}

fn ulimit(name: &str, value: i64) -> ResourcesUlimits {
    ResourcesUlimits { name: Some(name.to_owned()), soft: Some(value), hard: Some(value) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::tests::sample;
    use serde_json::{Value, json};
    use std::collections::BTreeSet;

    #[test]
    fn the_walls_stand_in_every_request() {
        let body = serde_json::to_value(create_body(
            &sample(),
            Names::Guest,
            Engine { kind: EngineKind::Docker, seccomp: SECCOMP },
        ))
        .expect("json");
        let host = &body["HostConfig"];
        for (key, want) in [
            ("NetworkMode", json!("none")),
            ("CapDrop", json!(["ALL"])),
            ("ReadonlyRootfs", json!(true)),
            ("Privileged", json!(false)),
            ("IpcMode", json!("private")),
            ("CgroupnsMode", json!("private")),
            ("MemorySwap", host["Memory"].clone()),
            ("Memory", json!(4096 * MIB)),
            ("Init", json!(false)),
            ("OomKillDisable", json!(false)),
            ("Dns", json!(["127.0.0.1"])),
            ("PidsLimit", json!(1024)),
        ] {
            assert_eq!(host[key], want, "{key}");
        }
        for absent in [
            "Binds",
            "CapAdd",
            "Devices",
            "DeviceRequests",
            "VolumesFrom",
            "PidMode",
            "UsernsMode",
            "ExtraHosts",
            "GroupAdd",
        ] {
            assert_eq!(host[absent], Value::Null, "{absent}");
        }
        assert_eq!(host["LogConfig"]["Type"], "none");
        assert_eq!(host["SecurityOpt"][0], "no-new-privileges");
        assert!(host["SecurityOpt"][1].as_str().expect("text").starts_with("seccomp={"));
        assert_eq!(
            host["Ulimits"],
            json!([{"Name":"core","Soft":0,"Hard":0},{"Name":"nofile","Soft":20000,"Hard":20000}])
        );
        assert_eq!(host["Tmpfs"]["/tmp"], "rw,exec,nosuid,nodev,size=64m,mode=1777");
        assert_eq!(host["Mounts"][1]["ReadOnly"], true);
        assert_eq!(host["Mounts"][0]["VolumeOptions"]["NoCopy"], true);
        assert_eq!(body["User"], "65530:65530");
        assert_eq!((&body["Entrypoint"], &body["Cmd"]), (&json!(["/bin/sleep"]), &json!(["60"])));
        assert_eq!(body["Env"], json!(["A=b"]));
        assert_eq!(body["Hostname"], "sandbox");
    }

    /// Rules of the profile as (name, action, arguments).
    fn rules() -> Vec<(String, String, Value)> {
        let profile: Value = serde_json::from_str(SECCOMP).expect("json");
        assert_eq!(profile["defaultAction"], "SCMP_ACT_ERRNO");
        let mut all = Vec::new();
        for rule in profile["syscalls"].as_array().expect("list") {
            for name in rule["names"].as_array().expect("names") {
                let text = |value: &Value| value.as_str().expect("text").to_owned();
                all.push((text(name), text(&rule["action"]), rule["args"].clone()));
            }
        }
        all
    }

    #[test]
    fn dangerous_system_calls_are_not_allowed_and_ordinary_ones_are() {
        let rules = rules();
        let allowed: BTreeSet<&str> =
            rules.iter().filter(|(_, action, _)| action == "SCMP_ACT_ALLOW").map(|(name, ..)| name.as_str()).collect();
        for name in [
            "unshare",
            "setns",
            "mount",
            "umount",
            "umount2",
            "pivot_root",
            "chroot",
            "open_tree",
            "open_tree_attr",
            "move_mount",
            "fsopen",
            "fsconfig",
            "fsmount",
            "fspick",
            "mount_setattr",
            "statmount",
            "listmount",
            "bpf",
            "perf_event_open",
            "keyctl",
            "add_key",
            "request_key",
            "io_uring_setup",
            "io_uring_enter",
            "io_uring_register",
            "userfaultfd",
            "kexec_load",
            "kexec_file_load",
            "init_module",
            "finit_module",
            "delete_module",
            "clone3",
            "kcmp",
            "pidfd_getfd",
            "process_madvise",
            "open_by_handle_at",
            "name_to_handle_at",
            "fanotify_init",
            "quotactl",
            "acct",
            "swapon",
            "swapoff",
            "reboot",
            "settimeofday",
            "clock_settime",
            "adjtimex",
            "clock_adjtime",
            "sethostname",
            "setdomainname",
            "iopl",
            "ioperm",
            "syslog",
            "vhangup",
            "nfsservctl",
            "lookup_dcookie",
            "modify_ldt",
            "vmsplice",
            "remap_file_pages",
            "socketcall",
            "ipc",
            "uselib",
            "ustat",
            "sysfs",
            "_sysctl",
            "move_pages",
            "migrate_pages",
            "mbind",
            "set_mempolicy",
            "memfd_secret",
            "mq_open",
            "mseal",
            "cachestat",
        ] {
            assert!(!allowed.contains(name), "{name}");
        }
        for name in ["read", "execve", "clone", "socket", "futex", "ptrace", "landlock_create_ruleset", "rseq", "statx"]
        {
            assert!(allowed.contains(name), "{name}");
        }
    }

    #[test]
    fn every_allowed_call_has_somebody_who_needs_it() {
        let needs = include_str!("../seccomp_needs.txt").lines().filter(|line| !line.starts_with('#'));
        let needed: Vec<&str> = needs
            .map(|line| line.split_once(": ").filter(|(_, who)| !who.is_empty()).expect("a call and who needs it").0)
            .collect();
        let rules = rules();
        let mut allowed: Vec<&str> = rules
            .iter()
            .filter(|(_, action, args)| action == "SCMP_ACT_ALLOW" && args.is_null())
            .map(|(name, ..)| name.as_str())
            .collect();
        allowed.sort_unstable();
        assert_eq!(needed, allowed);
    }

    #[test]
    fn filtered_calls_never_have_a_rule_without_arguments() {
        let rules = rules();
        for filtered in ["clone", "socket", "socketpair", "personality"] {
            let own: Vec<_> = rules.iter().filter(|(name, ..)| name == filtered).collect();
            assert!(
                !own.is_empty() && own.iter().all(|(.., args)| args.as_array().is_some_and(|a| !a.is_empty())),
                "{filtered}"
            );
        }
        // Families are allowed one by one and by equality: the filter compares 64 bits where the kernel reads 32.
        let families: BTreeSet<u64> = rules
            .iter()
            .filter(|(name, ..)| name == "socket")
            .map(|(.., args)| {
                assert_eq!((&args[0]["index"], &args[0]["op"]), (&json!(0), &json!("SCMP_CMP_EQ")));
                args[0]["value"].as_u64().expect("number")
            })
            .collect();
        assert_eq!(families, BTreeSet::from([1, 2, 10, 16]));
        let netlink = rules.iter().find(|(name, _, args)| name == "socket" && args[0]["value"] == 16).expect("netlink");
        assert_eq!((&netlink.2[1]["index"], &netlink.2[1]["value"]), (&json!(2), &json!(0)));
        let clone = rules.iter().find(|(name, ..)| name == "clone").expect("clone");
        assert_eq!((&clone.2[0]["value"], &clone.2[0]["op"]), (&json!(0x7e02_0000), &json!("SCMP_CMP_MASKED_EQ")));
    }
}
