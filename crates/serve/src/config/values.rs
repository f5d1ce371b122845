//! Values of the configuration that need more than a number: lengths of time, and secrets.

use std::{fmt, path::Path, path::PathBuf};

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, Visitor, value::MapAccessDeserializer},
};

use super::text::text_of;

/// A length of time, written as in `90s`, `10m`, `2h` or `7d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Span {
    ms: u64,
}

const UNITS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
/// Ten years: longer ones are slips.
const LONGEST_MS: f64 = 3660.0 * 86_400_000.0;

impl Span {
    /// Whole seconds.
    pub const fn from_s(seconds: u64) -> Self {
        Self { ms: 1000 * seconds }
    }

    /// Milliseconds.
    pub const fn ms(self) -> u64 {
        self.ms
    }

    /// Seconds.
    pub fn seconds(self) -> f64 {
        self.ms as f64 / 1000.0
    }
}

impl std::str::FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let error = || {
            format!(
                "cannot read `{text}` as a length of time, expected as in `90s`, `10m`, `2h` or `7d`"
            )
        };
        let text = text.trim();
        let digits = text.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(error)?;
        let (number, unit) = text.split_at(digits);
        let number: f64 = number.trim().parse().map_err(|_| error())?;
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(error)?;
        let ms = number * *factor as f64;
        if (0.0..=LONGEST_MS).contains(&ms) {
            Ok(Self { ms: ms.round() as u64 })
        } else {
            Err(error())
        }
    }
}

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// A secret, read from a file or an environment variable when it is used; it is never printed.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// A file whose first line is the secret.
    File(PathBuf),
    /// An environment variable.
    Env(String),
}

/// A secret that cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// The file cannot be read.
    #[error("cannot read the secret in `{}`", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The variable is not set.
    #[error("the environment variable `{name}` is not set")]
    Env {
        /// Which.
        name: String,
    },
    /// The system's certificate authorities cannot be read.
    #[error("the system's certificate authorities cannot be read: {problem}")]
    Roots {
        /// Why.
        problem: String,
    },
    /// The file of a certificate authority that is not a public one cannot be used.
    #[error("no certificate authority in PEM form in `{}`: {problem}", path.display())]
    Authority {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Nothing in it.
    #[error("the secret from {whence} is empty")]
    Empty {
        /// File or variable.
        whence: String,
    },
}

/// Where a secret is, as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whence {
    file: Option<PathBuf>,
    env: Option<String>,
}

impl<'de> Deserialize<'de> for Secret {
    /// Reads where the secret is. A secret that is written itself is refused without repeating it.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Place;
        impl<'de> Visitor<'de> for Place {
            type Value = Secret;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`{ file = \"PATH\" }` or `{ env = \"NAME\" }`")
            }

            fn visit_str<E: de::Error>(self, _: &str) -> Result<Secret, E> {
                Err(E::custom(
                    "a secret is not written into the configuration: put it into a file and name that, `{ file = \"PATH\" }`, \
                     or `{ env = \"NAME\" }`",
                ))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Secret, A::Error> {
                let Whence { file, env } = Whence::deserialize(MapAccessDeserializer::new(map))?;
                match (file, env) {
                    (Some(path), None) => Ok(Secret::File(path)),
                    (None, Some(name)) => Ok(Secret::Env(name)),
                    _ => Err(de::Error::custom("a secret is in one place: `file` or `env`")),
                }
            }
        }
        deserializer.deserialize_any(Place)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "the secret in `{}`", path.display()),
            Self::Env(name) => write!(f, "the secret in ${name}"),
        }
    }
}

impl Secret {
    /// Reads it; a relative file is looked for beside the configuration.
    ///
    /// # Errors
    /// [`SecretError`] when it cannot be had.
    pub fn read(&self, beside: &Path) -> Result<String, SecretError> {
        let text = match self {
            Self::File(path) => {
                let path = beside.join(path);
                text_of(&path).map_err(|source| SecretError::File { path, source })?
            }
            Self::Env(name) => {
                std::env::var(name).map_err(|_| SecretError::Env { name: name.clone() })?
            }
        };
        let line = text.lines().next().unwrap_or_default().trim().to_owned();
        if line.is_empty() {
            return Err(SecretError::Empty { whence: format!("{self:?}") });
        }
        Ok(line)
    }
}

/// What is kept of the sound around alarms: `true`, `"features"` or `false`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// The sound.
    Sound,
    /// A coarse picture of it, of which no word can be understood.
    Features,
    /// Nothing.
    Nothing,
}

impl Keep {
    /// What is kept, in a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sound => "sound",
            Self::Features => "features",
            Self::Nothing => "nothing",
        }
    }
}

impl<'de> Deserialize<'de> for Keep {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Words;
        impl serde::de::Visitor<'_> for Words {
            type Value = Keep;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "true (sound), \"features\" (a coarse picture of it) or false (nothing)",
                )
            }

            fn visit_bool<E: serde::de::Error>(self, keep: bool) -> Result<Keep, E> {
                Ok(if keep { Keep::Sound } else { Keep::Nothing })
            }

            fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<Keep, E> {
                match word {
                    "features" => Ok(Keep::Features),
                    _ => Err(E::invalid_value(serde::de::Unexpected::Str(word), &self)),
                }
            }
        }
        from.deserialize_any(Words)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn lengths_of_time_are_read_with_their_unit() {
        let cases =
            [("250ms", 250), ("90s", 90_000), ("1.5 m", 90_000), ("2h", 7_200_000), ("0s", 0)];
        for (text, ms) in cases {
            assert_eq!(text.parse::<Span>().map(Span::ms), Ok(ms), "{text}");
        }
        for text in ["", "10", "-1s", "nan s", "3 weeks", "1e9d"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_kept_is_a_word_or_a_switch() {
        #[derive(Deserialize)]
        struct Sound {
            keep: Keep,
        }
        let read = |text: &str| toml::from_str::<Sound>(text).map(|sound| sound.keep);
        assert_eq!(read("keep = true").expect("a switch"), Keep::Sound);
        assert_eq!(read("keep = false").expect("a switch"), Keep::Nothing);
        assert_eq!(read("keep = \"features\"").expect("a word"), Keep::Features);
        let told = read("keep = \"some\"").expect_err("an error").to_string();
        assert!(told.contains("\"features\" (a coarse picture"), "{told}");
    }

    #[test]
    fn a_secret_is_never_printed() {
        #[derive(Debug, Deserialize)]
        struct Web {
            password: Secret,
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("key"), "swordfish\n").expect("a secret");
        let secret = Secret::File("key".into());
        assert_eq!(secret.read(folder.path()).expect("the secret"), "swordfish");
        assert!(!format!("{secret:?}").contains("swordfish"));
        let read = |text: &str| toml::from_str::<Web>(text).map(|web| web.password);
        let by_name = read("password = { env = \"DOOR\" }").expect("a place");
        assert_eq!(by_name, Secret::Env("DOOR".to_owned()));
        let written = read("password = \"swordfish\"").expect_err("it is written itself");
        assert!(!written.message().contains("swordfish"), "{written}");
        assert!(written.message().contains("put it into a file"), "{written}");
        assert!(read("password = { file = \"a\", env = \"B\" }").is_err());
    }
}
