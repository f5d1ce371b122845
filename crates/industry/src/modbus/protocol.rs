//! The protocol as a plain function: the body of a request goes in, the body of its answer comes out. Two
//! functions are served, both of which read; every other request gets its exception. Source: Modbus
//! Application Protocol Specification V1.1b3, and Modbus Messaging on TCP/IP Implementation Guide V1.0b.

use super::map::Image;

/// Bytes before the body: transaction, protocol and length (two each), unit.
pub const HEADER_BYTES: usize = 7;
/// Longest body of a request or an answer.
pub const LONGEST_BODY: usize = 253;

const READ_DISCRETE_INPUTS: u8 = 2;
const READ_INPUT_REGISTERS: u8 = 4;
/// Inputs that one request may ask for.
const MOST_INPUTS: u16 = 2000;
/// Registers that one request may ask for.
const MOST_REGISTERS: u16 = 125;
/// Set in the function of an answer that is an exception.
const FAILED: u8 = 0x80;

/// What a request is told that cannot be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exception {
    /// The function is not served.
    IllegalFunction = 1,
    /// An address is not in the map.
    IllegalAddress = 2,
    /// The request asks for too much or for nothing, or its length is wrong.
    IllegalValue = 3,
}

/// What stands before a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    transaction: [u8; 2],
    unit: u8,
    /// Bytes of the body that follows.
    pub body: usize,
}

impl Header {
    /// Reads a header; none where this is not Modbus, so that nothing after it can be made out either.
    pub fn read(bytes: [u8; HEADER_BYTES]) -> Option<Self> {
        let [first, second, protocol_high, protocol_low, high, low, unit] = bytes;
        let length = usize::from(u16::from_be_bytes([high, low]));
        let body = length.checked_sub(1).filter(|body| (1..=LONGEST_BODY).contains(body))?;
        let modbus = [protocol_high, protocol_low] == [0, 0];
        modbus.then_some(Self { transaction: [first, second], unit, body })
    }

    /// An answer with its header.
    pub fn reply(&self, body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(body.len() + 1).expect("a body is short").to_be_bytes();
        let mut reply = Vec::with_capacity(HEADER_BYTES + body.len());
        reply.extend(self.transaction);
        reply.extend([0, 0]);
        reply.extend(length);
        reply.push(self.unit);
        reply.extend(body);
        reply
    }
}

/// The answer to the body of a request; whatever the request, it is at most [`LONGEST_BODY`] long.
pub fn answer(request: &[u8], image: &Image) -> Vec<u8> {
    let function = request.first().copied().unwrap_or(0);
    match read(function, request, image) {
        Ok(bytes) => {
            let count = u8::try_from(bytes.len()).expect("the largest count was checked");
            let mut reply = vec![function, count];
            reply.extend(bytes);
            reply
        }
        Err(exception) => vec![function | FAILED, exception as u8],
    }
}

fn read(function: u8, request: &[u8], image: &Image) -> Result<Vec<u8>, Exception> {
    let most = match function {
        READ_DISCRETE_INPUTS => MOST_INPUTS,
        READ_INPUT_REGISTERS => MOST_REGISTERS,
        _ => return Err(Exception::IllegalFunction),
    };
    let &[_, first_high, first_low, count_high, count_low] = request else {
        return Err(Exception::IllegalValue);
    };
    let first = u16::from_be_bytes([first_high, first_low]);
    let count = u16::from_be_bytes([count_high, count_low]);
    if !(1..=most).contains(&count) {
        return Err(Exception::IllegalValue);
    }
    if function == READ_INPUT_REGISTERS {
        let registers = image.registers(first, count).ok_or(Exception::IllegalAddress)?;
        return Ok(registers.iter().flat_map(|register| register.to_be_bytes()).collect());
    }
    let inputs = image.inputs(first, count).ok_or(Exception::IllegalAddress)?;
    let packed = inputs.chunks(8).map(|eight| {
        eight.iter().enumerate().fold(0, |byte, (bit, set)| byte | (u8::from(*set) << bit))
    });
    Ok(packed.collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::picture::{AlarmState, MachinePicture, Plant};

    fn image() -> Image {
        let mut machine = MachinePicture::unknown("pump", "Pump", 0);
        machine.state = AlarmState::ActiveUnacknowledged;
        machine.running = true;
        Image::of(&Plant { at_ms: 0, beat: 7, machines: vec![machine] }, 1)
    }

    fn ask(function: u8, first: u16, count: u16) -> Vec<u8> {
        let ([a, b], [c, d]) = (first.to_be_bytes(), count.to_be_bytes());
        answer(&[function, a, b, c, d], &image())
    }

    #[test]
    fn registers_and_inputs_are_read() {
        assert_eq!(ask(4, 2, 2), [4, 4, 0, 32, 0, 7]);
        assert_eq!(ask(4, 32, 1), [4, 2, 0, 1]);
        assert_eq!(ask(2, 16, 6), [2, 1, 0b01_0011]);
        assert_eq!(ask(2, 12, 10), [2, 2, 0b0011_0000, 0b01]);
    }

    #[test]
    fn what_is_not_served_gets_its_exception() {
        for function in [0, 1, 3, 5, 6, 15, 16, 23, 43, 100] {
            assert_eq!(ask(function, 0, 1), [function | 0x80, 1], "function {function}");
        }
        for (first, count) in [(64, 1), (63, 2), (0, 65), (65_535, 125)] {
            assert_eq!(ask(4, first, count), [0x84, 2], "{count} registers from {first}");
        }
        assert_eq!(ask(2, 32, 1), [0x82, 2]);
        for count in [0, 126, 65_535] {
            assert_eq!(ask(4, 0, count), [0x84, 3], "{count} registers");
        }
        assert_eq!(ask(2, 0, 2001), [0x82, 3]);
        assert_eq!(answer(&[4, 0, 0, 0], &image()), [0x84, 3]);
        assert_eq!(answer(&[4, 0, 0, 0, 1, 0], &image()), [0x84, 3]);
    }

    #[test]
    fn a_reply_has_the_header_of_its_request() {
        let header = Header::read([0xab, 0xcd, 0, 0, 0, 6, 17]).expect("a header");
        assert_eq!(header.body, 5);
        assert_eq!(header.reply(&[4, 2, 0, 1]), [0xab, 0xcd, 0, 0, 0, 5, 17, 4, 2, 0, 1]);
    }

    #[test]
    fn what_is_no_header_is_refused() {
        for bytes in [
            [0, 1, 0, 1, 0, 6, 1],
            [0, 1, 0, 0, 0, 0, 1],
            [0, 1, 0, 0, 0, 1, 1],
            [0, 1, 0, 0, 0, 255, 1],
            *b"GET / H",
        ] {
            assert_eq!(Header::read(bytes), None, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn every_request_has_an_answer_that_fits(request in prop::collection::vec(any::<u8>(), 0..300)) {
            let reply = answer(&request, &image());
            prop_assert!((2..=LONGEST_BODY).contains(&reply.len()));
            prop_assert_eq!(reply[0] & 0x7f, request.first().copied().unwrap_or(0) & 0x7f);
        }
    }
}
