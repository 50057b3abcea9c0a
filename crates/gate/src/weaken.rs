//! Edits that weaken what keeps a project safe: tests, checks of the CI, certificates, who may do what. And edits that
//! speak to later agents or change where packages come from.

use crate::{
    effect::{Effect, Finding},
    phrase::{self, Prose},
    place::Place,
    probe,
    shell::{SimpleCommand, Word},
    world::World,
};
use types::catalogue::RuleId;

/// What an edit takes away and puts in its place; `removed` is empty where the old content is not known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change<'a> {
    pub removed: &'a str,
    pub added: &'a str,
}

impl Change<'_> {
    /// True when the added text says it more often than the removed one.
    fn adds(&self, marks: &[&str]) -> bool {
        count(self.added, marks) > count(self.removed, marks)
    }
}

/// What speaks against the change of this file.
pub(crate) fn findings(place: &Place, change: Change<'_>, world: &World) -> Vec<Finding> {
    let lower = place.path.to_ascii_lowercase();
    let mut found = Vec::new();
    let mut weak = |reason: &str| found.push(Finding::questioned(RuleId::SafetyRegression, reason));
    if is_prose(&lower) {
        found.extend(instructions(&lower, change, world));
        return found;
    }
    // Of a file whose old content is not known, nothing can be said to be gone.
    let is_change = !change.removed.trim().is_empty();
    if is_change && is_test(&lower) && (assertions(change.added) < assertions(change.removed) || change.adds(&SKIPS)) {
        weak("weakens a test");
    }
    if change.adds(&NO_CERTIFICATES) {
        weak("switches off the check of certificates");
    }
    if change.adds(&OPEN_DOORS) || (is_change && loses(change, &DOORS)) {
        weak("takes away a check of who may do what");
    }
    if is_change
        && is_check(&lower)
        && (change.adds(&[
            "continue-on-error: true",
            "|| true",
            "allow_failure: true",
            "if: false",
            "--no-verify",
            "exit 0",
            "SKIP=",
        ]) || loses(change, &CHECKS))
    {
        weak("weakens a check that runs on every change");
    }
    found.extend(packages(&lower, change));
    found.extend(instructions(&lower, change, world));
    found
}

const SKIPS: [&str; 12] = [
    "#[ignore",
    "@skip",
    ".skip(",
    "xit(",
    "xdescribe(",
    "t.Skip(",
    "@pytest.mark.skip",
    "xfail",
    "@Disabled",
    "@Ignore",
    "pytest.skip(",
    "it.todo(",
];
const NO_CERTIFICATES: [&str; 22] = [
    "verify=False",
    "verify_ssl=False",
    "verify_certs=False",
    "ssl=False",
    "rejectUnauthorized: false",
    "rejectUnauthorized:false",
    "\"rejectUnauthorized\": false",
    "NODE_TLS_REJECT_UNAUTHORIZED",
    "InsecureSkipVerify: true",
    "InsecureSkipVerify:true",
    "danger_accept_invalid_certs(true)",
    "danger_accept_invalid_hostnames(true)",
    "CURLOPT_SSL_VERIFYPEER, false",
    "CURLOPT_SSL_VERIFYPEER, 0",
    "_create_unverified_context",
    "check_hostname = False",
    "CERT_NONE",
    "strict-ssl=false",
    "sslVerify = false",
    "VERIFY_NONE",
    "TrustAllCerts",
    "ALLOW_ALL_HOSTNAME_VERIFIER",
];
/// Marks of a door that is open to all.
const OPEN_DOORS: [&str; 10] = [
    "AllowAny]",
    "csrf_exempt",
    "skip_before_action :authenticate",
    "skip_before_action :verify_authenticity_token",
    ".permitAll()",
    "csrf().disable()",
    "@PermitAll",
    "AllowAnonymous",
    "NOPASSWD: ALL",
    "privileged: true",
];
/// Marks of a check of who may do what.
const DOORS: [&str; 22] = [
    "login_required",
    "permission_required",
    "@PreAuthorize",
    "@RolesAllowed",
    "[Authorize",
    "requireAuth",
    "require_auth",
    "requireLogin",
    "require_login",
    "isAuthenticated",
    "is_authenticated",
    "ensureAuth",
    "verifyToken",
    "verify_token",
    "checkPermission",
    "check_permission",
    "hasPermission",
    "has_permission",
    "isAdmin",
    "is_admin",
    "authorize(",
    "before_action :authenticate",
];
/// Steps of a CI that find faults.
const CHECKS: [&str; 18] = [
    "npm test",
    "npm run test",
    "npm run lint",
    "cargo test",
    "cargo clippy",
    "pytest",
    "go test",
    "go vet",
    "eslint",
    "clippy",
    "mypy",
    "tsc --noEmit",
    "codeql",
    "gitleaks",
    "trivy",
    "cargo deny",
    "npm audit",
    "yarn test",
];

/// True when the removed text names one of the marks and the added text names it less often.
fn loses(change: Change<'_>, marks: &[&str]) -> bool {
    // Code that moved elsewhere in one edit is not lost; text in comments does not count as kept.
    marks.iter().any(|mark| count(&code_of(change.removed), &[mark]) > count(&code_of(change.added), &[mark]))
}

fn code_of(text: &str) -> String {
    text.lines()
        .filter(|line| {
            let line = line.trim_start();
            !line.starts_with("//")
                && !line.starts_with('#')
                && !line.starts_with('*')
                && !line.starts_with("import ")
                && !line.starts_with("from ")
        })
        .collect::<Vec<_>>()
        .join("\n")
}

fn count(text: &str, marks: &[&str]) -> usize {
    marks.iter().map(|mark| text.matches(mark).count()).sum()
}

fn is_prose(path: &str) -> bool {
    [".md", ".mdx", ".txt", ".rst", ".adoc", ".puml"].iter().any(|end| path.ends_with(end))
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
            ["assert", "expect(", "should", "t.Error", "t.Fatal", "require."].iter().any(|word| line.contains(word))
        })
        .count()
}

/// Where packages come from, and what runs when they are installed.
fn packages(path: &str, change: Change<'_>) -> Vec<Finding> {
    let name = path.rsplit('/').next().unwrap_or_default();
    let mut found = Vec::new();
    let mut supply = |reason: &str| found.push(Finding::questioned(RuleId::SupplyChain, reason));
    if matches!(name, "package.json" | "composer.json")
        && crate::content::LIFECYCLE.iter().any(|hook| change.adds(&[&format!("\"{hook}\"")]))
    {
        supply("adds a script that runs on every install");
    }
    let settings = matches!(
        name,
        ".npmrc"
            | "pip.conf"
            | ".pypirc"
            | ".yarnrc"
            | ".yarnrc.yml"
            | "pip.ini"
            | "bunfig.toml"
            | "nuget.config"
            | "settings.xml"
            | ".condarc"
    ) || path.ends_with("/.cargo/config.toml")
        || path.ends_with("/.bundle/config");
    if settings
        && change.adds(&[
            "registry",
            "index-url",
            "find-links",
            "trusted-host",
            "npmRegistryServer",
            "script-shell",
            "node-options",
            "[source",
            "packageSources",
            "<mirror",
            "channels",
            "BUNDLE_MIRROR",
        ])
    {
        supply("changes where packages come from or how they are installed");
    }
    let manifest = matches!(
        name,
        "pyproject.toml" | "pipfile" | "gemfile" | "cargo.toml" | "uv.toml" | "build.gradle" | "pom.xml"
    ) || (name.starts_with("requirements") && name.ends_with(".txt"));
    if manifest
        && change.adds(&[
            "--index-url",
            "--extra-index-url",
            "--trusted-host",
            "[[tool.uv.index]]",
            "[[tool.poetry.source]]",
            "[[source]]",
            "git+http",
            "git = \"http",
            "maven { url",
            "<repository>",
            "source \"http",
        ])
    {
        supply("takes packages from another place than the registry");
    }
    let locked = matches!(
        name,
        "package-lock.json"
            | "yarn.lock"
            | "pnpm-lock.yaml"
            | "cargo.lock"
            | "poetry.lock"
            | "uv.lock"
            | "gemfile.lock"
            | "go.sum"
            | "composer.lock"
            | "bun.lock"
    );
    if locked
        && (change.adds(&[
            "\"resolved\"",
            "resolved \"",
            "integrity",
            "checksum = ",
            "source = ",
            "hash = ",
            "h1:",
            "tarball:",
        ]) || loses(change, &["integrity", "checksum", "h1:"]))
    {
        supply("changes a lock file by hand");
    }
    found
}

/// True for files that later agents read as orders.
pub(crate) fn is_instruction_file(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    matches!(
        name,
        "claude.md"
            | "claude.local.md"
            | "agents.md"
            | "gemini.md"
            | "qwen.md"
            | ".cursorrules"
            | ".windsurfrules"
            | ".clinerules"
            | "copilot-instructions.md"
            | "skill.md"
            | ".aider.conf.yml"
            | "codex.md"
    ) || ["/.claude/", "/.cursor/rules", "/.codex/", "/.github/instructions/", "/.clinerules/", "/.continue/"]
        .iter()
        .any(|dir| path.contains(dir))
}

/// Orders for later agents that do harm.
fn instructions(path: &str, change: Change<'_>, world: &World) -> Vec<Finding> {
    if !is_instruction_file(path) {
        return Vec::new();
    }
    const KEEP: &str = "write down conventions of the project, and leave decisions about permissions to people";
    let poison = |reason: String| Finding::forbidden(RuleId::InstructionPoisoning, reason, KEEP);
    let mut found = Vec::new();
    if let Some(suspicion) = probe::probe(change.added) {
        match suspicion.trick {
            probe::Trick::Addressed => {}
            trick @ (probe::Trick::HiddenText
            | probe::Trick::Override
            | probe::Trick::ForgedTurn
            | probe::Trick::ForgedConsent
            | probe::Trick::Secrecy
            | probe::Trick::Exfiltration
            | probe::Trick::Command
            | probe::Trick::Beacon) => {
                found.push(poison(format!("puts into a file of orders for agents what {}", trick.as_str())))
            }
        }
    }
    let prose = Prose::new(change.added);
    let words = prose.words();
    let orders = (0..words.len()).any(|at| {
        let negated = at > 0
            && words[at.saturating_sub(3)..at]
                .iter()
                .any(|word| matches!(*word, "not" | "never" | "dont" | "no" | "cannot"));
        phrase::circumvents(&words[at..]) && !negated
    });
    if orders || skips_permissions(change.added) {
        found.push(poison("tells later agents to get around their guard".to_owned()));
    }
    // What the text tells to run is read as if it ran.
    let command = SimpleCommand { cwd: Some(world.worktree.clone()), ..SimpleCommand::default() };
    for code in
        change.added.split('`').skip(1).step_by(2).filter(|code| code.contains(' ') && code.len() < 4096).take(32)
    {
        let code = code.trim_start_matches("bash").trim_start_matches("sh\n");
        for effect in crate::program::nested(&Word::literal(code), &command, world) {
            if let Some(finding) = crate::floor::finding(&effect, world)
                && finding.severity == crate::effect::Severity::Forbidden
            {
                let told = words
                    .iter()
                    .any(|word| matches!(*word, "never" | "not" | "dont" | "avoid" | "forbidden" | "prohibited"));
                let reason = format!("names a command for later agents that {}", finding.reason);
                found.push(if told {
                    Finding::questioned(RuleId::InstructionPoisoning, reason)
                } else {
                    poison(reason)
                });
            }
        }
    }
    found.truncate(4);
    found
}

/// True when a text asks for a run without any guard.
pub(crate) fn skips_permissions(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    [
        "dangerously-skip-permissions",
        "bypasspermissions",
        "--yolo",
        "skip-permissions",
        "disableallhooks",
        "dangerously-bypass",
    ]
    .iter()
    .any(|mark| lower.contains(mark))
}

/// Findings as effects of a call.
pub(crate) fn effects(place: &Place, change: Change<'_>, world: &World) -> Vec<Effect> {
    findings(place, change, world).into_iter().map(Effect::from).collect()
}
