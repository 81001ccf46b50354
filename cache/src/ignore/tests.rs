use proptest::collection::vec;
use proptest::prelude::*;

use super::lines::clean;
use super::*;

/// Asserts which of the files are excluded by `rules`.
fn check(rules: &str, excluded: &[&str], included: &[&str]) {
    let parsed = Rules::parse(rules.as_bytes()).unwrap();
    for (paths, expected) in [(excluded, true), (included, false)] {
        for path in paths {
            assert_eq!(parsed.matches(BStr::new(path)), expected, "`{path}` by {rules:?}");
        }
    }
}

#[test]
fn plain_patterns_match_paths_from_the_root_and_what_is_below() {
    check("a", &["a", "a/b", "a/b/c"], &["ab", "b/a", "A"]);
    check("a/b", &["a/b", "a/b/c"], &["a", "a/c", "c/a/b"]);
    check("/a/", &["a", "a/b"], &["b/a"]);
    check("./a//b/../c", &["a/c"], &["a/b"]);
    check("../a", &[], &["a"]);
    check("a/..", &[], &["a"]);
    check(".", &[], &["a"]);
}

#[test]
fn single_stars_stay_within_a_component() {
    check("*", &["a", "a/b"], &[]);
    check("*.md", &["a.md", "b.md/c"], &["a/b.md", "md"]);
    check("*/*.md", &["a/b.md"], &["a.md", "a/b/c.md"]);
    check("a?c", &["abc", "aéc"], &["ac", "a/c", "abbc"]);
}

#[test]
fn double_stars_are_not_gitignores() {
    check("**", &["a", "a/b"], &[]);
    check("**/a", &["a", "b/a", "c/b/a", "b/a/c"], &["ba", "b/ca"]);
    check("**a", &["a", "ba", "c/ba", "a/c"], &["ab", "a2"]);
    check("**a*", &["a", "ab", "c/ab"], &["ba"]);
    check("a**", &["a", "ab", "ab/c"], &["ba"]);
    check("a/**", &["a/b", "a/b/c"], &["a", "ab"]);
    check("a**b", &["ab", "ax/b", "a/b", "a/x/y/b"], &["axb", "a/xb"]);
    check("a/**/b", &["a/b", "a/c/b", "a/c/d/b"], &["ab", "a/cb"]);
    check("*/**", &["a/b", "a/b/c"], &["a"]);
}

#[test]
fn braces_and_bars_reach_the_expression() {
    check("{a,b}", &["{a,b}"], &["a", "b"]);
    check("a{2}*", &["aa", "aab"], &["a", "a{2}"]);
    check("a{,2}*", &["a{,2}"], &["aa"]);
    check("a|b", &["a|b"], &["a", "b"]);
    // `^a|[^/]*b$`: paths that start with `a`, and paths that end in `b`.
    check("a|*b", &["a", "ac", "ad/e", "cb", "d/b"], &["c"]);
    check("a+b(c)$.*", &["a+b(c)$.d"], &["aab(c)$.d", "a+bc"]);
    check("a^*", &[], &["a", "a^", "a^b"]);
}

#[test]
fn classes_and_escapes() {
    check("[a-c]x", &["ax", "cx"], &["dx", "x"]);
    check("[^a]x", &["bx"], &["ax", "x"]);
    check("[!a]x", &["!x", "ax"], &["bx"]);
    check("[[:digit:]]", &["1"], &["a", ":"]);
    check("[*]", &["[]", "^^]", "[/]"], &["*", "a]"]);
    check("\\*", &["*"], &["a"]);
    check("\\!a", &["!a"], &["a"]);
    check("\\#a", &["#a"], &["a"]);
    check("\\da", &["1a"], &["da"]);
    check("a\\.b?", &["a.bc"], &["axbc"]);
    check("x\\Q*", &["x[^/]*$", "x[^/]*$$/b"], &["xa", "x*"]);
    check("\\bab*\\b", &["ab", "abc"], &["ab.", "cab"]);
}

#[test]
fn comments_marks_and_spaces() {
    check("\u{feff}# a\n # b\n c \r\n", &["# b", "c"], &["a", "# a", " c"]);
}

#[test]
fn exceptions_include_below_an_excluded_folder() {
    check("a\n!a/b", &["a/c", "a/bc"], &["a/b", "a/b/c"]);
    check("*\n!a/b/c", &["a/b/d", "b"], &["a/b/c", "a/b/c/d"]);
    check("!a\na", &["a"], &[]);
    check("a\n!a\na/b", &["a/b"], &["a", "a/c"]);
    check("**/*.md\n!README.md", &["a/README.md", "b.md"], &["README.md"]);
    check("*\n!**/*.go", &["a/b.md"], &["a/b.go", "b.go"]);
    check("!!a", &[], &["a", "!a"]);
}

#[test]
fn walk_decides_where_it_differs_from_the_path_alone() {
    // The exception is a plain path to the walk, which therefore never enters `aa`.
    check("aa\n!a{2}/*", &["aa/b"], &[]);
    check("aa\n!a{2}/*\n!**/none", &["aa"], &["aa/b", "aa/b/c"]);
    // The second pattern was not asked about `ab`, for the first had matched; below `ab`, it is asked anew.
    check("ab\na?\n!ab", &["ac/d"], &["ab", "ab/c"]);
}

#[test]
fn bytes_need_not_be_text() {
    let rules = Rules::parse(b"a\xFF\nb?\nc\xFE*\n").unwrap();
    for (path, excluded) in [
        (&b"a\xFF"[..], true),
        (b"a\xFE", false),
        (b"b\xFE", true),
        (b"b\xE2\x82", false),
        // To an expression, all bytes that are not UTF-8 are alike.
        (b"c\xFFd", true),
        (b"c\xEF\xBF\xBDd", true),
        (b"cd", false),
    ] {
        assert_eq!(rules.matches(BStr::new(path)), excluded, "{:?}", BStr::new(path));
    }
}

#[test]
fn invalid_patterns_are_errors_with_their_line() {
    for (rules, message) in [
        (
            "a\n[",
            "line 2 of the ignore file, `[`, is not a valid pattern: a class `[..]` or an escape is not complete; \
                  write `\\[` or `\\\\` for the character itself",
        ),
        (
            "a\n\n!",
            "line 3 of the ignore file, `!`, is not a valid pattern: nothing follows the `!`; write a path after it",
        ),
        (
            "x*[",
            "line 1 of the ignore file, `x*[`, is not a valid pattern: a class is not closed; \
                 write `\\` before a special character to take it as it is",
        ),
    ] {
        assert_eq!(Rules::parse(rules.as_bytes()).unwrap_err().to_string(), message);
    }
    for rules in
        ["a*{2}", "a{3,2}*", "a{1001}*", "|{2}*", "[z-a]", "\\y", "\\1", "\\C", "\\x{}*", "x[[:no:]]"]
    {
        let reason = Rules::parse(rules.as_bytes()).unwrap_err().reason;
        assert!(matches!(reason, Reason::Expression(_)), "{rules}: {reason:?}");
    }
    assert_eq!(Rules::parse("a{900}".repeat(50).as_bytes()).map(|_| ()), Ok(()));
    let reason = Rules::parse(format!("{}*", "a{900}".repeat(50)).as_bytes()).unwrap_err().reason;
    assert_eq!(reason, Reason::TooLarge);
}

#[test]
fn rules_that_are_dead_leave_the_folder_whole() {
    let below = |rules: &str, folder: &str| {
        let rules = Rules::parse(rules.as_bytes()).unwrap();
        let mut state = rules.root();
        for end in folder.match_indices('/').map(|(end, _)| end).chain([folder.len()]) {
            (_, state) = rules.enter(&state, BStr::new(&folder[..end]), Kind::Folder);
        }
        rules.below(&state)
    };
    for (rules, folder, expected) in [
        ("", "a", Some(true)),
        ("b\n*.md\nc/d", "a", Some(true)),
        ("a", "a", Some(false)),
        ("a/*", "a", Some(false)),
        ("a/**", "a", Some(false)),
        ("a\n!b", "a", Some(false)),
        ("a\n!a/b", "a", None),
        ("a/*\n!a/b", "a", None),
        ("a/*\n!a/b", "a/b", Some(true)),
        ("*\n!a", "a", Some(true)),
        ("**/*.md", "a", None),
        ("**/*.md\na", "a", Some(false)),
        ("a/b", "a", None),
        ("a/b*", "a/c", Some(true)),
        ("*/**", "a", None),
    ] {
        assert_eq!(below(rules, folder), expected, "{folder} by {rules:?}");
    }
}

#[test]
fn expression_too_large_for_a_table_means_the_same() {
    let rules = Rules::parse(b"**/*a???????????\n").unwrap();
    assert!(matches!(rules.patterns[0].automaton, Automaton::Program(_)));
    for (path, excluded) in [("x/ya01234567890", true), ("a01234567890/b", true), ("x/a0123456789", false)] {
        assert_eq!(rules.matches(BStr::new(path)), excluded, "{path}");
    }
}

/// moby's `MatchesUsingParentResults` and the walk around it, as they are described: one expression
/// per pattern, matched with whole paths by another engine.
struct Naive {
    patterns: Vec<(bool, regex::bytes::Regex, String)>,
}

impl Naive {
    fn new(rules: &[(bool, String)]) -> Self {
        let compile = |(exception, pattern): &(bool, String)| {
            let pattern = lines::clean(pattern.as_bytes()).to_string();
            (*exception, regex::bytes::Regex::new(&Self::expression(&pattern)).unwrap(), pattern)
        };
        Self { patterns: rules.iter().map(compile).collect() }
    }

    /// The regular expression of a pattern of letters, stars, question marks, dots and slashes.
    fn expression(pattern: &str) -> String {
        if let Some(suffix) = pattern.strip_prefix("**").filter(|suffix| !suffix.contains(['*', '?'])) {
            let suffix = suffix.replace('.', "\\.");
            return match suffix.strip_prefix('/') {
                Some(whole) => format!("(?s-u:(^|/){whole}$)"),
                None => format!("(?s-u:{suffix}$)"),
            };
        }
        if let Some(prefix) = pattern.strip_suffix("**").filter(|prefix| !prefix.contains(['*', '?'])) {
            return format!("(?s-u:^{})", prefix.replace('.', "\\."));
        }
        let mut expression = pattern.replace('.', "\\.").replace("**/", "\0").replace("**", "\0");
        if expression.ends_with('\0') {
            expression.pop();
            expression.push_str(".*");
        }
        let expression = expression.replace('?', "[^/]").replace('\0', "(\u{1}/)?").replace(".*", "\u{1}");
        format!("^{}$", expression.replace('*', "[^/]*").replace('\u{1}', ".*"))
    }

    fn matches(&self, path: &str) -> bool {
        let mut parent = vec![false; self.patterns.len()];
        let mut matched = false;
        for end in path.match_indices('/').map(|(end, _)| end).chain([path.len()]) {
            let part = &path[..end];
            let mut own = vec![false; self.patterns.len()];
            matched = false;
            for (index, (exception, expression, _)) in self.patterns.iter().enumerate() {
                if parent[index] || (*exception == matched && expression.is_match(part.as_bytes())) {
                    own[index] = true;
                    matched = !exception;
                }
            }
            parent = own;
            if matched && end < path.len() && self.skips(part) {
                return true;
            }
        }
        matched
    }

    fn skips(&self, folder: &str) -> bool {
        let trim = |pattern: &str| {
            let pattern = pattern.strip_suffix("/**").unwrap_or(pattern);
            pattern.strip_suffix("/*").unwrap_or(pattern).to_owned()
        };
        let exceptions: Vec<String> =
            self.patterns.iter().filter(|pattern| pattern.0).map(|pattern| trim(&pattern.2)).collect();
        let folder = format!("{folder}/");
        !exceptions.iter().any(|exception| exception.contains(['*', '?']))
            && !exceptions.iter().any(|exception| format!("{exception}/").starts_with(&folder))
    }
}

fn component() -> impl Strategy<Value = String> {
    prop_oneof![3 => "[ab.]{1,3}", 3 => "[ab*?]{1,3}", 2 => Just("*".to_owned()), 2 => Just("**".to_owned())]
}

fn rules() -> impl Strategy<Value = Vec<(bool, String)>> {
    let pattern = vec(component(), 1..4).prop_map(|components| components.join("/"));
    // Three stars in a row mean something that the simple translation above does not know.
    let pattern = pattern.prop_filter("stars", |pattern| !pattern.contains("***") && pattern != "..");
    // Cleaning takes the `!` of `!../../a` for a part of the first name, and drops both.
    let pattern = pattern.prop_filter("upwards", |pattern| !clean(pattern.as_bytes()).starts_with(b"../.."));
    vec((prop::bool::weighted(0.4), pattern), 0..6)
}

fn file(rules: &[(bool, String)]) -> Vec<u8> {
    let line =
        |(exception, pattern): &(bool, String)| format!("{}{pattern}\n", if *exception { "!" } else { "" });
    rules.iter().map(line).collect::<String>().into_bytes()
}

fn path() -> impl Strategy<Value = String> {
    vec("[ab]{1,2}|a\\.b|\\.a", 1..5).prop_map(|names| names.join("/"))
}

proptest! {
    #[test]
    fn going_down_by_name_is_matching_by_path(rules in rules(), paths in vec(path(), 20)) {
        let naive = Naive::new(&rules);
        let parsed = Rules::parse(&file(&rules)).unwrap();
        for path in paths {
            prop_assert_eq!(parsed.matches(BStr::new(&path)), naive.matches(&path), "{:?}", path);
        }
    }

    #[test]
    fn verdict_below_holds_for_every_path_below(rules in rules(), folder in path(), paths in vec(path(), 20)) {
        let parsed = Rules::parse(&file(&rules)).unwrap();
        let mut state = parsed.root();
        for end in folder.match_indices('/').map(|(end, _)| end).chain([folder.len()]) {
            (_, state) = parsed.enter(&state, BStr::new(&folder[..end]), Kind::Folder);
        }
        if let Some(included) = parsed.below(&state) {
            for path in paths {
                let path = format!("{folder}/{path}");
                prop_assert_eq!(!parsed.matches(BStr::new(&path)), included, "{:?}", path);
            }
        }
    }

    #[test]
    fn any_bytes_are_rules_or_an_error(text in vec(any::<u8>(), 0..60), path in path()) {
        if let Ok(rules) = Rules::parse(&text) {
            let _ = rules.matches(BStr::new(&path));
        }
    }

    #[test]
    fn any_special_characters_are_rules_or_an_error(text in "[a*?\\[\\]^$\\\\{}(),|.!/0-9-]{0,12}", path in path()) {
        if let Ok(rules) = Rules::parse(text.as_bytes()) {
            let _ = rules.matches(BStr::new(&path));
        }
    }
}

#[test]
fn excluded_paths_know_their_line() {
    let text = b"# comment\n*.md\n!README.md\nnode_modules\ndocs/*\n!docs/a\nREADME*\n";
    let rules = Rules::parse(text).unwrap();
    let table = [
        ("x.md", Some(2)),
        ("README.md", Some(7)),
        ("node_modules/a/b", Some(4)),
        ("docs/b", Some(5)),
        ("docs/a", None),
        ("src/x.md", None),
    ];
    for (path, expected) in table {
        assert_eq!(rules.line(text, path.into()), expected, "{path}");
    }
    for (path, expected) in [("node_modules", true), ("docs", false), ("docs/b", true), ("x.md", true)] {
        assert_eq!(rules.takes_all(path.into()), expected, "{path}");
    }
}
