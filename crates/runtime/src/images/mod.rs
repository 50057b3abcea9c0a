//! The images that this project builds itself, from recipes embedded in the program.
//!
//! An image carries the digest of its recipe as a label; when the recipe changes it is built again. Nothing of the host
//! goes in but its public CA certificates, without which no package manager works behind an inspecting proxy.

mod bootstrap;
mod certificates;
mod ensure;
mod recipe;

pub use recipe::{CLAUDE_VERSION, Recipe};

/// What is going on while an image is obtained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The engine is asked to get an image from a registry.
    Pulling {
        /// The image.
        image: String,
    },
    /// No registry gave the image: it is made from the distribution's packages on this machine.
    Bootstrapping {
        /// The image.
        image: String,
        /// Why the registry did not give it.
        because: String,
    },
    /// A recipe is built.
    Building {
        /// The image.
        image: String,
    },
    /// One line of a tool's output, escaped.
    Line(String),
}

impl std::fmt::Display for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Pulling { image } => write!(f, "pulling {image}"),
            Self::Bootstrapping { image, because } => {
                write!(f, "making {image} from the distribution's packages ({because})")
            }
            Self::Building { image } => write!(f, "building {image}"),
            Self::Line(line) => f.write_str(line),
        }
    }
}

/// Takes what is going on.
pub type Reporter<'a> = &'a mut (dyn FnMut(Progress) + Send);
