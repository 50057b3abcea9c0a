//! CMake's own file commands: `cmake -E VERB`, and where `cmake --install` puts things.

use super::{place, reads, writes};
use crate::{
    effect::Effect,
    shell::{SimpleCommand, Word},
    world::World,
};

/// What `cmake -E` does; none when the verb runs another program or is not known.
pub(super) fn command_mode(command: &SimpleCommand, world: &World) -> Option<Vec<Effect>> {
    let at = command.args().iter().position(|word| word.text == "-E")?;
    let verb = command.args().get(at + 1)?;
    let rest: Vec<&Word> = command.args().get(at + 2..)?.iter().filter(|word| !word.text.starts_with('-')).collect();
    Some(match verb.text.as_str() {
        "capabilities" | "echo" | "echo_append" | "environment" | "sleep" | "true" | "false" => Vec::new(),
        "md5sum" | "sha1sum" | "sha256sum" | "sha512sum" | "compare_files" | "cat" => reads(&rest, command, world),
        "make_directory" | "touch" | "touch_nocreate" => writes(&rest, command, world),
        "copy"
        | "copy_if_different"
        | "copy_directory"
        | "copy_directory_if_different"
        | "rename"
        | "create_symlink"
        | "create_hardlink" => {
            let (to, from) = rest.split_last()?;
            let mut effects = reads(from, command, world);
            effects.extend(writes(&[to], command, world));
            if verb.text == "rename" {
                effects.extend(deletes(from, command, world));
            }
            effects
        }
        "remove" | "remove_directory" | "rm" => deletes(&rest, command, world),
        _ => return None,
    })
}

fn deletes(words: &[&Word], command: &SimpleCommand, world: &World) -> Vec<Effect> {
    words.iter().map(|word| Effect::Deletes { place: place(word, command, world), recursive: true }).collect()
}

/// Where `cmake --install DIR --prefix TO` installs, if the line says it.
pub(super) fn install_prefix(command: &SimpleCommand) -> Option<Word> {
    let words = command.args();
    let at = words.iter().position(|word| word.text == "--prefix" || word.text.starts_with("--prefix="))?;
    match words[at].text.split_once('=') {
        Some((_, prefix)) => Some(Word { text: prefix.to_owned(), ..words[at].clone() }),
        None => words.get(at + 1).cloned(),
    }
}
