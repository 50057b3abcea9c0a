//! A scripted conversation: the model's side of a run from a file, so that the real agent runs without an account.
//! Only the model's text is scripted; every tool really runs.

use crate::text::printable;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Version of the format.
pub const VERSION: u32 = 1;

/// A scripted conversation, `sandbox schema replay`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Replay {
    /// [`VERSION`].
    pub version: u32,
    /// What the conversation shows, for people.
    #[serde(default)]
    pub description: String,
    /// The model's turns, played in order. A turn whose `when` does not hold is skipped.
    pub turns: Vec<Turn>,
    /// The conversations of subagents and of other sessions: each of them begins a history of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conversations: Vec<Conversation>,
    /// What the gate's classifier answers. Without any, no classifier is asked and undecided calls ask a person.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classifier: Vec<ClassifierTurn>,
}

/// What the classifier answers about some calls. The first entry that fits a request answers it; a request that none fits is
/// answered with status 500.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ClassifierTurn {
    /// Text in the input of the call that is judged; empty for every call.
    #[serde(default)]
    pub contains: String,
    /// Only the question for one word, or only the one for facts; none for both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<Step>,
    /// Only requests for this model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The entry answers so many requests and then fits none; none for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// The answer.
    pub answer: ClassifierAnswer,
}

/// The two questions that a classifier is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// One word.
    Fast,
    /// Facts.
    Full,
}

/// An answer of the classifier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ClassifierAnswer {
    /// The word `allow`; asked for facts, the same word, which is no answer then.
    Allow,
    /// Asked for one word, it flags the call; asked for facts, it gives these, whatever they are.
    Facts(serde_json::Value),
    /// This text.
    Text(String),
    /// Bytes that are no message.
    Garbage,
    /// Nothing, for ten minutes.
    Stall,
    /// The model declines to answer.
    Refuse,
    /// An API error.
    Error(ApiError),
}

/// A conversation beside the main one. It plays, in place of the main one's turns, for every request whose first message
/// contains `opening`; the first that fits is taken. What begins with the same words plays the same turns with the same ids, so
/// each subagent needs words of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Conversation {
    /// Text in the first message, such as words of the subagent's prompt that the task's own prompt does not hold.
    pub opening: String,
    /// Its turns, played in order.
    pub turns: Vec<Turn>,
}

/// One answer of the model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Turn {
    /// Play this turn only if the condition holds for the last message that came back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<When>,
    /// Text before the tool calls.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// Tool calls; none ends the agent's turn.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<ToolUse>,
    /// Both in any order, in place of `text` and `tools`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocks: Vec<Block>,
    /// Why the model stopped, where it is not the usual: `tool_use` with calls, else `end_turn`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_reason: Option<String>,
    /// Milliseconds to wait before the first byte.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub delay_ms: u64,
    /// Answer with an API error instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ApiError>,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A piece of an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Block {
    /// Text.
    Text(String),
    /// A tool call.
    Tool(ToolUse),
}

impl Turn {
    /// The answer, block by block.
    pub fn blocks(&self) -> impl Iterator<Item = Block> + '_ {
        let text = Some(&self.text).filter(|text| !text.is_empty()).map(|text| Block::Text(text.clone()));
        let short = text.into_iter().chain(self.tools.iter().map(|tool| Block::Tool(tool.clone())));
        short.chain(self.blocks.iter().cloned())
    }

    /// Its tool calls.
    pub fn calls(&self) -> impl Iterator<Item = &ToolUse> {
        self.tools.iter().chain(self.blocks.iter().filter_map(|block| match block {
            Block::Tool(tool) => Some(tool),
            Block::Text(_) => None,
        }))
    }

    /// All of its text.
    #[must_use]
    pub fn words(&self) -> String {
        let block = |block: &Block| match block {
            Block::Text(text) => text.clone(),
            Block::Tool(_) => String::new(),
        };
        std::iter::once(self.text.clone()).chain(self.blocks.iter().map(block)).collect()
    }
}

/// A condition on the tool results (or the user's text) that the agent sent last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct When {
    /// The last message contains this text.
    pub contains: String,
}

/// A tool call that the model makes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ToolUse {
    /// The tool's name.
    pub name: String,
    /// Its input.
    pub input: serde_json::Value,
}

/// An error of the model API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ApiError {
    /// HTTP status, such as 529.
    pub status: u16,
    /// The API's error type, such as `overloaded_error`.
    pub kind: String,
    /// The message.
    #[serde(default)]
    pub message: String,
    /// Seconds for the `retry-after` field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
}

/// Why a file is not a scripted conversation.
#[derive(Debug, thiserror::Error)]
pub enum InvalidReplay {
    /// Not the documented JSON.
    #[error("not a scripted conversation")]
    Format(#[source] serde_json::Error),
    /// A version that this build does not know.
    #[error("version {found} of the format is not supported; this build reads version {VERSION}")]
    Version {
        /// The file's version.
        found: u32,
    },
    /// No turn.
    #[error("the conversation has no turns")]
    Empty,
    /// A turn in both forms.
    #[error("the turn with the text `{text}` has blocks beside text or tools")]
    BothForms {
        /// Its text.
        text: String,
    },
    /// A conversation without turns, or whose opening would fit every request.
    #[error("the conversation with the opening `{opening}` has no turns, or no opening")]
    Conversation {
        /// Its opening.
        opening: String,
    },
}

impl Replay {
    /// A conversation in which nothing was said yet.
    #[must_use]
    pub fn blank() -> Self {
        Self {
            version: VERSION,
            description: String::new(),
            turns: Vec::new(),
            conversations: Vec::new(),
            classifier: Vec::new(),
        }
    }

    /// Reads a conversation from JSON.
    ///
    /// # Errors
    /// [`InvalidReplay`] says what is wrong; unknown keys are errors.
    pub fn parse(json: &str) -> Result<Self, InvalidReplay> {
        let replay: Self = serde_json::from_str(json).map_err(InvalidReplay::Format)?;
        if replay.version != VERSION {
            return Err(InvalidReplay::Version { found: replay.version });
        }
        if replay.turns.is_empty() {
            return Err(InvalidReplay::Empty);
        }
        let all = replay.turns.iter().chain(replay.conversations.iter().flat_map(|one| &one.turns));
        let is_both = |turn: &&Turn| !(turn.blocks.is_empty() || turn.text.is_empty() && turn.tools.is_empty());
        if let Some(turn) = all.into_iter().find(is_both) {
            return Err(InvalidReplay::BothForms { text: printable(&turn.text, 60) });
        }
        if let Some(bad) = replay.conversations.iter().find(|one| one.opening.trim().is_empty() || one.turns.is_empty())
        {
            return Err(InvalidReplay::Conversation { opening: printable(&bad.opening, 60) });
        }
        Ok(replay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversations_need_an_opening_and_turns() {
        let parse = |conversations: &str| {
            Replay::parse(&format!(r#"{{"version":1,"turns":[{{"text":"hi"}}],"conversations":[{conversations}]}}"#))
        };
        let good = parse(r#"{"opening":"SUB","turns":[{"text":"ok"}]}"#).expect("conversation");
        assert_eq!(good.conversations[0].opening, "SUB");
        assert!(Replay::parse(r#"{"version":1,"turns":[{"text":"hi"}]}"#).expect("plain").conversations.is_empty());
        for bad in [r#"{"opening":" ","turns":[{}]}"#, r#"{"opening":"SUB","turns":[]}"#] {
            assert!(matches!(parse(bad), Err(InvalidReplay::Conversation { .. })), "{bad}");
        }
        assert!(matches!(parse(r#"{"opening":"SUB"}"#), Err(InvalidReplay::Format(_))));
    }

    #[test]
    fn a_turn_has_one_form() {
        let parse = |turn: &str| Replay::parse(&format!(r#"{{"version":1,"turns":[{turn}]}}"#));
        let long =
            parse(r#"{"blocks":[{"text":"a"},{"tool":{"name":"Bash","input":{}}},{"text":"b"}]}"#).expect("blocks");
        let turn = &long.turns[0];
        assert_eq!((turn.blocks().count(), turn.calls().count(), turn.words().as_str()), (3, 1, "ab"));
        let short = parse(r#"{"text":"a","tools":[{"name":"Bash","input":{}}]}"#).expect("short");
        assert_eq!(short.turns[0].blocks().collect::<Vec<_>>(), turn.blocks[..2]);
        let again = Replay::parse(&serde_json::to_string(&long).expect("json")).expect("again");
        assert_eq!(again, long);
        assert!(matches!(parse(r#"{"text":"a","blocks":[{"text":"b"}]}"#), Err(InvalidReplay::BothForms { .. })));
    }
}
