//! `-h` and `-v`.

/// `-v`
pub(super) const VERSION: &str = "ipvsadm v1.31 2019/12/24 (compiled with popt and IPVS v1.2.1)\n";

/// `-h`, for a program called `program`.
pub(super) fn usage(program: &str) -> String {
    format!("{VERSION}{}", USAGE.replace("%s", program))
}

const USAGE: &str = include_str!("usage.txt");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_synopsis_names_the_program() {
        let usage = usage("ipvsadm");
        assert!(!usage.contains("%s"));
        assert_eq!(usage.matches("  ipvsadm -").count(), 13);
    }
}
