//! Commands and their parts in RESP, appended to bytes.

/// A head: `*` and a number of elements, `$` and a length.
#[inline]
pub fn encode_head(out: &mut Vec<u8>, sign: u8, number: u64) {
    out.push(sign);
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// A bulk string.
#[inline]
pub fn encode_bulk(out: &mut Vec<u8>, bytes: &[u8]) {
    encode_head(out, b'$', bytes.len() as u64);
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

/// A command: an array of bulk strings.
pub fn encode<'a>(out: &mut Vec<u8>, words: impl ExactSizeIterator<Item = &'a [u8]>) {
    encode_head(out, b'*', words.len() as u64);
    words.for_each(|word| encode_bulk(out, word));
}

#[cfg(test)]
mod tests {
    use super::encode;

    #[test]
    fn a_command_is_an_array_of_bulk_strings() {
        let mut out = Vec::new();
        encode(&mut out, [&b"SET"[..], b"", b"a\r\nb"].into_iter());
        assert_eq!(out, b"*3\r\n$3\r\nSET\r\n$0\r\n\r\n$4\r\na\r\nb\r\n");
    }
}
