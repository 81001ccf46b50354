//! Sets of runes, and the named sets of Go's regular expressions. Start with [`Ranges`].

/// The largest rune.
pub(super) const LAST: u32 = 0x0010_FFFF;

/// A set of runes (or bytes) as inclusive ranges.
pub(super) type Ranges = Vec<(u32, u32)>;

/// The set of one rune.
pub(super) fn single(rune: u32) -> Ranges {
    vec![(rune, rune)]
}

/// The set `ranges` in normal form: its ranges are in order and apart.
pub(super) fn normalise(mut ranges: Ranges) -> Ranges {
    ranges.sort_unstable();
    let mut normal = Ranges::with_capacity(ranges.len());
    for (low, high) in ranges {
        match normal.last_mut() {
            Some((_, end)) if low <= *end + 1 => *end = high.max(*end),
            _ => normal.push((low, high)),
        }
    }
    normal
}

/// The runes that are not in the normalised set `ranges`.
pub(super) fn negate(ranges: &Ranges) -> Ranges {
    let mut negated = Ranges::with_capacity(ranges.len() + 1);
    let mut start = 0;
    for &(low, high) in ranges {
        if start < low {
            negated.push((start, low - 1));
        }
        start = high + 1;
    }
    if start <= LAST {
        negated.push((start, LAST));
    }
    negated
}

/// True if the normalised set `ranges` holds `rune`.
pub(super) fn contains(ranges: &Ranges, rune: u32) -> bool {
    let after = ranges.partition_point(|&(low, _)| low <= rune);
    after > 0 && rune <= ranges[after - 1].1
}

/// The set that `\name` stands for.
pub(super) fn perl(name: char) -> Option<Ranges> {
    match name {
        's' => Some(set("\t\n\x0c\r  ")),
        'd' => posix("digit"),
        'w' => posix("word"),
        'S' | 'D' | 'W' => perl(name.to_ascii_lowercase()).map(|set| negate(&set)),
        _ => None,
    }
}

/// The set that `[:name:]` stands for.
pub(super) fn posix(name: &str) -> Option<Ranges> {
    if let Some(name) = name.strip_prefix('^') {
        return if name.starts_with('^') { None } else { posix(name).map(|set| negate(&set)) };
    }
    Some(set(match name {
        "alnum" => "09AZaz",
        "alpha" => "AZaz",
        "ascii" => "\0\x7f",
        "blank" => "\t\t  ",
        "cntrl" => "\0\x1f\x7f\x7f",
        "digit" => "09",
        "graph" => "!~",
        "lower" => "az",
        "print" => " ~",
        "punct" => "!/:@[`{~",
        "space" => "\t\r  ",
        "upper" => "AZ",
        "word" => "09AZ__az",
        "xdigit" => "09AFaf",
        _ => return None,
    }))
}

/// The set of ranges whose first and last runes follow each other in `ends`.
fn set(ends: &str) -> Ranges {
    ends.as_bytes().chunks_exact(2).map(|pair| (pair[0].into(), pair[1].into())).collect()
}
