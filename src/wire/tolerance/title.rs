//! LOOKUP only with a title.
//!
//! For index servers that compare the title of a LOOKUP with those of the records, or refuse an empty
//! one. Whoever asks by the number alone gets 400 or 404 and asks once more, with the title that LIST
//! has for the number. A 404 to the byte is believed, unless the server has listed the RFC before:
//! otherwise a faithful server would be asked twice for each RFC that nobody has.

use crate::wire::Status;
use crate::wire::ci::responses::Response;

/// What a server answers that follows the agreement and does not have the RFC.
const NOT_FOUND: &[u8] = b"P2P-CI/1.0 404 Not Found\r\n\r\n\r\n";

/// Whether the answer to a LOOKUP without a title may mean that a title is required.
pub fn may_be_wanted(response: &Response) -> bool {
    match response.code {
        code if code == Status::BadRequest.code() => true,
        code if code == Status::NotFound.code() => response.bytes != NOT_FOUND,
        _ => false,
    }
}
