//! What depends on something that cannot be had: more than the one shortest chain, so that a person sees what is lost with it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use modferry_protocol::module::ModuleVersion;
use serde::Serialize;

use super::slot::Slot;
use super::{Level, Session};

/// No more than so many dependents of either kind are named.
pub const MAX_DEPENDENTS: usize = 20;

/// What depends on a module version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Dependents {
    /// Modules of build lists whose go.mod requires just this version.
    pub modules: Vec<String>,
    /// How many there are besides.
    pub more_modules: usize,
    /// What was asked for and wants it: arguments, go.mod files, lists.
    pub inputs: Vec<String>,
    /// How many there are besides.
    pub more_inputs: usize,
}

impl Dependents {
    fn new(modules: BTreeSet<String>, inputs: BTreeSet<String>) -> Dependents {
        let more = |all: &BTreeSet<String>| all.len().saturating_sub(MAX_DEPENDENTS);
        Dependents {
            more_modules: more(&modules),
            modules: modules.into_iter().take(MAX_DEPENDENTS).collect(),
            more_inputs: more(&inputs),
            inputs: inputs.into_iter().take(MAX_DEPENDENTS).collect(),
        }
    }

    /// In words, what the chain does not say already: ` also by a and b; wanted for c, too`.
    pub fn besides(&self, chain: &str) -> String {
        let others = |all: &[String], more: usize| {
            let named: Vec<&str> = chain.split(" -> ").collect();
            let mut others: Vec<String> = all
                .iter()
                .filter(|name| !named.contains(&name.as_str()))
                .cloned()
                .collect();
            if more > 0 {
                others.push(format!("{more} more"));
            }
            others.join(", ")
        };
        let modules = others(&self.modules, self.more_modules);
        let inputs = others(&self.inputs, self.more_inputs);
        let mut text = String::new();
        if !modules.is_empty() {
            text += &format!("; also by {modules}");
        }
        if !inputs.is_empty() {
            text += &format!("; wanted for {inputs}, too");
        }
        text
    }
}

impl Session<'_> {
    /// What depends on each of these.
    pub(super) fn dependents<'m>(
        &self,
        missing: impl Iterator<Item = &'m ModuleVersion>,
        slots: &HashMap<ModuleVersion, Slot>,
    ) -> BTreeMap<&'m ModuleVersion, Dependents> {
        let mut of: BTreeMap<&ModuleVersion, BTreeSet<String>> =
            missing.map(|module| (module, BTreeSet::new())).collect();
        let listed = slots.iter().filter(|(_, slot)| slot.level >= Level::Listed);
        for (module, slot) in listed {
            let Some(Some(summary)) = &slot.loaded else {
                continue;
            };
            for required in &summary.require {
                if let Some(requirers) = of.get_mut(required) {
                    requirers.insert(module.to_string());
                }
            }
        }
        of.into_iter()
            .map(|(module, requirers)| {
                let reasons = self.reasons(module).into_iter();
                let inputs = reasons.filter_map(|because| because.chain.into_iter().next());
                (module, Dependents::new(requirers, inputs.collect()))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize) -> BTreeSet<String> {
        (0..count).map(|n| format!("m{n:02}")).collect()
    }

    #[test]
    fn so_many_are_named_and_the_others_counted() {
        let all = Dependents::new(names(MAX_DEPENDENTS), names(1));
        assert_eq!((all.modules.len(), all.more_modules), (MAX_DEPENDENTS, 0));
        let more = Dependents::new(names(MAX_DEPENDENTS + 2), names(MAX_DEPENDENTS + 1));
        assert_eq!((more.modules.len(), more.more_modules), (MAX_DEPENDENTS, 2));
        assert_eq!((more.inputs.len(), more.more_inputs), (MAX_DEPENDENTS, 1));
    }

    #[test]
    fn what_the_chain_says_is_not_said_twice() {
        let of = Dependents::new(
            names(3),
            ["go.mod".to_owned(), "tool/go.mod".to_owned()].into(),
        );
        assert_eq!(
            of.besides("go.mod -> m01"),
            "; also by m00, m02; wanted for tool/go.mod, too"
        );
        let of = Dependents::new(names(1), ["go.mod".to_owned()].into());
        assert_eq!(of.besides("go.mod -> m00"), "");
    }
}
