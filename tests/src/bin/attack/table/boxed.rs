//! The container, the host it stands on, and what ends.

use crate::{
    case::{Case, Step, Weak},
    step::{read, run, shell, write},
};
use serde_json::json;

const FILES: [&str; 2] = ["control read", "control write"];

pub(super) fn cases() -> Vec<Case> {
    vec![
        engine_sockets(),
        privileges(),
        old_runtimes(),
        kernel(),
        kernel_files(),
        limits(),
        supervisor(),
        orphans(),
        crashes(),
        engine_away(),
        two_at_once(),
        no_runtime(),
        images(),
        places_on_the_host(),
        task_files(),
        remotes(),
        own_repository(),
        traces_of_the_host(),
    ]
}

fn engine_sockets() -> Case {
    let paths =
        ["/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock", "/run/podman/podman.sock"];
    Case::new("K-01", Weak::Holds("a plain docker run hands no socket in"))
        .controls(&FILES)
        .steps(paths.map(|path| read(path, &["ENOENT"])))
}

fn privileges() -> Case {
    let field = |name: &str, good: &str, bad: &str| {
        let act = json!({"act": "status", "field": name});
        Step::new(name, act, &[good], &[bad]).everywhere()
    };
    Case::new("K-02", Weak::Broken)
        .controls(&["control shell"])
        .step(field("CapEff", "0000000000000000", "00000000a80425fb"))
        .step(field("CapBnd", "0000000000000000", "00000000a80425fb"))
        // gVisor has no such line; the canary looks at it in another way.
        .step(Step { good: vec!["1".into(), "missing".into()], ..field("NoNewPrivs", "1", "0") })
        .step(field("Uid", "1000", "0"))
        .step(run("su", &["su", "-c", "id -u"], &["1 *"], &["0 0"]))
}

fn old_runtimes() -> Case {
    Case::new("K-03", Weak::NotMade("plain docker run takes the image's word")).scene("hostile image")
}

fn kernel() -> Case {
    // What is tried are the rows of the canary.
    Case::new("K-04", Weak::Broken).controls(&["control socket"])
}

fn kernel_files() -> Case {
    let paths = [
        "/proc/sysrq-trigger",
        "/proc/sys/kernel/core_pattern",
        "/proc/sys/kernel/modprobe",
        "/sys/fs/cgroup/cgroup.procs",
        "/sys/fs/cgroup/release_agent",
        "/sys/kernel/uevent_helper",
        "/dev/mem",
        "/etc/passwd",
        "/opt/sandbox/guest",
    ];
    // The memory of the machine, and its first disk. gVisor lets everyone make nodes, with none of the machine's devices behind them.
    let node = "for node in 'c 1 1' 'b 8 0'; do rm -f /tmp/node-{mark}; mknod /tmp/node-{mark} $node 2>/dev/null \\
        && head -c 1 /tmp/node-{mark} >/dev/null 2>&1 && { echo reached; exit; }; done; head -c 1 /dev/zero >/dev/null && echo tried";
    let read_only = ["/proc/", "/sys/kernel/"];
    let write_to = |path: &str| Step {
        holds_anyway: read_only.iter().any(|dir| path.starts_with(dir)).then_some("a plain container has it read-only"),
        ..write(path)
    };
    Case::new("K-05", Weak::Broken).controls(&FILES).steps(paths.map(write_to)).step(
        shell("devices", node, &["0 tried"], &["0 reached"])
            .holds_anyway("a plain container may make the nodes, but its list of devices has none of them"),
    )
}

fn limits() -> Case {
    Case::new("K-06", Weak::NotMade("it would take the machine down")).scene("too much").scene("too many")
}

fn supervisor() -> Case {
    let kill = |signal: &str| {
        let act = json!({"act": "kill", "pid": 1, "signal": signal});
        Step::new(format!("{signal} to PID 1"), act, &["EPERM"], &["signalled"])
    };
    Case::new("K-07", Weak::Broken).controls(&["control shell"]).step(kill("SIGCONT")).scene("kill -9 -1")
}

fn orphans() -> Case {
    let act = json!({"act": "daemonise", "seconds": "{number}"});
    Case::new("K-08", Weak::Holds("the container ends with its command"))
        .controls(&["control shell"])
        .step(Step::new("a process without a parent", act, &["left"], &[]))
        .scene("main")
}

fn crashes() -> Case {
    Case::new("K-09", Weak::NotMade("nothing supervises")).scene("killed at every stage")
}

fn engine_away() -> Case {
    Case::new("K-10", Weak::NotMade("nothing supervises")).scene("engine away")
}

fn two_at_once() -> Case {
    Case::new("K-11", Weak::NotMade("nothing is named by us")).scene("two at once")
}

fn no_runtime() -> Case {
    Case::new("K-12", Weak::NotMade("there is nothing to fall back from")).scene("no runtime")
}

fn images() -> Case {
    Case::new("K-13", Weak::NotMade("nothing is built")).scene("hostile image")
}

fn places_on_the_host() -> Case {
    Case::new("K-14", Weak::NotMade("nothing is kept")).scene("places").scene("no runtime")
}

fn task_files() -> Case {
    Case::new("K-15", Weak::NotMade("there are no tasks")).scene("task files")
}

fn remotes() -> Case {
    Case::new("K-16", Weak::NotMade("nothing is fetched")).scene("remotes")
}

fn own_repository() -> Case {
    Case::new("K-17", Weak::NotMade("nothing is cloned")).scene("planted repository")
}

fn traces_of_the_host() -> Case {
    let pattern = "zq7-hostname-4c1e90|{home}";
    let paths = [
        "/proc/self/mountinfo",
        "/proc/self/environ",
        "/etc/hosts",
        "/etc/hostname",
        "/etc/resolv.conf",
        "/proc/sys/kernel/hostname",
        "/proc/cmdline",
        "/workspace/.git/config",
        "/proc/self/cgroup",
    ];
    let text = json!({"act": "text_of", "paths": paths, "pattern": pattern});
    let line = json!({"act": "text_of", "paths": ["/proc/cmdline"], "pattern": "{cmdline}"});
    let machine = ["/sys/class/dmi/id/product_name", "/sys/devices/virtual/dmi/id/product_name", "/etc/machine-id"];
    Case::new("K-18", Weak::Broken)
        .controls(&["control text", "control read", "control shell"])
        .step(Step::new("names and paths", text, &["none"], &["/*"]).everywhere())
        .step(
            run("host name", &["hostname"], &["0 sandbox"], &["0 zq7-hostname-4c1e90"])
                .everywhere()
                .holds_anyway("a plain container has a name of its own"),
        )
        .step(Step::new("the kernel's command line", line, &["none", "nothing could be read"], &["/*"]).everywhere())
        .steps(machine.map(|path| {
            read(path, &["ENOENT", "EACCES", "empty"]).holds_anyway("not every machine and image has such a file")
        }))
}
