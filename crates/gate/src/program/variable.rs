//! Variables that a line sets: which of them change what programs run.

use crate::{
    effect::{Effect, Finding},
    shell::{SimpleCommand, Word},
    world::World,
};
use types::catalogue::RuleId;

/// Variables that make a program load or run something else.
pub(crate) fn is_loader_variable(name: &str) -> bool {
    #[rustfmt::skip]
    const EXACT: [&str; 38] = [
        "PERL5LIB", "PERL5DB", "RUBYLIB", "MANPAGER", "LESSOPEN", "LESSCLOSE", "BROWSER", "TAR_OPTIONS",
        "DOTNET_STARTUP_HOOKS", "RUSTC", "RUSTDOC", "RUSTC_WORKSPACE_WRAPPER", "GCC_EXEC_PREFIX", "COMPILER_PATH",
        "NODE_TLS_REJECT_UNAUTHORIZED", "PYTHONHTTPSVERIFY",
        "LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "DYLD_INSERT_LIBRARIES", "PATH", "BASH_ENV", "ENV",
        "PROMPT_COMMAND", "SHELLOPTS", "BASHOPTS", "PYTHONSTARTUP", "PYTHONHOME", "PERL5OPT", "RUBYOPT",
        "NODE_OPTIONS", "JAVA_TOOL_OPTIONS", "RUSTC_WRAPPER", "EDITOR", "PAGER", "VISUAL", "IFS", "PS4",
    ];
    EXACT.contains(&name)
        || (name.starts_with("CARGO_TARGET_") && (name.ends_with("_RUNNER") || name.ends_with("_LINKER")))
        || is_index_variable(name)
        || is_agent_variable(name)
        || (name.starts_with("GIT_") && !is_plain_git_variable(name))
}

/// Variables that say where packages come from, or that they need no proof.
fn is_index_variable(name: &str) -> bool {
    #[rustfmt::skip]
    const EXACT: [&str; 12] = [
        "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST", "UV_INDEX_URL", "UV_INDEX", "UV_DEFAULT_INDEX",
        "UV_EXTRA_INDEX_URL", "GOPROXY", "GOINSECURE", "GONOSUMDB", "GOSUMDB", "GEM_SOURCE",
    ];
    let lower = name.to_ascii_lowercase();
    EXACT.contains(&name)
        || lower.strip_prefix("npm_config_").is_some_and(|setting| {
            matches!(setting, "registry" | "script_shell" | "node_options" | "userconfig" | "strict_ssl")
        })
}

/// True for a value that makes some program load or start what the value names.
fn loads(value: &str) -> bool {
    ["-toolexec", "-javaagent", "-agentpath", "-agentlib", "-fplugin", "--require=", "--import="]
        .iter()
        .any(|option| value.contains(option))
}

fn is_plain_git_variable(name: &str) -> bool {
    name.starts_with("GIT_AUTHOR_")
        || name.starts_with("GIT_COMMITTER_")
        || matches!(name, "GIT_TERMINAL_PROMPT" | "GIT_PAGER" | "GIT_TRACE")
}

fn is_agent_variable(name: &str) -> bool {
    name.starts_with("CLAUDE_") || name.starts_with("ANTHROPIC_") || name.starts_with("CODEX_")
}

pub(super) fn assignment(name: &str, value: &Word, command: &SimpleCommand, world: &World) -> Option<Effect> {
    if is_agent_variable(name) && name != "ANTHROPIC_API_KEY" && name != "ANTHROPIC_MODEL" {
        let reason = format!("sets `{name}`, which steers the agent or its gate");
        return Some(
            Finding::forbidden(RuleId::GateTampering, reason, "leave the agent's settings as they are").into(),
        );
    }
    if name.starts_with("LD_") || name.starts_with("DYLD_") {
        if name.ends_with("LIBRARY_PATH") {
            return Some(
                Finding::questioned(RuleId::UntrustedCode, format!("sets `{name}`, which changes what programs run"))
                    .into(),
            );
        }
        let reason = format!("sets `{name}`, which loads code into every program");
        return Some(Finding::refused(RuleId::UntrustedCode, reason, "run the program without it").into());
    }
    let skips = match name {
        "HUSKY" | "LEFTHOOK" | "SKIP" | "PRE_COMMIT_SKIP" => {
            command.name() == "git" && !matches!(value.text.as_str(), "1" | "")
        }
        "HUSKY_SKIP_HOOKS" => value.text == "1",
        _ => false,
    };
    if skips {
        return Some(Finding::questioned(RuleId::SafetyRegression, "skips the project's commit checks").into());
    }
    if is_proxy_variable(name) && !value.text.is_empty() && !is_near(&value.text) {
        let reason = format!("sets `{name}`, through which all traffic of programs goes");
        return Some(Finding::questioned(RuleId::ReverseChannel, reason).into());
    }
    let harmless = match name {
        "IFS" => !command.argv.is_empty() && command.name() == "read" || value.text == "\n",
        "PATH" => extends_path(&value.text),
        "GIT_PAGER" | "PAGER" => matches!(value.text.as_str(), "cat" | ""),
        "EDITOR" | "VISUAL" | "GIT_EDITOR" | "GIT_SEQUENCE_EDITOR" => {
            matches!(value.text.as_str(), "true" | ":" | "cat")
        }
        "NODE_OPTIONS" => value.text.split_whitespace().all(is_plain_node_option),
        name if name.starts_with("CARGO_TARGET_") && name.ends_with("_RUNNER") => {
            matches!(value.text.as_str(), "node" | "wasmtime" | "wasmer" | "wasm-bindgen-test-runner")
        }
        name if is_index_variable(name) && world.is_registry(&value.text) => value.is_known(),
        "GOPROXY" | "GOSUMDB" => matches!(value.text.as_str(), "off" | "direct"),
        "HISTFILE" => !matches!(value.text.as_str(), "/dev/null" | ""),
        "NODE_TLS_REJECT_UNAUTHORIZED" | "PYTHONHTTPSVERIFY" => value.text != "0",
        _ => !is_loader_variable(name) && !loads(&value.text),
    };
    (!harmless).then(|| {
        Finding::questioned(RuleId::UntrustedCode, format!("sets `{name}`, which changes what programs run")).into()
    })
}

/// Options of node that load nothing.
fn is_plain_node_option(option: &str) -> bool {
    const PLAIN: [&str; 12] = [
        "--max-old-space-size",
        "--max-semi-space-size",
        "--max-http-header-size",
        "--trace-",
        "--pending-deprecation",
        "--no-warnings",
        "--no-deprecation",
        "--enable-source-maps",
        "--experimental-vm-modules",
        "--expose-gc",
        "--unhandled-rejections=",
        "--openssl-legacy-provider",
    ];
    PLAIN.iter().any(|plain| option.starts_with(plain))
}

fn is_proxy_variable(name: &str) -> bool {
    matches!(
        name.to_ascii_lowercase().as_str(),
        "http_proxy" | "https_proxy" | "all_proxy" | "ftp_proxy" | "socks_proxy"
    )
}

/// True for an address on this host.
fn is_near(value: &str) -> bool {
    let host = value.rsplit("://").next().unwrap_or_default().rsplit('@').next().unwrap_or_default();
    ["127.", "localhost", "[::1]", "0.0.0.0"].iter().any(|near| host.starts_with(near))
}

/// True when a path list only adds directories of the image or the work tree after or before the old one.
fn extends_path(value: &str) -> bool {
    value.split(':').all(|part| {
        let part = part.trim_matches('"');
        !part.starts_with("/tmp")
            && !part.starts_with('.')
            && !part.is_empty()
            && !part.starts_with("/dev")
            && !part.starts_with("/var/tmp")
    })
}
