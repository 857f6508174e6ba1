//! The roots of a build: what its main module requires, or comes to require while packages are loaded, and how the
//! module graph is read from that.

use modferry_protocol::module::ModuleVersion;

use crate::select::main_module::Main;

/// The requirements of a main module at one moment (modload.Requirements).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Requirements {
    /// Whether the graph is pruned behind them, and read only where they do not suffice.
    pub(super) pruned: bool,
    /// Whether packages change nothing in them, as in a workspace, and are looked for in all of the graph.
    pub(super) fixed: bool,
    roots: Vec<ModuleVersion>,
    /// Whether the graph was read for them. It decides what counts where the roots are not consistent.
    pub(super) graph_read: bool,
}

impl Requirements {
    pub(super) fn new(pruned: bool, mut roots: Vec<ModuleVersion>) -> Requirements {
        roots.sort();
        roots.dedup();
        Requirements {
            pruned,
            fixed: !pruned,
            roots,
            graph_read: false,
        }
    }

    /// What the main module's go.mod says.
    pub(super) fn of(main: &Main) -> Requirements {
        Requirements {
            fixed: !main.summary.pruned || !main.members.is_empty(),
            ..Requirements::new(main.summary.pruned, main.roots())
        }
    }

    /// Sorted by path and version; of one path there may be several.
    pub(super) fn roots(&self) -> &[ModuleVersion] {
        &self.roots
    }

    /// The highest version of a path among the roots.
    pub(super) fn selected(&self, path: &str) -> Option<&ModuleVersion> {
        let end = self
            .roots
            .partition_point(|root| root.path().as_str() <= path);
        self.roots[..end]
            .last()
            .filter(|root| root.path().as_str() == path)
    }
}
