//! What an earlier host answered, read back from the bytes that it stored before it sent them.

use super::{
    line::{ControlResponse, HookAnswer, Kind},
    requests::{OpenRequest, Requests},
};
use crate::event::RequestId;

/// Closes the questions that the whole lines in `bytes` answer.
pub(super) fn answers(bytes: &[u8], requests: &mut Requests) {
    for line in bytes.split_inclusive(|&b| b == b'\n').filter_map(|line| line.strip_suffix(b"\n")) {
        if let Ok(line) = std::str::from_utf8(line) {
            answer(line, requests);
        }
    }
}

fn answer(line: &str, requests: &mut Requests) {
    let is_response = serde_json::from_str::<Kind>(line).is_ok_and(|kind| kind.kind == "control_response");
    let Ok(ControlResponse { response }) = serde_json::from_str::<ControlResponse<'_>>(line) else { return };
    let Some(request) = RequestId::new(&response.request_id).filter(|_| is_response) else { return };
    if let Some(OpenRequest::Call(call)) = requests.close(&request) {
        let decision = response.response.and_then(|raw| serde_json::from_str::<HookAnswer>(raw.get()).ok());
        requests.note(&call, decision.is_some_and(|answer| answer.output.decision == "allow"));
    }
}
