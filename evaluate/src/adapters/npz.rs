//! NumPy's `.npz`, as far as recordings use it: a zip archive (stored or deflated) of `.npy` arrays.
//!
//! Sources: PKWARE APPNOTE 6.3.10 (4.3.7, 4.3.12, 4.3.16); NumPy enhancement proposal 1 (format 1.0 and 2.0).

use miniz_oxide::inflate::decompress_to_vec_with_limit;

/// Most bytes of one array.
const MOST_BYTES: usize = 256 << 20;

/// One array.
pub struct Array {
    /// NumPy's type string, as `|i1`.
    pub kind: String,
    /// Its dimensions.
    pub shape: Vec<usize>,
    /// Its elements, as they lie in the file.
    pub data: Vec<u8>,
}

impl Array {
    /// A single `float64`.
    pub fn float(&self) -> Option<f64> {
        (self.kind == "<f8").then(|| self.data.first_chunk().map(|b| f64::from_le_bytes(*b)))?
    }

    /// A single string (UCS-4).
    pub fn text(&self) -> Option<String> {
        let points = self.data.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        let text = points.take_while(|&p| p != 0).map(char::from_u32);
        self.kind.starts_with("<U").then(|| text.collect())?
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<usize> {
    Some(usize::from(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?)))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?)).ok()
}

/// Array `name` of an archive; `None` if it is not there or not sound.
pub fn array(archive: &[u8], name: &str) -> Option<Array> {
    let wanted = format!("{name}.npy");
    let tail = archive.len().saturating_sub(22 + 65_535);
    let end = tail + archive[tail..].windows(4).rposition(|w| w == b"PK\x05\x06")?;
    let (count, mut at) = (u16_at(archive, end + 10)?, u32_at(archive, end + 16)?);
    for _ in 0..count {
        if archive.get(at..at + 4)? != b"PK\x01\x02" {
            return None;
        }
        let method = u16_at(archive, at + 10)?;
        let (packed, whole) = (u32_at(archive, at + 20)?, u32_at(archive, at + 24)?);
        let (name_len, extra, comment) =
            (u16_at(archive, at + 28)?, u16_at(archive, at + 30)?, u16_at(archive, at + 32)?);
        let local = u32_at(archive, at + 42)?;
        if archive.get(at + 46..at + 46 + name_len)? == wanted.as_bytes() {
            let start = local + 30 + u16_at(archive, local + 26)? + u16_at(archive, local + 28)?;
            let data = archive.get(start..start + packed)?;
            return npy(match method {
                0 => data.to_vec(),
                8 => decompress_to_vec_with_limit(data, whole.min(MOST_BYTES)).ok()?,
                _ => return None,
            });
        }
        at += 46 + name_len + extra + comment;
    }
    None
}

fn npy(bytes: Vec<u8>) -> Option<Array> {
    if bytes.get(..6)? != b"\x93NUMPY" {
        return None;
    }
    let (length, start) = match bytes[6] {
        1 => (u16_at(&bytes, 8)?, 10),
        _ => (u32_at(&bytes, 8)?, 12),
    };
    let header = core::str::from_utf8(bytes.get(start..start + length)?).ok()?;
    let after = |key: &str| header.split_once(key).map(|(_, rest)| rest.trim_start_matches([' ', ':']));
    if after("'fortran_order'")?.starts_with("True") {
        return None;
    }
    let kind = after("'descr'")?.strip_prefix('\'')?.split('\'').next()?.to_owned();
    let shape = after("'shape'")?.strip_prefix('(')?.split(')').next()?;
    let shape = shape.split(',').map(str::trim).filter(|s| !s.is_empty());
    let shape = shape.map(|s| s.parse().ok()).collect::<Option<Vec<usize>>>()?;
    Some(Array { kind, shape, data: bytes[start + length..].to_vec() })
}

#[cfg(test)]
mod tests {
    //! Guards the reader against archives that are none; real ones are read by the adapters.
    use super::*;

    /// A stored archive of one array of three int8.
    fn sample() -> Vec<u8> {
        let mut npy = b"\x93NUMPY\x01\x00".to_vec();
        let header = b"{'descr': '|i1', 'fortran_order': False, 'shape': (3,), }\n";
        npy.extend((header.len() as u16).to_le_bytes());
        npy.extend(header);
        npy.extend([1, 2, 255]);
        let size = (npy.len() as u32).to_le_bytes();
        let name = b"x.npy";
        let mut zip = b"PK\x03\x04".to_vec();
        zip.extend([0; 22]);
        zip.extend([5, 0, 0, 0]);
        zip.extend(name);
        zip.extend(&npy);
        let directory = (zip.len() as u32).to_le_bytes();
        zip.extend(b"PK\x01\x02");
        zip.extend([0; 16]);
        zip.extend(size);
        zip.extend(size);
        zip.extend([5, 0]);
        zip.extend([0; 16]);
        zip.extend(name);
        zip.extend(b"PK\x05\x06");
        zip.extend([0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0]);
        zip.extend(directory);
        zip.extend([0, 0]);
        zip
    }

    #[test]
    fn a_stored_array_is_read_and_damage_is_refused() {
        let zip = sample();
        let x = array(&zip, "x").unwrap();
        assert_eq!((x.kind.as_str(), x.shape, x.data), ("|i1", vec![3], vec![1, 2, 255]));
        assert!(array(&zip, "y").is_none());
        for end in 0..zip.len() {
            _ = array(&zip[..end], "x");
        }
        for k in 0..zip.len() {
            let mut bad = zip.clone();
            bad[k] ^= 0xff;
            _ = array(&bad, "x");
        }
    }
}
