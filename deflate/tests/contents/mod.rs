//! Contents that reach every decision of a writer, made of nothing but a shape's name and a size.

/// A row of numbers that depends on its seed alone (splitmix64).
pub struct Numbers(u64);

impl Numbers {
    pub fn of(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

/// Every shape there is.
pub const SHAPES: [&str; 14] = [
    "same", "random", "two", "letters", "skewed", "words", "lines", "period", "near", "far",
    "edits", "islands", "fours", "changing",
];

/// The content of a shape and a size.
pub fn content(shape: &str, size: usize) -> Vec<u8> {
    let seed = shape
        .bytes()
        .fold(size as u64, |seed, byte| seed * 31 + u64::from(byte));
    let mut numbers = Numbers::of(seed);
    let mut content = Vec::with_capacity(size + 70_000);
    while content.len() < size {
        grow(&mut content, shape, &mut numbers);
    }
    content.truncate(size);
    content
}

/// Appends some more of a shape.
fn grow(content: &mut Vec<u8>, shape: &str, numbers: &mut Numbers) {
    let alphabet = |content: &mut Vec<u8>, numbers: &mut Numbers, letters: u64| {
        for _ in 0..64 {
            content.push(b' ' + numbers.below(letters) as u8);
        }
    };
    match shape {
        "same" => content.resize(content.len() + 1000, b'='),
        // Nothing to find: stored blocks.
        "random" => content.extend(numbers.next().to_le_bytes()),
        // Chains so long that tries run out, and matches of every length.
        "two" => alphabet(content, numbers, 2),
        // Hardly a match, but fewer than eight bits a letter.
        "letters" => alphabet(content, numbers, 60),
        // Codes of very different lengths, up to the longest.
        "skewed" => content.push((numbers.next() | 1 << 62).trailing_zeros() as u8 * 3),
        "words" => {
            const WORDS: [&str; 12] = [
                "func", "return", "err", "nil", "package", "string", "byte", "range", "if", "for",
                "error", "context",
            ];
            content.extend(WORDS[numbers.below(12) as usize].bytes());
            content.push(b" .({\n"[numbers.below(5) as usize]);
        }
        // A run of one byte between others: lazy matching at each of its ends.
        "lines" => {
            let run = numbers.below(40) as usize;
            content.resize(content.len() + run, b' ');
            content.extend(numbers.below(1000).to_string().bytes());
            content.push(b'\n');
        }
        // Everything repeats at one distance, beyond what the window holds of it or just within.
        "period" => {
            let period = 32_768 - 3 + numbers.below(6) as usize;
            for _ in 0..period.min(8) {
                content.push(numbers.next() as u8);
            }
            while content.len() % 70_000 < 69_000 {
                let byte = match content.len().checked_sub(period) {
                    Some(earlier) => content[earlier],
                    None => numbers.next() as u8,
                };
                content.push(byte);
            }
        }
        // Matches of three to five bytes around the distance beyond which four are not enough.
        "near" => copy(content, numbers, 4090..4102, 3..6),
        // Matches that reach to the far end of the window, and beyond it.
        "far" => copy(content, numbers, 32_760..32_776, 3..300),
        // A copy of what is somewhere before, now and then with a byte changed.
        "edits" => copy(content, numbers, 1..30_000, 5..200),
        // Long stretches that cannot be shortened between long ones that can.
        "islands" => {
            for _ in 0..numbers.below(20_000) {
                content.push(numbers.next() as u8);
            }
            let run = numbers.below(300_000) as usize;
            let byte = numbers.next() as u8;
            content.resize(content.len() + run, byte);
        }
        // Different strings of four bytes, each often: the same hash for several.
        "fours" => {
            let four = (numbers.below(3000) as u32).wrapping_mul(0x9e37_79b1);
            content.extend(four.to_le_bytes());
        }
        // Another alphabet every so often: blocks that differ.
        "changing" => {
            let letters = 1 + numbers.below(200);
            for _ in 0..1000 {
                content.push(numbers.below(letters) as u8);
            }
        }
        other => unreachable!("no shape {other}"),
    }
}

fn copy(
    content: &mut Vec<u8>,
    numbers: &mut Numbers,
    distances: std::ops::Range<usize>,
    lengths: std::ops::Range<usize>,
) {
    let mut within =
        |range: &std::ops::Range<usize>| range.start + numbers.below(range.len() as u64) as usize;
    let (distance, length) = (within(&distances), within(&lengths));
    for _ in 0..length {
        match content.len().checked_sub(distance) {
            Some(earlier) => content.push(content[earlier]),
            None => content.push(numbers.next() as u8),
        }
    }
    content.push(numbers.next() as u8);
}
