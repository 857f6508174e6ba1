//! `evidence list|acknowledge`: what was kept of forks.

use super::{failed, say};
use crate::Failed;
use crate::args::{Args, Evidence as Action};
use modferry_appliance::evidence::{self, Evidence};
use modferry_appliance::store::Store;
use serde_json::json;
use std::path::Path;

pub fn evidence(args: &Args, store: &Path, action: &Action) -> Result<(), Failed> {
    match action {
        Action::List => {
            let all = evidence::list(store).map_err(failed)?;
            say(args, &json!({ "evidence": all }), || match all.as_slice() {
                [] => "no checksum database was ever seen to fork".into(),
                all => all.iter().map(line).collect::<Vec<_>>().join("\n"),
            })
        }
        Action::Acknowledge { name, reason, wait } => {
            let store = Store::open(store, "evidence acknowledge", *wait).map_err(failed)?;
            let acknowledged = evidence::acknowledge(&store, name, reason).map_err(failed)?;
            say(args, &acknowledged, || line(&acknowledged))
        }
    }
}

fn line(fork: &Evidence) -> String {
    let size = |size: Option<u64>| {
        size.map_or("unknown, its note is not whole".into(), |n: u64| {
            n.to_string()
        })
    };
    let seen = match &fork.acknowledged {
        None => "not acknowledged".into(),
        Some(seen) if seen.reason.is_empty() => format!("acknowledged {}", seen.time),
        Some(seen) => format!("acknowledged {}: {}", seen.time, seen.reason),
    };
    format!(
        "{}: {seen}\n  tree size held: {}, refused: {}",
        fork.name,
        size(fork.held),
        size(fork.offered)
    )
}
