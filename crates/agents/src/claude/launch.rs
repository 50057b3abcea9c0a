//! The launch line. Every flag narrows: no settings of the repository or the user, no servers that they name, no tool that
//! changes the permission mode, and a base mode in which a missing verdict means no.

use crate::launch::{Launch, LaunchConfig, base_env};

/// The native binary, on a read-only volume.
pub const PROGRAM: &str = "/opt/claude/claude";

/// Tools that change the permission mode, wait for a person at the terminal, or outlive the turn.
const DISALLOWED: &str =
    "EnterPlanMode,ExitPlanMode,AskUserQuestion,CronCreate,ScheduleWakeup,EnterWorktree,ExitWorktree,Workflow";

/// Variables that name a model. Without them subagents and helpers ask for ids that the gateway refuses; an `Agent` call with
/// `model: fable` passes over the subagent variable and needs its own.
const MODEL_VARIABLES: [&str; 7] = [
    "ANTHROPIC_MODEL",
    "ANTHROPIC_SMALL_FAST_MODEL",
    "ANTHROPIC_DEFAULT_HAIKU_MODEL",
    "ANTHROPIC_DEFAULT_SONNET_MODEL",
    "ANTHROPIC_DEFAULT_OPUS_MODEL",
    "ANTHROPIC_DEFAULT_FABLE_MODEL",
    "CLAUDE_CODE_SUBAGENT_MODEL",
];

/// Variables through which an image could put code or settings of its own into the agent's process. Blank is as good as unset to
/// them. (Where an image sets those of the dynamic linker, the canary stops the run.)
const BLANK: [&str; 6] = [
    "BUN_CONFIG_PRELOAD",
    "BUN_OPTIONS",
    "CLAUDE_CODE_MANAGED_SETTINGS_PATH",
    "CLAUDE_CODE_SHELL_PREFIX",
    "CLAUDE_CODE_SIMPLE",
    "NODE_OPTIONS",
];

/// The process to start inside the container.
#[must_use]
pub fn launch(config: &LaunchConfig) -> Launch {
    let mut argv: Vec<String> = [
        PROGRAM,
        "-p",
        "--input-format=stream-json",
        "--output-format=stream-json",
        "--verbose",
        "--permission-prompt-tool=stdio",
        "--setting-sources=",
        "--permission-mode=dontAsk",
        "--strict-mcp-config",
    ]
    .map(str::to_owned)
    .to_vec();
    // One argument each, so that a value that begins with a dash can't become an option.
    argv.push(format!("--disallowedTools={DISALLOWED}"));
    argv.push(format!("--model={}", config.model));
    argv.push(format!("--{}={}", if config.resume { "resume" } else { "session-id" }, config.session_id));
    argv.extend(config.max_turns.map(|turns| format!("--max-turns={turns}")));
    argv.extend(config.append_system_prompt.as_ref().map(|text| format!("--append-system-prompt={text}")));

    let mut env = base_env(config);
    env.extend(BLANK.map(|name| (name.to_owned(), String::new())));
    env.extend(MODEL_VARIABLES.map(|name| (name.to_owned(), config.model.clone())));
    for (name, value) in [
        ("ANTHROPIC_BASE_URL", format!("http://{}", config.model_address)),
        ("ANTHROPIC_API_KEY", config.placeholder.clone()),
        ("CLAUDE_CONFIG_DIR", format!("{}/.claude", config.home)),
        ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1".to_owned()),
        ("DISABLE_AUTOUPDATER", "1".to_owned()),
    ] {
        env.insert(name.to_owned(), value);
    }
    Launch { argv, env: env.into_iter().collect(), cwd: config.cwd.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> LaunchConfig {
        LaunchConfig {
            model: "claude-sonnet-4-6".into(),
            session_id: "11111111-2222-4333-8444-555555555555".into(),
            resume: false,
            cwd: "/workspace".into(),
            home: "/home/agent".into(),
            model_address: ([127, 0, 0, 1], 8080).into(),
            proxy_address: ([127, 0, 0, 1], 3128).into(),
            placeholder: "sandbox-placeholder-1".into(),
            append_system_prompt: Some("--dangerously-skip-permissions".into()),
            max_turns: Some(80),
            env: vec![("SSL_CERT_FILE".into(), "/ca.pem".into()), ("ANTHROPIC_BASE_URL".into(), "http://evil".into())],
        }
    }

    #[test]
    fn no_value_becomes_an_option_and_no_settings_are_loaded() {
        let argv = launch(&config()).argv;
        assert!(argv.contains(&"--append-system-prompt=--dangerously-skip-permissions".to_owned()));
        assert!(argv.contains(&"--setting-sources=".to_owned()));
        assert!(argv.contains(&"--permission-mode=dontAsk".to_owned()));
        assert!(argv.contains(&"--session-id=11111111-2222-4333-8444-555555555555".to_owned()));
        assert!(argv[1..].iter().all(|arg| arg.starts_with('-')), "{argv:?}");
        let resumed = launch(&LaunchConfig { resume: true, ..config() }).argv;
        assert!(resumed.contains(&"--resume=11111111-2222-4333-8444-555555555555".to_owned()));
        assert!(!resumed.iter().any(|arg| arg.starts_with("--session-id")));
    }

    #[test]
    fn our_environment_wins_and_every_model_is_pinned() {
        let env = launch(&config()).env;
        let get = |name: &str| {
            let found: Vec<_> = env.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect();
            assert_eq!(found.len(), 1, "{name}");
            found[0].to_owned()
        };
        assert_eq!(get("ANTHROPIC_BASE_URL"), "http://127.0.0.1:8080");
        assert_eq!(get("SSL_CERT_FILE"), "/ca.pem");
        assert_eq!(get("HTTPS_PROXY"), "http://127.0.0.1:3128");
        assert_eq!(get("CLAUDE_CONFIG_DIR"), "/home/agent/.claude");
        for name in MODEL_VARIABLES {
            assert_eq!(get(name), "claude-sonnet-4-6");
        }
        for name in BLANK {
            assert_eq!(get(name), "");
        }
    }
}
