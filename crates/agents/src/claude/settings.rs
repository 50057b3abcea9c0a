//! The managed settings: what holds even if the control protocol does not. They beat every setting of the user, the project and
//! the command line.

use serde_json::json;
use std::time::Duration;
use types::wire::GUEST_PATH;

/// Directory of the managed settings: a volume of its own, read-only, owned by root.
pub const SETTINGS_DIR: &str = "/etc/claude-code";
/// File name in [`SETTINGS_DIR`].
pub const SETTINGS_NAME: &str = "managed-settings.json";

/// Hook timers run on while the container is paused, so that they need room beyond the person's deadline.
const MARGIN: Duration = Duration::from_secs(15 * 60);
/// Timers of the agent's runtime wrap to "at once" beyond 2^31 ms; stay well below.
const LONGEST: Duration = Duration::from_secs(20 * 86_400);

/// Seconds that a hook may take when a person has `deadline` for an approval.
pub(crate) fn hook_timeout(deadline: Duration) -> u64 {
    deadline.saturating_add(MARGIN).min(LONGEST).as_secs()
}

/// The content of the settings file, JSON. Hooks wait longer than `deadline`, the time a person has for an approval.
#[must_use]
pub fn managed_settings(deadline: Duration) -> String {
    let settings = json!({
        "allowManagedHooksOnly": true,
        "allowManagedPermissionRulesOnly": true,
        "allowManagedMcpServersOnly": true,
        "allowedMcpServers": [],
        "disableAutoMode": "disable",
        "disableSkillShellExecution": true,
        "skipWebFetchPreflight": true,
        "apiKeyHelper": "printenv ANTHROPIC_API_KEY",
        "env": {"CLAUDE_CODE_SIMPLE": "0", "CLAUDE_CODE_SHELL_PREFIX": "", "LD_PRELOAD": ""},
        "permissions": {"disableBypassPermissionsMode": "disable", "defaultMode": "dontAsk"},
        "hooks": {"PreToolUse": [{"matcher": "*", "hooks": [{
            "type": "command",
            "command": GUEST_PATH,
            "args": ["hook", "claude"],
            "timeout": hook_timeout(deadline),
            "onFailure": "block",
        }]}]},
    });
    format!("{settings:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hook_outlasts_the_person_and_the_timer_does_not_wrap() {
        let read = |deadline| -> serde_json::Value { serde_json::from_str(&managed_settings(deadline)).unwrap() };
        let eight_hours = read(Duration::from_secs(8 * 3600));
        let hook = &eight_hours["hooks"]["PreToolUse"][0]["hooks"][0];
        assert_eq!(hook["timeout"], 8 * 3600 + 900);
        assert_eq!(hook["command"], "/opt/sandbox/guest");
        assert_eq!(hook["onFailure"], "block");
        assert_eq!(eight_hours["allowManagedHooksOnly"], true);
        assert!(hook_timeout(Duration::MAX) * 1000 < i32::MAX as u64);
    }
}
