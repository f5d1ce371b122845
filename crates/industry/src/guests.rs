//! Which computers may connect: single addresses and nets. Modbus knows no password, so this is its lock.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
};

/// An address, or all addresses that begin with the same bits, as in `10.0.7.20` or `10.0.0.0/16`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Net {
    address: IpAddr,
    bits: u8,
}

/// A text that is no address and no net.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot read `{text}` as an address or a net, expected as in `10.0.7.20` or `10.0.0.0/16`")]
pub struct NetError {
    text: String,
}

impl Net {
    /// Whether an address lies in the net. An IPv4 address that comes through an IPv6 socket is the same one.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                own.to_bits().checked_shr(32 - u32::from(self.bits)).unwrap_or(0)
                    == other.to_bits().checked_shr(32 - u32::from(self.bits)).unwrap_or(0)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let head = |of: Ipv6Addr| {
                    of.to_bits().checked_shr(128 - u32::from(self.bits)).unwrap_or(0)
                };
                head(own) == head(other)
            }
            _ => false,
        }
    }
}

impl FromStr for Net {
    type Err = NetError;

    fn from_str(text: &str) -> Result<Self, NetError> {
        let error = || NetError { text: text.to_owned() };
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u8>().map_err(|_| error())?)),
            None => (text, None),
        };
        let address: IpAddr = address.trim().parse().map_err(|_| error())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(most);
        if bits <= most { Ok(Self { address, bits }) } else { Err(error()) }
    }
}

impl fmt::Display for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

/// Whether an address may connect: this computer always, others where they are in one of the nets.
pub fn may_connect(nets: &[Net], address: IpAddr) -> bool {
    address.to_canonical().is_loopback() || nets.iter().any(|net| net.contains(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may(nets: &[&str], address: &str) -> bool {
        let nets: Vec<Net> = nets.iter().map(|net| net.parse().expect("a net")).collect();
        may_connect(&nets, address.parse().expect("an address"))
    }

    #[test]
    fn a_net_holds_the_addresses_that_begin_like_it() {
        assert!(may(&["10.0.0.0/16"], "10.0.7.20") && !may(&["10.0.0.0/16"], "10.1.7.20"));
        assert!(may(&["10.0.7.20"], "10.0.7.20") && !may(&["10.0.7.20"], "10.0.7.21"));
        assert!(may(&["fd00::/8"], "fd12::1") && !may(&["fd00::/8"], "fe80::1"));
        assert!(may(&["10.0.7.20"], "::ffff:10.0.7.20"));
        assert!(may(&["0.0.0.0/0"], "203.0.113.9") && !may(&["0.0.0.0/0"], "fd12::1"));
        assert!(may(&["::/0"], "fd12::1"));
    }

    #[test]
    fn this_computer_may_always_and_others_never_by_themselves() {
        assert!(may(&[], "127.0.0.1") && may(&[], "::1") && may(&[], "::ffff:127.0.0.1"));
        assert!(!may(&[], "10.0.0.1"));
    }

    #[test]
    fn what_is_no_net_is_refused() {
        for text in ["", "pump", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/-1", "10.0.0.0/"] {
            assert!(text.parse::<Net>().is_err(), "{text}");
        }
    }
}
