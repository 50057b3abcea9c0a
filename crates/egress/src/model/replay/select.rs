//! Which turn comes next, from the request alone: the conversation so far carries the ids that the script gave out, so that
//! a resumed session goes on where it was.

use crate::model::request::Messages;
use types::replay::Turn;

/// What to answer.
#[derive(Debug, PartialEq)]
pub(crate) enum Choice<'t> {
    /// A request that is not part of the conversation: it offers no tools (titles and the like).
    Aside,
    /// A turn and its number, from zero.
    Turn(usize, &'t Turn),
    /// Every turn has been played.
    Ended,
}

/// The id of a call in the script.
pub(crate) fn call_id(turn: usize, call: usize) -> String {
    format!("toolu_replay_{turn}_{call}")
}

/// The next turn: the first one after the highest that the conversation shows, whose condition holds and that is not spent.
pub(crate) fn choose<'t>(turns: &'t [Turn], request: &Messages, is_spent: impl Fn(usize) -> bool) -> Choice<'t> {
    if !request.has_tools {
        return Choice::Aside;
    }
    let next = request.call_ids.iter().filter_map(|id| played(id)).max().map_or(0, |turn| turn.saturating_add(1));
    turns
        .iter()
        .enumerate()
        .skip(next)
        .find(|(number, turn)| {
            !is_spent(*number) && turn.when.as_ref().is_none_or(|when| request.last_text.contains(&when.contains))
        })
        .map_or(Choice::Ended, |(number, turn)| Choice::Turn(number, turn))
}

fn played(id: &str) -> Option<usize> {
    let (turn, call) = id.strip_prefix("toolu_replay_")?.split_once('_')?;
    call.parse::<usize>().ok()?;
    turn.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::replay::When;

    fn turn(text: &str, when: Option<&str>) -> Turn {
        let when = when.map(|contains| When { contains: contains.into() });
        Turn { text: text.into(), when, ..Turn::default() }
    }

    fn request(ids: &[&str], last_text: &str) -> Messages {
        Messages {
            model: "m".into(),
            stream: true,
            has_tools: true,
            results: Vec::new(),
            call_ids: ids.iter().map(|id| (*id).to_owned()).collect(),
            last_text: last_text.into(),
            server_side: None,
        }
    }

    #[test]
    fn the_conversation_says_where_it_is() {
        let turns = [turn("a", None), turn("b", Some("passed")), turn("c", Some("failed")), turn("d", None)];
        let pick = |ids: &[&str], text: &str| match choose(&turns, &request(ids, text), |_| false) {
            Choice::Turn(number, _) => Some(number),
            Choice::Aside | Choice::Ended => None,
        };
        assert_eq!(pick(&[], "go"), Some(0));
        assert_eq!(pick(&["toolu_replay_0_0"], "it failed"), Some(2));
        assert_eq!(pick(&["toolu_replay_0_0"], "it passed"), Some(1));
        assert_eq!(pick(&["toolu_replay_0_0"], "neither"), Some(3));
        assert_eq!(pick(&["toolu_replay_2_1", "toolu_replay_0_0", "toolu_other_9"], ""), Some(3));
        assert_eq!(pick(&["toolu_replay_3_0"], ""), None);
        assert_eq!(pick(&["toolu_replay_99999999999999999999_0", "toolu_replay_1"], ""), Some(0));
    }

    #[test]
    fn requests_without_tools_do_not_advance_and_spent_turns_are_skipped() {
        let turns = [turn("a", None), turn("b", None)];
        let mut title = request(&[], "");
        title.has_tools = false;
        assert_eq!(choose(&turns, &title, |_| false), Choice::Aside);
        assert_eq!(choose(&turns, &request(&[], ""), |number| number == 0), Choice::Turn(1, &turns[1]));
    }
}
