//! Build constraints: which files of a folder a build takes, by `//go:build` and `// +build` lines and by their names.
//!
//! Two readings of them. Under any platform each tag counts as set and as unset at once, save `ignore`: so `go mod tidy`
//! and `go mod vendor` read them (cmd/go/internal/imports, AnyTags), and what comes of it suffices for every platform
//! and every `-tags`. Under chosen platforms, what they imply is set (`linux`, `amd64`, `unix`, `gc`), what another
//! platform would imply is not, and tags of one's own are not; releases (`go1.21`) and `cgo` count as both, since which
//! Go there is behind the gap, and whether it has a C compiler, is not known here.

use crate::select::platform::{Platform, is_architecture, is_system, is_unix};

/// Expressions with more operators than this are none, as for the go command.
pub const MAX_OPERATORS: usize = 1000;

/// The same for `// +build` lines.
pub const MAX_OLD_OPERATORS: usize = 100;

/// Which files count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Tags {
    /// Those that some build may take.
    #[default]
    Any,
    /// Those that a build for one of these platforms takes.
    Platforms(Vec<Platform>),
}

impl Tags {
    /// Whether a file of this name and header counts, that imports `C` or not.
    pub fn take(&self, name: &str, header: &[u8]) -> bool {
        let Ok(constraint) = Constraint::of(header) else {
            return false;
        };
        match self {
            Tags::Any => constraint.holds(&|tag, prefer| any(tag, prefer)),
            Tags::Platforms(platforms) => platforms.iter().any(|platform| {
                takes_name(platform, name)
                    && constraint.holds(&|tag, prefer| is_set(platform, tag, prefer))
            }),
        }
    }
}

fn any(tag: &str, prefer: bool) -> bool {
    tag != "ignore" && prefer
}

/// Whether the tag is set; where that is not known, it is what lets a file count.
fn is_set(platform: &Platform, tag: &str, prefer: bool) -> bool {
    let (os, arch) = (platform.os(), platform.arch());
    if tag == os || tag == arch || tag == "gc" {
        return true;
    }
    match tag {
        "linux" if os == "android" => return true,
        "solaris" if os == "illumos" => return true,
        "darwin" if os == "ios" => return true,
        "unix" => return is_unix(os),
        "cgo" => return prefer,
        _ => {}
    }
    let minor = tag.strip_prefix("go1.");
    minor.is_some_and(|n| n.parse::<u32>().is_ok()) && prefer
}

/// Whether the name's suffixes (`_linux`, `_amd64`, `_linux_amd64`, each also before `_test`) fit. What stands
/// before the first underscore is no suffix.
fn takes_name(platform: &Platform, name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name);
    let mut words: Vec<&str> = stem.split('_').skip(1).collect();
    if words.last() == Some(&"test") {
        words.pop();
    }
    let is = |word: &str| is_set(platform, word, true);
    match words[..] {
        [.., os, arch] if is_system(os) && is_architecture(arch) => is(os) && is(arch),
        [.., word] if is_system(word) || is_architecture(word) => is(word),
        _ => true,
    }
}

/// What a header demands: all of these expressions.
#[derive(Debug, Default, PartialEq, Eq)]
struct Constraint(Vec<Expr>);

/// Which no build takes.
#[derive(Debug, PartialEq, Eq)]
struct Never;

#[derive(Debug, PartialEq, Eq)]
enum Expr {
    Tag(String),
    Not(Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
}

impl Constraint {
    fn of(header: &[u8]) -> Result<Constraint, Never> {
        let header = header.strip_prefix(b"\xef\xbb\xbf").unwrap_or(header);
        let lines = Lines::of(header)?;
        if let Some(line) = lines.go_build {
            return Ok(Constraint(vec![Parser::parse(&line).ok_or(Never)?]));
        }
        // One of these that is malformed demands nothing.
        Ok(Constraint(
            lines
                .plus_build
                .iter()
                .filter_map(|line| plus_build(line))
                .collect(),
        ))
    }

    fn holds(&self, set: &impl Fn(&str, bool) -> bool) -> bool {
        self.0.iter().all(|expr| expr.eval(set, true))
    }
}

impl Expr {
    fn eval(&self, set: &impl Fn(&str, bool) -> bool, prefer: bool) -> bool {
        match self {
            Expr::Tag(tag) => set(tag, prefer),
            Expr::Not(inner) => !inner.eval(set, !prefer),
            Expr::And(a, b) => a.eval(set, prefer) && b.eval(set, prefer),
            Expr::Or(a, b) => a.eval(set, prefer) || b.eval(set, prefer),
        }
    }
}

/// The lines of a header that are constraints, without what makes them so.
#[derive(Default)]
struct Lines {
    go_build: Option<String>,
    plus_build: Vec<String>,
}

impl Lines {
    /// `//go:build` may stand anywhere before the package clause, outside of comments; more than one is an error.
    /// `// +build` counts in the leading run of line comments and blank lines, as far as a blank line follows.
    fn of(header: &[u8]) -> Result<Lines, Never> {
        let mut lines = Lines::default();
        let mut unsure = Vec::new();
        let (mut in_run, mut in_comment) = (true, false);
        'lines: for line in header.split(|byte| *byte == b'\n') {
            let line = String::from_utf8_lossy(line);
            let mut line = line.trim();
            if line.is_empty() {
                if in_run {
                    lines.plus_build.append(&mut unsure);
                }
                continue;
            }
            in_run &= line.starts_with("//");
            if !in_comment && let Some(text) = directive(line, "//go:build") {
                if lines.go_build.is_some() {
                    return Err(Never);
                }
                lines.go_build = Some(text.to_owned());
            }
            if in_run && let Some(comment) = line.strip_prefix("//") {
                unsure.extend(directive(comment.trim(), "+build").map(str::to_owned));
            }
            while !line.is_empty() {
                if in_comment {
                    let Some((_, rest)) = line.split_once("*/") else {
                        continue 'lines;
                    };
                    in_comment = false;
                    line = rest.trim();
                } else if line.starts_with("//") {
                    continue 'lines;
                } else if let Some(rest) = line.strip_prefix("/*") {
                    in_comment = true;
                    line = rest.trim();
                } else {
                    break 'lines;
                }
            }
        }
        Ok(lines)
    }
}

/// What stands behind the word, if the line is of that kind.
fn directive<'l>(line: &'l str, word: &str) -> Option<&'l str> {
    let rest = line.strip_prefix(word)?;
    (rest.is_empty() || rest.starts_with(char::is_whitespace)).then(|| rest.trim())
}

/// Clauses are alternatives, of each of which all parts between commas are demanded. `None`: too many.
fn plus_build(text: &str) -> Option<Expr> {
    let mut operators = 0;
    let mut count = || {
        operators += 1;
        operators <= MAX_OLD_OPERATORS
    };
    let mut any: Option<Expr> = None;
    for clause in text.split_whitespace() {
        let mut all: Option<Expr> = None;
        for literal in clause.split(',') {
            let negated = literal.strip_prefix('!');
            let tag = negated.unwrap_or(literal);
            let literal = match negated {
                Some(tag) if tag.is_empty() || tag.starts_with('!') => Expr::Tag("ignore".into()),
                Some(_) => Expr::Not(Box::new(valid_tag(tag))),
                None => valid_tag(tag),
            };
            all = Some(match all {
                None => literal,
                Some(_) if !count() => return None,
                Some(all) => Expr::And(Box::new(all), Box::new(literal)),
            });
        }
        any = match (any, all) {
            (None, all) => all,
            (Some(_), Some(_)) if !count() => return None,
            (Some(any), Some(all)) => Some(Expr::Or(Box::new(any), Box::new(all))),
            (any, None) => any,
        };
    }
    Some(any.unwrap_or_else(|| Expr::Tag("ignore".into())))
}

fn valid_tag(tag: &str) -> Expr {
    let valid = !tag.is_empty() && tag.chars().all(is_of_tag);
    Expr::Tag(if valid { tag } else { "ignore" }.into())
}

fn is_of_tag(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '.'
}

/// Reads `//go:build` expressions: `||`, `&&`, `!`, parentheses, tags.
struct Parser<'t> {
    rest: &'t str,
    operands: usize,
}

impl<'t> Parser<'t> {
    fn parse(text: &'t str) -> Option<Expr> {
        let mut parser = Parser {
            rest: text,
            operands: 0,
        };
        let expr = parser.or()?;
        parser.skip();
        parser.rest.is_empty().then_some(expr)
    }

    fn or(&mut self) -> Option<Expr> {
        let mut expr = self.and()?;
        while self.accept("||") {
            expr = Expr::Or(Box::new(expr), Box::new(self.and()?));
        }
        Some(expr)
    }

    fn and(&mut self) -> Option<Expr> {
        let mut expr = self.not()?;
        while self.accept("&&") {
            expr = Expr::And(Box::new(expr), Box::new(self.not()?));
        }
        Some(expr)
    }

    fn not(&mut self) -> Option<Expr> {
        // It bounds how deep parentheses go, too.
        self.operands += 1;
        if self.operands > MAX_OPERATORS {
            return None;
        }
        match self.accept("!") {
            true => Some(Expr::Not(Box::new(self.atom()?))),
            false => self.atom(),
        }
    }

    fn atom(&mut self) -> Option<Expr> {
        if self.accept("(") {
            let expr = self.or()?;
            return self.accept(")").then_some(expr);
        }
        let end = self.rest.find(|c| !is_of_tag(c)).unwrap_or(self.rest.len());
        let (tag, rest) = self.rest.split_at(end);
        self.rest = rest;
        (!tag.is_empty()).then(|| Expr::Tag(tag.into()))
    }

    fn accept(&mut self, mark: &str) -> bool {
        self.skip();
        match self.rest.strip_prefix(mark) {
            Some(rest) => {
                self.rest = rest;
                self.skip();
                true
            }
            None => false,
        }
    }

    fn skip(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
    }
}

#[cfg(test)]
#[path = "constraint/tests.rs"]
mod tests;
