//! Which changes a reviewer must look at first: paths that execute on the reviewer's side as soon as somebody checks out,
//! opens or builds (THREATS G-21, G-23), and paths that decide what `verify` proves.

use types::harvest::Change;

const CI: &str = "runs in CI";
const HOOK: &str = "runs as a git hook or changes what git does";
const EDITOR: &str = "runs when opened in an editor";
const AGENT: &str = "instructs or configures coding agents";
const SHELL: &str = "runs when a shell enters the directory";
const BUILD: &str = "runs when the project is built, installed or tested";

/// A directory anywhere in the path.
const DIRECTORIES: [(&str, &str); 24] = [
    (".github/workflows", CI),
    (".github/actions", CI),
    (".gitlab", CI),
    (".gitea", CI),
    (".forgejo", CI),
    (".circleci", CI),
    (".buildkite", CI),
    (".woodpecker", CI),
    (".azure-pipelines", CI),
    (".git", HOOK),
    (".githooks", HOOK),
    (".husky", HOOK),
    (".vscode", EDITOR),
    (".idea", EDITOR),
    (".vs", EDITOR),
    (".zed", EDITOR),
    (".devcontainer", EDITOR),
    (".fleet", EDITOR),
    (".claude", AGENT),
    (".codex", AGENT),
    (".cursor", AGENT),
    (".gemini", AGENT),
    (".cargo", BUILD),
    (".mvn", BUILD),
];

/// The last component.
const FILES: [(&str, &str); 77] = [
    (".gitlab-ci.yml", CI),
    (".travis.yml", CI),
    (".drone.yml", CI),
    (".cirrus.yml", CI),
    ("jenkinsfile", CI),
    ("azure-pipelines.yml", CI),
    ("bitbucket-pipelines.yml", CI),
    ("appveyor.yml", CI),
    ("action.yml", CI),
    ("action.yaml", CI),
    ("codeowners", CI),
    (".gitattributes", HOOK),
    (".gitmodules", HOOK),
    (".gitconfig", HOOK),
    (".pre-commit-config.yaml", HOOK),
    (".pre-commit-hooks.yaml", HOOK),
    ("lefthook.yml", HOOK),
    (".devcontainer.json", EDITOR),
    (".exrc", EDITOR),
    (".nvimrc", EDITOR),
    (".nvim.lua", EDITOR),
    (".vimrc", EDITOR),
    (".dir-locals.el", EDITOR),
    (".mcp.json", AGENT),
    ("mcp.json", AGENT),
    ("agents.md", AGENT),
    ("claude.md", AGENT),
    ("claude.local.md", AGENT),
    ("gemini.md", AGENT),
    (".cursorrules", AGENT),
    (".windsurfrules", AGENT),
    ("copilot-instructions.md", AGENT),
    ("sandbox.toml", AGENT),
    (".envrc", SHELL),
    (".env", SHELL),
    (".mise.toml", SHELL),
    ("mise.toml", SHELL),
    (".tool-versions", SHELL),
    (".autoenv", SHELL),
    ("package.json", BUILD),
    (".npmrc", BUILD),
    (".yarnrc", BUILD),
    (".yarnrc.yml", BUILD),
    (".pnpmfile.cjs", BUILD),
    ("binding.gyp", BUILD),
    ("makefile", BUILD),
    ("gnumakefile", BUILD),
    ("justfile", BUILD),
    (".justfile", BUILD),
    ("taskfile.yml", BUILD),
    ("rakefile", BUILD),
    ("gemfile", BUILD),
    ("build.rs", BUILD),
    ("cargo.toml", BUILD),
    ("rust-toolchain", BUILD),
    ("rust-toolchain.toml", BUILD),
    ("conftest.py", BUILD),
    ("sitecustomize.py", BUILD),
    ("usercustomize.py", BUILD),
    ("setup.py", BUILD),
    ("setup.cfg", BUILD),
    ("pyproject.toml", BUILD),
    ("tox.ini", BUILD),
    ("noxfile.py", BUILD),
    ("pytest.ini", BUILD),
    ("pip.conf", BUILD),
    ("cmakelists.txt", BUILD),
    ("configure", BUILD),
    ("meson.build", BUILD),
    ("build.gradle", BUILD),
    ("build.gradle.kts", BUILD),
    ("settings.gradle", BUILD),
    ("gradlew", BUILD),
    ("mvnw", BUILD),
    ("pom.xml", BUILD),
    ("dockerfile", BUILD),
    ("build.zig", BUILD),
];

/// How the last component ends.
const ENDINGS: [(&str, &str); 12] = [
    (".code-workspace", EDITOR),
    (".sublime-project", EDITOR),
    (".pth", BUILD),
    (".mk", BUILD),
    (".csproj", BUILD),
    (".targets", BUILD),
    (".props", BUILD),
    (".vcxproj", BUILD),
    (".gemspec", BUILD),
    (".config.js", BUILD),
    (".config.ts", BUILD),
    (".config.mjs", BUILD),
];

/// Why a reviewer must look at this path first; none for other paths. Case, invisible characters, trailing dots and spaces
/// make no difference, as they make none to some file systems.
#[must_use]
pub fn executes(path: &str) -> Option<&'static str> {
    let parts = folded(path);
    let whole = format!("/{}/", parts.join("/"));
    let directory = DIRECTORIES.iter().find(|(dir, _)| whole.contains(&format!("/{dir}/")));
    let last = parts.last()?;
    let file = || FILES.iter().find(|(name, _)| last == name);
    let ending = || ENDINGS.iter().find(|(ending, _)| last.ends_with(ending));
    directory.or_else(file).or_else(ending).map(|(_, why)| *why)
}

/// The changed paths that decide what `verify` proves: tests, build files, and files that its commands name.
#[must_use]
pub fn touched_by_verify(changes: &[Change], verify_commands: &[String]) -> Vec<String> {
    if verify_commands.is_empty() {
        return Vec::new();
    }
    let named: Vec<String> = verify_commands
        .iter()
        .flat_map(|command| command.split(|c: char| c.is_whitespace() || "'\"=;|&()<>`$".contains(c)))
        .map(|word| folded(word).join("/"))
        .filter(|word| !word.is_empty())
        .collect();
    let decides = |path: &str| {
        let parts = folded(path);
        let whole = parts.join("/");
        let below = |word: &String| {
            // A word such as `.` or `test` names a directory only if it is a path of the diff.
            whole == *word || whole.strip_prefix(word.as_str()).is_some_and(|rest| rest.starts_with('/'))
        };
        is_test(&parts) || executes(path) == Some(BUILD) || is_lock(&parts) || named.iter().any(below)
    };
    changes.iter().filter(|change| decides(&change.path)).map(|change| change.path.clone()).collect()
}

fn is_test(parts: &[String]) -> bool {
    const DIRS: [&str; 8] = ["test", "tests", "spec", "specs", "__tests__", "testdata", "fixtures", "__snapshots__"];
    let Some((last, dirs)) = parts.split_last() else { return false };
    let stem = last.split_once('.').map_or(last.as_str(), |(stem, _)| stem);
    dirs.iter().any(|dir| DIRS.contains(&dir.as_str()))
        || stem.starts_with("test_")
        || stem.ends_with("_test")
        || stem.ends_with("_spec")
        || matches!(stem, "test" | "tests")
        || last.contains(".test.")
        || last.contains(".spec.")
        || last.ends_with(".snap")
        || last.ends_with("tests.cs")
        || last.ends_with("test.java")
}

fn is_lock(parts: &[String]) -> bool {
    const LOCKS: [&str; 9] = [
        "cargo.lock",
        "package-lock.json",
        "yarn.lock",
        "pnpm-lock.yaml",
        "poetry.lock",
        "uv.lock",
        "go.sum",
        "go.mod",
        "gemfile.lock",
    ];
    parts.last().is_some_and(|last| LOCKS.contains(&last.as_str()) || last.starts_with("requirements"))
}

/// The components of a path as the most lenient file system would compare them.
fn folded(path: &str) -> Vec<String> {
    path.split(['/', '\\'])
        .map(|part| {
            let visible = part.chars().filter(|c| !is_ignorable(*c));
            let folded: String = visible.flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect();
            // An NTFS stream (`x::$DATA`) names the same file.
            let folded = folded.split(':').next().unwrap_or_default().trim_end_matches(['.', ' ']).to_owned();
            if folded == "git~1" { ".git".to_owned() } else { folded }
        })
        .filter(|part| !part.is_empty())
        .collect()
}

/// Characters that HFS+ ignores in names, and other invisible ones.
fn is_ignorable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fe00}'..='\u{fe0f}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::harvest::ChangeKind;

    #[test]
    fn paths_that_execute_are_found_in_every_spelling() {
        for (path, why) in [
            (".github/workflows/ci.yml", CI),
            (".GitHub/Workflows/x", CI),
            ("sub/.cLauDe/settings.json", AGENT),
            (".cl\u{200c}aude/hooks", AGENT),
            (".vscode./tasks.json", EDITOR),
            ("a\\.husky\\pre-commit", HOOK),
            ("pac\u{212a}age.json", BUILD),
            ("Makefile ", BUILD),
            ("build.rs::$DATA", BUILD),
            ("crates/x/build.rs", BUILD),
            (".envrc", SHELL),
            ("AGENTS.md", AGENT),
            ("vite.config.ts", BUILD),
        ] {
            assert_eq!(executes(path), Some(why), "{path:?}");
        }
        for plain in ["", "src/main.rs", "docs/github/workflows.md", "claude/x", "src/makefile.rs", "README.md"] {
            assert_eq!(executes(plain), None, "{plain:?}");
        }
    }

    #[test]
    fn changes_to_what_verify_runs_are_listed() {
        let change = |path: &str| Change {
            path: path.into(),
            kind: ChangeKind::Modified,
            old_mode: 0o100_644,
            new_mode: 0o100_644,
            oid: "ab".repeat(20),
            added: None,
            removed: None,
            executes: None,
        };
        let paths = [
            "src/lib.rs",
            "tests/a.rs",
            "src/x_test.go",
            "Cargo.toml",
            "Cargo.lock",
            "scripts/check.sh",
            "ci/sub/run",
            "ui/a.test.ts",
        ];
        let changes: Vec<Change> = paths.iter().map(|path| change(path)).collect();
        let verify = ["./scripts/check.sh --all && ci/".to_owned()];
        assert_eq!(touched_by_verify(&changes, &verify), paths[1..]);
        assert!(touched_by_verify(&changes, &[]).is_empty());
    }
}
