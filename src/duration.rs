//! Spans of time as they are typed and as they are shown.

use std::time::Duration;

use crate::error::{Failure, Result};
use crate::text;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const WEEK: u64 = 7 * DAY;

/// Reads `30s`, `15m`, `8h`, `2d`, `1w`, or a bare number of seconds.
///
/// # Errors
///
/// Anything else, and what does not fit in a signed 64-bit count of seconds, as times since the epoch do.
pub fn parse(text: &str) -> Result<Duration> {
    seconds(text).map(Duration::from_secs).ok_or_else(|| {
        let shown = text::escape_controls(text.as_bytes());
        if is_number_with_unit(text) {
            Failure::fatal(format!("'{shown}' is too long a time"))
        } else {
            Failure::fatal(format!("'{shown}' is not a valid time (expected such as 30s, 15m, 8h, 2d or 1w)"))
        }
    })
}

fn seconds(text: &str) -> Option<u64> {
    if !is_number_with_unit(text) {
        return None;
    }
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = match &text[digits.len()..] {
        "m" => MINUTE,
        "h" => HOUR,
        "d" => DAY,
        "w" => WEEK,
        _ => 1,
    };
    let total = digits.parse::<u64>().ok()?.checked_mul(unit)?;
    i64::try_from(total).is_ok().then_some(total)
}

/// Digits with at most one unit, whatever the size: `str::parse` alone would also take a sign.
fn is_number_with_unit(text: &str) -> bool {
    let digits = text.strip_suffix(['s', 'm', 'h', 'd', 'w']).unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

/// How long something takes, for eyes: `0.4s`, `5s`, `12s`, `3m05s`, `2h07m`.
pub fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..10 if time.subsec_millis() > 0 => format!("{seconds}.{}s", time.subsec_millis() / 100),
        0..10 => format!("{seconds}s"),
        10..MINUTE => format!("{seconds}s"),
        MINUTE..HOUR => format!("{}m{:02}s", seconds / MINUTE, seconds % MINUTE),
        _ => format!("{}h{:02}m", seconds / HOUR, seconds % HOUR / MINUTE),
    }
}

/// A moment in seconds since the epoch, for lines that a program prints as it goes: `2025-01-01T12:00:00Z`.
pub fn moment(seconds: i64) -> String {
    let time = gix::date::Time::new(seconds, 0).format(gix::date::time::format::ISO8601_STRICT);
    time.map(|text| text.replace("+00:00", "Z")).unwrap_or_else(|_| seconds.to_string())
}

/// The moment before which something is old enough to go, in seconds since the epoch, as for `--expire`.
///
/// It takes the spans of [`parse`] as so long before `now`, `never` (`i64::MIN`: nothing is older), and
/// `now` (`i64::MAX`: everything is, also what a clock that went wrong has dated into the future; this and
/// `false` and `all` are `parse_expiry_date()` in git's date.c). The rest is a date in one of git's forms: `2.weeks.ago`,
/// `yesterday`, `2026-01-31`, ISO 8601, RFC 2822. A bare number from 100000000 on is a moment and no span,
/// as in git. A date alone means that day at the present time of day, as in git. Dates without a zone, and the
/// months of `2 months ago`, are in UTC.
///
/// # Errors
///
/// What is none of these. A moment after 2099, which git would take for now: it is in milliseconds. A word that is no
/// part of a date is refused, where git would pass over it: in git `10 d ago` is ten seconds ago, and here that would
/// take away what should have been kept.
pub fn parse_expiry(text: &str, now: i64) -> Result<i64> {
    let trimmed = text.trim();
    match trimmed {
        "never" | "false" => return Ok(i64::MIN),
        "now" | "all" => return Ok(i64::MAX),
        _ => {}
    }
    let bare = trimmed.bytes().all(|b| b.is_ascii_digit());
    let names_a_moment = bare && trimmed.parse::<u64>().is_ok_and(|n| n >= 100_000_000);
    if is_number_with_unit(trimmed) && !names_a_moment {
        let span = i64::try_from(parse(trimmed)?.as_secs()).expect("parse refuses what an i64 can't hold");
        return Ok(now.saturating_sub(span));
    }
    let shown = || text::escape_controls(text.as_bytes());
    match git_date(trimmed, now) {
        Some(moment) if moment > LAST_MOMENT => Err(Failure::fatal(format!(
            "'{}' is not a valid date: moments are in seconds, up to 2099",
            shown()
        ))),
        Some(moment) => Ok(moment),
        None => Err(Failure::fatal(format!(
            "'{}' is not a valid date or time (expected such as 2d, 2.weeks.ago or 2026-01-31)",
            shown()
        ))),
    }
}

/// The end of 2099, as far as git's `tm_to_time_t()` counts.
const LAST_MOMENT: i64 = 4_102_444_799;

/// A moment in seconds since the epoch, as lines of a log begin with it: `2026-01-31T12:00:00+00:00`.
pub fn stamp(seconds: i64) -> String {
    let time = gix::date::Time::new(seconds, 0);
    time.format(gix::date::time::format::ISO8601_STRICT).unwrap_or_else(|_| seconds.to_string())
}

fn git_date(text: &str, now: i64) -> Option<i64> {
    let words = text.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty());
    if !words.clone().all(is_date_word) || words.clone().any(is_ago) && !is_so_long_ago(text) {
        return None;
    }
    // gix wants its date library's type, which this crate does not name: a string leads there.
    let time_of_day = now.rem_euclid(i64::try_from(DAY).expect("a day is short"));
    let stamp = gix::date::Time::new(now, 0).format(gix::date::time::format::ISO8601_STRICT).ok()?;
    let now = format!("{stamp}[UTC]").parse().ok()?;
    let moment = gix::date::parse(text, Some(now)).ok()?.seconds;
    // gix takes the day's beginning.
    Some(if is_bare_day(text) { moment + time_of_day } else { moment })
}

/// Whether this is a year, a month and a day, in numbers.
fn is_bare_day(text: &str) -> bool {
    let parts: Vec<&str> = text.split(['-', '/', '.']).collect();
    parts.len() == 3 && parts.iter().all(|part| part.parse::<u16>().is_ok())
}

fn is_ago(word: &str) -> bool {
    word.eq_ignore_ascii_case("ago")
}

/// Whether this is nothing but numbers, each with its unit, and `ago`. A number without one would be seconds, also that
/// of a year: `2026-01-31 ago` would be a moment ago.
fn is_so_long_ago(text: &str) -> bool {
    let kind = |c: char| (c.is_ascii_digit(), c.is_ascii_alphabetic());
    let words: Vec<&str> = text
        .split([' ', '.', '-', ',', '/'])
        .flat_map(|part| {
            let at = part.find(|c| kind(c) != kind(part.chars().next().unwrap_or(c))).unwrap_or(part.len());
            [&part[..at], &part[at..]]
        })
        .filter(|word| !word.is_empty())
        .collect();
    let Some((last, spans)) = words.split_last() else { return false };
    let is_span = |span: &[&str]| match span {
        [number, unit] => (number.bytes().all(|b| b.is_ascii_digit()) || is_number(number)) && is_unit(unit),
        _ => false,
    };
    is_ago(last) && !spans.is_empty() && spans.chunks(2).all(is_span)
}

fn is_number(word: &str) -> bool {
    const NUMBERS: &[&str] = &["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];
    NUMBERS.iter().any(|number| word.eq_ignore_ascii_case(number))
}

fn is_unit(word: &str) -> bool {
    const UNITS: &[&str] = &["second", "minute", "hour", "day", "week", "month", "year"];
    let word = word.to_ascii_lowercase();
    UNITS.contains(&word.strip_suffix('s').unwrap_or(&word))
}

/// Whether git's date forms have a use for this word.
fn is_date_word(word: &str) -> bool {
    const WHOLE: &[&str] = &["ago", "last", "today", "yesterday", "t", "z", "utc", "gmt"];
    const NAMES: &[&str] = &[
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
    ];
    let word = word.to_ascii_lowercase();
    WHOLE.contains(&word.as_str())
        || is_number(&word)
        || is_unit(&word)
        || word.len() >= 3 && NAMES.iter().any(|name| name.starts_with(&word))
}

/// How long ago something was, `seconds` before now, in the words of git's `--date=relative`
/// (`show_date_relative()` in date.c, with its roundings).
pub fn ago(seconds: i64) -> String {
    let count = |n: i64, unit: &str| format!("{n} {unit}{}", if n == 1 { "" } else { "s" });
    if seconds < 0 {
        return "in the future".to_owned();
    }
    if seconds < 90 {
        return count(seconds, "second") + " ago";
    }
    // git's (seconds + 30) / 60, which would overflow at the very end
    let minutes = (seconds / 30 + 1) / 2;
    if minutes < 90 {
        return count(minutes, "minute") + " ago";
    }
    let hours = (minutes + 30) / 60;
    if hours < 36 {
        return count(hours, "hour") + " ago";
    }
    let days = (hours + 12) / 24;
    match days {
        ..14 => count(days, "day") + " ago",
        14..70 => count((days + 3) / 7, "week") + " ago",
        70..365 => count((days + 15) / 30, "month") + " ago",
        365..1825 => {
            let months = (days * 12 * 2 + 365) / (365 * 2);
            match months % 12 {
                0 => count(months / 12, "year") + " ago",
                rest => format!("{}, {} ago", count(months / 12, "year"), count(rest, "month")),
            }
        }
        _ => count((days + 183) / 365, "year") + " ago",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // 2023-10-27 10:00:00 UTC
    const NOW: i64 = 1_698_400_800;

    #[test]
    fn spans() {
        let cases = [
            ("0", 0),
            ("90", 90),
            ("30s", 30),
            ("15m", 900),
            ("8h", 28_800),
            ("2d", 172_800),
            ("1w", 604_800),
            ("007m", 420),
        ];
        for (text, seconds) in cases {
            assert_eq!(parse(text).expect(text), Duration::from_secs(seconds));
        }
    }

    #[test]
    fn junk_and_overflow_are_named() {
        for text in ["", "s", "m5", "5x", "5 m", "-5", "+5", "1h30m", "5M", "1.5h", "٣s", "5ms", "ä"] {
            let message = parse(text).expect_err(text).message();
            assert!(message.starts_with(&format!("'{text}' is not a valid time")), "{message}");
        }
        for text in ["9223372036854775808", "99999999999999999999999", "30500568904944w"] {
            assert_eq!(parse(text).expect_err(text).message(), format!("'{text}' is too long a time"));
        }
        assert!(parse("9223372036854775807").is_ok());
        assert!(parse("\u{1b}[2J").expect_err("junk").message().starts_with("'\\x1b[2J'"));
    }

    #[test]
    fn expiry() {
        let cases = [
            ("never", i64::MIN),
            ("false", i64::MIN),
            ("now", i64::MAX),
            ("0", NOW),
            ("2d", NOW - 172_800),
            ("9223372036854775807s", NOW - i64::MAX),
            ("2.weeks.ago", NOW - 14 * 86_400),
            ("two weeks ago", NOW - 14 * 86_400),
            ("yesterday", NOW - 86_400),
            ("1 month ago", NOW - 30 * 86_400),
            // Ten o'clock, as now.
            ("1970-01-02", 86_400 + 36_000),
            ("1970-01-02 00:00:00 +0000", 86_400),
            ("4102444799", 4_102_444_799),
            ("2023-10-27T10:00:00+00:00", NOW),
            ("Fri, 27 Oct 2023 10:00:00 +0000", NOW),
            ("1698400800", NOW),
            ("@5", 5),
            (" 3 days ago ", NOW - 3 * 86_400),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_expiry(text, NOW).expect(text), expected, "{text}");
        }
    }

    #[test]
    fn an_expiry_is_never_guessed() {
        // git counts an unknown unit before "ago" as seconds, and would then expire nearly everything.
        for text in [
            "",
            "10 d ago",
            "5 bananas ago",
            "30 dyas",
            "soon",
            "12:00 ago",
            "2 dec ago",
            "2023-10-01 ago",
            "ago",
            "20240101x",
            "3",
            "99999999999999999999w",
            "1698400800000",
            "@1698400800000",
            "4102444800",
        ] {
            let result = parse_expiry(text, NOW);
            assert_eq!(result.is_ok(), text == "3", "{text}: {result:?}");
        }
    }

    #[test]
    fn relative_as_git_says_it() {
        let day = 86_400;
        let cases = [
            (-1, "in the future"),
            (0, "0 seconds ago"),
            (1, "1 second ago"),
            (89, "89 seconds ago"),
            (90, "2 minutes ago"),
            (3 * 3600, "3 hours ago"),
            (36 * 3600, "2 days ago"),
            (2 * day, "2 days ago"),
            (14 * day, "2 weeks ago"),
            (70 * day, "2 months ago"),
            (365 * day, "1 year ago"),
            (400 * day, "1 year, 1 month ago"),
            (800 * day, "2 years, 2 months ago"),
            (1825 * day, "5 years ago"),
        ];
        for (seconds, text) in cases {
            assert_eq!(ago(seconds), text);
        }
        assert!(ago(i64::MAX).ends_with(" years ago"));
    }
}
