use std::path::PathBuf;

use super::*;

fn question(number: usize) -> Question {
    Asking::new("dtbuild test v1").on_number(number).question()
}

fn answer(number: usize) -> Vec<u8> {
    format!("answer {number}").repeat(number % 5).into_bytes()
}

fn code() -> Fingerprint {
    Fingerprint::of("the code under test")
}

fn open(folder: &tempfile::TempDir) -> Memo {
    Memo::open(folder.path(), &code())
}

/// The paths of the large file and of the small file.
fn files(folder: &tempfile::TempDir) -> (PathBuf, PathBuf) {
    let own = code().folder(folder.path());
    (own.file(ALL), own.file(RECENT))
}

/// A memo of `count` answers, saved and opened again.
fn saved(folder: &tempfile::TempDir, count: usize) -> Memo {
    let memo = open(folder);
    (0..count).for_each(|number| memo.note(question(number), answer(number)));
    memo.save().unwrap();
    open(folder)
}

#[test]
fn what_was_noted_is_recalled_by_the_next_run_and_nothing_else_is() {
    let folder = tempfile::tempdir().unwrap();
    for count in [0, 1, 2, 84, 85, 86, 171, 5000] {
        let memo = saved(&folder, count);
        for number in 0..count {
            assert_eq!(memo.recall(&question(number)), Some(answer(number)), "{number} of {count}");
        }
        for number in count..count + 500 {
            assert_eq!(memo.recall(&question(number)), None, "{number} of {count}");
        }
        std::fs::remove_file(files(&folder).0).unwrap_or_default();
    }
}

#[test]
fn answers_of_other_code_are_none() {
    let folder = tempfile::tempdir().unwrap();
    let open = |code: &str| Memo::open(folder.path(), &Fingerprint::of(code));
    for code in ["one", "other"] {
        let memo = open(code);
        assert_eq!(memo.recall(&question(1)), None, "{code} has not been asked yet");
        memo.note(question(1), code.into());
        memo.save().unwrap();
    }
    for code in ["one", "other"] {
        assert_eq!(open(code).recall(&question(1)), Some(code.into()), "each has its own answer");
        open(code).save().unwrap();
    }
}

#[test]
fn saving_keeps_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let memo = saved(&folder, 100);
    memo.note(question(1000), answer(1000));
    memo.save().unwrap();
    let memo = open(&folder);
    for number in (0..100).chain([1000]) {
        assert_eq!(memo.recall(&question(number)), Some(answer(number)));
    }
}

#[test]
fn damage_anywhere_is_never_an_answer() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = files(&folder);
    drop(saved(&folder, 20));
    let whole = std::fs::read(&path).unwrap();
    for place in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[place] ^= 0x41;
        std::fs::write(&path, damaged).unwrap();
        let memo = open(&folder);
        for number in 0..20 {
            let recalled = memo.recall(&question(number));
            assert!(recalled.is_none() || recalled == Some(answer(number)), "byte {place}, answer {number}");
        }
    }
    for end in 0..whole.len() {
        std::fs::write(&path, &whole[..end]).unwrap();
        let memo = open(&folder);
        for number in 0..20 {
            let recalled = memo.recall(&question(number));
            assert!(recalled.is_none() || recalled == Some(answer(number)), "cut at {end}, answer {number}");
        }
        memo.note(question(7), answer(7));
        memo.save().unwrap();
        assert_eq!(open(&folder).recall(&question(7)), Some(answer(7)));
    }
}

/// A memo of `count` answers, saved and opened again; the answers to the questions `asked` are in the small
/// file as well.
fn used(folder: &tempfile::TempDir, count: usize, asked: impl Iterator<Item = usize>) -> Memo {
    let memo = saved(folder, count);
    for number in asked {
        assert_eq!(memo.recall(&question(number)), Some(answer(number)));
    }
    memo.save().unwrap();
    open(folder)
}

#[test]
fn damage_to_what_was_used_last_is_never_an_answer() {
    let folder = tempfile::tempdir().unwrap();
    let (path, recent) = files(&folder);
    assert!(used(&folder, 20, 0..20).recall(&question(1)).is_some());
    std::fs::remove_file(&path).unwrap();
    let whole = std::fs::read(&recent).unwrap();
    for place in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[place] ^= 0x41;
        std::fs::write(&recent, damaged).unwrap();
        assert_eq!(open(&folder).recall(&question(1)), None, "byte {place}");
    }
    for end in 0..whole.len() {
        std::fs::write(&recent, &whole[..end]).unwrap();
        assert_eq!(open(&folder).recall(&question(1)), None, "cut at {end}");
    }
}

#[test]
fn the_small_file_alone_serves_a_run_that_asks_what_the_last_one_asked() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = files(&folder);
    let asked = || (0..5000).step_by(7);
    let memo = used(&folder, 5000, asked());
    std::fs::remove_file(&path).unwrap();
    for number in asked() {
        assert_eq!(memo.recall(&question(number)), Some(answer(number)));
    }
    memo.save().unwrap();
    assert!(!path.exists(), "nothing was learned, so nothing is written");
}

#[test]
fn what_was_used_before_stays_in_the_small_file_as_long_as_it_is_small() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = files(&folder);
    let memo = used(&folder, 100, 0..50);
    memo.note(question(200), vec![7; recent::IDLE]);
    memo.save().unwrap();
    // Answers that an earlier run used stay beside a small number of bytes, and give way to a large number.
    let memo = open(&folder);
    assert!(memo.recall(&question(70)).is_some());
    memo.save().unwrap();
    let hidden = folder.path().join("hidden");
    std::fs::rename(&path, &hidden).unwrap();
    assert!(open(&folder).recall(&question(20)).is_some());
    std::fs::rename(&hidden, &path).unwrap();
    let memo = open(&folder);
    assert!(memo.recall(&question(200)).is_some());
    memo.save().unwrap();
    std::fs::remove_file(&path).unwrap();
    let memo = open(&folder);
    assert!(memo.recall(&question(200)).is_some() && memo.recall(&question(20)).is_none());
}

#[test]
fn a_small_file_that_is_full_is_not_written_anew_by_a_run_that_uses_the_same() {
    use std::os::unix::fs::MetadataExt as _;

    let folder = tempfile::tempdir().unwrap();
    let (_, recent) = files(&folder);
    let memo = open(&folder);
    (0..40).for_each(|number| memo.note(question(number), vec![7; recent::LIMIT / 32]));
    memo.save().unwrap();
    let run = || {
        let memo = open(&folder);
        (0..40).for_each(|number| assert!(memo.recall(&question(number)).is_some()));
        memo.save().unwrap();
        recent.metadata().unwrap().ino()
    };
    assert_eq!(run(), run());
}

#[test]
fn a_file_whose_answers_are_damaged_keeps_what_is_learned_again() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = files(&folder);
    drop(saved(&folder, 100));
    let mut bytes = std::fs::read(&path).unwrap();
    let end = bytes.len();
    bytes[end - 200..].fill(0);
    std::fs::write(&path, bytes).unwrap();
    let memo = open(&folder);
    let lost: Vec<usize> = (0..100).filter(|number| memo.recall(&question(*number)).is_none()).collect();
    assert!(!lost.is_empty() && lost.len() < 100);
    for &number in &lost {
        memo.note(question(number), answer(number));
    }
    memo.save().unwrap();
    let memo = open(&folder);
    (0..100).for_each(|number| assert_eq!(memo.recall(&question(number)), Some(answer(number))));
}

#[test]
fn pieces_of_a_question_do_not_run_together() {
    let ask = |pieces: &[&[u8]]| {
        let mut asking = Asking::new("dtbuild test v1");
        for piece in pieces {
            asking.on(piece);
        }
        asking.question()
    };
    assert_ne!(ask(&[b"ab", b"c"]), ask(&[b"a", b"bc"]));
    assert_ne!(ask(&[b"ab"]), ask(&[b"ab", b""]));
    assert_ne!(Asking::new("dtbuild test v1").question(), Asking::new("dtbuild test v2").question());
}

#[test]
fn questions_with_one_beginning_differ_by_it_and_by_what_follows() {
    let ask = |beginning: &[u8], rest: &[u8]| {
        let mut asking = Asking::new("dtbuild test v1");
        asking.on(beginning).settle();
        let one = asking.clone().on(rest).question();
        assert_eq!(asking.on(rest).question(), one);
        one
    };
    assert_ne!(ask(b"a", b"b"), ask(b"a", b"c"));
    assert_ne!(ask(b"a", b"b"), ask(b"b", b"b"));
    assert_ne!(ask(b"ab", b""), ask(b"a", b"b"));
}

#[test]
fn bytes_that_are_missing_are_not_empty_ones() {
    let ask = |pieces: &[Option<&str>]| {
        let mut asking = Asking::new("dtbuild test v1");
        for piece in pieces {
            asking.on_option(*piece);
        }
        asking.question()
    };
    let all = [
        ask(&[None]),
        ask(&[Some("")]),
        ask(&[None, None]),
        ask(&[Some("a"), None]),
        ask(&[None, Some("a")]),
    ];
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
}
