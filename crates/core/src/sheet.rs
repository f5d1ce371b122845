//! Tables that anybody may have written: with commas, semicolons or tabs, in UTF-8 or UTF-16, with
//! decimal points or decimal commas. What is ambiguous is refused.

use std::{fs, io, path::Path};

use csv::{ReaderBuilder, StringRecord};

/// The rows of a table.
#[derive(Debug)]
pub(crate) struct Sheet {
    /// Rows that hold anything, with their lines.
    pub(crate) records: Vec<StringRecord>,
    /// Rows all of whose cells are empty, as spreadsheets leave them behind a table.
    pub(crate) blank_rows: usize,
    delimiter: u8,
}

/// Why a file is no table.
#[derive(Debug)]
pub(crate) enum SheetError {
    Io(io::Error),
    Csv(csv::Error),
    /// The bytes of this line are no text.
    NoText {
        line: u64,
    },
}

/// What the error of a file that is no text says was expected.
pub(crate) const TEXT: &str = "text in UTF-8, or in UTF-16 with a byte order mark";

/// Expected in place of numbers that could be read in two ways.
pub(crate) const ONE_DECIMAL_MARK: &str =
    "numbers with one decimal mark throughout and no marks of thousands";

impl Sheet {
    pub(crate) fn read(path: &Path) -> Result<Self, SheetError> {
        Self::parse(&text(&fs::read(path).map_err(SheetError::Io)?)?)
    }

    fn parse(text: &str) -> Result<Self, SheetError> {
        let delimiter = delimiter(text);
        let mut reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            .from_reader(text.as_bytes());
        let mut sheet = Self { records: Vec::new(), blank_rows: 0, delimiter };
        for record in reader.records() {
            let record = record.map_err(SheetError::Csv)?;
            if record.iter().all(|cell| cell.trim().is_empty()) {
                sheet.blank_rows += 1;
            } else {
                sheet.records.push(record);
            }
        }
        Ok(sheet)
    }

    /// The same table without spaces around its cells.
    pub(crate) fn trimmed(mut self) -> Self {
        self.records.iter_mut().for_each(StringRecord::trim);
        self
    }

    /// How the numbers of a column are to be read.
    ///
    /// The error is the line and the cell that could be read in two ways: `1.234,5`, a point after
    /// commas, or, where commas part the cells as well, `1,234`.
    pub(crate) fn decimals<'a>(
        &self,
        cells: impl Iterator<Item = (u64, &'a str)>,
    ) -> Result<Decimals, (u64, &'a str)> {
        let mut point = false;
        let mut comma: Option<(u64, &str)> = None;
        let mut only_thousands = self.delimiter == b',';
        for (line, cell) in cells {
            point |= cell.contains('.');
            if cell.contains(',') {
                comma.get_or_insert((line, cell));
                only_thousands &= looks_like_thousands(cell);
            }
            if let Some(comma) = comma.filter(|_| point) {
                return Err(comma);
            }
        }
        match comma {
            Some(first) if only_thousands => Err(first),
            Some(_) => Ok(Decimals::Comma),
            None => Ok(Decimals::Point),
        }
    }
}

/// The decimal mark of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decimals {
    Point,
    Comma,
}

impl Decimals {
    /// The number as programs write it.
    pub(crate) fn plain(self, cell: &str) -> String {
        match self {
            Self::Point => cell.to_owned(),
            Self::Comma => cell.replacen(',', ".", 1),
        }
    }

    /// A finite number; none where the cell is none.
    pub(crate) fn parse(self, cell: &str) -> Option<f64> {
        self.plain(cell).parse().ok().filter(|number: &f64| number.is_finite())
    }
}

/// The line of a record, from 1.
pub(crate) fn line(record: &StringRecord) -> u64 {
    record.position().map_or(0, csv::Position::line)
}

/// `1,234`: either one and a bit, or a thousand.
fn looks_like_thousands(cell: &str) -> bool {
    let digits = cell.trim_start_matches(['-', '+']);
    digits.split_once(',').is_some_and(|(head, tail)| {
        (1..=3).contains(&head.len())
            && !head.starts_with('0')
            && tail.len() == 3
            && [head, tail].iter().all(|part| part.bytes().all(|byte| byte.is_ascii_digit()))
    })
}

/// Text of a file as spreadsheets and programs write it.
fn text(bytes: &[u8]) -> Result<String, SheetError> {
    let utf_16 = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let (units, rest) = bytes.as_chunks::<2>();
        let units: Vec<u16> = units.iter().map(|&pair| unit(pair)).collect();
        let text = String::from_utf16(&units).ok().filter(|_| rest.is_empty());
        text.ok_or(SheetError::NoText { line: 1 })
    };
    let text = match bytes {
        [0xff, 0xfe, rest @ ..] => utf_16(rest, u16::from_le_bytes)?,
        [0xfe, 0xff, rest @ ..] => utf_16(rest, u16::from_be_bytes)?,
        [0xef, 0xbb, 0xbf, rest @ ..] => utf_8(rest)?,
        bytes => utf_8(bytes)?,
    };
    match text.split('\0').next() {
        Some(before) if before.len() < text.len() => {
            Err(SheetError::NoText { line: lines(before.as_bytes()) })
        }
        _ => Ok(text),
    }
}

fn utf_8(bytes: &[u8]) -> Result<String, SheetError> {
    let text = std::str::from_utf8(bytes);
    let text =
        text.map_err(|error| SheetError::NoText { line: lines(&bytes[..error.valid_up_to()]) })?;
    Ok(text.to_owned())
}

/// The line that the byte behind these stands in.
fn lines(before: &[u8]) -> u64 {
    before.split(|&byte| byte == b'\n').count() as u64
}

/// The tab or the semicolon where more than half of the lines have one outside of quotes, else the
/// comma. German spreadsheets write semicolons because their numbers have commas.
fn delimiter(text: &str) -> u8 {
    let (mut lines, mut with_tab, mut with_semicolon) = (0_usize, 0, 0);
    let (mut quoted, mut tab, mut semicolon, mut blank) = (false, false, false, true);
    for byte in text.bytes().chain([b'\n']) {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' | b'\r' if !quoted => {
                lines += usize::from(!blank);
                with_tab += usize::from(tab);
                with_semicolon += usize::from(semicolon);
                (tab, semicolon, blank) = (false, false, true);
                continue;
            }
            b'\t' if !quoted => tab = true,
            b';' if !quoted => semicolon = true,
            _ => {}
        }
        blank = false;
    }
    match lines {
        _ if 2 * with_tab > lines => b'\t',
        _ if 2 * with_semicolon > lines => b';',
        _ => b',',
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cells(bytes: &[u8]) -> Vec<Vec<String>> {
        let sheet = Sheet::parse(&text(bytes).expect("text")).expect("a table").trimmed();
        let row = |record: &StringRecord| record.iter().map(str::to_owned).collect();
        sheet.records.iter().map(row).collect()
    }

    #[test]
    fn every_dialect_has_the_same_cells() {
        let plain = "a.wav,0.5\nb.wav,1.5\n";
        let expected = cells(plain.as_bytes());
        assert_eq!(expected, [["a.wav", "0.5"], ["b.wav", "1.5"]]);
        let utf_16 = |of: fn(u16) -> [u8; 2]| {
            format!("\u{feff}{plain}").encode_utf16().flat_map(of).collect::<Vec<u8>>()
        };
        for bytes in [
            plain.replace(',', ";").into_bytes(),
            plain.replace(',', "\t").into_bytes(),
            plain.replace('\n', "\r\n").into_bytes(),
            plain.replace('\n', "\r").into_bytes(),
            plain.replace('\n', "\n\n").into_bytes(),
            format!("\u{feff}{plain},,,\n").into_bytes(),
            plain.replace(',', " , ").into_bytes(),
            utf_16(u16::to_le_bytes),
            utf_16(u16::to_be_bytes),
        ] {
            assert_eq!(cells(&bytes), expected, "{}", String::from_utf8_lossy(&bytes));
        }
    }

    #[test]
    fn what_is_no_text_is_refused_at_its_line() {
        for bytes in [&b"a.wav,1\nm\xfchle.wav,2\n"[..], b"a.wav,1\nb\0.wav,2\n"] {
            assert!(matches!(text(bytes), Err(SheetError::NoText { line: 2 })));
        }
        assert!(matches!(text(b"\xff\xfea"), Err(SheetError::NoText { line: 1 })));
    }

    #[test]
    fn a_decimal_mark_is_told_or_the_column_refused() {
        let of = |delimiter: u8, column: &[&'static str]| {
            let sheet = Sheet { records: Vec::new(), blank_rows: 0, delimiter };
            sheet.decimals(column.iter().map(|cell| (1, *cell))).map_err(|(_, cell)| cell)
        };
        assert_eq!(of(b',', &["0.5", "7", "1e-3"]), Ok(Decimals::Point));
        assert_eq!(of(b';', &["0,5", "7", "1,234"]), Ok(Decimals::Comma));
        assert_eq!(of(b',', &["0,123", "1,234"]), Ok(Decimals::Comma));
        assert_eq!(of(b',', &["999", "1,234"]), Err("1,234"));
        assert_eq!(of(b';', &["1.234,5"]), Err("1.234,5"));
        assert_eq!(of(b';', &["0,5", "0.5"]), Err("0,5"));
        assert_eq!(Decimals::Comma.parse("-1,5e-1"), Some(-0.15));
        assert_eq!(Decimals::Comma.parse("1,234,567"), None);
        assert_eq!((Decimals::Point.parse("nan"), Decimals::Point.parse("inf")), (None, None));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(text) = text(&bytes) {
                let _ = Sheet::parse(&text);
            }
        }
    }
}
