//! Known vulnerabilities of what is selected.

use crate::policy::vulnerable::{Known, State, VulnerableModule};

use super::in_one_line;

/// All of them, with what the versions are there for; nothing without a database.
pub fn listed(known: Option<&Known>) -> String {
    let Some(known) = known else {
        return String::new();
    };
    let mut text = head(known, &[State::New, State::Held, State::Refused]);
    for of in &known.modules {
        text += &one(of);
    }
    text
}

/// How many there are of what is carried, and in what the destination holds; nothing without a database.
pub fn counted(known: Option<&Known>) -> String {
    known.map_or_else(String::new, |known| head(known, &[State::New, State::Held]))
}

fn head(known: &Known, states: &[State]) -> String {
    let (count, modules) = known.count(states);
    let of = match count {
        0 => "none in what is carried whole".into(),
        _ => format!(
            "{count} in {}",
            match modules {
                1 => "1 module version that is carried whole".to_owned(),
                _ => format!("{modules} module versions that are carried whole"),
            }
        ),
    };
    let reports = match known.reports {
        1 => "1 report".to_owned(),
        count => format!("{count} reports"),
    };
    let modified = known.modified;
    format!("known vulnerabilities, by the database of {modified} with {reports}: {of}\n")
}

fn one(of: &VulnerableModule) -> String {
    let state = match of.state {
        State::New => "",
        State::Held => ", held",
        State::Refused => ", refused",
    };
    let mut text = format!(
        "  {}{state} ({})\n",
        of.module,
        in_one_line(&of.chain.join(" -> ")).trim_start_matches(": ")
    );
    for one in &of.vulnerabilities {
        let accepted = if one.accepted { ", accepted" } else { "" };
        let names = in_one_line(&one.in_short());
        let names = names.trim_start_matches(": ");
        text += &format!("    {names}{accepted}{}\n", in_one_line(&one.summary));
    }
    text
}
