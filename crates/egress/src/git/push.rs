//! The body of a push: a list of commands and then the pack (gitprotocol-pack, "Reference Update Request"). The list is held
//! back until it was understood; the pack is then passed on as it comes.

use super::{
    GitRefusal, is_id,
    pkt::{Pkt, PktError, first},
    shown,
};
use bytes::{Bytes, BytesMut};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};
use types::route::BranchPattern;

/// Longest list of commands, in bytes.
pub(crate) const MAX_COMMANDS: usize = 64 * 1024;
/// Capabilities that a push may ask for. Options of a push, certificates and atomic tricks beyond these are not carried.
const CAPABILITIES: [&str; 8] =
    ["report-status", "report-status-v2", "side-band-64k", "quiet", "atomic", "ofs-delta", "object-format=", "agent="];

/// A repository and the name of a ref in it.
type RefOf = (String, Vec<u8>);

/// What the run created on its remotes, by repository and ref: only that may it move on. It is forgotten with the process, which then
/// only creates.
#[derive(Debug, Default)]
pub(crate) struct Pushed {
    refs: Mutex<BTreeMap<RefOf, Vec<u8>>>,
}

/// Checks the body of a push to one repository.
#[derive(Debug)]
pub(crate) struct PushBody {
    pushed: Arc<Pushed>,
    repository: String,
    branches: Vec<BranchPattern>,
    held: BytesMut,
    is_understood: bool,
}

/// One command of the list.
struct Command {
    old: Vec<u8>,
    new: Vec<u8>,
    name: Vec<u8>,
}

impl PushBody {
    /// Nothing yet.
    pub(crate) fn new(pushed: Arc<Pushed>, repository: String, branches: Vec<BranchPattern>) -> Self {
        Self { pushed, repository, branches, held: BytesMut::new(), is_understood: false }
    }

    /// Takes a piece and gives what may go on.
    ///
    /// # Errors
    /// [`GitRefusal`]
    pub(crate) fn feed(&mut self, piece: Bytes) -> Result<Bytes, GitRefusal> {
        if self.is_understood {
            return Ok(piece);
        }
        self.held.extend_from_slice(&piece);
        match commands(&self.held) {
            Ok(None) if self.held.len() > MAX_COMMANDS => Err(PktError::TooLong { max: MAX_COMMANDS }.into()),
            Ok(None) => Ok(Bytes::new()),
            Ok(Some(commands)) => {
                self.admit(&commands)?;
                self.is_understood = true;
                Ok(std::mem::take(&mut self.held).freeze())
            }
            Err(error) => Err(error),
        }
    }

    /// The body is over.
    ///
    /// # Errors
    /// [`PktError::Cut`] when its list was not.
    pub(crate) fn finish(&self) -> Result<(), GitRefusal> {
        if self.is_understood { Ok(()) } else { Err(PktError::Cut.into()) }
    }

    fn admit(&self, commands: &[Command]) -> Result<(), GitRefusal> {
        let mut refs = self.pushed.refs.lock().unwrap_or_else(PoisonError::into_inner);
        for Command { old, new, name } in commands {
            let text = std::str::from_utf8(name).unwrap_or_default();
            if !self.branches.iter().any(|pattern| pattern.covers(text)) {
                let allowed: Vec<_> = self.branches.iter().map(ToString::to_string).collect();
                return Err(GitRefusal::Ref { name: shown(name), allowed: allowed.join(", ") });
            }
            let is_own = refs.get(&(self.repository.clone(), name.clone())).is_some_and(|own| own == old);
            if is_zero(new) || !(is_zero(old) || is_own) {
                return Err(GitRefusal::Existing { name: shown(name) });
            }
        }
        for Command { new, name, .. } in commands {
            refs.insert((self.repository.clone(), name.clone()), new.clone());
        }
        Ok(())
    }
}

fn is_zero(id: &[u8]) -> bool {
    id.iter().all(|byte| *byte == b'0')
}

/// The list of commands, once its end is there.
fn commands(bytes: &[u8]) -> Result<Option<Vec<Command>>, GitRefusal> {
    let mut rest = bytes;
    let mut commands = Vec::new();
    loop {
        let Some((pkt, after)) = first(rest)? else { return Ok(None) };
        rest = after;
        match pkt {
            Pkt::Flush if commands.is_empty() => return Err(PktError::Content("it has no command").into()),
            Pkt::Flush => return Ok(Some(commands)),
            Pkt::Delimiter => return Err(PktError::Content("a delimiter stands where none may be").into()),
            Pkt::Line(line) => {
                let mut parts = line.splitn(2, |byte| *byte == 0);
                let command = parts.next().unwrap_or_default();
                match parts.next() {
                    Some(asked) if commands.is_empty() => capabilities(asked)?,
                    Some(_) => return Err(PktError::Content("capabilities stand at a later command").into()),
                    None => {}
                }
                commands.push(command_of(command)?);
            }
        }
    }
}

fn command_of(line: &[u8]) -> Result<Command, GitRefusal> {
    let parts: Vec<&[u8]> = line.splitn(3, |byte| *byte == b' ').collect();
    match parts.as_slice() {
        [old, new, name] if is_id(old) && is_id(new) && old.len() == new.len() && !name.is_empty() => {
            Ok(Command { old: old.to_vec(), new: new.to_vec(), name: name.to_vec() })
        }
        // Among others `push-cert` and `shallow`.
        _ => Err(GitRefusal::Command { command: shown(parts.first().copied().unwrap_or_default()) }),
    }
}

fn capabilities(asked: &[u8]) -> Result<(), GitRefusal> {
    let text = std::str::from_utf8(asked).map_err(|_| PktError::Content("its capabilities are no text"))?;
    let is_known = |word: &str| {
        CAPABILITIES.iter().any(|known| if known.ends_with('=') { word.starts_with(known) } else { word == *known })
    };
    match text.split_ascii_whitespace().find(|word| !is_known(word)) {
        Some(word) => Err(GitRefusal::Command { command: shown(word.as_bytes()) }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZERO: &str = "0000000000000000000000000000000000000000";

    fn id(digit: char) -> String {
        digit.to_string().repeat(40)
    }

    fn body(commands: &[(&str, &str, &str)]) -> Vec<u8> {
        let mut out = Vec::new();
        for (n, (old, new, name)) in commands.iter().enumerate() {
            let tail = if n == 0 { "\0 report-status side-band-64k agent=git/2.47.3" } else { "" };
            let line = format!("{old} {new} {name}{tail}");
            out.extend(format!("{:04x}{line}", line.len() + 4).into_bytes());
        }
        out.extend(b"0000PACK\0\0\0\x02");
        out
    }

    fn push(pushed: &Arc<Pushed>, bytes: &[u8]) -> Result<Vec<u8>, GitRefusal> {
        let branches = vec![BranchPattern::parse("sandbox/*").expect("pattern")];
        let mut check = PushBody::new(Arc::clone(pushed), "/acme/app".to_owned(), branches);
        let mut out = Vec::new();
        for piece in bytes.chunks(11) {
            out.extend(check.feed(Bytes::copy_from_slice(piece))?);
        }
        check.finish().map(|()| out)
    }

    #[test]
    fn the_run_creates_branches_and_moves_on_its_own() {
        let pushed = Arc::<Pushed>::default();
        let create = body(&[(ZERO, &id('a'), "refs/heads/sandbox/x")]);
        assert_eq!(push(&pushed, &create).expect("created"), create);
        let on = body(&[(&id('a'), &id('b'), "refs/heads/sandbox/x")]);
        assert_eq!(push(&pushed, &on).expect("moved on"), on);
        // Not from where somebody else has moved it to.
        let over = body(&[(&id('c'), &id('d'), "refs/heads/sandbox/x")]);
        assert!(matches!(push(&pushed, &over), Err(GitRefusal::Existing { .. })));
        assert!(matches!(push(&Arc::default(), &on), Err(GitRefusal::Existing { .. })));
    }

    #[test]
    fn nothing_else_is_touched() {
        let a = id('a');
        for (commands, why) in [
            (vec![(ZERO, a.as_str(), "refs/heads/main")], "another branch"),
            (vec![(ZERO, &a, "refs/tags/sandbox/x")], "a tag"),
            (vec![(ZERO, &a, "refs/pull/1/head")], "a pull request"),
            (vec![(&a, ZERO, "refs/heads/sandbox/x")], "a deletion"),
            (vec![(ZERO, ZERO, "refs/heads/sandbox/x")], "a deletion of nothing"),
            (vec![(ZERO, &a, "refs/heads/sandbox/x"), (ZERO, &a, "refs/heads/main")], "a second command"),
            (vec![(ZERO, &a, "refs/heads/sandbox/x\0y")], "a second list of capabilities"),
            (vec![(ZERO, "xyz", "refs/heads/sandbox/x")], "no id"),
        ] {
            assert!(push(&Arc::default(), &body(&commands)).is_err(), "{why}");
        }
        for bad in ["0000", "push-cert", "0014push-cert\0 agent=x", "0000PACK"] {
            assert!(push(&Arc::default(), bad.as_bytes()).is_err(), "{bad}");
        }
        let line = format!("{ZERO} {a} refs/heads/sandbox/x\0 report-status push-options");
        let options = format!("{:04x}{line}0000", line.len() + 4);
        assert!(matches!(push(&Arc::default(), options.as_bytes()), Err(GitRefusal::Command { .. })));
    }

    #[test]
    fn nothing_goes_up_before_the_list_is_whole() {
        let pushed = Arc::<Pushed>::default();
        let branches = vec![BranchPattern::parse("sandbox/*").expect("pattern")];
        let whole = body(&[(ZERO, &id('a'), "refs/heads/sandbox/x"), (ZERO, &id('a'), "refs/heads/main")]);
        for cut in 0..whole.len() {
            let mut check = PushBody::new(Arc::clone(&pushed), "/acme/app".to_owned(), branches.clone());
            let piece = check.feed(Bytes::copy_from_slice(&whole[..cut]));
            assert!(piece.map_or(true, |piece| piece.is_empty()), "cut at {cut}");
        }
        let mut endless = PushBody::new(Arc::clone(&pushed), "/acme/app".to_owned(), branches);
        let line = format!("{ZERO} {} refs/heads/sandbox/x", id('a'));
        let many = format!("{:04x}{line}", line.len() + 4).repeat(2000);
        assert!(endless.feed(many.into()).is_err());
    }
}
