//! A token that ended is refreshed on the host, from the file in which Claude Code keeps it, and neither pair is left anywhere else.

use serde_json::{Value, json};
use std::{fs, os::unix::fs::PermissionsExt, path::Path};
use system_tests::{
    User,
    token_endpoint::TokenEndpoint,
    upstream::{Answer, Upstream},
};

/// Checks that no file below `dir` holds a token; gives how many were looked at.
fn assert_no_token(dir: &Path) -> usize {
    let Ok(entries) = fs::read_dir(dir) else { return 0 };
    let mut count = 0;
    for path in entries.map(|entry| entry.expect("entry").path()) {
        let kind = fs::symlink_metadata(&path).expect("metadata").file_type();
        if kind.is_dir() {
            count += assert_no_token(&path);
        } else if kind.is_file() {
            let bytes = fs::read(&path).expect("read");
            let has_one = bytes.windows(10).any(|window| window == b"sk-ant-oat" || window == b"sk-ant-ort");
            assert!(!has_one, "{}", path.display());
            count += 1;
        }
    }
    count
}

#[test]
fn an_ended_token_is_refreshed_and_written_back() {
    let vendor = TokenEndpoint::start("sk-ant-oat01-new-{n}-0123456789", "sk-ant-ort01-new-{n}-0123456789");
    let upstream = Upstream::start(vec![Answer::Text("The token is {key}.".to_owned())], None);
    let user = User::new().with_env("SANDBOX_LOG", "trace");
    let credentials = json!({"claudeAiOauth": {
        "accessToken": "sk-ant-oat01-old-0123456789", "refreshToken": "sk-ant-ort01-old-0123456789",
        "expiresAt": 1_700_000_000_000u64, "scopes": ["user:inference"], "subscriptionType": "max",
    }});
    let path = user.file("credentials.json", &credentials.to_string());
    let task = user.task("Say hello.").display().to_string();
    let settings = [
        format!("model.upstream=http://{}", upstream.address),
        format!("model.token-endpoint=http://{}/v1/oauth/token", vendor.address),
        "model.credentials=[\"oauth file:~/credentials.json\"]".to_owned(),
    ];
    let mut args = vec!["run", &task, "--format", "jsonl"];
    settings.iter().for_each(|setting| args.extend(["--set", setting.as_str()]));
    let ran = user.run(&args).expect_code(0);

    let asked = vendor.asked();
    assert_eq!(asked.len(), 1, "{asked:#?}");
    assert_eq!(
        (&asked[0]["grant_type"], &asked[0]["refresh_token"]),
        (&"refresh_token".into(), &"sk-ant-ort01-old-0123456789".into())
    );
    let received = upstream.received();
    assert!(!received.is_empty());
    for request in &received {
        assert_eq!(request.headers["authorization"], "Bearer sk-ant-oat01-new-1-0123456789");
        assert!(request.headers["anthropic-beta"].contains("oauth-2025-04-20"), "{request:?}");
    }
    let after: Value = serde_json::from_slice(&fs::read(&path).expect("read")).expect("json");
    let section = &after["claudeAiOauth"];
    assert_eq!(section["accessToken"], "sk-ant-oat01-new-1-0123456789");
    assert_eq!(section["refreshToken"], "sk-ant-ort01-new-1-0123456789");
    assert_eq!((&section["scopes"], &section["subscriptionType"]), (&json!(["user:inference"]), &json!("max")));
    assert!(section["expiresAt"].as_u64() > Some(1_700_000_000_000), "{after}");
    assert_eq!(fs::metadata(&path).expect("metadata").permissions().mode() & 0o777, 0o600);

    for said in [&ran.stdout, &ran.stderr] {
        assert!(!said.contains("sk-ant-oat") && !said.contains("sk-ant-ort"), "{said}");
    }
    assert!(ran.stderr.contains("TRACE"), "{}", ran.stderr);
    assert!(assert_no_token(&user.home().join("state")) > 10 && assert_no_token(&user.home().join("cache")) > 0);
    let refreshed: Vec<_> = user.journal("egress.jsonl").into_iter().filter(|line| line["via"] == "oauth").collect();
    assert_eq!(refreshed.len(), 1, "{refreshed:#?}");
    assert_eq!(refreshed[0]["reason"], "the token was refreshed");

    // The next run needs no new one.
    fs::remove_dir_all(user.home().join("state")).expect("remove");
    let _ = user.run(&args).expect_code(0);
    assert_eq!(vendor.asked().len(), 1);
}

#[test]
fn a_token_that_cannot_be_refreshed_ends_the_run_as_what_it_is() {
    let upstream = Upstream::start(vec![Answer::Text("Never.".to_owned())], None);
    let user = User::new();
    let _ = user
        .file("credentials.json", r#"{"claudeAiOauth":{"accessToken":"sk-ant-oat01-old-0123456789","expiresAt":1}}"#);
    let task = user.task("Say hello.").display().to_string();
    let at = format!("model.upstream=http://{}", upstream.address);
    let oauth = "model.credentials=[\"oauth file:~/credentials.json\"]";
    let _ = user.run(&["run", &task, "--set", &at, "--set", oauth]).expect_code(107);
    assert_eq!(upstream.received().len(), 0);
    assert!(assert_no_token(&user.home().join("state")) > 5);
}
