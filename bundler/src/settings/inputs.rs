//! What the settings ask for: the lists of the selection, each named once with what its files are, and all of them as one.

use std::path::PathBuf;

use super::Config;
use crate::select::ask::{Ask, Input, Options, What};

/// Every list of files that a selection has, borrowed as is said.
macro_rules! inputs {
    ($config:expr, $($borrow:tt)+) => {
        [
            (Input::GoMod, $($borrow)+ $config.go_mod),
            (Input::GoSum, $($borrow)+ $config.go_sum),
            (Input::GoWork, $($borrow)+ $config.go_work),
            (Input::Checkouts, $($borrow)+ $config.checkouts),
            (Input::Vendor, $($borrow)+ $config.vendor),
            (Input::Binary, $($borrow)+ $config.binary),
            (Input::Sbom, $($borrow)+ $config.sbom),
            (Input::Modcache, $($borrow)+ $config.modcache),
            (Input::List, $($borrow)+ $config.list),
            (Input::Wants, $($borrow)+ $config.wants),
        ]
    };
}

/// The lists of files that a selection has.
const INPUTS: usize = 10;

impl Config {
    /// Whether anything is asked for, besides what wants files name.
    pub(super) fn is_more_than_wants(&self) -> bool {
        let mut inputs = self.inputs().into_iter();
        let named = inputs.any(|(input, asks)| input != Input::Wants && !asks.is_empty());
        named || !self.modules.is_empty()
    }

    /// What is asked for, in the order in which it is told.
    pub fn asks(&self) -> Vec<Ask> {
        let general = Options {
            follow: self.follow,
            pre_releases: self.pre_releases,
            retracted: self.retracted,
        };
        let modules = self.modules.iter().cloned();
        let mut asks: Vec<Ask> = modules.map(|ask| ask.map(What::Module)).collect();
        for (input, of) in self.inputs() {
            let paths = of.iter().cloned();
            asks.extend(paths.map(|ask| ask.map(|path| What::Input(input, path))));
        }
        for ask in &mut asks {
            ask.options = ask.options.or(general);
        }
        asks
    }

    fn inputs(&self) -> [(Input, &Vec<Ask<PathBuf>>); INPUTS] {
        inputs!(self, &)
    }

    pub(super) fn inputs_mut(&mut self) -> [(Input, &mut Vec<Ask<PathBuf>>); INPUTS] {
        inputs!(self, &mut)
    }
}
