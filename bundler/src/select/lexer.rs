//! The syntax of go.mod files: words, quoted strings, `//` comments, parenthesised blocks
//! (golang.org/x/mod/modfile/read.go). What the words mean is gomod's.

/// One statement: a line of its own, or a line of a block, whose verb is the block's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Line number, from 1.
    pub number: usize,
    /// The first word, or the block's.
    pub verb: String,
    /// The other words; quoted strings still in their quotes.
    pub args: Vec<String>,
    /// Whether it stands in a block.
    pub in_block: bool,
    /// Whether more than one word stands before the block's parenthesis.
    pub odd_block: bool,
    /// The comment at its end, with the slashes.
    pub comment: Option<String>,
    /// What its comments say of it, without slashes: those above it up to a blank line and the one at its end; in a
    /// block, where it has none, those above the block.
    pub said: String,
}

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SyntaxError {
    pub line: usize,
    pub what: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    /// One of `( ) [ ] { } ,`
    Mark(char),
    Comment(String),
}

/// A parenthesised block that was begun.
struct Block {
    number: usize,
    head: Vec<String>,
    /// The comments above it.
    above: Vec<String>,
    /// Whether they are about its next line.
    above_counts: bool,
    has_lines: bool,
}

/// A comment's words.
fn plain(comment: &str) -> String {
    comment
        .strip_prefix("//")
        .unwrap_or(comment)
        .trim()
        .to_owned()
}

/// The statements of a file.
pub(super) fn lines(text: &[u8]) -> Result<Vec<Line>, SyntaxError> {
    let text = String::from_utf8_lossy(text);
    let mut lines = Vec::new();
    let mut block: Option<Block> = None;
    let mut above: Vec<String> = Vec::new();
    for (index, row) in text.split('\n').enumerate() {
        let number = index + 1;
        let error = |what: &str| SyntaxError {
            line: number,
            what: what.to_owned(),
        };
        let mut tokens = tokens(row).map_err(|what| SyntaxError { line: number, what })?;
        let comment = match tokens.last() {
            Some(Token::Comment(_)) => match tokens.pop() {
                Some(Token::Comment(text)) => Some(text),
                _ => None,
            },
            _ => None,
        };
        let words: Vec<String> = tokens
            .iter()
            .map(|token| match token {
                Token::Word(word) => word.clone(),
                Token::Mark(mark) => mark.to_string(),
                Token::Comment(_) => String::new(),
            })
            .collect();
        if words.is_empty() {
            match &comment {
                Some(comment) => above.push(plain(comment)),
                // Within a block, what stands above a blank line is still about the line below; but what stands above
                // the block no longer is.
                None => match &mut block {
                    Some(block) => block.above_counts &= !block.has_lines && above.is_empty(),
                    None => above.clear(),
                },
            }
            continue;
        }
        let above = std::mem::take(&mut above);
        let mut said = above.clone();
        said.extend(comment.as_deref().map(plain));
        if let Some(open) = &mut block {
            if tokens[0] == Token::Mark(')') {
                if words.len() > 1 {
                    return Err(error("syntax error (expected newline after closing paren)"));
                }
                block = None;
                continue;
            }
            if said.is_empty() && open.above_counts {
                said.clone_from(&open.above);
            }
            (open.has_lines, open.above_counts) = (true, true);
            lines.push(Line {
                number,
                verb: open.head[0].clone(),
                args: words,
                in_block: true,
                odd_block: open.head.len() > 1,
                comment,
                said: said.join("\n"),
            });
            continue;
        }
        let count = tokens.len();
        if count > 1 && tokens[count - 1] == Token::Mark('(') {
            block = Some(Block {
                number,
                head: words[..count - 1].to_vec(),
                above,
                above_counts: true,
                has_lines: false,
            });
            continue;
        }
        if count > 2
            && tokens[count - 2] == Token::Mark('(')
            && tokens[count - 1] == Token::Mark(')')
        {
            // An empty block says nothing, but its verb has to be known.
            if count - 2 > 1 {
                lines.push(Line {
                    number,
                    verb: words[0].clone(),
                    args: Vec::new(),
                    in_block: true,
                    odd_block: true,
                    comment,
                    said: String::new(),
                });
            }
            continue;
        }
        let mut words = words.into_iter();
        lines.push(Line {
            number,
            verb: words.next().unwrap_or_default(),
            args: words.collect(),
            in_block: false,
            odd_block: false,
            comment,
            said: said.join("\n"),
        });
    }
    match block {
        None => Ok(lines),
        Some(block) => Err(SyntaxError {
            line: block.number,
            what: "syntax error (unterminated block)".into(),
        }),
    }
}

fn tokens(row: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = row;
    while let Some(first) = rest.chars().next() {
        if matches!(first, ' ' | '\t' | '\r') {
            rest = &rest[1..];
        } else if rest.starts_with("//") {
            tokens.push(Token::Comment(rest.trim_end_matches('\r').to_owned()));
            break;
        } else if rest.starts_with("/*") {
            return Err("mod files must use // comments (not /* */ comments)".into());
        } else if "()[]{},".contains(first) {
            tokens.push(Token::Mark(first));
            rest = &rest[1..];
        } else if matches!(first, '"' | '`') {
            let end = quoted_end(rest, first).ok_or("unexpected newline in string")?;
            tokens.push(Token::Word(rest[..end].to_owned()));
            rest = &rest[end..];
        } else {
            let mut end = 0;
            for (at, c) in rest.char_indices() {
                if !is_word(c) || rest[at..].starts_with("//") {
                    break;
                }
                if rest[at..].starts_with("/*") {
                    return Err("mod files must use // comments (not /* */ comments)".into());
                }
                end = at + c.len_utf8();
            }
            if end == 0 {
                return Err(format!("unexpected input character {first:?}"));
            }
            tokens.push(Token::Word(rest[..end].to_owned()));
            rest = &rest[end..];
        }
    }
    Ok(tokens)
}

/// The length of the quoted string at the front of `rest`.
fn quoted_end(rest: &str, quote: char) -> Option<usize> {
    let mut chars = rest.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        if c == quote {
            return Some(at + 1);
        }
        if c == '\\' && quote == '"' {
            chars.next()?;
        }
    }
    None
}

/// Runes that make up a word. Rust's notion of printable is a little wider than Go's; a module path
/// that differs in that is refused later by its own rules.
fn is_word(c: char) -> bool {
    !" ()[]{},".contains(c) && !c.is_whitespace() && !c.is_control() && c != '\u{feff}'
}

/// The inside of a Go string literal in double quotes, with its escapes resolved.
pub(super) fn unquote(inside: &str) -> Option<String> {
    let mut out = Vec::new();
    let mut chars = inside.chars();
    while let Some(c) = chars.next() {
        if c == '"' || c == '\n' {
            return None;
        }
        if c != '\\' {
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        let number = |digits: usize, radix: u32, lead: &str, chars: &mut std::str::Chars| {
            let mut text = lead.to_owned();
            text.extend(chars.by_ref().take(digits));
            (text.len() == digits + lead.len() && text.bytes().all(|b| b.is_ascii_alphanumeric()))
                .then(|| u32::from_str_radix(&text, radix).ok())
                .flatten()
        };
        let simple = match chars.next()? {
            'a' => 0x07,
            'b' => 0x08,
            'f' => 0x0c,
            'n' => b'\n',
            'r' => b'\r',
            't' => b'\t',
            'v' => 0x0b,
            '\\' => b'\\',
            '"' => b'"',
            'x' => u8::try_from(number(2, 16, "", &mut chars)?).ok()?,
            lead @ '0'..='7' => u8::try_from(number(2, 8, &lead.to_string(), &mut chars)?).ok()?,
            kind @ ('u' | 'U') => {
                let digits = if kind == 'u' { 4 } else { 8 };
                let c = char::from_u32(number(digits, 16, "", &mut chars)?)?;
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                continue;
            }
            _ => return None,
        };
        out.push(simple);
    }
    String::from_utf8(out).ok()
}
