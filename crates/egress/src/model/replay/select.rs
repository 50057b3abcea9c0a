//! Which turn comes next, from the request alone: the conversation so far carries the ids that the script gave out, so that
//! a resumed session goes on where it was, and its first message says which of the script's conversations it is.

use crate::model::request::Messages;
use types::replay::{Replay, Turn};

/// What to answer.
#[derive(Debug, PartialEq)]
pub(crate) enum Choice<'t> {
    /// A request that is not part of the conversation: it offers no tools (titles and the like).
    Aside,
    /// A turn and where it stands.
    Turn(Place, &'t Turn),
    /// Every turn has been played.
    Ended,
}

/// Where a turn stands in the script; numbers from zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    /// None for the main conversation.
    conversation: Option<usize>,
    turn: usize,
}

impl Place {
    /// The id of a message.
    pub(crate) fn message_id(self) -> String {
        format!("msg_replay_{}{}", prefix(self.conversation), self.turn)
    }

    /// The id of a call.
    pub(crate) fn call_id(self, call: usize) -> String {
        format!("toolu_replay_{}{}_{call}", prefix(self.conversation), self.turn)
    }
}

/// Keeps the ids of the conversations apart.
fn prefix(conversation: Option<usize>) -> String {
    conversation.map(|number| format!("c{number}_")).unwrap_or_default()
}

/// True for a turn without calls that stands in the conversation already: no id tells that it was played.
pub(crate) fn is_said(turn: &Turn, said: &[String]) -> bool {
    turn.calls().next().is_none() && turn.error.is_none() && said.iter().any(|words| *words == turn.words())
}

/// The next turn: the first one after the highest that the conversation shows, whose condition holds and that is not spent. The last
/// one, if it has no calls, is said as often as it is asked for.
pub(crate) fn choose<'t>(replay: &'t Replay, request: &Messages, is_spent: impl Fn(Place) -> bool) -> Choice<'t> {
    let asked = &request.asked;
    if !asked.has_tools {
        return Choice::Aside;
    }
    let conversation = replay.conversations.iter().position(|one| asked.first_text.contains(&one.opening));
    let turns = conversation.map_or(&replay.turns, |number| &replay.conversations[number].turns);
    let prefix = prefix(conversation);
    let played = asked.call_ids.iter().filter_map(|id| played(id, &prefix));
    let next = played.max().map_or(0, |turn| turn.saturating_add(1));
    turns
        .iter()
        .enumerate()
        .skip(next)
        .map(|(turn, content)| (Place { conversation, turn }, content))
        .find(|(place, turn)| {
            let is_over = place.turn + 1 < turns.len() && is_said(turn, &asked.said);
            !is_over
                && !is_spent(*place)
                && turn.when.as_ref().is_none_or(|when| request.last_text.contains(&when.contains))
        })
        .map_or(Choice::Ended, |(place, turn)| Choice::Turn(place, turn))
}

fn played(id: &str, prefix: &str) -> Option<usize> {
    let (turn, call) = id.strip_prefix("toolu_replay_")?.strip_prefix(prefix)?.split_once('_')?;
    call.parse::<usize>().ok()?;
    turn.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{request::Asked, server_side::Found};
    use types::replay::{Conversation, When};

    fn turn(text: &str, when: Option<&str>) -> Turn {
        let when = when.map(|contains| When { contains: contains.into() });
        Turn { text: text.into(), when, ..Turn::default() }
    }

    fn script(turns: Vec<Turn>, conversations: Vec<Conversation>) -> Replay {
        Replay { turns, conversations, ..Replay::blank() }
    }

    fn request(ids: &[&str], last_text: &str) -> Messages {
        Messages {
            model: "m".into(),
            stream: true,
            results: Vec::new(),
            last_text: last_text.into(),
            max_tokens: None,
            server_side: Found::default(),
            stripped: serde_json::Value::Null,
            asked: Asked {
                has_tools: true,
                first_text: "go".into(),
                call_ids: ids.iter().map(|id| (*id).to_owned()).collect(),
                said: Vec::new(),
            },
        }
    }

    fn main(turn: usize) -> Place {
        Place { conversation: None, turn }
    }

    #[test]
    fn the_conversation_says_where_it_is() {
        let turns = vec![turn("a", None), turn("b", Some("passed")), turn("c", Some("failed")), turn("d", None)];
        let script = script(turns, Vec::new());
        let pick = |ids: &[&str], text: &str| match choose(&script, &request(ids, text), |_| false) {
            Choice::Turn(place, _) => Some(place),
            Choice::Aside | Choice::Ended => None,
        };
        assert_eq!(pick(&[], "go"), Some(main(0)));
        assert_eq!(pick(&["toolu_replay_0_0"], "it failed"), Some(main(2)));
        assert_eq!(pick(&["toolu_replay_0_0"], "it passed"), Some(main(1)));
        assert_eq!(pick(&["toolu_replay_0_0"], "neither"), Some(main(3)));
        assert_eq!(pick(&["toolu_replay_2_1", "toolu_replay_0_0", "toolu_other_9"], ""), Some(main(3)));
        assert_eq!(pick(&["toolu_replay_3_0"], ""), None);
        assert_eq!(pick(&["toolu_replay_99999999999999999999_0", "toolu_replay_1"], ""), Some(main(0)));
    }

    #[test]
    fn the_first_message_says_which_conversation_it_is() {
        let conversation =
            |opening: &str, text: &str| Conversation { opening: opening.into(), turns: vec![turn(text, None); 2] };
        let beside = vec![conversation("ONE", "one"), conversation("TWO", "two")];
        let script = script(vec![turn("main", None); 2], beside);
        let pick = |first: &str, ids: &[&str]| {
            let mut request = request(ids, "");
            request.asked.first_text = first.into();
            match choose(&script, &request, |_| false) {
                Choice::Turn(place, turn) => format!("{} {}", place.call_id(0), turn.text),
                Choice::Aside | Choice::Ended => "over".to_owned(),
            }
        };
        assert_eq!(pick("fix it", &[]), "toolu_replay_0_0 main");
        assert_eq!(pick("do TWO now", &[]), "toolu_replay_c1_0_0 two");
        assert_eq!(pick("do TWO now", &["toolu_replay_c1_0_0"]), "toolu_replay_c1_1_0 two");
        assert_eq!(pick("do TWO now", &["toolu_replay_c0_0_0", "toolu_replay_1_0"]), "toolu_replay_c1_0_0 two");
        assert_eq!(pick("fix it", &["toolu_replay_c1_1_0", "toolu_replay_0_0"]), "toolu_replay_1_0 main");
        assert_eq!(pick("ONE, not TWO", &["toolu_replay_c0_1_0"]), "over");
        assert_eq!(Place { conversation: Some(1), turn: 3 }.message_id(), "msg_replay_c1_3");
    }

    #[test]
    fn a_turn_without_calls_is_passed_when_it_was_said() {
        let script = script(vec![turn("a", None), turn("b", None), turn("c", None)], Vec::new());
        let pick = |said: &[&str]| {
            let mut request = request(&[], "");
            request.asked.said = said.iter().map(|words| (*words).to_owned()).collect();
            choose(&script, &request, |_| false)
        };
        assert_eq!(pick(&[]), Choice::Turn(main(0), &script.turns[0]));
        assert_eq!(pick(&["a"]), Choice::Turn(main(1), &script.turns[1]));
        assert_eq!(pick(&["a", "b"]), Choice::Turn(main(2), &script.turns[2]));
        assert_eq!(pick(&["a", "b", "c"]), Choice::Turn(main(2), &script.turns[2]), "the last one again");
    }

    #[test]
    fn requests_without_tools_do_not_advance_and_spent_turns_are_skipped() {
        let script = script(vec![turn("a", None), turn("b", None)], Vec::new());
        let mut title = request(&[], "");
        title.asked.has_tools = false;
        assert_eq!(choose(&script, &title, |_| false), Choice::Aside);
        assert_eq!(
            choose(&script, &request(&[], ""), |place| place == main(0)),
            Choice::Turn(main(1), &script.turns[1])
        );
    }
}
