//! Did you mean …?

/// The known name that a slip of one or two letters would turn into `name`; none where nothing is that near.
pub(super) fn nearest<'a>(name: &str, known: &'a [String]) -> Option<&'a str> {
    let slips = (name.chars().count() / 5).clamp(1, 2);
    known
        .iter()
        .map(|known| (strsim::damerau_levenshtein(name, known), known.as_str()))
        .filter(|(distance, _)| *distance <= slips)
        .min()
        .map(|(_, known)| known)
}
