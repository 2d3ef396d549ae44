//! Chance that can be played again. Source of the numbers: SplitMix64, Steele, Lea and Flood, OOPSLA 2014.

use std::io::Write;

pub struct Dice(u64);

impl Dice {
    /// From `AIRLOCK_CRASH_SEED`, else from the machine's randomness; printed either way, past the test runner's capture.
    #[expect(clippy::disallowed_methods, reason = "which chances a test takes is no setting of Airlock")]
    pub fn thrown(test: &str) -> Dice {
        let given = std::env::var("AIRLOCK_CRASH_SEED").ok().map(|text| text.parse().expect("AIRLOCK_CRASH_SEED is a number"));
        let seed = given.unwrap_or_else(|| {
            let mut bytes = [0; 8];
            getrandom::fill(&mut bytes).unwrap();
            u64::from_le_bytes(bytes)
        });
        _ = writeln!(std::io::stderr(), "crash::{test}: AIRLOCK_CRASH_SEED={seed}");
        Dice(seed)
    }

    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Less than `bound`, which is not 0.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.number() % bound as u64).unwrap()
    }

    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.number().to_le_bytes()[0]).collect()
    }
}
