//! An index file without what it says of files on disk.
//!
//! The files of a restored worktree are others than those that the index was written for. git takes a file
//! whose size is not the one in the index for changed without looking into it (`ie_modified` in read-cache.c),
//! unless that size is 0. The format is described in gitformat-index(5).

use gix::hash::Kind;

/// Sets size and times of all entries to 0. A file of unknown form is returned as it is.
pub fn without_stat(mut bytes: Vec<u8>, hash: Kind) -> Vec<u8> {
    let Some(places) = entries(&bytes, hash.len_in_bytes()) else { return bytes };
    for at in places {
        // ctime and mtime, and after device, inode, mode, user and group the size.
        bytes[at..at + 16].fill(0);
        bytes[at + 36..at + 40].fill(0);
    }
    let end = bytes.len() - hash.len_in_bytes();
    let mut hasher = gix::hash::hasher(hash);
    hasher.update(&bytes[..end]);
    match hasher.try_finalize() {
        Ok(id) => bytes[end..].copy_from_slice(id.as_slice()),
        // git takes zeroes for "not computed", see index.skipHash.
        Err(_) => bytes[end..].fill(0),
    }
    bytes
}

/// Where the entries begin.
fn entries(bytes: &[u8], hash_len: usize) -> Option<Vec<usize>> {
    const FIXED: usize = 40;
    const EXTENDED: u16 = 0x4000;
    let number = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let version = number(4)?;
    if bytes.get(..4)? != b"DIRC" || !(2..=4).contains(&version) {
        return None;
    }
    let mut places = Vec::new();
    let mut at = 12;
    for _ in 0..number(8)? {
        places.push(at);
        let flags_at = at + FIXED + hash_len;
        let flags = u16::from_be_bytes(bytes.get(flags_at..flags_at + 2)?.try_into().ok()?);
        let mut name_at = flags_at + if flags & EXTENDED != 0 { 4 } else { 2 };
        if version == 4 {
            // How much of the last name to cut, as a number of variable length.
            while bytes.get(name_at)? & 0x80 != 0 {
                name_at += 1;
            }
            name_at += 1;
        }
        let name_len = bytes.get(name_at..)?.iter().position(|b| *b == 0)?;
        let end = name_at + name_len;
        at = if version == 4 { end + 1 } else { at + ((end - at) / 8 + 1) * 8 };
    }
    (at + hash_len <= bytes.len()).then_some(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_index_is_left_alone() {
        for bytes in [&b""[..], b"DIRC", b"DIRC\0\0\0\x02\0\0\0\x01cut off", b"something else entirely"] {
            assert_eq!(without_stat(bytes.to_vec(), Kind::Sha1), bytes);
        }
    }

    #[test]
    fn sizes_and_times_go_and_the_rest_stays() {
        let mut entry = vec![7; 60];
        entry.extend_from_slice(&[0, 1, b'a', 0, 0, 0, 0, 0, 0, 0]);
        let mut bytes = b"DIRC\0\0\0\x02\0\0\0\x01".to_vec();
        bytes.extend_from_slice(&entry);
        bytes.resize(12 + 72, 0);
        bytes.extend_from_slice(&[9; 20]);
        let out = without_stat(bytes.clone(), Kind::Sha1);
        assert_eq!(out[12..28], [0; 16]);
        assert_eq!(out[28..48], bytes[28..48]);
        assert_eq!(out[48..52], [0; 4]);
        assert_eq!(out[52..84], bytes[52..84]);
        assert_ne!(out[84..], bytes[84..]);
    }
}
