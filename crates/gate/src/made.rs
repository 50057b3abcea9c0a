//! Programs that a call makes before it runs them.
//!
//! Why it exists: outside of the work tree nothing may run that the run did not make. A script that a line writes and then
//! runs, and a program that it compiles and then runs, are as known as what they were made from. What must stay true: the
//! making stands before the running, and what the thing is made from is judged beside it.

use crate::{
    args::Args,
    effect::{Effect, Program},
    ledger::Provenance,
    place::{Place, is_under},
    program,
    shell::{SimpleCommand, Word},
    tool::Reading,
    world::World,
};

/// Compilers that make one program of the sources that the line names.
const COMPILERS: [&str; 9] = ["gcc", "g++", "cc", "c++", "clang", "clang++", "rustc", "gfortran", "tcc"];
/// Options by which a compiler loads code that is no source.
const LOADS: [&str; 8] = ["-fplugin", "-wrapper", "-specs", "-B/", "@", "-toolexec", "-overlay", "-processorpath"];
/// Builders that make what they put out of the project alone, and the options that say where to.
const BUILDERS: [(&str, &[&str]); 12] = [
    ("go", &["-o"]),
    ("cargo", &["--target-dir", "--artifact-dir"]),
    ("javac", &["-d"]),
    ("kotlinc", &["-d"]),
    ("scalac", &["-d"]),
    ("tsc", &["--outDir", "--outFile"]),
    ("esbuild", &["--outfile", "--outdir"]),
    ("cmake", &["-B", "--build"]),
    ("meson", &["-C"]),
    ("ghc", &["-o"]),
    ("swiftc", &["-o"]),
    ("nim", &["-o", "--out"]),
];

/// True for a program that the call makes before it runs it, with content that is judged or from sources that are.
pub(crate) fn is_made_here(effect: &Effect, reading: &Reading, world: &World) -> bool {
    let Effect::Executes(Program::File(place)) = effect else { return false };
    if !place.known || place.glob {
        return false;
    }
    let runs = |effects: &Vec<Effect>| effects.contains(effect);
    let Some(first) = reading.per_command.iter().position(runs) else { return false };
    let before = reading.commands.iter().zip(&reading.per_command).take(first);
    let mut before = before.filter(|(_, effects)| writes(effects, place));
    let is_known = reading.written.iter().any(|file| {
        file.path == place.path && file.content.is_some() && file.provenance == Provenance::Agent && !file.is_directory
    });
    (is_known && before.next().is_some()) || built(place, &reading.commands[..first], world).is_some()
}

fn writes(effects: &[Effect], place: &Place) -> bool {
    effects.iter().any(|effect| match effect {
        Effect::Writes { place: target, .. } => target.path == place.path,
        Effect::Reads(_)
        | Effect::Deletes { .. }
        | Effect::Network { .. }
        | Effect::Executes(_)
        | Effect::Risk(_)
        | Effect::Unverifiable(_) => false,
    })
}

/// What a program is made from when one of the commands compiles it and all of its words are known: named sources, or none
/// where it is made from the project, whose build is judged as such.
pub(crate) fn built(place: &Place, commands: &[SimpleCommand], world: &World) -> Option<Vec<Place>> {
    commands.iter().find_map(|command| {
        let is_plain = command
            .args()
            .iter()
            .all(|word| word.is_known() && !word.glob && !LOADS.iter().any(|option| word.text.starts_with(option)));
        if !is_plain {
            return None;
        }
        sources(place, command, world).or_else(|| by_project(place, command, world))
    })
}

fn sources(place: &Place, command: &SimpleCommand, world: &World) -> Option<Vec<Place>> {
    if !COMPILERS.contains(&command.name().as_str()) {
        return None;
    }
    let args = Args::parse(command.args(), &["-o", "-I", "-L", "-l", "-D", "-std", "-O", "-W", "-f", "-m", "-x"]);
    let here = |word: &Word| program::place(word, command, world);
    let makes = args.values(&["-o"]).any(|word| here(word).path == place.path);
    // Code that a pipe or a here-document brings is no file that was judged.
    let is_given = args.operands.iter().any(|word| word.text == "-");
    (makes && !is_given && !args.operands.is_empty()).then(|| args.operands.iter().map(|word| here(word)).collect())
}

fn by_project(place: &Place, command: &SimpleCommand, world: &World) -> Option<Vec<Place>> {
    let name = command.name();
    let (_, outputs) = BUILDERS.iter().find(|(builder, _)| *builder == name)?;
    let inside = command.cwd.as_deref().is_some_and(|cwd| is_under(cwd, &world.worktree));
    let args = Args::parse(command.args(), outputs);
    let outside = args.operands.iter().any(|word| {
        let at = program::place(word, command, world);
        word.text.contains('/') && !at.is_in(&world.worktree) || word.text.contains('@')
    });
    let long = command.args().iter().zip(command.args().iter().skip(1));
    let long = long.filter(|(option, _)| outputs.contains(&option.text.as_str())).map(|(_, value)| value);
    let mut targets = args.values(outputs).chain(long);
    let makes = targets.any(|word| {
        let target = program::place(word, command, world);
        target.known && is_under(&place.path, &target.path) && target.path.matches('/').count() > 1
    });
    (inside && !outside && makes).then(Vec::new)
}
