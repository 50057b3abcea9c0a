//! Tests, checks of the CI, certificates, limits, and who may do what.

use super::{
    Change, count, loses,
    marks::{CHECKS, DOORS, LIMITS, NO_CERTIFICATES, OPEN_DOORS, SKIPS, SWITCHES_OFF},
};
use crate::effect::Finding;
use types::catalogue::RuleId;

/// What speaks against the change of the file at this lower-case path.
pub(super) fn findings(path: &str, change: Change<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut weak = |reason: &str| found.push(Finding::questioned(RuleId::SafetyRegression, reason));
    // Of a file whose old content is not known, nothing can be said to be gone.
    let is_change = !change.removed.trim().is_empty();
    if is_test_setting(path) && change.adds(SWITCHES_OFF) {
        weak("leaves tests out or changes what counts as passed");
    }
    if (is_test(path) || path.ends_with(".rs"))
        && is_change
        && change.adds(SKIPS)
        && assertions(change.removed)
            + count(change.removed, &["#[test]", "it(", "it '", "def test", "func Test", "@Test"])
            > 0
    {
        weak("weakens a test");
    }
    if is_change && is_test(path) && is_emptied(change) {
        weak("weakens a test");
    }
    if is_change && is_test(path) && (assertions(change.added) < assertions(change.removed) || change.adds(SKIPS)) {
        weak("weakens a test");
    }
    if change.adds(NO_CERTIFICATES) {
        weak("switches off the check of certificates");
    }
    if is_owned(path) && is_change {
        weak("changes who looks at changes");
    }
    if is_change
        && path.ends_with("/.gitignore")
        && loses(change, &[".env", "*.pem", "*.key", "secrets", "credentials"])
    {
        weak("stops git from passing over files with secrets");
    }
    if is_change && loses(change, LIMITS) {
        weak("takes away a limit on what code may do");
    }
    if change.adds(OPEN_DOORS) || (is_change && loses(change, DOORS)) {
        weak("takes away a check of who may do what");
    }
    if is_change
        && is_check(path)
        && (change.adds(&[
            "continue-on-error: true",
            "|| true",
            "allow_failure: true",
            "if: false",
            "--no-verify",
            "exit 0",
            "SKIP=",
        ]) || loses(change, CHECKS))
    {
        weak("weakens a check that runs on every change");
    }
    found.extend(serves_shell(change).then(|| {
        let instead = "run a fixed command with arguments that are checked";
        Finding::refused(RuleId::ReverseChannel, "runs what a request from outside names", instead)
    }));
    found
}

/// Settings of test runners, and files that they load.
fn is_test_setting(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    matches!(
        name,
        "pytest.ini"
            | "tox.ini"
            | "setup.cfg"
            | "conftest.py"
            | "pyproject.toml"
            | "sitecustomize.py"
            | ".coveragerc"
            | ".mocharc.js"
            | ".mocharc.json"
            | "karma.conf.js"
            | "phpunit.xml"
            | ".rspec"
            | "nextest.toml"
    ) || ["jest.config", "vitest.config", "playwright.config", "cypress.config", "jest.setup", "vitest.setup"]
        .iter()
        .any(|start| name.starts_with(start))
}

/// True when a check that could fail is replaced by one that cannot.
fn is_emptied(change: Change<'_>) -> bool {
    #[rustfmt::skip]
    const ALWAYS: [&str; 16] = [
        "assert True", "assert 1", "assert(true)", "assert!(true)", "toBe(true).toBe", "expect(true)", "expect(1)",
        "assertTrue(True)", "assertTrue(true)", "assert.ok(true)", "assert.True(t, true)", "XCTAssertTrue(true)",
        "assert_eq!(1, 1)", "assert_eq!(true, true)", "Assert.True(true)", "should be_truthy",
    ];
    assertions(change.removed) > 0 && change.adds(&ALWAYS)
}

/// Files that say who reviews, and what watches over packages.
fn is_owned(path: &str) -> bool {
    path.ends_with("/codeowners")
        || path.ends_with("/dependabot.yml")
        || path.ends_with("/security.md")
        || path.ends_with("/renovate.json")
}

fn is_test(path: &str) -> bool {
    path.contains("/test")
        || path.contains("_test.")
        || path.contains(".test.")
        || path.contains(".spec.")
        || path.contains("/spec")
}

fn is_check(path: &str) -> bool {
    [
        "/.github/workflows/",
        "/.gitlab-ci",
        "/.circleci/",
        "/azure-pipelines",
        "/jenkinsfile",
        "/.husky/",
        "/.githooks/",
        "/.pre-commit-config",
        "/.travis.yml",
        "/.buildkite/",
        "/lefthook",
        "/tox.ini",
        "/noxfile.py",
    ]
    .iter()
    .any(|part| path.contains(part))
}

/// Lines that check something and are no comments.
fn assertions(text: &str) -> usize {
    text.lines()
        .map(str::trim_start)
        .filter(|line| !line.starts_with("//") && !line.starts_with('#') && !line.starts_with('*'))
        .filter(|line| {
            ["assert", "expect(", "should", "t.Error", "t.Fatal", "require.", "raises(", "toThrow", "rejects"]
                .iter()
                .any(|word| line.contains(word))
        })
        .count()
}

/// True when code that comes in starts a program or runs code that a request names, in one expression.
fn serves_shell(change: Change<'_>) -> bool {
    #[rustfmt::skip]
    const STARTS: [&str; 20] = [
        "system(", "exec(", "shell_exec(", "passthru(", "popen(", "proc_open(", "eval(", "assert(", ".exec(",
        "execSync(", "spawn(", "subprocess.run(", "subprocess.call(", "check_output(", "getoutput(", "os.system(",
        "Runtime.getRuntime().exec(", "ProcessBuilder(", "Process.Start(", "create_function(",
    ];
    #[rustfmt::skip]
    const REQUESTS: [&str; 19] = [
        "$_GET", "$_POST", "$_REQUEST", "$_COOKIE", "$_SERVER", "getallheaders", "php://input", "request.args",
        "request.form", "request.values", "request.data", "request.GET", "request.POST", "req.query", "req.body",
        "req.params", "request.getParameter", "Request.QueryString", "params[",
    ];
    const REACH: usize = 80;
    STARTS.iter().any(|start| {
        change.added.match_indices(start).take(64).any(|(at, _)| {
            let rest = &change.added[at + start.len()..];
            let mut end = REACH.min(rest.len());
            while !rest.is_char_boundary(end) {
                end -= 1;
            }
            let reach = rest[..end].split([';', '\n']).next().unwrap_or_default();
            REQUESTS.iter().any(|request| reach.contains(request))
        })
    }) && change.added != change.removed
}

/// True for a test that is there to find faults; what a run made itself is its own.
pub(crate) fn is_kept_test(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    ["/tests/", "/test/", "/__tests__/", "/spec/"].iter().any(|dir| format!("{lower}/").contains(dir))
        && !["/tmp", "/fixtures", "/output", "/snapshots", "__pycache__", ".pyc", "/target/"]
            .iter()
            .any(|part| lower.contains(part))
}
