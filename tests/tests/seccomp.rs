//! Every line of the system call filter is needed: without it something that works with it does not. (Who needs each single call is in
//! `crates/runtime/src/seccomp_needs.txt`.)

use serde_json::Value;
use std::{fs, path::Path, process::Command, thread};
use system_tests::workspace;
use tempfile::TempDir;

/// What fails without a line, by the beginning of the line's comment.
const WORKLOADS: &[(&str, &str)] = &[
    ("files", "cat /etc/passwd"),
    ("waiting", "python3 -c 'import select; select.epoll()'"),
    ("memory", "python3 -c 'import mmap; mmap.mmap(-1, 4096)'"),
    ("processes", "bash -c 'ulimit -n'"),
    ("locks", "sleep 0.01"),
    ("talking", "bash -c 'echo x | cat'"),
    ("sockets, once", "python3 -c 'import socket; socket.socket().bind((\"127.0.0.1\", 0))'"),
    ("debuggers", "python3 -c 'import ctypes; assert ctypes.CDLL(None).ptrace(0, 0, 0, 0) == 0'"),
    // Without Landlock in the kernel the answer is another errno.
    (
        "sandboxes",
        "python3 -c 'import ctypes; c = ctypes.CDLL(None, use_errno=True); c.syscall(444, 0, 0, 1); assert ctypes.get_errno() != 1'",
    ),
    ("clone", "python3 -c 'import os; os.fork() or os._exit(0)'"),
    ("AF_UNIX", "python3 -c 'import socket; socket.socket(1, 1, 0)'"),
    ("pairs of AF_UNIX", "python3 -c 'import socket; socket.socketpair()'"),
    ("AF_INET, the type", "python3 -c 'import socket; socket.socket(2, 1, 0)'"),
    ("AF_INET, TCP", "python3 -c 'import socket; socket.socket(2, 1, 6)'"),
    ("AF_INET, UDP", "python3 -c 'import socket; socket.socket(2, 2, 17)'"),
    ("AF_INET6, the type", "python3 -c 'import socket; socket.socket(10, 1, 0)'"),
    ("AF_INET6, TCP", "python3 -c 'import socket; socket.socket(10, 1, 6)'"),
    ("AF_INET6, UDP", "python3 -c 'import socket; socket.socket(10, 2, 17)'"),
    ("AF_NETLINK", "python3 -c 'import socket; socket.socket(16, 3, 0)'"),
    ("ADDR_NO_RANDOMIZE", "python3 -c 'import ctypes; assert ctypes.CDLL(None).personality(0x40000) != -1'"),
    (
        "asking which personality",
        "python3 -c 'import ctypes; assert ctypes.CDLL(None).personality(ctypes.c_ulong(0xffffffff)) != -1'",
    ),
    // The C library makes threads in the old way only when it hears that there is no new one.
    ("ENOSYS", "python3 -c 'import threading; threading.Thread(target=print).start()'"),
];

fn works_under(profile: &Path, workload: &str) -> bool {
    let filter = format!("seccomp={}", profile.display());
    let run = Command::new("docker")
        .args(["run", "--rm", "--network", "none", "--user", "1000:1000", "--cap-drop", "ALL", "--log-driver", "none"])
        .args([
            "--security-opt",
            "no-new-privileges",
            "--security-opt",
            &filter,
            "sandbox/base",
            "bash",
            "-ec",
            workload,
        ])
        .output();
    run.expect("docker").status.success()
}

fn workload_of(rule: &Value) -> &'static str {
    let comment = rule["comment"].as_str().expect("each line says what it is for");
    let found: Vec<_> = WORKLOADS.iter().filter(|(begin, _)| comment.starts_with(begin)).collect();
    let longest = found.into_iter().max_by_key(|(begin, _)| begin.len());
    longest.unwrap_or_else(|| panic!("nothing is known to need `{comment}`")).1
}

#[test]
fn without_any_of_its_lines_something_does_not_work() {
    let path = workspace().join("crates/runtime/src/seccomp.json");
    let profile: Value = serde_json::from_slice(&fs::read(&path).expect("profile")).expect("json");
    let rules = profile["syscalls"].as_array().expect("rules");
    assert_eq!(rules.len(), WORKLOADS.len(), "each line has a workload of its own");
    let all: Vec<_> = rules.iter().map(workload_of).collect();
    assert!(works_under(&path, &all.join("\n")), "with all lines all of it works");

    let dir = TempDir::new().expect("directory");
    let without = |n: usize| {
        let mut profile = profile.clone();
        profile["syscalls"].as_array_mut().expect("rules").remove(n);
        let path = dir.path().join(format!("{n}.json"));
        fs::write(&path, profile.to_string()).expect("profile");
        path
    };
    // A few at a time: each is the start of a container.
    for chunk in (0..rules.len()).collect::<Vec<_>>().chunks(4) {
        thread::scope(|scope| {
            for &n in chunk {
                let (path, workload) = (without(n), all[n]);
                scope.spawn(move || assert!(!works_under(&path, workload), "not needed: {}", rules[n]["comment"]));
            }
        });
    }
}
