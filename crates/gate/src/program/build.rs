//! Build systems: they run what the project defines.

use super::{
    cmake,
    packages::{is_reviewable, manifest, new_code, publishes},
};
use crate::{
    args::Args,
    effect::{Effect, Finding, Program},
    shell::{SimpleCommand, Word},
    world::World,
};
use types::catalogue::RuleId;

pub(super) fn effects(name: &str, command: &SimpleCommand, world: &World) -> Option<Vec<Effect>> {
    let words = command.args();
    let args = Args::parse(words, &["-C", "-f", "-o", "--file", "--directory", "-j"]);
    let verb = args.operands.first().map(|word| word.text.as_str()).unwrap_or_default();
    let has = |names: &[&str]| words.iter().any(|word| names.contains(&word.text.as_str()));
    Some(match name {
        "cargo" => cargo(command, world),
        "go" => go(command, world),
        "make" | "gmake" | "just" | "task" | "ninja" | "rake" | "invoke" => {
            let targets: Vec<&str> = args.operands.iter().map(|word| word.text.as_str()).collect();
            let elsewhere = |text: &str| {
                [
                    "--eval",
                    "--file",
                    "--makefile",
                    "--rakefile",
                    "--justfile",
                    "--taskfile",
                    "-E",
                    "--command",
                    "--shell",
                ]
                .iter()
                .any(|option| text.starts_with(option))
                    || (text.starts_with("-f") && !text.starts_with("--"))
            };
            if let Some(rules) = given_rules(name, command) {
                let mut effects = vec![Effect::Unverifiable("make takes its rules from elsewhere".to_owned())];
                effects.extend(crate::content::effects(
                    crate::content::Kind::Make,
                    &rules,
                    crate::content::Part::All,
                    command,
                    world,
                ));
                return Some(effects);
            }
            if words.iter().any(|word| elsewhere(&word.text))
                || targets.iter().any(|target| target.contains('=') && target.contains("SHELL"))
            {
                return Some(vec![Effect::Unverifiable("make takes its rules from elsewhere".to_owned())]);
            }
            // A value that is not known is the project's business unless a command made it.
            let is_named = |word: &Word| {
                word.is_known()
                    || word.sources.is_empty() && word.text.split_once('=').is_some_and(|(name, _)| is_setting(name))
            };
            if !args.operands.iter().all(|word| is_named(word)) {
                return Some(vec![Effect::Unverifiable("which target runs is not known".to_owned())]);
            }
            let outward = ["deploy", "release", "publish", "push", "upload", "destroy", "prod"];
            const DATA: [&str; 4] = ["db:drop", "db:reset", "db:purge", "db:schema:load"];
            if name == "rake" && targets.iter().any(|target| DATA.contains(target)) {
                return Some(vec![Finding::questioned(RuleId::MassDeletion, "drops a database").into()]);
            }
            // A variable in the line may be a program that the rules start.
            let mut effects: Vec<Effect> = args
                .operands
                .iter()
                .filter(|word| word.text.split_once('=').is_some_and(|(_, value)| value.contains(' ')))
                .flat_map(|word| {
                    let value = word.text.split_once('=').map(|(_, value)| value).unwrap_or_default();
                    super::nested(&Word { text: value.to_owned(), ..(*word).clone() }, command, world)
                })
                .filter(|effect| !matches!(effect, Effect::Unverifiable(_)))
                .collect();
            let dir = args.values(&["-C", "--directory"]).next().filter(|word| word.is_known());
            let file = if name == "just" { "justfile" } else { "Makefile" };
            let file = dir.map_or_else(|| file.to_owned(), |dir| format!("{}/{file}", dir.text));
            effects.push(manifest(&file, command, world));
            if targets.iter().any(|target| outward.iter().any(|word| target.contains(word))) {
                effects.extend(new_code("runs a target whose name says that it acts outside the work tree"));
            }
            effects
        }
        "crystal" | "nim" | "swift"
            if matches!(verb, "eval" | "e" | "repl")
                || has(&["-e"])
                || words.iter().any(|word| word.text.starts_with("--eval")) =>
        {
            vec![Effect::Unverifiable(format!("`{name}` runs code of the line"))]
        }
        "mvn" | "gradle" | "sbt" | "ant" | "bazel" | "bazelisk" | "buck" | "dotnet" | "swift" | "xcodebuild"
        | "msbuild" | "meson" | "cmake" | "ctest" | "zig" | "lein" | "flutter" | "dart" | "gleam" | "elm"
        | "crystal" | "nim" => {
            if name == "dotnet" {
                return Some(dotnet(&args, command, world));
            }
            if matches!(verb, "deploy" | "publish" | "release" | "nuget" | "upload")
                || has(&["deploy", "uploadArchives", "push", "site-deploy"])
                || words.iter().any(|word| hands_out(&word.text))
                || words.iter().any(|word| {
                    let task = word.text.rsplit(':').next().unwrap_or_default();
                    task.starts_with("publish")
                        && task != "publishToMavenLocal"
                        && task != "publishLocal"
                        && task != "publishM2"
                })
            {
                return Some(publishes());
            }
            if name == "mvn" && words.iter().any(|word| is_foreign_plugin(&word.text)) {
                return Some(new_code("runs a plugin that the project does not name"));
            }
            if matches!(name, "gradle" | "mvn") {
                // Settings and scripts that the line brings along run in the build.
                const BRINGS: [&str; 4] = ["-I", "--init-script", "-s", "--settings"];
                let brought: Vec<&Word> = words
                    .windows(2)
                    .filter(|pair| BRINGS.contains(&pair[0].text.as_str()))
                    .map(|pair| &pair[1])
                    .collect();
                if !brought.is_empty() {
                    let run = |word: &&Word| Effect::Executes(Program::File(super::place(word, command, world)));
                    let mut effects: Vec<Effect> = brought.iter().map(run).collect();
                    effects.push(manifest("build files", command, world));
                    return Some(effects);
                }
            }
            if name == "cmake"
                && let Some(effects) = cmake::command_mode(command, world)
            {
                return Some(effects);
            }
            if name == "cmake"
                && has(&["--install"])
                && let Some(prefix) = cmake::install_prefix(command)
            {
                return Some(super::writes(&[&prefix], command, world));
            }
            if name == "crystal" && verb == "tool" && has(&["format"]) {
                return Some(vec![manifest("shard.yml", command, world)]);
            }
            if name == "cmake" && has(&["-P", "-E"])
                || verb == "tool"
                || verb == "add"
                || verb == "install" && name != "mvn"
                || has(&["--install"])
            {
                return Some(new_code("runs or installs something beyond the build"));
            }
            vec![manifest("build files", command, world)]
        }
        _ => return None,
    })
}

/// Goals and tasks of plugins that put what was built where others get it.
fn hands_out(task: &str) -> bool {
    const PLUGINS: [&str; 6] = ["release", "deploy", "nexus-staging", "scm-publish", "central-publishing", "jreleaser"];
    const GOALS: [&str; 3] = ["site:deploy", "docker:push", "wagon:upload"];
    let goal = task.rsplit_once(':').map_or(task, |(_, goal)| goal);
    PLUGINS.iter().any(|plugin| task.strip_prefix(plugin).is_some_and(|rest| rest.starts_with(':')))
        || GOALS.contains(&task)
        || goal.starts_with("closeAndRelease")
        || goal.starts_with("jreleaser") && !matches!(goal, "jreleaserConfig" | "jreleaserAssemble")
}

/// `group:plugin:version:goal` in the line: fetched and run, whatever the project says. The build tools' own are known.
fn is_foreign_plugin(task: &str) -> bool {
    const KNOWN: [&str; 8] = [
        "org.apache",
        "org.codehaus",
        "org.springframework",
        "org.jacoco",
        "com.diffplug",
        "io.quarkus",
        "org.sonarsource",
        "com.github.spotbugs",
    ];
    let is_below = |group: &str, known: &str| {
        group.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let parts: Vec<&str> = task.split(':').collect();
    parts.len() >= 3
        && !task.starts_with('-')
        && parts[0].contains('.')
        && !KNOWN.iter().any(|known| is_below(parts[0], known))
}

/// Rules of make that stand in the line: on its input, or in an option.
fn given_rules(name: &str, command: &SimpleCommand) -> Option<String> {
    if !matches!(name, "make" | "gmake") {
        return None;
    }
    let args = Args::parse(command.args(), &["-f", "--file", "--makefile", "-C", "--directory", "-E", "--eval"]);
    let eval =
        args.values(&["--eval", "-E"]).map(|word| word.text.replace("; ", "\n\t")).collect::<Vec<_>>().join("\n");
    if !eval.is_empty() {
        return Some(eval);
    }
    let is_fed =
        args.values(&["-f", "--file", "--makefile"]).any(|word| matches!(word.text.as_str(), "-" | "/dev/stdin"));
    match &command.stdin {
        crate::shell::Stdin::Text(text) if is_fed => Some(text.text.clone()),
        crate::shell::Stdin::Text(_) | crate::shell::Stdin::Pipe | crate::shell::Stdin::Inherited => None,
    }
}

/// `dotnet publish` puts the build into a directory; what goes to a registry is `dotnet nuget push`.
fn dotnet(args: &Args<'_>, command: &SimpleCommand, world: &World) -> Vec<Effect> {
    let text = |n: usize| args.operands.get(n).map(|word| word.text.as_str()).unwrap_or_default();
    let words = command.args();
    let exact = words.windows(2).any(|pair| {
        matches!(pair[0].text.as_str(), "-v" | "--version") && is_reviewable(&format!("x@{}", pair[1].text), "@")
    });
    let project = || vec![manifest("the solution", command, world)];
    match (text(0), text(1)) {
        ("nuget", "push" | "delete" | "add" | "update" | "remove" | "enable" | "sign" | "trust") => publishes(),
        ("nuget", _) => Vec::new(),
        ("tool", "restore" | "list" | "run" | "search") => project(),
        ("tool", "install" | "update") if exact => project(),
        ("add", _) if exact || words.iter().any(|word| word.text == "reference") => project(),
        ("tool" | "add" | "workload" | "install", _) => new_code("runs or installs something beyond the build"),
        ("fsi" | "script" | "exec", _) => {
            let mut effects = vec![Effect::Unverifiable("dotnet runs code that the line names".to_owned())];
            effects.extend(crate::code::gives_shell(&command.text()).then(|| {
                let instead = "run the commands here";
                Finding::forbidden(RuleId::ReverseChannel, "gives a shell to another host", instead).into()
            }));
            effects
        }
        (verb, _) if verb.ends_with(".dll") || verb.ends_with(".exe") => {
            vec![Effect::Executes(Program::File(super::place(args.operands[0], command, world)))]
        }
        _ => {
            let outputs: Vec<&Word> = args.values(&["-o", "--output"]).collect();
            let mut effects = super::writes(&outputs, command, world);
            effects.extend(project());
            effects
        }
    }
}

/// True for a variable of make that names no program and no option of one.
fn is_setting(name: &str) -> bool {
    const PROGRAMS: [&str; 12] =
        ["CC", "CXX", "LD", "AR", "SHELL", "MAKE", "RUN", "CMD", "EXEC", "PYTHON", "NODE", "FLAGS"];
    name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && !name
            .split('_')
            .any(|part| PROGRAMS.iter().any(|word| part.eq_ignore_ascii_case(word) || part.ends_with("FLAGS")))
}

fn cargo(command: &SimpleCommand, world: &World) -> Vec<Effect> {
    let words: Vec<_> = command.args().iter().filter(|word| !word.text.starts_with('+')).cloned().collect();
    let args = Args::parse(
        &words,
        &[
            "-p",
            "--package",
            "--features",
            "-F",
            "--target",
            "--manifest-path",
            "-j",
            "--bin",
            "--example",
            "--test",
            "--config",
            "-Z",
            "--git",
            "--path",
            "--index",
            "--registry",
            "--target-dir",
            "-C",
            "--version",
            "--vers",
            "--profile",
            "--rev",
            "--precise",
        ],
    );
    let verb = args.operands.first().map(|word| word.text.as_str()).unwrap_or_default();
    if args.values(&["--config"]).any(|word| !is_plain_setting(&word.text)) {
        return vec![Effect::Unverifiable("cargo settings in the line can run programs".to_owned())];
    }
    let project = || vec![manifest("Cargo.toml", command, world)];
    let named = args.operands.get(1..).unwrap_or_default();
    match verb {
        "publish" if args.has(&["--dry-run", "-n", "--list"]) => project(),
        "publish" | "yank" | "owner" | "login" | "logout" | "release" | "smart-release" | "workspaces" => publishes(),
        "install" | "binstall" | "add" => {
            let pinned = args.values(&["--rev"]).any(|word| is_commit(&word.text));
            if pinned && !args.has(&["--index"]) {
                return new_code("builds a commit of another repository");
            }
            if args.has(&["--git", "--index"]) {
                let instead = "install a pinned release from the registry";
                return vec![
                    Finding::refused(RuleId::SupplyChain, "installs code straight from a repository", instead).into(),
                ];
            }
            let versioned =
                args.values(&["--version", "--vers"]).any(|word| is_reviewable(&format!("x@{}", word.text), "@"));
            let is_fine = args.has(&["--path", "--list", "--help"])
                || !named.is_empty()
                    && named.iter().all(|word| versioned && word.is_known() || is_reviewable(&word.text, "@"));
            if is_fine && !args.has(&["--registry"]) { project() } else { new_code("brings in code from outside") }
        }
        "update" | "u" if args.values(&["--precise"]).any(|word| is_reviewable(&format!("x@{}", word.text), "@")) => {
            project()
        }
        "update" | "upgrade" | "u" if !args.has(&["--dry-run", "--locked", "--offline", "-w", "--workspace"]) => {
            new_code("changes which versions are used")
        }
        // Everything else works on the project: cargo's own verbs, its aliases, and installed tools.
        _ => {
            let outward = ["deploy", "publish", "release", "upload"]
                .iter()
                .any(|word| args.operands.iter().take(2).any(|operand| operand.text.contains(word)));
            let mut effects = project();
            effects.extend(
                outward.then(|| Finding::questioned(RuleId::ExternalWrite, "acts outside the work tree").into()),
            );
            effects
        }
    }
}

/// The whole name of a commit: what it names cannot change.
pub(super) fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Settings of cargo that name no program: profiles, output, the network.
fn is_plain_setting(setting: &str) -> bool {
    let key = setting.split('=').next().unwrap_or_default().trim();
    ["profile.", "term.", "net.offline", "net.retry", "build.jobs", "build.target-dir", "future-incompat-report."]
        .iter()
        .any(|plain| key.starts_with(plain))
        && setting.contains('=')
        && !setting.contains(['\n', '{'])
}

fn go(command: &SimpleCommand, world: &World) -> Vec<Effect> {
    let args = Args::parse(command.args(), &["-o", "-run", "-C", "-exec", "-toolexec"]);
    let verb = args.operands.first().map(|word| word.text.as_str()).unwrap_or_default();
    let single = |name: &str| {
        command.args().iter().any(|word| word.text.trim_start_matches('-').split('=').next() == Some(name))
    };
    if single("exec") || single("toolexec") || single("overlay") {
        return vec![Effect::Unverifiable("go runs a program that the line names".to_owned())];
    }
    match verb {
        "" | "build" | "test" | "vet" | "fmt" | "list" | "env" | "version" | "doc" | "help" | "clean" | "tool"
        | "generate" | "fix" | "bug" => {
            if verb == "env" && single("w") {
                return new_code("changes go's settings");
            }
            vec![manifest("go.mod", command, world)]
        }
        "mod" | "work" | "telemetry" => vec![manifest("go.mod", command, world)],
        "install" | "get" => {
            // Modules are checked against the public log; an exact version is one reviewed text.
            let local = |text: &str| text.starts_with(['.', '/']) || !text.contains('.');
            let is_fine = !(verb == "get" && single("u"))
                && args.operands[1..].iter().all(|word| {
                    word.is_known()
                        && (local(&word.text) || is_reviewable(&word.text, "@v") || word.text.ends_with("@none"))
                });
            if is_fine { vec![manifest("go.mod", command, world)] } else { new_code("brings in code from outside") }
        }
        "run" => {
            let target = args.operands.get(1);
            if target.is_some_and(|word| word.text.contains('@') && !is_reviewable(&word.text, "@v")) {
                return new_code("runs a module that is not in the project");
            }
            match target {
                Some(word) if !word.sources.is_empty() && word.text.starts_with("/dev/fd/") => {
                    vec![Effect::Executes(Program::Stdin)]
                }
                Some(word) if word.text.ends_with(".go") => {
                    vec![Effect::Executes(Program::File(super::place(word, command, world)))]
                }
                _ => vec![manifest("go.mod", command, world)],
            }
        }
        _ => new_code("brings in code from outside"),
    }
}
