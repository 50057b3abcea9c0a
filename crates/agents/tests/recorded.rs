//! The codec against recordings of the real command-line agent (2.1.329, scripted model, container without network).

use agents::{
    AgentEvent, Answer, Completion, Garbage, RequestId,
    claude::{Codec, NotOpen, OpenRequest, inputs_agree, is_refused_before_gate},
    completion,
};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;
use types::{
    call::ToolCall,
    event::{WireToolResult, WireToolUse},
    id::CallId,
};

const DEADLINE: Duration = Duration::from_secs(3600);

const BACKGROUND: &str = include_str!("fixtures/background.stdout.jsonl");
const CLOSED_EARLY: &str = include_str!("fixtures/closed_early.stdout.jsonl");
const DENIED: &str = include_str!("fixtures/denied.stdout.jsonl");
const PARALLEL: &str = include_str!("fixtures/parallel.stdout.jsonl");
const PARALLEL_INPUT: &str = include_str!("fixtures/parallel.stdin.jsonl");
const PERMISSION: &str = include_str!("fixtures/permission.stdout.jsonl");
const RETRIES: &str = include_str!("fixtures/retries.stdout.jsonl");
const SUBAGENT: &str = include_str!("fixtures/subagent.stdout.jsonl");
const UNREADABLE: &str = include_str!("fixtures/unreadable.stdout.jsonl");
const ALL: [&str; 8] = [BACKGROUND, CLOSED_EARLY, DENIED, PARALLEL, PERMISSION, RETRIES, SUBAGENT, UNREADABLE];

fn fed(recording: &str) -> (Codec, Vec<AgentEvent>) {
    let mut codec = Codec::new(DEADLINE);
    let events = codec.feed(recording.as_bytes());
    (codec, events)
}

fn calls(events: &[AgentEvent]) -> Vec<(RequestId, ToolCall)> {
    let mut calls = Vec::new();
    for event in events {
        if let AgentEvent::CallRequested { request, call } = event {
            calls.push((request.clone(), call.clone()));
        }
    }
    calls
}

fn deny(text: &str) -> Answer {
    Answer::Deny { text: text.to_owned() }
}

fn read(bytes: &[u8]) -> Value {
    assert_eq!(bytes.iter().filter(|&&b| b == b'\n').count(), 1, "one line");
    serde_json::from_slice(bytes).expect("json")
}

#[test]
fn the_opening_registers_the_gate_before_the_task() {
    let bytes = Codec::new(DEADLINE).opening("fix it\nnow");
    let lines: Vec<Value> = bytes.split(|&b| b == b'\n').filter(|l| !l.is_empty()).map(read_line).collect();
    for event in ["PreToolUse", "PostToolUse", "PostToolUseFailure"] {
        let hook = &lines[0]["request"]["hooks"][event][0];
        assert_eq!((&hook["matcher"], &hook["onFailure"]), (&json!("*"), &json!("block")), "{event}");
        assert!(hook["timeout"].as_u64().unwrap() > DEADLINE.as_secs());
    }
    assert_eq!(lines[1]["message"]["content"], "fix it\nnow");
    assert_eq!(lines.len(), 2);
}

fn read_line(line: &[u8]) -> Value {
    serde_json::from_slice(line).expect("json")
}

/// A result as 2.1.329 brings it, under a callback.
fn brought(callback: &str, event: &str, rest: &Value) -> String {
    let mut input = json!({"session_id": "s", "cwd": "/workspace", "permission_mode": "dontAsk", "hook_event_name": event,
        "tool_name": "Bash", "tool_input": {"command": "cat a"}, "tool_use_id": "toolu_1", "duration_ms": 13});
    input.as_object_mut().expect("object").extend(rest.as_object().expect("object").clone());
    let request = json!({"subtype": "hook_callback", "callback_id": callback, "input": input});
    format!("{}\n", json!({"type": "control_request", "request_id": "r1", "request": request}))
}

#[test]
fn results_are_brought_and_passed_on_with_or_without_a_warning() {
    let done = json!({"tool_response": {"stdout": "one\ntwo", "stderr": "", "interrupted": false}});
    let failed = json!({"error": "Exit code 3\none\ntwo", "is_interrupt": false, "agent_id": "a1"});
    for (callback, event, rest) in [("cb2", "PostToolUse", done), ("cb3", "PostToolUseFailure", failed)] {
        let line = brought(callback, event, &rest);
        let mut codec = Codec::new(DEADLINE);
        let events = codec.feed(line.as_bytes());
        let [AgentEvent::ResultArrived { request, output: Some(output) }] = events.as_slice() else {
            panic!("{events:?}")
        };
        assert!(output.text.contains("one\ntwo"), "{}", output.text);
        assert_eq!((output.call.tool.as_str(), &output.call.input), ("Bash", &json!({"command": "cat a"})));
        assert_eq!(output.call.subagent.is_some(), event == "PostToolUseFailure");
        let words = read(&codec.pass_on(request, Some("beware")).expect("open"));
        let expected = json!({"hookEventName": event, "additionalContext": "beware"});
        assert_eq!(words["response"]["response"]["hookSpecificOutput"], expected);
        assert!(codec.pass_on(request, None).is_err() && codec.unanswered().is_empty());

        // The next host finds it open, until an answer to it is on disk.
        let mut next = Codec::new(DEADLINE);
        let _seen = next.feed(line.as_bytes());
        assert!(matches!(next.unanswered().as_slice(), [(_, OpenRequest::Result { output: Some(_), .. })]));
        next.replayed_input(format!("{words}\n").as_bytes());
        assert!(next.unanswered().is_empty());
    }
}

#[test]
fn what_answers_a_result_never_answers_a_call() {
    // A call under the callback of results, and a result under the one of calls.
    for (callback, event) in
        [("cb2", "PreToolUse"), ("cb3", "PostToolUse"), ("cb1", "PostToolUse"), ("cb9", "PreToolUse")]
    {
        let line = brought(callback, event, &json!({"tool_response": "x"}));
        let mut codec = Codec::new(DEADLINE);
        let event = codec.feed(line.as_bytes()).remove(0);
        let (AgentEvent::ResultArrived { request, output: None } | AgentEvent::CallUnreadable { request, .. }) = event
        else {
            panic!("{event:?}")
        };
        let said = read(&codec.pass_on(&request, Some("beware")).expect("open"));
        let output = &said["response"]["response"]["hookSpecificOutput"];
        assert!(output["permissionDecision"] == "deny" || output["hookEventName"] != "PreToolUse", "{output}");
    }
    // And the verdict on a result is none.
    let mut codec = Codec::new(DEADLINE);
    let _seen = codec.feed(brought("cb2", "PostToolUse", &json!({"tool_response": "x"})).as_bytes());
    let (request, _) = codec.unanswered().remove(0);
    let said = read(&codec.verdict(&request, &Answer::Allow).expect("open"));
    assert_eq!(said["response"]["response"], json!({"hookSpecificOutput": {"hookEventName": "PostToolUse"}}));
}

#[test]
fn a_run_reads_as_calls_texts_and_one_result() {
    let (codec, events) = fed(DENIED);
    assert!(events.contains(&AgentEvent::Initialized));
    assert!(events.contains(&AgentEvent::TurnStarted {
        version: "2.1.329".into(),
        model: "claude-sonnet-4-6".into(),
        permission_mode: "dontAsk".into()
    }));
    let tools: Vec<_> = calls(&events).into_iter().map(|(_, call)| (call.tool, call.cwd)).collect();
    assert_eq!(tools, ["Bash", "Bash", "Read", "Bash"].map(|tool| (tool.to_owned(), "/workspace".to_owned())));
    let errors = |event: &&AgentEvent| matches!(event, AgentEvent::ToolEnded { is_error: true, .. });
    assert_eq!(events.iter().filter(errors).count(), 1);
    assert!(!events.iter().any(|event| matches!(event, AgentEvent::Garbage { .. })), "{events:?}");
    assert_eq!(codec.results().len(), 1);
    assert_eq!(codec.completion(Some(0)), Completion::Finished { text: "All done.".into() });
}

#[test]
fn a_subagents_calls_carry_its_id_and_parallel_calls_wait_side_by_side() {
    let (codec, events) = fed(PARALLEL);
    let subagents: Vec<_> = calls(&events).into_iter().map(|(_, call)| call.subagent.is_some()).collect();
    assert_eq!(subagents, [false, false, false, false, false, true, true, false]);
    assert_eq!(codec.unanswered().len(), 8, "nothing was answered");
}

#[test]
fn a_result_is_not_the_end_while_something_runs() {
    for recording in [BACKGROUND, SUBAGENT] {
        let mut codec = Codec::new(DEADLINE);
        let mut seen = Vec::new();
        for line in recording.split_inclusive('\n') {
            for event in codec.feed(line.as_bytes()) {
                if let AgentEvent::CallRequested { request, .. } = event {
                    codec.verdict(&request, &Answer::Allow).unwrap();
                } else if let AgentEvent::Result(_) = event {
                    seen.push((codec.quiet_after(), codec.background().len()));
                }
            }
        }
        assert_eq!(seen.len(), 2);
        assert_eq!(seen[0], (None, 1), "the first result has background work beside it");
        assert_eq!(seen[1], (Some(Duration::from_secs(2)), 0));
    }
}

#[test]
fn after_a_background_task_ends_the_codec_waits_longer_for_the_turn_about_it() {
    let mut codec = Codec::new(DEADLINE);
    let end = BACKGROUND.find("\"tasks\":[]").unwrap();
    let end = end + BACKGROUND[end..].find('\n').unwrap() + 1;
    for (request, _) in calls(&codec.feed(&BACKGROUND.as_bytes()[..end])) {
        codec.verdict(&request, &Answer::Allow).unwrap();
    }
    assert_eq!(codec.quiet_after(), Some(Duration::from_secs(10)));
}

#[test]
fn verdicts_are_explicit_and_given_once() {
    let (mut codec, events) = fed(DENIED);
    let calls = calls(&events);
    let allowed = read(&codec.verdict(&calls[0].0, &Answer::Allow).unwrap());
    assert_eq!(allowed["response"]["request_id"], calls[0].0.as_str());
    assert_eq!(allowed["response"]["response"]["hookSpecificOutput"]["permissionDecision"], "allow");
    let denied = read(&codec.verdict(&calls[1].0, &deny("no [x]")).unwrap());
    assert_eq!(denied["response"]["response"]["hookSpecificOutput"]["permissionDecision"], "deny");
    assert_eq!(denied["response"]["response"]["hookSpecificOutput"]["permissionDecisionReason"], "no [x]");
    let settled = read(&codec.settle(&calls[2].0).unwrap());
    assert_eq!(settled["response"]["response"]["hookSpecificOutput"]["permissionDecision"], "deny");
    for (request, _) in &calls[..3] {
        assert_eq!(codec.verdict(request, &Answer::Allow), Err(NotOpen { request: request.clone() }));
    }
    assert_eq!(codec.unanswered().len(), 1);
}

#[test]
fn a_permission_follows_the_verdict_on_the_same_call_and_nothing_else() {
    let permit = |answer: &Answer, edit: &dyn Fn(String) -> String| {
        let mut codec = Codec::new(DEADLINE);
        let mut replies = Vec::new();
        for line in PERMISSION.split_inclusive('\n') {
            for event in codec.feed(edit(line.to_owned()).as_bytes()) {
                if let AgentEvent::CallRequested { request, .. } = event {
                    codec.verdict(&request, answer).unwrap();
                } else if let AgentEvent::PermissionRequested { request, .. } = event {
                    replies.push(read(&codec.settle(&request).unwrap()));
                }
            }
        }
        assert_eq!(replies.len(), 1);
        replies[0]["response"]["response"].clone()
    };
    let same = |line: String| line;
    assert_eq!(
        permit(&Answer::Allow, &same),
        json!({"behavior": "allow", "updatedInput": {"command": "echo a > /workspace/a"}})
    );
    assert_eq!(permit(&deny("no"), &same)["behavior"], "deny");
    let swapped = |line: String| {
        if line.contains("can_use_tool") { line.replace("echo a >", "echo b >") } else { line }
    };
    assert_eq!(permit(&Answer::Allow, &swapped)["behavior"], "deny");
    let renamed = |line: String| {
        if line.contains("can_use_tool") { line.replace("toolu_0002", "toolu_0009") } else { line }
    };
    assert_eq!(permit(&Answer::Allow, &renamed)["behavior"], "deny");
}

#[test]
fn a_permission_request_cannot_be_allowed_by_hand() {
    let (mut codec, events) = fed(PERMISSION);
    let request = events
        .iter()
        .find_map(|event| {
            if let AgentEvent::PermissionRequested { request, .. } = event { Some(request.clone()) } else { None }
        })
        .unwrap();
    let reply = read(&codec.verdict(&request, &Answer::Allow).unwrap());
    assert_eq!(reply["response"]["response"]["behavior"], "deny");
}

#[test]
fn calls_that_cannot_be_read_are_denied_and_not_forgotten() {
    let (mut codec, events) = fed(UNREADABLE);
    let unreadable: Vec<_> = events
        .iter()
        .filter_map(
            |event| if let AgentEvent::CallUnreadable { request, .. } = event { Some(request.clone()) } else { None },
        )
        .collect();
    assert_eq!(unreadable.len(), 2, "one too deep, one with half a surrogate pair");
    for request in unreadable {
        let reply = read(&codec.verdict(&request, &Answer::Allow).unwrap());
        assert_eq!(reply["response"]["response"]["hookSpecificOutput"]["permissionDecision"], "deny");
    }
}

#[test]
fn unknown_questions_get_an_error_that_is_no_allow() {
    let mut codec = Codec::new(DEADLINE);
    for body in [json!({"subtype": "elicitation", "x": 1}), json!({"subtype": "can_use_tool"}), json!([]), json!(null)]
    {
        let line = format!(
            "{}\n",
            json!({"type": "control_request", "request_id": body.to_string().len().to_string(), "request": body})
        );
        let events = codec.feed(line.as_bytes());
        let [AgentEvent::ControlRequestUnknown { request, .. }] = events.as_slice() else { panic!("{events:?}") };
        let reply = read(&codec.verdict(request, &Answer::Allow).unwrap());
        assert_eq!(reply["response"]["subtype"], "error");
        assert_eq!(reply["response"]["response"], Value::Null);
    }
}

#[test]
fn a_used_id_asks_nothing_and_a_cancelled_question_takes_no_answer() {
    let (mut codec, events) = fed(DENIED);
    let request = calls(&events)[0].0.clone();
    let line = DENIED.lines().find(|line| line.contains(request.as_str())).unwrap();
    let again = codec.feed(format!("{line}\n").as_bytes());
    assert!(matches!(again.as_slice(), [AgentEvent::Garbage { why: Garbage::RepeatedRequest, .. }]), "{again:?}");
    let cancel = format!("{}\n", json!({"type": "control_cancel_request", "request_id": request.as_str()}));
    assert_eq!(codec.feed(cancel.as_bytes()), [AgentEvent::RequestCancelled { request: request.clone() }]);
    assert!(codec.verdict(&request, &Answer::Allow).is_err());
}

#[test]
fn a_new_host_finds_what_is_open() {
    let (mut first, _) = fed(PARALLEL);
    let order: Vec<RequestId> = first.unanswered().into_iter().map(|(request, _)| request).collect();
    let (mut second, _) = fed(PARALLEL);
    second.replayed_input(PARALLEL_INPUT.as_bytes());
    assert_eq!(second.unanswered(), [], "the recording's host answered everything");

    let mut stored = first.opening("task");
    stored.extend(first.verdict(&order[0], &Answer::Allow).unwrap());
    stored.extend(first.verdict(&order[2], &deny("no")).unwrap());
    let cut = first.verdict(&order[3], &Answer::Allow).unwrap();
    stored.extend(&cut[..cut.len() - 1]);
    let (mut third, _) = fed(PARALLEL);
    third.replayed_input(&stored);
    let left: Vec<RequestId> = third.unanswered().into_iter().map(|(request, _)| request).collect();
    assert_eq!(left, [&order[1..2], &order[3..]].concat(), "a line that was cut counts as not sent");
}

#[test]
fn a_new_host_remembers_allows_for_permissions() {
    let (mut codec, events) = fed(PERMISSION);
    let call = calls(&events)[0].0.clone();
    let permission = |codec: &mut Codec| {
        let open = codec.unanswered();
        let (request, _) = open.iter().find(|(_, what)| matches!(what, OpenRequest::Permission { .. })).unwrap();
        read(&codec.settle(request).unwrap())["response"]["response"]["behavior"].clone()
    };
    let (mut unanswered, _) = fed(PERMISSION);
    assert_eq!(permission(&mut unanswered), "deny");
    let (mut other, _) = fed(PERMISSION);
    other.replayed_input(&codec.verdict(&call, &Answer::Allow).unwrap());
    assert_eq!(permission(&mut other), "allow");
}

#[test]
fn closing_early_shows_as_a_success_that_the_codec_would_not_have_allowed() {
    let (codec, events) = fed(CLOSED_EARLY);
    assert_eq!(codec.results().len(), 2);
    assert!(matches!(codec.completion(Some(0)), Completion::Finished { .. }), "the record alone does not show it");
    let asked: Vec<_> = calls(&events).into_iter().map(|(_, call)| call.id).collect();
    let ended = |event: &AgentEvent| {
        if let AgentEvent::ToolEnded { call, is_error: true } = event { Some(call.clone()) } else { None }
    };
    let refused = events.iter().find_map(ended).unwrap();
    assert!(!asked.contains(&refused), "a call after the close is refused without asking");
}

#[test]
fn endless_retries_name_the_cause() {
    let (codec, events) = fed(RETRIES);
    let statuses =
        events.iter().filter(|event| matches!(event, AgentEvent::ModelRetry { status: Some(401), max: 10, .. }));
    assert_eq!(statuses.count(), 10);
    assert!(matches!(codec.completion(None), Completion::Authentication { .. }));
    let (fine, _) = fed(DENIED);
    assert!(matches!(fine.completion(None), Completion::Finished { .. }));
}

#[derive(Deserialize)]
struct ResultCase {
    case: String,
    exit: i64,
    line: Value,
}

#[test]
fn only_a_complete_record_is_a_finish() {
    let mut seen = 0;
    for text in include_str!("fixtures/results.jsonl").lines() {
        let ResultCase { case, exit, line } = serde_json::from_str(text).unwrap();
        let (codec, _) = fed(&format!("{line}\n"));
        assert_eq!(codec.results().len(), 1, "{case}");
        let got = codec.completion(Some(exit));
        let good = match case.as_str() {
            "basic" | "stopdeny" => matches!(got, Completion::Finished { .. }),
            "e401one" | "e403" | "credit" => matches!(got, Completion::Authentication { .. }),
            "e404" => matches!(got, Completion::ModelUnavailable { status: Some(404), .. }),
            "e429" => matches!(got, Completion::ModelUnavailable { status: Some(429), .. }),
            "e500" => matches!(got, Completion::ModelUnavailable { status: Some(500), .. }),
            "e529" => matches!(got, Completion::ModelUnavailable { status: Some(529), .. }),
            "econn" => matches!(got, Completion::ModelUnavailable { status: None, .. }),
            "maxturns" => got == Completion::TurnLimit,
            "budget" => got == Completion::BudgetLimit,
            "e400" | "maxtok" | "refusal" | "pause" | "interrupt" => matches!(got, Completion::Truncated { .. }),
            other => panic!("unknown case {other}"),
        };
        assert!(good, "{case}: {got:?}");
        seen += 1;
    }
    assert_eq!(seen, 17);
}

#[test]
fn exit_codes_and_half_done_turns_are_not_a_finish() {
    let (codec, _) = fed(DENIED);
    let good = codec.results()[0].clone();
    assert!(matches!(completion(std::slice::from_ref(&good), Some(0)), Completion::Finished { .. }));
    assert!(matches!(completion(&[], Some(0)), Completion::Truncated { .. }));
    assert!(matches!(completion(std::slice::from_ref(&good), Some(137)), Completion::Truncated { .. }));
    let mut half = good.clone();
    half.stop_reason = Some("tool_use".into());
    assert!(matches!(completion(&[half.clone()], Some(0)), Completion::Truncated { .. }));
    assert!(
        matches!(completion(&[half, good], Some(0)), Completion::Truncated { .. }),
        "a later turn does not mend it"
    );
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct InputCase {
    tool: String,
    wire: Value,
    asked_tool: String,
    asked: Value,
    cwd: String,
}

#[test]
fn what_the_agent_asks_agrees_with_what_the_model_sent() {
    let cases: Vec<InputCase> =
        include_str!("fixtures/inputs.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let pair = |wire: &InputCase, asked: &InputCase| {
        let id = CallId("toolu_1".into());
        (
            WireToolUse { id: id.clone(), tool: wire.tool.clone(), input: wire.wire.clone() },
            ToolCall {
                id,
                tool: asked.asked_tool.clone(),
                input: asked.asked.clone(),
                cwd: asked.cwd.clone(),
                subagent: None,
            },
        )
    };
    assert!(cases.len() > 100);
    for case in &cases {
        let (wire, call) = pair(case, case);
        assert!(inputs_agree(&wire, &call, "/home/agent"), "{} {} -> {}", case.tool, case.wire, case.asked);
    }
    // Control: the input of another call of the same tool, unless the agent made both the same.
    for two in cases.windows(2).filter(|two| two[0].asked_tool == two[1].asked_tool && two[0].asked != two[1].asked) {
        let (wire, call) = pair(&two[0], &two[1]);
        assert!(!inputs_agree(&wire, &call, "/home/agent"), "{} -> {}", two[0].wire, two[1].asked);
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct RefusedCase {
    asked: bool,
    is_error: bool,
    head: String,
}

#[test]
fn refusals_before_the_gate_are_told_from_results_of_asked_calls() {
    let mut counts = [0, 0];
    for line in include_str!("fixtures/refused.jsonl").lines() {
        let RefusedCase { asked, is_error, head } = serde_json::from_str(line).unwrap();
        let result = WireToolResult { id: CallId("t".into()), is_error, head };
        assert_eq!(is_refused_before_gate(&result), !asked, "{}", result.head);
        assert!(!is_refused_before_gate(&WireToolResult { is_error: false, ..result }), "not marked as an error");
        counts[usize::from(asked)] += 1;
    }
    assert!(counts[0] > 30 && counts[1] > 5, "{counts:?}");
}

fn chunked(bytes: &[u8], sizes: &[usize]) -> Vec<AgentEvent> {
    let mut codec = Codec::new(DEADLINE);
    let mut events = Vec::new();
    let mut rest = bytes;
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, left) = rest.split_at((*size).min(rest.len()));
        events.extend(codec.feed(piece));
        rest = left;
    }
    events
}

/// Each question of the agent is answered once, never empty, and never with an allow that nobody gave.
fn settles_without_an_allow(bytes: &[u8]) {
    let mut codec = Codec::new(DEADLINE);
    let _ = codec.feed(bytes);
    for (request, _) in codec.unanswered() {
        let reply = read(&codec.settle(&request).expect("open"));
        assert_ne!(reply["response"]["response"], json!({}));
        assert!(!reply.to_string().contains("\"allow\""), "{reply}");
    }
    assert_eq!(codec.unanswered(), []);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_chunking_gives_the_same_events(at in 0..ALL.len(), sizes in prop::collection::vec(1usize..900, 1..6)) {
        let bytes = ALL[at].as_bytes();
        prop_assert_eq!(chunked(bytes, &[bytes.len()]), chunked(bytes, &sizes));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..3000), sizes in prop::collection::vec(1usize..200, 1..4)) {
        prop_assert_eq!(chunked(&bytes, &[bytes.len().max(1)]), chunked(&bytes, &sizes));
    }

    #[test]
    fn damaged_recordings_open_no_door(at in 0..ALL.len(), hits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..40)) {
        let mut bytes = ALL[at].as_bytes().to_vec();
        for (index, byte) in hits {
            let len = bytes.len();
            bytes[index.index(len)] = byte;
        }
        settles_without_an_allow(&bytes);
    }

    #[test]
    fn odd_json_on_a_question_opens_no_door(key in "[a-z_]{0,12}", value in "[\\PC]{0,40}", depth in 0usize..400) {
        let deep = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let deep = if depth == 0 { "null" } else { &deep };
        let line = format!(
            "{{\"type\":\"control_request\",\"request_id\":\"r1\",\"request\":{{\"subtype\":\"hook_callback\",\"callback_id\":\"cb1\",{}:{},\"input\":{deep}}}}}\n",
            json!(format!("x{key}")), json!(value),
        );
        let mut codec = Codec::new(DEADLINE);
        let events = codec.feed(line.as_bytes());
        prop_assert!(matches!(events.as_slice(), [AgentEvent::CallUnreadable { .. }]), "{:?}", events);
        settles_without_an_allow(line.as_bytes());
    }
}

#[test]
fn the_heartbeat_of_a_hanging_tool_is_no_sign_of_life() {
    let mut codec = Codec::new(DEADLINE);
    let progress = |rest: &str| format!("{{\"type\":\"tool_progress\",\"tool_name\":\"Bash\"{rest}}}\n");
    let _ = codec.feed(progress(r#","heartbeat":true"#).as_bytes());
    assert_eq!(codec.signs_of_life(), 0);
    for line in
        [progress(""), progress(r#","heartbeat":false"#), "{\"type\":\"assistant\",\"message\":{}}\n".to_owned()]
    {
        let before = codec.signs_of_life();
        let _ = codec.feed(line.as_bytes());
        assert_eq!(codec.signs_of_life(), before + 1, "{line}");
    }
}
