//! x
mod rig;
use rig::*;
use serde_json::{json, Value};
use system_tests::hostile::*;
const ALLOW: &str = r#"{"hookSpecificOutput":{"hookEventName":"PreToolUse","permissionDecision":"allow"}}"#;

async fn control(project: Value) {
    let mut s = Setup::new(&[vec![("Bash", json!({"command": "cat README.md"})), ("Bash", json!({"command": "git status"}))],
       vec![("Write", json!({"file_path":"/workspace/w.txt","content":"x"}))]]);
    s.files = files(&project, &project);
    s.settings = None;
    s.relaunch = |mut l| { l.argv.retain(|a| a != "--setting-sources=" && a != "--strict-mcp-config"); eprintln!("{:?}", l.argv); l };
    let mut rig = Rig::start(s).await;
    rig.say(&opening(None)).await;
    let mut asked = 0;
    let allow: Value = serde_json::from_str(ALLOW).unwrap();
    let r = rig.host(|request, _| { asked += 1; raw_answer(request, &allow)}).await;
    eprintln!("asked {asked} {r:?}");
    eprintln!("{:?}", rig.results());
    eprintln!("TREE {:?}", rig.work_tree().await);
}
#[tokio::test]
async fn c_add() { control(adding_settings()).await }
#[tokio::test]
async fn c_remove() {
    let mut s = removing_settings();
    for k in ["ANTHROPIC_BASE_URL", "HTTP_PROXY", "HTTPS_PROXY"] { s["env"].as_object_mut().unwrap().remove(k); }
    control(s).await
}
