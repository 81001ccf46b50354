use super::*;

fn question(number: usize) -> Question {
    Asking::new("dtbuild test v1").on_number(number).question()
}

fn answer(number: usize) -> Vec<u8> {
    format!("answer {number}").repeat(number % 5).into_bytes()
}

/// A memo of so many answers, saved and opened again.
fn saved(folder: &tempfile::TempDir, count: usize) -> Memo {
    let memo = Memo::open(folder.path().join("memo"));
    (0..count).for_each(|number| memo.note(question(number), answer(number)));
    memo.save().unwrap();
    Memo::open(folder.path().join("memo"))
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
        std::fs::remove_file(folder.path().join("memo")).unwrap_or_default();
    }
}

#[test]
fn saving_keeps_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let memo = saved(&folder, 100);
    memo.note(question(1000), answer(1000));
    memo.save().unwrap();
    let memo = Memo::open(folder.path().join("memo"));
    for number in (0..100).chain([1000]) {
        assert_eq!(memo.recall(&question(number)), Some(answer(number)));
    }
}

#[test]
fn damage_anywhere_is_never_an_answer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("memo");
    drop(saved(&folder, 20));
    let whole = std::fs::read(&path).unwrap();
    for place in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[place] ^= 0x41;
        std::fs::write(&path, damaged).unwrap();
        let memo = Memo::open(&path);
        for number in 0..20 {
            let recalled = memo.recall(&question(number));
            assert!(recalled.is_none() || recalled == Some(answer(number)), "byte {place}, answer {number}");
        }
    }
    for end in 0..whole.len() {
        std::fs::write(&path, &whole[..end]).unwrap();
        let memo = Memo::open(&path);
        for number in 0..20 {
            let recalled = memo.recall(&question(number));
            assert!(recalled.is_none() || recalled == Some(answer(number)), "cut at {end}, answer {number}");
        }
        memo.note(question(7), answer(7));
        memo.save().unwrap();
        assert_eq!(Memo::open(&path).recall(&question(7)), Some(answer(7)));
    }
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
