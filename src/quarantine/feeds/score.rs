//! How bad a vulnerability is: the base score of a CVSS vector, in tenths.

use cvss::Cvss;

/// The longest vector of version 4 with every metric is shorter.
const VECTOR_BYTES_MAX: usize = 512;

/// `98` of `CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H`. Versions 2, 3.0, 3.1 and 4.0; `None` of what is no vector.
pub fn of_vector(text: &str) -> Option<u8> {
    if text.len() > VECTOR_BYTES_MAX {
        return None;
    }
    let vector = text.parse::<Cvss>().ok()?;
    // A metric of the base that is missing would count as harmless.
    let base = match vector {
        Cvss::CvssV20(_) => 6,
        Cvss::CvssV30(_) | Cvss::CvssV31(_) => 1 + 8,
        Cvss::CvssV40(_) => 1 + 11,
        _ => return None,
    };
    if text.split('/').count() < base {
        return None;
    }
    let value = vector.score();
    (0..=100_u8).find(|tenths| (f64::from(*tenths) - value * 10.0).abs() <= 0.5)
}

/// Where only a word is given: the least score that has it, in tenths. Source: CVSS 3.1, 5; `MODERATE` is GitHub's medium.
pub fn of_word(word: &str) -> Option<u8> {
    match word.to_ascii_uppercase().as_str() {
        "LOW" => Some(1),
        "MODERATE" | "MEDIUM" => Some(40),
        "HIGH" => Some(70),
        "CRITICAL" => Some(90),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_of_every_version_have_a_score() {
        for (vector, expect) in [
            // Sources: FIRST's examples and calculators.
            ("AV:N/AC:L/Au:N/C:N/I:N/A:C", Some(78)),
            ("CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", Some(61)),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", Some(98)),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", Some(100)),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", Some(0)),
            ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", Some(93)),
            ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:N/SC:N/SI:N/SA:N", Some(0)),
            ("CVSS:3.1/AV:N", None),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H", None),
            ("AV:N/AC:L/Au:N/C:N/I:N", None),
            ("CVSS:9.9/AV:N/AC:L", None),
            ("9.8", None),
            ("", None),
        ] {
            assert_eq!(of_vector(vector), expect, "{vector}");
        }
        assert_eq!(of_vector(&format!("CVSS:3.1/{}", "AV:N/".repeat(1_000))), None);
    }

    #[test]
    fn words_have_the_least_score_of_their_band() {
        let words = ["LOW", "moderate", "Medium", "HIGH", "CRITICAL", "urgent", ""];
        assert_eq!(words.map(of_word), [Some(1), Some(40), Some(40), Some(70), Some(90), None, None]);
    }
}
