//! A container that takes as much as it can: each limit is the outcome of its run, the work before it is there, and nobody else has
//! noticed.

use crate::{report::Report, stage::Stage};
use system_tests::scenes::limits;

/// Processes, memory and disk.
pub(super) fn much(stage: &Stage, runtime: &'static str, report: &mut Report) {
    let user = || stage.user(runtime);
    limits::a_fork_bomb_ends_its_run_and_no_other(&user(), &user());
    limits::an_agent_that_is_killed_for_memory_has_reached_a_limit(&user());
    let filler = user();
    limits::assert_limit(&filler, limits::run(&filler, "cat /dev/zero > large", &["container.disk-mb=300"]), "disk");
    report.held("K-06", true, "each limit ended its run with its name");
}

/// Files, words, temporary files and open files.
pub(super) fn many(stage: &Stage, runtime: &'static str, report: &mut Report) {
    let user = || stage.user(runtime);
    limits::too_many_files_end_the_run(&user());
    limits::a_flood_of_output_ends_the_run(&user());
    limits::temporary_files_and_open_files_are_limited_by_the_kernel(&user());
    report.held("K-06", true, "each limit ended its run with its name, or the kernel said no");
}
