//! The header of a model file in one order, so that equal models have equal bytes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One entry of the header: the description of the file, or of an array in it.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Entry {
    Array { dtype: String, shape: Vec<usize>, data_offsets: [usize; 2] },
    Description(BTreeMap<String, String>),
}

/// A safetensors file with the entries of its header sorted. The library that writes it keeps the
/// description in a hash map, whose order differs from one writing to the next.
///
/// # Errors
/// [`serde_json::Error`] when the bytes are no such file.
pub(crate) fn ordered(mut bytes: Vec<u8>) -> Result<Vec<u8>, serde_json::Error> {
    let Some((length, rest)) = bytes.split_first_chunk_mut::<8>() else { return Ok(bytes) };
    let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
    let Some(header) = rest.get_mut(..length) else { return Ok(bytes) };
    let entries: BTreeMap<String, Entry> = serde_json::from_slice(header)?;
    let sorted = serde_json::to_vec(&entries)?;
    // The same entries are as long in any order; spaces fill the header up to a multiple of eight.
    if sorted.len() <= length {
        header.fill(b' ');
        header[..sorted.len()].copy_from_slice(&sorted);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use safetensors::{Dtype, SafeTensors, tensor::TensorView};

    use super::*;

    #[test]
    fn equal_files_have_equal_bytes_and_are_read_as_before() {
        let written = || {
            let pair = |name: &str| (name.to_owned(), format!("of \"{name}\""));
            let description: HashMap<String, String> =
                ["card", "format", "sha256", "a", "b"].map(pair).into();
            let data = [1, 2, 3, 4];
            let view = |shape| TensorView::new(Dtype::U8, shape, &data).expect("four bytes");
            let views = [("two", view(vec![2, 2])), ("one", view(vec![4]))];
            safetensors::serialize(views, Some(description)).expect("a file")
        };
        let first = ordered(written()).expect("a header");
        for _ in 0..20 {
            assert_eq!(ordered(written()).expect("a header"), first);
        }
        let read = SafeTensors::deserialize(&first).expect("a file");
        assert_eq!(read.tensor("two").expect("is there").shape(), [2, 2]);
        let (_, header) = SafeTensors::read_metadata(&first).expect("a header");
        assert_eq!(header.metadata().as_ref().map(HashMap::len), Some(5));
    }
}
