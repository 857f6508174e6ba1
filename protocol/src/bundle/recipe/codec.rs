//! A recipe's bytes. What decodes encodes to the same bytes again.

use std::collections::HashSet;

use super::headers::{CENTRAL_OWN, Descriptor, Fill, Kind, LOCAL_OWN};
use super::weight::Weight;
use super::{
    BaseEntry, Directory, End, File, MAX_RECIPE_FILES, Recipe, RecipeError, Source, malformed,
};
use crate::bundle::varint;
use crate::module::ModuleVersion;

/// The most bytes of a name in a zip, or of an extra field or a comment.
const MAX_FIELD: usize = 0xffff;

/// Bit of the flags: every name begins with the module version's prefix, and leaves it out.
const PREFIXED: u8 = 1;

impl Recipe {
    /// Appends the recipe's bytes, from which the same recipe is decoded.
    pub fn encode(&self, out: &mut Vec<u8>) {
        varint::put(out, self.files.len() as u64);
        out.push(if self.prefixed { PREFIXED } else { 0 });
        put_bytes(out, &self.front);
        varint::put(out, self.kinds.len() as u64);
        for kind in &self.kinds {
            put_kind(out, kind);
        }
        if self.kinds.len() > 1 {
            for file in &self.files {
                varint::put(out, file.kind.into());
            }
        }
        for n in 0..self.files.len() {
            varint::put(out, self.name(n).len() as u64);
        }
        out.extend(&self.names);
        let mut sources = Sources::default();
        for file in &self.files {
            sources.put(out, &file.source);
        }
        match &self.directory {
            Directory::InOrder => out.push(0),
            Directory::Order(order) => {
                out.push(1);
                let mut before = -1;
                for n in order {
                    varint::put(out, varint::zigzag(i64::from(*n) - (before + 1)));
                    before = i64::from(*n);
                }
            }
            Directory::Literal(bytes) => {
                out.push(2);
                put_bytes(out, bytes);
            }
        }
        match &self.end {
            End::Plain => out.push(0),
            End::Comment(comment) => {
                out.push(1);
                put_bytes(out, comment);
            }
            End::Literal(bytes) => {
                out.push(2);
                put_bytes(out, bytes);
            }
        }
        put_bytes(out, &self.trailing);
    }

    /// Takes a recipe for a zip of `module` from the front.
    ///
    /// What it takes is [weighed](Self::weight) as it comes: nothing is taken for what would be heavier than
    /// [`MAX_RECIPE_WEIGHT`](super::MAX_RECIPE_WEIGHT).
    pub fn decode(module: &ModuleVersion, bytes: &mut &[u8]) -> Result<Recipe, RecipeError> {
        let files = number(bytes, "its files")?;
        if files > MAX_RECIPE_FILES as u64 {
            return Err(malformed(format!(
                "{files} files: want at most {MAX_RECIPE_FILES}"
            )));
        }
        let files = files as usize;
        let mut weight = Weight::default();
        weight.files(files);
        weight.check()?;
        let prefixed = match byte(bytes, "its flags")? {
            0 => false,
            PREFIXED => true,
            other => return Err(newer(format!("the flags {other}"))),
        };
        let front = take_bytes(bytes, "its front", &mut weight)?;
        let kinds = take_kinds(bytes, files, &mut weight)?;
        let column = take_kind_column(bytes, files, kinds.len())?;
        let prefix = if prefixed { prefix_of(module).len() } else { 0 };
        let mut ends = Vec::new();
        let mut end = 0u64;
        for _ in 0..files {
            let len = number(bytes, "its names")?;
            if len > (MAX_FIELD - prefix) as u64 {
                return Err(malformed(format!(
                    "a name of {len} bytes behind {prefix}: want at most {MAX_FIELD}"
                )));
            }
            end += len;
            ends.push(end);
        }
        let names = split(bytes, end, "its names")?;
        weight.bytes(names);
        weight.check()?;
        let mut sources = Sources::default();
        let mut all = Vec::new();
        for (kind, end) in column.into_iter().zip(ends) {
            all.push(File {
                kind,
                name_end: end as u32, // the names are there, and a pack has less than 4 GiB
                source: sources.take(bytes)?,
            });
        }
        let directory = match byte(bytes, "its directory")? {
            0 => Directory::InOrder,
            1 => Directory::Order(take_order(bytes, files)?),
            2 => Directory::Literal(take_bytes(bytes, "its directory", &mut weight)?),
            other => return Err(newer(format!("the directory's form {other}"))),
        };
        let end = match byte(bytes, "its end")? {
            0 => End::Plain,
            1 => match take_bytes(bytes, "its comment", &mut weight)? {
                comment if (1..=MAX_FIELD).contains(&comment.len()) => End::Comment(comment),
                comment => {
                    return Err(malformed(format!(
                        "a comment of {} bytes: want 1 to {MAX_FIELD}",
                        comment.len()
                    )));
                }
            },
            2 => End::Literal(take_bytes(bytes, "its end", &mut weight)?),
            other => return Err(newer(format!("the end's form {other}"))),
        };
        Ok(Recipe {
            prefixed,
            front,
            kinds,
            files: all,
            names: names.to_vec(),
            directory,
            end,
            trailing: take_bytes(bytes, "what is behind it", &mut weight)?,
        })
    }

    /// What stands in front of every name.
    pub(super) fn prefix(&self, module: &ModuleVersion) -> Vec<u8> {
        if self.prefixed {
            prefix_of(module)
        } else {
            Vec::new()
        }
    }
}

/// `path@version/`
pub(super) fn prefix_of(module: &ModuleVersion) -> Vec<u8> {
    format!("{module}/").into_bytes()
}

fn put_kind(out: &mut Vec<u8>, kind: &Kind) {
    out.extend(kind.local);
    out.extend(kind.central);
    put_bytes(out, &kind.local_extra);
    put_bytes(out, &kind.central_extra);
    put_bytes(out, &kind.comment);
    out.push(kind.fill.bits());
    out.push(kind.descriptor.code());
}

fn take_kinds(
    bytes: &mut &[u8],
    files: usize,
    weight: &mut Weight,
) -> Result<Vec<Kind>, RecipeError> {
    let count = number(bytes, "its kinds")?;
    if count > files as u64 || (count == 0) != (files == 0) {
        return Err(malformed(format!("{count} kinds of {files} files")));
    }
    weight.kinds(count as usize);
    weight.check()?;
    let mut kinds = Vec::new();
    for _ in 0..count {
        kinds.push(take_kind(bytes, weight)?);
    }
    let distinct: HashSet<&Kind> = kinds.iter().collect();
    if distinct.len() < kinds.len() {
        return Err(malformed("a kind is there twice"));
    }
    Ok(kinds)
}

/// Each file's kind. Kinds are numbered as files first have them, so that none is unused and there is one spelling.
fn take_kind_column(
    bytes: &mut &[u8],
    files: usize,
    kinds: usize,
) -> Result<Vec<u32>, RecipeError> {
    if kinds <= 1 {
        return Ok(vec![0; files]);
    }
    let mut column = Vec::new();
    let mut used = 0;
    for _ in 0..files {
        let kind = number(bytes, "its files' kinds")?;
        if kind >= kinds as u64 {
            return Err(malformed(format!("kind {kind} of {kinds}")));
        }
        if kind > used {
            return Err(malformed(format!("kind {kind} before kind {used}")));
        }
        used += u64::from(kind == used);
        column.push(kind as u32);
    }
    if used < kinds as u64 {
        return Err(malformed(format!("no file has kind {used} of {kinds}")));
    }
    Ok(column)
}

fn take_kind(bytes: &mut &[u8], weight: &mut Weight) -> Result<Kind, RecipeError> {
    let local = array(bytes)?;
    let central = array(bytes)?;
    let own = [
        &local[LOCAL_OWN],
        &central[CENTRAL_OWN[0].clone()],
        &central[CENTRAL_OWN[1].clone()],
    ];
    if own.concat().iter().any(|byte| *byte != 0) {
        return Err(malformed("a kind has numbers that are a file's own"));
    }
    let mut field = || match take_bytes(bytes, "a kind", weight)? {
        field if field.len() <= MAX_FIELD => Ok(field),
        field => Err(malformed(format!(
            "a field of {} bytes: want at most {MAX_FIELD}",
            field.len()
        ))),
    };
    let (local_extra, central_extra, comment) = (field()?, field()?, field()?);
    let fill = byte(bytes, "a kind")?;
    let descriptor = byte(bytes, "a kind")?;
    Ok(Kind {
        local,
        central,
        local_extra,
        central_extra,
        comment,
        fill: Fill::of_bits(fill).ok_or_else(|| newer(format!("the fill flags {fill}")))?,
        descriptor: Descriptor::of_code(descriptor)
            .ok_or_else(|| newer(format!("the descriptor {descriptor}")))?,
    })
}

/// The files in the directory's order: each once, and not as they lie, which has a form of its own.
fn take_order(bytes: &mut &[u8], files: usize) -> Result<Vec<u32>, RecipeError> {
    let mut seen = vec![false; files];
    let mut order = Vec::new();
    let mut before = -1i64;
    for _ in 0..files {
        let difference = varint::unzigzag(number(bytes, "its directory")?);
        let file = (before + 1).checked_add(difference);
        let place = file.and_then(|file| usize::try_from(file).ok());
        match place.and_then(|place| seen.get_mut(place)) {
            Some(seen) if !*seen => *seen = true,
            _ => {
                return Err(malformed(
                    "its directory names a file that is none, or twice",
                ));
            }
        }
        before = file.unwrap_or_default();
        order.push(before as u32);
    }
    if order.is_sorted() {
        return Err(malformed(
            "its directory is in order and says that it is not",
        ));
    }
    Ok(order)
}

/// Follows the column of sources.
struct Sources {
    /// The deflate stream that was named last.
    number: i64,
    base: i64,
    /// The entry of that base that was named last.
    entry: i64,
}

impl Default for Sources {
    fn default() -> Self {
        Sources {
            number: -1,
            base: 0,
            entry: -1,
        }
    }
}

impl Sources {
    fn put(&mut self, out: &mut Vec<u8>, source: &Source) {
        match *source {
            Source::Deflated(number) => {
                varint::put(
                    out,
                    varint::zigzag(i64::from(number) - (self.number + 1)) << 2,
                );
                self.number = number.into();
            }
            Source::Base(BaseEntry { base, entry }) => {
                let (base, entry) = (i64::from(base), i64::from(entry));
                varint::put(out, varint::zigzag(base - self.base) << 2 | 1);
                self.change_to(base);
                varint::put(out, varint::zigzag(entry - (self.entry + 1)));
                self.entry = entry;
            }
            Source::Pieces {
                first,
                count,
                crc32,
                unpacked,
            } => {
                let difference = i64::from(first) - (self.number + 1);
                varint::put(out, varint::zigzag(difference) << 2 | 2);
                varint::put(out, count.into());
                out.extend(crc32.to_le_bytes());
                varint::put(out, unpacked);
                self.number = i64::from(first) + i64::from(count) - 1;
            }
        }
    }

    fn take(&mut self, bytes: &mut &[u8]) -> Result<Source, RecipeError> {
        let what = "its sources";
        let value = number(bytes, what)?;
        let difference = varint::unzigzag(value >> 2);
        let from = |before: i64, difference: i64| {
            let number = before.checked_add(difference);
            let number = number.and_then(|number| u32::try_from(number).ok());
            number.ok_or_else(|| malformed("a source's number is none"))
        };
        match value & 3 {
            0 => {
                let number = from(self.number + 1, difference)?;
                self.number = number.into();
                Ok(Source::Deflated(number))
            }
            1 => {
                let base = from(self.base, difference)?;
                self.change_to(base.into());
                let difference = varint::unzigzag(number(bytes, what)?);
                let entry = from(self.entry + 1, difference)?;
                self.entry = entry.into();
                Ok(Source::Base(BaseEntry { base, entry }))
            }
            2 => {
                let first = from(self.number + 1, difference)?;
                let count = number(bytes, what)?;
                let last = count
                    .checked_sub(1)
                    .and_then(|behind| behind.checked_add(first.into()));
                if last.is_none_or(|last| last > u32::MAX.into()) {
                    return Err(malformed(format!("{count} pieces from {first} on")));
                }
                let crc32 = u32::from_le_bytes(array(bytes)?);
                let unpacked = number(bytes, what)?;
                self.number = i64::from(first) + count as i64 - 1;
                Ok(Source::Pieces {
                    first,
                    count: count as u32,
                    crc32,
                    unpacked,
                })
            }
            _ => Err(newer("a source of the form 3".into())),
        }
    }

    fn change_to(&mut self, base: i64) {
        if base != self.base {
            self.base = base;
            self.entry = -1;
        }
    }
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    varint::put(out, bytes.len() as u64);
    out.extend(bytes);
}

/// Bytes that are there, and not too heavy.
fn take_bytes(bytes: &mut &[u8], what: &str, weight: &mut Weight) -> Result<Vec<u8>, RecipeError> {
    let len = number(bytes, what)?;
    let taken = split(bytes, len, what)?;
    weight.bytes(taken);
    weight.check()?;
    Ok(taken.to_vec())
}

fn number(bytes: &mut &[u8], what: &str) -> Result<u64, RecipeError> {
    varint::take(bytes).ok_or_else(|| malformed(format!("it ends, or has no number, in {what}")))
}

fn byte(bytes: &mut &[u8], what: &str) -> Result<u8, RecipeError> {
    Ok(split(bytes, 1, what)?[0])
}

fn array<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], RecipeError> {
    let mut array = [0; N];
    array.copy_from_slice(split(bytes, N as u64, "a kind or source")?);
    Ok(array)
}

fn split<'b>(bytes: &mut &'b [u8], len: u64, what: &str) -> Result<&'b [u8], RecipeError> {
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    let (front, rest) = bytes
        .split_at_checked(len)
        .ok_or_else(|| malformed(format!("it ends in {what}")))?;
    *bytes = rest;
    Ok(front)
}

fn newer(what: String) -> RecipeError {
    RecipeError::Newer { what }
}
