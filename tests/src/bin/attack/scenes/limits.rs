//! A container that takes as much as it can: each limit is the outcome of its run, the work before it is there, and nobody else has
//! noticed.

use crate::{report::Report, stage::Stage};
use system_tests::{User, scenes::limits};

/// Processes, memory and disk.
pub(super) fn much(stage: &Stage, runtime: &'static str, report: &mut Report) {
    let user = || stage.user(runtime);
    limits::a_fork_bomb_ends_its_run_and_no_other(&user(), &user());
    limits::an_agent_that_is_killed_for_memory_has_reached_a_limit(&user());
    let filler = user();
    limits::assert_limit(&filler, limits::run(&filler, "cat /dev/zero > large", &["container.disk-mb=300"]), "disk");
    let some = "for i in $(seq 20); do sleep 1 & done; wait; python3 -c 'bytearray(10**8)'; head -c 10000000 /dev/zero > large; rm large";
    within(&user(), some, &["container.pids=150", "container.memory-mb=800", "container.disk-mb=300"], report);
    report.held("K-06", true, "each limit ended its run with its name");
}

/// Files, words, temporary files and open files.
pub(super) fn many(stage: &Stage, runtime: &'static str, report: &mut Report) {
    let user = || stage.user(runtime);
    limits::too_many_files_end_the_run(&user());
    limits::a_flood_of_output_ends_the_run(&user());
    limits::temporary_files_and_open_files_are_limited_by_the_kernel(&user());
    let some = "mkdir few && touch $(seq -f few/%g 500) && rm -r few; seq 1000; head -c 1000000 /dev/zero > /tmp/some";
    let limits = ["container.disk-files=5000", "container.log-mb=1", "container.tmp-mb=64", "container.open-files=200"];
    within(&user(), some, &limits, report);
    report.held("K-06", true, "each limit ended its run with its name, or the kernel said no");
}

/// Less of the same, under the same limits, is none of their business.
fn within(user: &User, command: &str, limits: &[&str], report: &mut Report) {
    let ran = limits::run(user, command, limits);
    report.control("K-06", ran.code == 0, format!("less than its limits ends with {}: {}", ran.code, ran.stderr));
}
