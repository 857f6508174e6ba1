//! Times in documents: as RFC 3339 has them and Go's time.Time takes them from JSON, and in no other form of ISO 8601.

use jiff::Timestamp;

use super::VulndbError;

/// The time that a field of a document says.
pub(super) fn instant(
    document: &str,
    field: &'static str,
    text: &str,
) -> Result<Timestamp, VulndbError> {
    let parsed = match is_rfc_3339(text.as_bytes()) {
        true => text.parse().ok(),
        false => None,
    };
    parsed.ok_or_else(|| VulndbError::field(document, field, text, "time in the form of RFC 3339"))
}

/// `2026-11-20T12:00:00Z`, with up to nine digits of a second behind a point, or with `+02:00` in the place of `Z`. Whether there is such
/// a day is not looked at.
fn is_rfc_3339(text: &[u8]) -> bool {
    let is = |text: &[u8], form: &[u8]| {
        text.len() == form.len()
            && text.iter().zip(form).all(|(byte, form)| match form {
                b'0' => byte.is_ascii_digit(),
                form => byte == form,
            })
    };
    let number = |text: &[u8]| (text[0] - b'0') * 10 + text[1] - b'0';
    let Some((time, rest)) = text.split_at_checked(19) else {
        return false;
    };
    if !is(time, b"0000-00-00T00:00:00") || number(&time[11..13]) > 23 || number(&time[17..]) > 59 {
        return false;
    }
    let rest = match rest.strip_prefix(b".") {
        None => rest,
        Some(behind) => {
            let digits = behind.iter().take_while(|byte| byte.is_ascii_digit());
            match digits.count() {
                digits @ 1..=9 => &behind[digits..],
                _ => return false,
            }
        }
    };
    match rest {
        b"Z" => true,
        [b'+' | b'-', offset @ ..] => {
            is(offset, b"00:00") && number(offset) <= 23 && number(&offset[3..]) <= 59
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn times_are_those_that_go_takes() {
        let of = |text: &str| instant("index/db", "modified", text);
        for (text, want) in [
            ("2026-11-20T12:00:00Z", "2026-11-20T12:00:00Z"),
            ("2026-11-20T12:00:00.5Z", "2026-11-20T12:00:00.5Z"),
            (
                "2026-11-20T12:00:00.999999999Z",
                "2026-11-20T12:00:00.999999999Z",
            ),
            ("2026-11-20T14:00:00+02:00", "2026-11-20T12:00:00Z"),
            ("2026-11-20T00:00:00-23:59", "2026-11-20T23:59:00Z"),
            ("2024-02-29T23:59:59-00:00", "2024-02-29T23:59:59Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ] {
            assert_eq!(of(text).unwrap(), want.parse().unwrap(), "{text}");
        }
        for bad in [
            "",
            "2026-11-20",
            "2026-11-20 12:00:00Z",
            "2026-11-20t12:00:00Z",
            "2026-11-20T12:00:00z",
            "2026-11-20T12:00:00",
            "2026-11-20T12:00Z",
            "20261120T120000Z",
            "2026-11-20T12:00:00Z[UTC]",
            "2026-11-20T12:00:00+00:00[UTC]",
            "2026-11-20T12:00:00+02",
            "2026-11-20T12:00:00+0200",
            "2026-11-20T12:00:00+24:00",
            "2026-11-20T12:00:00+02:60",
            "2026-11-20T12:00:00.Z",
            "2026-11-20T12:00:00,5Z",
            "2026-11-20T12:00:00.1234567890Z",
            "2026-11-20T24:00:00Z",
            "2026-11-20T12:60:00Z",
            "2026-11-20T12:00:60Z",
            "2026-13-20T12:00:00Z",
            "2026-02-29T12:00:00Z",
            "-002026-11-20T12:00:00Z",
            " 2026-11-20T12:00:00Z",
            "2026-11-20T12:00:00Z ",
        ] {
            let error = of(bad).unwrap_err().to_string();
            assert!(
                error.ends_with("is no time in the form of RFC 3339"),
                "{bad}"
            );
        }
    }
}
