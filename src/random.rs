//! Random ids, which no other run has. Start with [`id`].

use std::time::SystemTime;

/// A random id: 32 hexadecimal digits from the system's source of randomness. No other run has it, and nobody can guess it.
pub(crate) fn id() -> String {
    let mut bytes = [0; 16];
    if getrandom::fill(&mut bytes).is_err() {
        // No supported system is without randomness. An id that is only unique is better than no run.
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos();
        let made = blake3::hash(format!("{now} {}", std::process::id()).as_bytes());
        bytes.copy_from_slice(&made.as_bytes()[..16]);
    }
    hex::encode(bytes)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_ids_are_the_same() {
        let ids: HashSet<String> = (0..1000).map(|_| id()).collect();
        assert_eq!(ids.len(), 1000);
        assert!(ids.iter().all(|id| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())));
    }
}
