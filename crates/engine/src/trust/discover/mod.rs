//! Which hosts the package managers of an image use. Nobody here knows: they are asked, in a container as runs have it, whose egress lets
//! nothing out, so that each request is refused and stands on record.
//!
//! They are asked twice. At first there is no route: whom they ask for is seen. Then connections to these hosts are taken, decrypted, and
//! each request in them is refused: what they ask for is seen, and whether they trust the run's certificate authority.
//!
//! What must stay true: nothing leaves the container; what is found is a proposal, and the operator decides.

mod found;
mod heard;
mod hosts;
mod laboratory;
mod managers;

pub use found::DiscoveredHost;

use super::effective::Effective;
use crate::{Engine, error::EngineError, finish::READER_IMAGE, ground, tools};
use found::{Hosts, hear, host, looking_routes};
use laboratory::{Laboratory, Made, Tools};
use managers::{MANAGERS, Manager, which};
use runtime::Runtime;
use serde::Serialize;
use std::{collections::BTreeSet, future::Future, time::Duration};
use types::{profile::Profile, route::Route, text::printable};

/// How long a short command may take.
const SHORT: Duration = Duration::from_secs(20);

/// A package manager of the image, and whom it asks.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Discovered {
    /// Its program.
    pub manager: String,
    /// Hosts that it asked or has in its configuration.
    pub hosts: Vec<DiscoveredHost>,
    /// What is worth knowing of the query, such as that it did not end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A manager that is there, and what was heard of it.
struct Heard {
    manager: &'static Manager,
    hosts: Hosts,
    note: Option<String>,
}

impl Engine {
    /// Asks the package managers of `image`. `progress` hears the name of each before it is asked. When `stop` ends first, those that were
    /// not asked yet are left out; what was made is removed in any case.
    ///
    /// # Errors
    /// [`EngineError`] when the image is not there or no container can be made from it.
    pub async fn discover(
        &self,
        profile: &Profile,
        image: &str,
        progress: &mut (dyn FnMut(&str) + Send),
        stop: impl Future<Output = ()>,
    ) -> Result<Vec<Discovered>, EngineError> {
        let runtime = self.runtime().await?;
        let info = runtime.info().await?;
        let kernel = ground::kernel_of(ground::runtime_of(&info, &profile.container)?.kind);
        let (image, reader) =
            tokio::try_join!(tools::look_for(&runtime, image), tools::look_for(&runtime, READER_IMAGE))?;
        let routes = Effective::of(profile, Vec::new(), Vec::new())?.routes();
        let guest = tools::guest_volume(&runtime, self.guest, &reader.0).await?;
        let tools = Tools { guest, reader_image: reader.0, kernel };
        let mut profile = profile.clone();
        profile.container.image = image.0;
        let made = [(); 2].map(|()| Made::default());
        let mut heard = Vec::new();
        let asking = async {
            let laboratory = Laboratory::open(&runtime, &profile, &made[0], &tools, Vec::new()).await?;
            let there = laboratory.run(&which(), SHORT).await?;
            let there: BTreeSet<_> = there.text.lines().map(str::to_owned).collect();
            for manager in MANAGERS.iter().filter(|manager| there.contains(manager.name)) {
                progress(manager.name);
                heard.push(ask(&laboratory, manager).await?);
            }
            let routes = looking_routes(heard.iter().flat_map(|heard| heard.hosts.keys()));
            if routes.is_empty() {
                return Ok(());
            }
            let laboratory = Laboratory::open(&runtime, &profile, &made[1], &tools, routes).await?;
            for Heard { manager, hosts, .. } in &mut heard {
                progress(manager.name);
                hear(hosts, &laboratory.run(&manager.query(), manager.deadline).await?.records);
            }
            Ok::<_, EngineError>(())
        };
        let asked = tokio::select! {
            asked = asking => asked,
            () = stop => Ok(()),
        };
        let removed = Made::remove(&made, &runtime).await;
        asked?;
        removed?;
        Ok(heard.into_iter().map(|heard| discovered(heard, &routes)).collect())
    }
}

async fn ask(laboratory: &Laboratory<'_>, manager: &'static Manager) -> Result<Heard, EngineError> {
    let mut hosts = Hosts::new();
    if let Some(script) = manager.configuration() {
        let text = laboratory.run(&script, SHORT).await?.text;
        hosts.extend(hosts::in_text(&text).into_iter().map(|host| (host, found::Heard::default())));
    }
    let outcome = laboratory.run(&manager.query(), manager.deadline).await?;
    hear(&mut hosts, &outcome.records);
    let note = match () {
        () if !outcome.is_ended => {
            Some(format!("it did not end within {} s and was stopped", manager.deadline.as_secs()))
        }
        () if !hosts.values().any(|heard| heard.is_asked) => {
            Some(format!("it asked nobody: {}", last_line(&outcome.text)))
        }
        () => None,
    };
    Ok(Heard { manager, hosts, note })
}

fn discovered(heard: Heard, routes: &[Route]) -> Discovered {
    let hosts = heard.hosts.into_iter().map(|((scheme, endpoint), heard)| host(scheme, endpoint, heard, routes));
    Discovered { manager: heard.manager.name.to_owned(), hosts: hosts.collect(), note: heard.note }
}

fn last_line(text: &str) -> String {
    let last = text.lines().map(str::trim).rfind(|line| !line.is_empty());
    printable(last.unwrap_or("it said nothing"), 160)
}
