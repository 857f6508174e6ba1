//! Pseudo-versions: canonical versions that stand for a commit, on plain strings.
//!
//! Three forms, each of which may end in `+incompatible` (golang.org/x/mod/module/pseudo.go):
//!
//! - `vX.0.0-yyyymmddhhmmss-abcdef123456`: no earlier tag
//! - `vX.Y.(Z+1)-0.yyyymmddhhmmss-abcdef123456`: after the tag `vX.Y.Z`
//! - `vX.Y.Z-pre.0.yyyymmddhhmmss-abcdef123456`: after the tag `vX.Y.Z-pre`

use super::semver;
use super::text::Quoted;

const TIME_DIGITS: usize = 14;

/// Why a string tells no time, base or commit. Displays as one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid pseudo-version {}: {reason}", Quoted(.version))]
pub struct PseudoError {
    version: String,
    reason: PseudoReason,
}

impl PseudoError {
    /// Why.
    pub fn reason(&self) -> &PseudoReason {
        &self.reason
    }
}

/// What is wrong with a pseudo-version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PseudoReason {
    /// It has none of the three forms.
    #[error("syntax error")]
    Syntax,
    /// Its fourteen digits are no date and time.
    #[error("malformed time")]
    Time,
    /// It names no earlier tag, yet has build metadata of one.
    #[error("lacks base version, but has build metadata")]
    BuildWithoutBase,
    /// It claims to follow a tag before `vX.Y.0`.
    #[error("version before it would have negative patch number")]
    NegativePatch,
}

struct Parts<'a> {
    /// `vX.0.0`, `vX.Y.Z-0` or `vX.Y.Z-pre.0`.
    base: &'a str,
    time: &'a str,
    revision: &'a str,
    build: &'a str,
}

fn parse(v: &str) -> Option<Parts<'_>> {
    if !semver::is_valid(v) {
        return None;
    }
    let (core, build) = v.split_at(v.find('+').unwrap_or(v.len()));
    let (head, revision) = core.rsplit_once('-')?;
    if revision.is_empty() || !revision.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    let (base, time) = head.split_at_checked(head.len().checked_sub(TIME_DIGITS)?)?;
    if !time.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (numbers, prerelease) = base.split_once('-')?;
    let first_form = prerelease.is_empty() && numbers.ends_with(".0.0");
    if !first_form && prerelease != "0." && !prerelease.ends_with(".0.") {
        return None;
    }
    Some(Parts {
        base: &base[..base.len() - 1],
        time,
        revision,
        build,
    })
}

fn parse_or_error(v: &str) -> Result<Parts<'_>, PseudoError> {
    parse(v).ok_or_else(|| error(v, PseudoReason::Syntax))
}

fn error(v: &str, reason: PseudoReason) -> PseudoError {
    PseudoError {
        version: v.to_owned(),
        reason,
    }
}

/// Whether `v` has one of the forms of a pseudo-version. Its time need not be one.
pub fn is_pseudo_version(v: &str) -> bool {
    parse(v).is_some()
}

/// The commit's time, as RFC 3339 in UTC: `2019-11-09T02:19:31Z`.
///
/// # Errors
/// When `v` is no pseudo-version, or its digits are no time.
pub fn time(v: &str) -> Result<String, PseudoError> {
    let digits = parse_or_error(v)?.time;
    let field = |from: usize, to: usize| digits[from..to].parse::<u32>().unwrap_or(u32::MAX);
    let (year, month, day) = (field(0, 4), field(4, 6), field(6, 8));
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let is_time = (1..=12).contains(&month)
        && (1..=days).contains(&day)
        && field(8, 10) < 24
        && field(10, 12) < 60
        && field(12, 14) < 60;
    if !is_time {
        return Err(error(v, PseudoReason::Time));
    }
    let d = digits;
    Ok(format!(
        "{}-{}-{}T{}:{}:{}Z",
        &d[..4],
        &d[4..6],
        &d[6..8],
        &d[8..10],
        &d[10..12],
        &d[12..]
    ))
}

/// The commit's abbreviated name: `daa7c04131f5`.
///
/// # Errors
/// When `v` is no pseudo-version.
pub fn revision(v: &str) -> Result<&str, PseudoError> {
    Ok(parse_or_error(v)?.revision)
}

/// The tag that the commit follows, with `+incompatible` when `v` has it; `""` when there is none.
///
/// # Errors
/// When `v` is no pseudo-version, or one that can follow no tag.
pub fn base(v: &str) -> Result<String, PseudoError> {
    let Parts { base, build, .. } = parse_or_error(v)?;
    match base.split_once('-') {
        None if build.is_empty() => Ok(String::new()),
        None => Err(error(v, PseudoReason::BuildWithoutBase)),
        Some((numbers, "0")) => {
            let (front, patch) = numbers.rsplit_once('.').unwrap_or((numbers, ""));
            match decrement(patch) {
                Some(patch) => Ok(format!("{front}.{patch}{build}")),
                None => Err(error(v, PseudoReason::NegativePatch)),
            }
        }
        Some(_) => Ok(format!(
            "{}{build}",
            base.strip_suffix(".0").unwrap_or(base)
        )),
    }
}

/// Decimal text less one; `None` below zero. As text, because a patch number may have any length.
fn decrement(decimal: &str) -> Option<String> {
    let kept = decimal.trim_end_matches('0');
    let last = kept.bytes().last()?;
    let mut less = format!(
        "{}{}{}",
        &kept[..kept.len() - 1],
        char::from(last - 1),
        "9".repeat(decimal.len() - kept.len())
    );
    if less.len() > 1 && less.starts_with('0') {
        less.remove(0);
    }
    Some(less)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_three_forms() {
        for (v, tag) in [
            ("v0.0.0-20191109021931-daa7c04131f5", ""),
            ("v2.0.0-20191109021931-daa7c04131f5", ""),
            ("v1.2.4-0.20191109021931-daa7c04131f5", "v1.2.3"),
            ("v1.2.10-0.20191109021931-daa7c04131f5", "v1.2.9"),
            (
                "v1.2.100-0.20191109021931-daa7c04131f5+incompatible",
                "v1.2.99+incompatible",
            ),
            ("v1.2.3-pre.0.20191109021931-daa7c04131f5", "v1.2.3-pre"),
        ] {
            assert!(is_pseudo_version(v));
            assert_eq!(base(v).unwrap(), tag, "{v}");
            assert_eq!(revision(v).unwrap(), "daa7c04131f5");
            assert_eq!(time(v).unwrap(), "2019-11-09T02:19:31Z");
        }
        for v in [
            "v1.0.1-20191109021931-daa7c04131f5",
            "v1.2.3-pre.20191109021931-a",
            "v1.2.3",
            "20191109021931-a",
            "v1.2.4-0.20191109021931-",
        ] {
            assert!(!is_pseudo_version(v), "{v}");
        }
    }

    #[test]
    fn nonsense_is_named() {
        let reason = |v: &str| base(v).unwrap_err().reason().clone();
        assert_eq!(
            reason("v1.0.0-0.20191109021931-a"),
            PseudoReason::NegativePatch
        );
        assert_eq!(
            reason("v1.0.0-20191109021931-a+incompatible"),
            PseudoReason::BuildWithoutBase
        );
        assert_eq!(
            time("v1.0.0-20190229000000-a").unwrap_err().reason(),
            &PseudoReason::Time
        );
        assert!(time("v1.0.0-20200229235959-a").is_ok());
        assert!(time("v1.0.0-20200229240000-a").is_err());
    }
}
