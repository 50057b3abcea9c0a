//! The peer of a gated tool call: the same agent, container, channel and replay, without managed settings and without a callback.

use agents::{AgentEvent, Launch};
use serde_json::Value;
use std::time::{Duration, Instant};
use system_tests::rig::{Rig, Setup, opening_without_gate};

/// The time from each turn of the model to the next, without the first, which warms the agent up.
pub(crate) fn rounds(turns: &[Vec<(&'static str, Value)>]) -> Vec<Duration> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("runtime");
    runtime.block_on(async {
        let setup = Setup { settings: None, relaunch: without_gate, ..Setup::new(turns) };
        let mut rig = Rig::start(setup).await;
        rig.say(&opening_without_gate()).await;
        let mut ended = Vec::new();
        for _ in turns {
            rig.next("tool result", |event| matches!(event, AgentEvent::ToolEnded { .. }).then_some(())).await;
            ended.push(Instant::now());
        }
        ended.windows(2).map(|pair| pair[1] - pair[0]).collect()
    })
}

/// The agent asks nobody.
fn without_gate(launch: Launch) -> Launch {
    let allowed = |arg: String| match arg.as_str() {
        "--permission-prompt-tool=stdio" => None,
        "--permission-mode=dontAsk" => Some("--allowedTools=Bash".to_owned()),
        _ => Some(arg),
    };
    Launch { argv: launch.argv.into_iter().filter_map(allowed).collect(), ..launch }
}
