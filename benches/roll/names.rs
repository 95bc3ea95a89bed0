//! Names by number: forty first names, and surnames of three syllables.

const FIRST_NAMES: [&str; 40] = [
    "Alma", "Bruno", "Carla", "Denis", "Edith", "Felix", "Gerda", "Hector", "Irene", "Jakob", "Klara", "Leon", "Marta",
    "Niels", "Olga", "Pavel", "Ruth", "Simon", "Tamara", "Ulrich", "Viola", "Walter", "Xaver", "Yvonne", "Zora",
    "Albert", "Beata", "Conrad", "Dora", "Emma", "Frank", "Gisela", "Harald", "Ida", "Joana", "Kurt", "Lotte",
    "Moritz", "Noemi", "Otto",
];

const SYLLABLES: [&str; 30] = [
    "an", "ber", "chi", "do", "el", "fan", "gra", "hus", "in", "jor", "ken", "lin", "mar", "nov", "os", "pel", "rin",
    "sal", "tho", "ul", "vik", "wen", "zi", "bach", "ros", "feld", "holm", "steen", "ta", "mu",
];

/// The first name and the surname with this number, always the same, evenly spread over all there are.
pub fn name(number: u64) -> (&'static str, String) {
    let mut choice = scattered(number);
    let first = pick(&FIRST_NAMES, &mut choice);
    let surname = [(); 3].map(|()| pick(&SYLLABLES, &mut choice)).concat();
    (first, capitalised(&surname))
}

/// Numbers in a row, scattered over all that 64 bits hold (the finish of splitmix64).
pub const fn scattered(number: u64) -> u64 {
    let bits = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

/// Takes one by a choice, and leaves the choice for the next.
fn pick(from: &[&'static str], choice: &mut u64) -> &'static str {
    let many = from.len() as u64;
    let chosen = usize::try_from(*choice % many).ok().and_then(|at| from.get(at));
    *choice /= many;
    chosen.copied().unwrap_or_default()
}

fn capitalised(word: &str) -> String {
    let mut characters = word.chars();
    characters.next().into_iter().flat_map(char::to_uppercase).chain(characters).collect()
}
