//! Results of tools on their way to the model: looked at, marked where they are suspicious, and passed on at once.

use super::Session;
use crate::judge::Looked;
use agents::{RequestId, ToolOutput};
use types::event::Event;

impl Session<'_> {
    /// A tool has returned. Nothing here holds its result up: what it says makes later calls questions. One that cannot be read is
    /// counted when the model gets it.
    pub(super) fn arrived(&mut self, request: &RequestId, output: Option<&ToolOutput>) -> Vec<u8> {
        let warning = output.and_then(|output| self.warning(output));
        // Not open any more: the agent took the question back, and nothing is to be written.
        self.codec.pass_on(request, warning.as_deref()).unwrap_or_default()
    }

    fn warning(&mut self, output: &ToolOutput) -> Option<String> {
        let Looked { found, is_new } = self.judge.look(output)?;
        if is_new {
            let (call, trick) = (output.call.clone(), found.trick.as_str().to_owned());
            self.with.recorder.emit(Event::Suspected { call, trick, excerpt: found.excerpt.clone() });
        }
        Some(gate::warning(&found))
    }
}
