//! The table in front of a frame's contents: their sizes and forms.

use std::ops::Range;

use super::{ContentsError, Form, MAX_CONTENTS, MAX_FORMS, malformed};
use crate::bundle::varint;

/// In front of the codes of a content that has several forms: their count is added to it.
const SEVERAL: u8 = 0x80;

/// What a table says, with the sizes as places among the contents.
pub(super) struct Table {
    /// Where each content ends, among the contents.
    ends: Vec<u32>,
    /// Where the forms of each content end, in `forms`.
    forms_end: Vec<u32>,
    forms: Vec<Form>,
}

impl Table {
    /// Takes the table from the front of what was restored; the contents must be all the rest.
    pub(super) fn take(bytes: &mut &[u8]) -> Result<Table, ContentsError> {
        let count = varint::take(bytes).ok_or_else(|| malformed("the table has no count"))?;
        check_count(count)?;
        let count = count as usize;
        let mut ends = Vec::new();
        let mut end = 0u32;
        for _ in 0..count {
            let size =
                varint::take(bytes).ok_or_else(|| malformed("the table ends in its sizes"))?;
            end = u32::try_from(size)
                .ok()
                .and_then(|size| end.checked_add(size))
                .ok_or_else(|| malformed("contents of together 4 GiB and more"))?;
            ends.push(end);
        }
        let mut table = Table {
            ends,
            forms_end: Vec::new(),
            forms: Vec::new(),
        };
        for _ in 0..count {
            table.take_forms(bytes)?;
            table.forms_end.push(table.forms.len() as u32);
        }
        if bytes.len() != end as usize {
            return Err(malformed(format!(
                "the table has contents of {end} bytes, and {} are there",
                bytes.len()
            )));
        }
        Ok(table)
    }

    fn take_forms(&mut self, bytes: &mut &[u8]) -> Result<(), ContentsError> {
        let first = take_byte(bytes)?;
        if first & SEVERAL == 0 {
            self.forms.push(form(first)?);
            return Ok(());
        }
        let count = usize::from(first & !SEVERAL);
        if !(2..=MAX_FORMS).contains(&count) {
            return Err(malformed(format!(
                "a content with a list of {count} forms: want 2 to {MAX_FORMS}"
            )));
        }
        let mut last = None;
        for _ in 0..count {
            let next = Some(form(take_byte(bytes)?)?);
            if next <= last {
                return Err(malformed("a content's forms are out of order"));
            }
            self.forms.extend(next);
            last = next;
        }
        Ok(())
    }

    /// How many contents there are.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Where a content is.
    pub(super) fn range(&self, n: usize) -> Range<usize> {
        let start = n.checked_sub(1).map_or(0, |before| self.ends[before]);
        start as usize..self.ends[n] as usize
    }

    /// The forms of a content.
    pub(super) fn forms(&self, n: usize) -> &[Form] {
        let start = n.checked_sub(1).map_or(0, |before| self.forms_end[before]);
        &self.forms[start as usize..self.forms_end[n] as usize]
    }
}

/// Appends the table of contents of those sizes and forms.
pub(super) fn put(out: &mut Vec<u8>, contents: &[(u64, Vec<Form>)]) -> Result<(), ContentsError> {
    check_count(contents.len() as u64)?;
    varint::put(out, contents.len() as u64);
    for (size, _) in contents {
        varint::put(out, *size);
    }
    for (_, forms) in contents {
        let increasing = forms.windows(2).all(|pair| pair[0] < pair[1]);
        if !(1..=MAX_FORMS).contains(&forms.len()) || !increasing {
            return Err(malformed(format!("a content of the forms {forms:?}")));
        }
        if forms.len() > 1 {
            out.push(SEVERAL | forms.len() as u8);
        }
        out.extend(forms.iter().map(|form| form.code()));
    }
    Ok(())
}

fn check_count(count: u64) -> Result<(), ContentsError> {
    if !(1..=MAX_CONTENTS as u64).contains(&count) {
        return Err(malformed(format!(
            "{count} contents: want 1 to {MAX_CONTENTS} in a frame"
        )));
    }
    Ok(())
}

fn take_byte(bytes: &mut &[u8]) -> Result<u8, ContentsError> {
    let (first, rest) = bytes
        .split_first()
        .ok_or_else(|| malformed("the table ends in its forms"))?;
    *bytes = rest;
    Ok(*first)
}

fn form(code: u8) -> Result<Form, ContentsError> {
    match Form::of_code(code) {
        Some(form) => Ok(form),
        None if code < SEVERAL => Err(ContentsError::Newer {
            what: format!("the form {code}"),
        }),
        None => Err(malformed("a list of forms in a list of forms")),
    }
}
