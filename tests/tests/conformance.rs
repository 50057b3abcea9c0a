//! What Claude Code 2.1.329 does when its gate says no, fails, lies or is missing: the real binary in a real container, on a
//! scripted conversation. Whatever fails, nothing may happen on disk.
//!
//! The first half runs through the product; the second plays the host itself (`rig`), because the product cannot be made to fail
//! in these ways. Two facts of the agent's are pinned there, each with the half of the gate that closes it: an empty answer, and
//! a hook that exits with 0 without an opinion where there is no callback, let *read-only* calls run in `dontAsk`. The codec has
//! no way to write an empty answer, a run whose callback was refused is stopped, and the join finds a result without a verdict.

use agents::{Answer, Launch, RequestId, claude::NotOpen};
use serde_json::{Value, json};
use system_tests::{
    User,
    hostile::{CANARY, adding_settings, files, removing_settings},
    rig::{Rig, Setup, opening, opening_without_gate, raw_answer, settings_with_hook},
    scenes::{
        hooks::{self, Became, HOOK, SHORT, became, decision, setup, turn_of},
        judged::{self, bash},
    },
};
use types::call::ToolCall;

// Through the product.

#[test]
fn every_kind_of_call_is_judged_and_the_reason_reaches_the_model() {
    judged::every_kind_of_call_is_judged_and_the_reason_reaches_the_model(&User::new());
}

#[test]
fn a_call_after_the_agent_edited_its_settings_is_judged_all_the_same() {
    judged::a_call_after_the_agent_edited_its_settings_is_judged_all_the_same(&User::new());
}

#[test]
fn a_nested_agent_s_calls_come_back_as_errors_and_change_nothing() {
    judged::a_nested_agent_s_calls_come_back_as_errors_and_change_nothing(&User::new());
}

#[test]
fn a_conversation_that_the_agent_does_not_hold_is_found_by_the_join() {
    judged::a_conversation_that_the_agent_does_not_hold_is_found_by_the_join(&User::new());
}

#[test]
fn the_gate_itself_refuses_a_nested_agent_and_edits_of_the_agent_s_settings() {
    judged::the_gate_itself_refuses_a_nested_agent_and_edits_of_the_agent_s_settings(&User::new());
}

// With the host played by the test.

#[tokio::test]
async fn an_answer_that_is_no_verdict_lets_nothing_happen() {
    let error = |request: &RequestId| {
        let response = json!({"subtype": "error", "request_id": request.as_str(), "error": "no"});
        format!("{}\n", json!({"type": "control_response", "response": response})).into_bytes()
    };
    let other = RequestId::new("00000000-another").expect("id");
    type Say<'a> = Box<dyn Fn(&RequestId, &ToolCall) -> Vec<u8> + 'a>;
    let raw = |response: Value| -> Say<'_> { Box::new(move |request, _| raw_answer(request, &response)) };
    let other_event = json!({"hookSpecificOutput": {"hookEventName": "PostToolUse", "permissionDecision": "allow"}});
    let cases: Vec<(&str, Say<'_>, Became)> = vec![
        ("null", raw(json!(null)), Became::Nothing),
        ("text", raw(json!("garbage")), Became::Nothing),
        ("list", raw(json!([])), Became::Nothing),
        ("maybe", raw(decision("maybe")), Became::Nothing),
        ("event", raw(other_event), Became::Nothing),
        ("error", Box::new(|request, _| error(request)), Became::Nothing),
        ("deny", raw(decision("deny")), Became::Nothing),
        // Answers that nobody waits for: an allow under another id, then silence.
        ("other", Box::new(|_, _| raw_answer(&other, &decision("allow"))), Became::Nothing),
        ("empty", raw(json!({})), Became::OnlyRead),
        // The positive control. What is said twice is heard once.
        ("allow", Box::new(|request, _| raw_answer(request, &decision("allow")).repeat(2)), Became::Done),
    ];
    let names: Vec<_> = cases.iter().map(|(name, _, _)| *name).collect();
    let mut rig = Rig::start(setup(&names)).await;
    rig.say(&opening(Some(SHORT))).await;
    let result = rig.host(|request, call| cases[turn_of(call)].1(request, call)).await;
    assert_eq!(result.subtype, "success");
    let expected: Vec<_> = cases.into_iter().map(|(_, _, expected)| expected).collect();
    assert_eq!(became(&rig, &names).await, expected);
}

#[tokio::test]
async fn a_host_that_dies_leaves_the_call_blocked_and_the_next_one_answers_it() {
    let turns = ["first", "second", "third"].map(|name| vec![bash(&format!("touch {name}"))]);
    let mut rig = Rig::start(Setup::new(&turns)).await;
    rig.say(&opening(None)).await;

    // Dead while a call waits; the next host still finds it open and says no.
    let (first, _) = rig.call().await;
    rig.crash();
    assert_eq!(rig.work_tree().await, Vec::<String>::new());
    rig.take_over().await;
    let no = rig.codec().verdict(&first, &Answer::Deny { text: "not now".to_owned() }).expect("open");
    rig.say(&no).await;
    let refused = rig.result("toolu_replay_0_0").await;
    assert!(refused.is_error && refused.head.contains("not now"), "{refused:?}");
    // No second answer can be written, whatever it is.
    let again = rig.codec().verdict(&first, &Answer::Allow);
    assert_eq!(again, Err(NotOpen { request: first }));

    // The positive control: after another death an allow is one.
    let (second, _) = rig.call().await;
    rig.crash();
    rig.take_over().await;
    let yes = rig.codec().verdict(&second, &Answer::Allow).expect("open");
    rig.say(&yes).await;
    rig.pass_on().await;
    assert!(!rig.result("toolu_replay_1_0").await.is_error);

    // Killed so that the agent reads the end of its input: it goes, and does not run what waits.
    let _waits = rig.call().await;
    rig.hang_up().await;
    rig.ended().await;
    assert_eq!(rig.work_tree().await, ["second"]);
}

#[tokio::test]
async fn bytes_that_are_no_protocol_end_the_agent_and_not_the_gate() {
    let mut rig = Rig::start(Setup::new(&[vec![bash("touch effect")]])).await;
    rig.say(&opening(None)).await;
    let _waits = rig.call().await;
    rig.say(b"\xff\xfe garbage {\n{\"type\":\n").await;
    rig.ended().await;
    assert_eq!(rig.work_tree().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_broken_hook_alone_lets_nothing_happen() {
    let _ = hooks::a_broken_hook_alone_lets_nothing_happen(None).await;
}

#[tokio::test]
async fn a_denial_by_the_callback_holds_whatever_the_hook_does() {
    const FAULTS: [&str; 5] = ["crash", "one", "garbage", "empty", "allow"];
    let mut setup = setup(&FAULTS);
    setup.settings = Some(settings_with_hook(&["/bin/sh", "-c", HOOK], SHORT));
    let mut rig = Rig::start(setup).await;
    rig.say(&opening(None)).await;
    rig.host(|request, _| raw_answer(request, &decision("deny"))).await;
    assert_eq!(became(&rig, &FAULTS).await, FAULTS.map(|_| Became::Nothing));
}

#[tokio::test]
async fn a_missing_hook_and_missing_settings_let_nothing_happen() {
    // The hook's program is not there, and there is no callback.
    let mut no_hook = setup(&["missing"]);
    no_hook.settings = Some(settings_with_hook(&["/opt/sandbox/missing", "hook", "claude"], SHORT));
    let mut rig = Rig::start(no_hook).await;
    rig.say(&opening_without_gate()).await;
    rig.host(|_, call| panic!("nobody was to be asked about {call:?}")).await;
    assert_eq!(became(&rig, &["missing"]).await, [Became::Nothing]);

    // There are no managed settings at all: the callback is asked, and its word counts.
    let mut no_settings = setup(&["deny", "allow"]);
    no_settings.settings = None;
    let mut rig = Rig::start(no_settings).await;
    rig.say(&opening(None)).await;
    rig.host(|request, call| raw_answer(request, &decision(["deny", "allow"][turn_of(call)]))).await;
    assert_eq!(became(&rig, &["deny", "allow"]).await, [Became::Nothing, Became::Done]);
}

/// The hook of the product has no opinion of our session. Were the callback lost, a write would still be refused by the mode,
/// and a read would come back without a verdict, which the join takes for a bypass.
#[tokio::test]
async fn the_product_s_hook_without_a_callback_lets_no_write_happen() {
    let mut rig = Rig::start(setup(&["lost"])).await;
    rig.say(&opening_without_gate()).await;
    rig.host(|_, call| panic!("nobody was to be asked about {call:?}")).await;
    assert_eq!(became(&rig, &["lost"]).await, [Became::OnlyRead]);
    let read = rig.result("toolu_replay_0_2").await;
    assert!(!agents::claude::is_refused_before_gate(&read), "{read:?}");
}

/// The launch line without what keeps the repository's settings and servers out.
fn loading_everything(mut launch: Launch) -> Launch {
    launch.argv.retain(|arg| arg != "--setting-sources=" && arg != "--strict-mcp-config");
    launch
}

/// The positive control of `hostile_repository.rs`: an agent that loads the repository's settings is taken over by them.
#[tokio::test]
async fn what_a_hostile_repository_plants_works_where_it_is_loaded() {
    let mut removing = removing_settings();
    let env = removing["env"].as_object_mut().expect("env");
    // These three would only cut the agent off from the model.
    for name in ["ANTHROPIC_BASE_URL", "HTTP_PROXY", "HTTPS_PROXY"] {
        env.remove(name);
    }
    let ways: [(Value, &[&str]); 2] = [
        (
            adding_settings(),
            &["api-key-helper", "mcp", "post-tool", "prompt", "rewrite", "session-start", "stop", "updated-input"],
        ),
        (removing, &["bash-env", "mcp", "path-cat", "prefix"]),
    ];
    for (settings, expected) in ways {
        let mut setup = Setup::new(&[vec![bash("cat README.md")]]);
        setup.files = files(&settings, &settings).into_iter().map(|(path, text)| (path.to_owned(), text)).collect();
        setup.settings = None;
        setup.relaunch = loading_everything;
        let mut rig = Rig::start(setup).await;
        rig.say(&opening(None)).await;
        rig.host(|request, _| raw_answer(request, &decision("allow"))).await;
        let tree = rig.work_tree().await;
        let canaries: Vec<_> = tree.iter().filter_map(|name| name.strip_prefix(CANARY)).collect();
        assert!(expected.iter().all(|name| canaries.contains(name)), "{expected:?} in {canaries:?}");
        if settings["env"].is_object() {
            assert!(rig.result("toolu_replay_0_0").await.head.contains("planted.so"), "LD_PRELOAD was not set");
        }
    }
}
