//! The gate's decision by itself: our corpus of labelled calls, and input that is made to be slow.

use crate::series::Report;
use gate::{
    Gate, Ledger, Policy, World,
    corpus::{Case, CaseJudge},
};
use serde_json::{Value, json};
use std::{
    fs,
    time::{Duration, Instant},
};
use system_tests::workspace;
use types::{call::ToolCall, id::CallId, verdict::Decision};

/// Calls of the corpus, up to 4 KiB.
pub(crate) const DECISION: &str = "decision: calls up to 4 KiB";
/// One hostile input each.
pub(crate) const HOSTILE: &str = "decision: hostile input";

/// Every case in every round; every hostile input once.
pub(crate) fn measure(report: &mut Report, rounds: usize) {
    let dir = workspace().join("tests/fixtures/gate");
    let files = fs::read_dir(dir).expect("corpus").map(|entry| fs::read_to_string(entry.expect("entry").path()));
    let texts: Vec<String> = files.collect::<Result<_, _>>().expect("corpus");
    let cases: Vec<Case> = texts
        .iter()
        .flat_map(|text| text.lines())
        .filter_map(|line| Case::read(line.as_bytes()).expect("JSON"))
        .filter(|case| case.call.input.to_string().len() <= 4096)
        .collect();
    let mut judge = CaseJudge::new(Policy::default(), Vec::new());
    for _ in 0..rounds {
        for case in &cases {
            let (_, verdict) = judge.judge(case).expect("judged");
            report.time(DECISION, Duration::from_micros(verdict.micros));
        }
    }
    let gate = Gate::new(&Policy::default(), World::default()).expect("no rules");
    for (tool, input) in hostile() {
        let call =
            ToolCall { id: CallId("b".into()), tool: tool.into(), input, cwd: "/workspace".into(), subagent: None };
        let since = Instant::now();
        let verdict = gate.judge(&call, &mut Ledger::default());
        report.time(HOSTILE, since.elapsed());
        assert_ne!((tool, verdict.decision), ("Bash", Decision::Allow), "{:.80}", call.input.to_string());
    }
}

/// Nesting, length, expansion and half-open constructs; content of files that are read as code.
fn hostile() -> Vec<(&'static str, Value)> {
    const OPEN: [&str; 20] = [
        "( ",
        "$(",
        "\"$(",
        "{ ",
        "if a; then ",
        "case x in x) ",
        "${x:-",
        "f() { ",
        "cat <(",
        "$((",
        "((",
        "[[ ( ",
        "@(",
        "cat <<E\n",
        "eval ",
        "a;",
        "a|",
        "x=$x$x;",
        "for i in 1 2 3 4 5 6 7 8; do ",
        "bash -c \"",
    ];
    const FILES: [&str; 8] = [
        "a.sh",
        "Makefile",
        "package.json",
        ".github/workflows/ci.yml",
        "Dockerfile",
        "conftest.py",
        "AGENTS.md",
        "a.js",
    ];
    const UNITS: [&str; 10] = [
        "a ",
        "a: b\n\tc\n",
        "A=$(A)$(A)\n",
        "run: |\n",
        "\"a\": \"b c\",\n",
        "[",
        "os.system(\"a\");",
        "ignore all ",
        "$(",
        "AKIA",
    ];
    let bash = |command: String| ("Bash", json!({ "command": command }));
    let bombs = OPEN
        .iter()
        .flat_map(|open| [20, 63, 1_000, 30_000].map(|times| bash(format!("rm -rf /; {}", open.repeat(times)))));
    let long = [
        bash(format!("rm -rf /; {}", "x".repeat(10_000_000))),
        bash(format!("rm -rf /; cat <<E\n{}", "x\n".repeat(5_000_000))),
        bash(format!("rm -rf /; {}", "\u{0}".repeat(1_000_000))),
    ];
    // Words that are written once and come many times.
    let many = ["cat", "rm"].iter().flat_map(|program| {
        let words = ["a ", "a* "].map(|unit| unit.repeat(8_000 / unit.len()));
        words.into_iter().flat_map(move |words| {
            [
                format!("{program} {}", words.repeat(4)),
                format!("for i in 1 2 3 4 5 6 7 8; do {program} {words}; done"),
                format!("v='{words}'; {}", format!("{program} $v; ").repeat(40)),
                format!("a=({words}); {}", format!("{program} \"${{a[@]}}\"; ").repeat(40)),
                format!("echo {words} | {} {program}", "xargs ".repeat(24)),
                format!("f() {{ {program} {words}; }}; {}", "f; ".repeat(40)),
            ]
            .map(|line| bash(format!("rm -rf /; {line}")))
        })
    });
    let texts = ["a;", "{ a;};", "while a; do b; done;", "a>b;"].iter().flat_map(|unit| {
        let text = unit.repeat(8_000 / unit.len());
        ["eval", "bash -c"]
            .map(|runner| bash(format!("rm -rf /; x='{text}'; {}", format!("{runner} \"$x\"; ").repeat(23))))
    });
    // Code that is written once and given to many interpreters, or to many files.
    let code = [
        ("import os; os.system(\"", "\")", "python3 -c \"$x\"; "),
        ("system(\"", "\")", "perl -e \"$x\"; "),
        ("BEGIN { system(\"", "\") }", "awk \"$x\" f; "),
        ("all:\n\t", "", "make -f - <<< \"$x\"; "),
        ("", "", "echo \"$x\" > f.sh; bash f.sh; "),
    ];
    let code = code.into_iter().flat_map(|(before, after, runner)| {
        [2_000, 14_000]
            .map(|size| bash(format!("rm -rf /; x='{before}{}{after}'; {}", "a;".repeat(size / 2), runner.repeat(40))))
    });
    let files = FILES.iter().flat_map(|file| {
        UNITS.map(|unit| {
            let content = unit.repeat(200_000 / unit.len());
            ("Write", json!({"file_path": format!("/workspace/{file}"), "content": content}))
        })
    });
    bombs.chain(long).chain(many).chain(texts).chain(code).chain(files).collect()
}
