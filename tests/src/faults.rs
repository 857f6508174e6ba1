//! What the fault tests have in common: how many faults to try, where they fall, and the table of what was survived.
//!
//! Each fault test is one test with two lengths: a handful of faults in the ordinary run, all of them under
//! `make test-faults`, which sets `MODFERRY_FAULTS=full`. Where faults fall by chance, the chance comes from a seed
//! that is printed, and `MODFERRY_FAULTS_SEED` gives it again. A test adds its row to the table however it ends.

use std::{cell::RefCell, env, fs::File, io::Write as _, time::Duration};

/// Whether all faults are asked for.
pub fn full() -> bool {
    env::var_os("MODFERRY_FAULTS").is_some_and(|how| how == "full")
}

/// How many faults to try: `few` in the ordinary run, `all` when all are asked for.
pub fn tries(few: usize, all: usize) -> usize {
    if full() { all } else { few }
}

/// At most `few` of `all` things, evenly spread, the first and the last among them; all of them when all are asked for.
pub fn sample<T: Clone>(all: &[T], few: usize) -> Vec<T> {
    if full() || all.len() <= few {
        return all.to_vec();
    }
    (0..few)
        .map(|n| all[n * (all.len() - 1) / (few - 1).max(1)].clone())
        .collect()
}

/// Chance that can be had again: splitmix64.
pub struct Chance(u64);

impl Chance {
    /// From the environment's seed, or from one of this test's own that is the same each time.
    pub fn new(test: &str) -> Self {
        let seed = env::var("MODFERRY_FAULTS_SEED")
            .ok()
            .and_then(|seed| seed.parse().ok())
            .unwrap_or_else(|| {
                test.bytes()
                    .fold(2026, |sum: u64, b| sum * 31 % 1_000_003 + u64::from(b))
            });
        println!("{test}: MODFERRY_FAULTS_SEED={seed}");
        Self(seed)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.number() % end
    }

    /// A moment within `whole`, to the microsecond.
    pub fn moment(&mut self, whole: Duration) -> Duration {
        Duration::from_micros(self.below(whole.as_micros() as u64 + 1))
    }
}

/// A row of the table: counts what was tried and survived, and writes it when dropped, after a failure, too.
pub struct Row {
    what: String,
    tried: u32,
    survived: u32,
    notes: RefCell<Vec<String>>,
}

impl Row {
    /// A row of that name.
    pub fn new(what: &str) -> Self {
        Self {
            what: what.into(),
            tried: 0,
            survived: 0,
            notes: RefCell::default(),
        }
    }

    /// Its name.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// Tries one fault: `survive` panics if it was not survived.
    pub fn fault<T>(&mut self, survive: impl FnOnce() -> T) -> T {
        self.tried += 1;
        let outcome = survive();
        self.survived += 1;
        outcome
    }

    /// How many were survived.
    pub fn survived(&self) -> u32 {
        self.survived
    }

    /// Says something more about this row.
    pub fn note(&self, note: impl Into<String>) {
        self.notes.borrow_mut().push(note.into());
    }

    /// Says, in the table, that this machine does not allow it: never silently.
    pub fn skipped(self, why: &str) {
        self.note(format!("SKIPPED: {why}"));
    }
}

impl Drop for Row {
    fn drop(&mut self) {
        let mut notes = self.notes.borrow().join("; ");
        if self.survived < self.tried {
            notes = format!("FAILED; {notes}");
        }
        let row = format!(
            "| {} | {} | {} | {} |",
            self.what, self.tried, self.survived, notes
        );
        println!("{row}");
        if let Some(table) = env::var_os("MODFERRY_FAULTS_TABLE") {
            let opened = File::options().append(true).create(true).open(table);
            let _ = opened.and_then(|mut file| writeln!(file, "{row}"));
        }
    }
}

/// Whether a program is there, for a fault that needs it.
pub fn has(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
