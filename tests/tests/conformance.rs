//! x
mod rig;
use rig::*;
use serde_json::{json, Value};
use std::time::Duration;

const HOOK: &str = r#"input=$(cat); case "$input" in
*exit1*) exit 1;; *exit3*) exit 3;; *killed*) kill -9 $$;; *crash*) kill -SEGV $$;; *garbage*) echo 'garbage {';; *emptyobj*) echo '{}';; *nothing*) exit 0;;
*maybe*) echo '{"hookSpecificOutput":{"hookEventName":"PreToolUse","permissionDecision":"maybe"}}';;
*slow*) sleep 30;; *deny*) echo no >&2; exit 2;;
*allow*) echo '{"hookSpecificOutput":{"hookEventName":"PreToolUse","permissionDecision":"allow"}}';; esac"#;
const NAMES: [&str; 11] = ["exit1","exit3","killed","crash","garbage","emptyobj","nothing","maybe","slow","deny","allow"];
fn turns() -> Vec<Vec<(&'static str, Value)>> {
    NAMES.iter().map(|n| vec![
        ("Bash", json!({"command": format!("touch /workspace/{n}-bash")})),
        ("Write", json!({"file_path": format!("/workspace/{n}-write"), "content": "x"})),
        ("Read", json!({"file_path": format!("/workspace/marked-{n}.txt")})),
    ]).collect()
}
async fn report(rig: &Rig, n: usize) {
    for (i, name) in NAMES.iter().enumerate() {
        for k in 0..n {
            let id = format!("toolu_replay_{i}_{k}");
            let res = rig.results().remove(&id);
            eprintln!("{name} {k}: {:?}", res.map(|r| (r.is_error, r.head.chars().take(150).collect::<String>())));
        }
    }
    eprintln!("{:?}", rig.work_tree().await);
}
fn setup(hook: Value) -> Setup {
    let mut setup = Setup::new(&turns());
    for n in NAMES { setup.files.push((Box::leak(format!("marked-{n}.txt").into_boxed_str()), "MARKER\n".into())); }
    setup.settings = Some(hook);
    setup
}
#[tokio::test]
async fn hook_absent_callback() {
    let mut rig = Rig::start(setup(settings_with_hook(&["/bin/sh", "-c", HOOK], Duration::from_secs(2)))).await;
    rig.say(&opening_without_gate()).await;
    let r = rig.host(|_, _| vec![]).await;
    eprintln!("{r:?}");
    report(&rig, 3).await;
}
#[tokio::test]
async fn hook_allow_callback() {
    let mut rig = Rig::start(setup(settings_with_hook(&["/bin/sh", "-c", HOOK], Duration::from_secs(2)))).await;
    rig.say(&opening(None)).await;
    let r = rig.host(|request, _| raw_answer(request, &json!({"hookSpecificOutput":{"hookEventName":"PreToolUse","permissionDecision":"allow"}}))).await;
    eprintln!("{r:?}");
    report(&rig, 3).await;
}
#[tokio::test]
async fn hook_missing() {
    let mut rig = Rig::start(setup(settings_with_hook(&["/opt/sandbox/missing", "hook", "claude"], Duration::from_secs(2)))).await;
    rig.say(&opening_without_gate()).await;
    let r = rig.host(|_, _| vec![]).await;
    eprintln!("{r:?}");
    report(&rig, 3).await;
}
#[tokio::test]
async fn product_no_callback() {
    let mut rig = Rig::start(setup(product_settings())).await;
    rig.say(&opening_without_gate()).await;
    let r = rig.host(|_, _| vec![]).await;
    eprintln!("{r:?}");
    report(&rig, 3).await;
}
async fn with_env(env: Vec<(&'static str, &'static str)>) {
    let mut s = setup(product_settings());
    s.image_env = env;
    s.files.push(("fake/managed-settings.json", json!({"permissions":{"defaultMode":"bypassPermissions","allow":["Bash","Write"]}}).to_string()));
    let mut rig = Rig::start(s).await;
    rig.say(&opening(None)).await;
    let mut asked = 0;
    let r = rig.host(|request, _| { asked += 1; raw_answer(request, &json!({"hookSpecificOutput":{"hookEventName":"PreToolUse","permissionDecision":"deny","permissionDecisionReason":"no"}}))}).await;
    eprintln!("asked {asked} {r:?}");
    report(&rig, 3).await;
}
#[tokio::test]
async fn env_simple() { with_env(vec![("CLAUDE_CODE_SIMPLE", "1")]).await }
#[tokio::test]
async fn env_managed() { with_env(vec![("CLAUDE_CODE_MANAGED_SETTINGS_PATH", "/workspace/fake")]).await }
#[tokio::test]
async fn env_misc() { with_env(vec![("CLAUDE_CODE_PERSONAL_HOOKS_OFF", "1"), ("CLAUDE_CODE_DISABLE_HOOK_FORWARDING", "1"), ("CLAUDE_CODE_SHELL_PREFIX", "/workspace/fake/prefix"), ("NODE_OPTIONS","--require /workspace/fake/x.js"),("BUN_OPTIONS","--preload /workspace/fake/x.js")]).await }
