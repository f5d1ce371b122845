//! Which value lies at which address. The tables here are the map: the image is made from them, and so is
//! the list that people read.
//!
//! Addresses count from 0, as they go over the wire. Block 0 is the service, block `n` the `n`th machine; each
//! has [`STRIDE`] input registers and [`STRIDE_BITS`] discrete inputs. What is not listed is zero.

use std::fmt::Write;

use crate::picture::{MachinePicture, Plant};

/// Input registers per block.
pub const STRIDE: usize = 32;
/// Discrete inputs per block.
const STRIDE_BITS: usize = 16;
/// Machines that have room in the map.
pub const MOST_MACHINES: usize = 65_536 / STRIDE - 1;
/// Number of this map: it rises when a value moves or changes its meaning.
const MAP: u16 = 1;
/// Stands for "no window yet" where a register holds an age.
const NO_AGE: u32 = u32::MAX;

/// What a row holds, and how it is read from a picture. Values of several registers have their most
/// significant register first.
#[derive(Debug, Clone, Copy)]
pub enum Kind<T> {
    /// One register.
    U16(fn(&T) -> u16),
    /// Two registers.
    U32(fn(&T) -> u32),
    /// Four registers.
    U64(fn(&T) -> u64),
    /// Two registers: a number after IEEE 754; not a number where there is no value.
    F32(fn(&T) -> Option<f64>),
    /// So many registers of two ASCII characters each, filled up with zeros.
    Text(usize, fn(&T) -> &str),
}

/// One value of a block.
#[derive(Debug, Clone, Copy)]
pub struct Row<T> {
    /// Its first register within the block.
    pub at: usize,
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind<T>,
    /// What it says.
    pub meaning: &'static str,
}

/// One discrete input of a block: its place, its name, how it is read, what it says.
pub type Bit = (usize, &'static str, fn(&MachinePicture) -> bool, &'static str);

const fn row<T>(at: usize, name: &'static str, kind: Kind<T>, meaning: &'static str) -> Row<T> {
    Row { at, name, kind, meaning }
}

/// The block of the service.
pub const SERVICE: &[Row<Plant>] = &[
    row(0, "map", Kind::U16(|_| MAP), "number of this map"),
    row(1, "machines", Kind::U16(|plant| plant.count(|_| true)), "machines in the map"),
    row(2, "block", Kind::U16(|_| STRIDE as u16), "registers per block"),
    row(
        3,
        "heartbeat",
        Kind::U16(|plant| plant.beat as u16),
        "rises at least every second, 65535 is followed by 0; standing still: the service hangs",
    ),
    row(
        4,
        "time",
        Kind::U32(|plant| seconds(plant.at_ms)),
        "the service's clock, in seconds since 1970",
    ),
    row(
        6,
        "active",
        Kind::U16(|plant| plant.count(|machine| machine.state.is_active())),
        "machines in alarm",
    ),
    row(
        7,
        "unacknowledged",
        Kind::U16(|plant| plant.count(|machine| machine.state.is_unacknowledged())),
        "machines whose alarm nobody has acknowledged",
    ),
    row(
        8,
        "troubled",
        Kind::U16(|plant| plant.count(|machine| !machine.troubles.is_none())),
        "machines with something wrong with their source",
    ),
];

/// The block of a machine.
pub const MACHINE: &[Row<MachinePicture>] = &[
    row(
        0,
        "state",
        Kind::U16(|machine| machine.state.number()),
        "0 normal, 1 active unacknowledged, 2 active acknowledged, 3 returned unacknowledged, \
         4 latched unacknowledged, 5 latched acknowledged, 6 shelved, 7 suppressed, 255 unknown",
    ),
    row(
        1,
        "source",
        Kind::U16(|machine| machine.troubles.bits()),
        "0 live; else a sum of 1 stalled, 2 ended, 4 silent, 8 clipped, 16 other microphone",
    ),
    row(2, "score", Kind::F32(|machine| machine.score), "anomaly score of the latest window"),
    row(4, "p_value", Kind::F32(|machine| machine.p_value), "p-value of the latest window"),
    row(
        6,
        "level",
        Kind::F32(|machine| machine.level_db),
        "level of the latest window, in decibels relative to full scale",
    ),
    row(
        8,
        "window",
        Kind::U32(|machine| machine.window_ms.map_or(0, seconds)),
        "when the latest window began, in seconds since 1970; 0: none yet",
    ),
    row(
        10,
        "age",
        Kind::U32(|machine| machine.window_age_s().unwrap_or(NO_AGE)),
        "seconds since then, by the service's clock; 4294967295: none yet",
    ),
    row(
        12,
        "unacknowledged",
        Kind::U16(|machine| u16::try_from(machine.unacknowledged).unwrap_or(u16::MAX)),
        "how often the alarm began since somebody acknowledged it",
    ),
    row(
        13,
        "running",
        Kind::U16(|machine| u16::from(machine.running)),
        "1: the machine runs and is judged, 0: it is off",
    ),
    row(
        14,
        "event_born",
        Kind::U64(|machine| machine.event_number().born_ms),
        "first number of the latest event's name, in milliseconds since 1970; 0: none yet",
    ),
    row(
        18,
        "event",
        Kind::U32(|machine| u32::try_from(machine.event_number().number).unwrap_or(u32::MAX)),
        "second number of the latest event's name; changes with every event",
    ),
    row(
        20,
        "alarm",
        Kind::U32(|machine| u32::try_from(machine.alarm).unwrap_or(u32::MAX)),
        "number of the latest alarm; 0: none yet",
    ),
    row(
        22,
        "since",
        Kind::U32(|machine| seconds(machine.since_ms)),
        "when the present state began, in seconds since 1970",
    ),
    row(24, "name", Kind::Text(8, |machine| &machine.name), "first 16 characters of the name"),
];

/// The discrete inputs of a block. In the block of the service each is set where it is set of any machine.
pub const BITS: &[Bit] = &[
    (
        0,
        "alarm",
        |machine| machine.state.is_active(),
        "the machine sounds wrong; not set while the alarm is hidden",
    ),
    (
        1,
        "unacknowledged",
        |machine| machine.state.is_unacknowledged(),
        "an alarm waits for acknowledgement",
    ),
    (
        2,
        "stalled",
        |machine| machine.troubles.is_stalled(),
        "no sound comes: the source is stalled or ended",
    ),
    (3, "troubled", |machine| !machine.troubles.is_none(), "anything is wrong with the source"),
    (4, "running", |machine| machine.running, "the machine runs and is judged"),
    (5, "hidden", |machine| machine.state.is_hidden(), "the alarm is shelved or suppressed"),
];

fn seconds(ms: i64) -> u32 {
    u32::try_from(ms.div_euclid(1000).max(0)).unwrap_or(u32::MAX)
}

impl<T> Row<T> {
    /// How many registers it takes.
    pub fn registers(&self) -> usize {
        match self.kind {
            Kind::U16(_) => 1,
            Kind::U32(_) | Kind::F32(_) => 2,
            Kind::U64(_) => 4,
            Kind::Text(registers, _) => registers,
        }
    }

    fn type_name(&self) -> &'static str {
        match self.kind {
            Kind::U16(_) => "u16",
            Kind::U32(_) => "u32",
            Kind::U64(_) => "u64",
            Kind::F32(_) => "f32",
            Kind::Text(..) => "text",
        }
    }

    fn put(&self, of: &T, block: &mut [u16]) {
        let bytes: Vec<u8> = match self.kind {
            Kind::U16(read) => read(of).to_be_bytes().to_vec(),
            Kind::U32(read) => read(of).to_be_bytes().to_vec(),
            Kind::U64(read) => read(of).to_be_bytes().to_vec(),
            Kind::F32(read) => {
                read(of).map_or(f32::NAN, |value| value as f32).to_be_bytes().to_vec()
            }
            Kind::Text(registers, read) => {
                let ascii = read(of).chars().map(|c| if c.is_ascii() { c as u8 } else { b'?' });
                ascii.chain(std::iter::repeat(0)).take(2 * registers).collect()
            }
        };
        for (register, pair) in block[self.at..].iter_mut().zip(bytes.chunks_exact(2)) {
            *register = u16::from_be_bytes([pair[0], pair[1]]);
        }
    }
}

/// All registers and inputs at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    registers: Vec<u16>,
    inputs: Vec<bool>,
}

impl Image {
    /// The image of the first machines of a picture, at most [`MOST_MACHINES`]: more have no room in it.
    pub fn of(plant: &Plant, blocks: usize) -> Self {
        let shown = plant.machines.len().min(blocks).min(MOST_MACHINES);
        let plant = &Plant { machines: plant.machines[..shown].to_vec(), ..*plant };
        let machines = &plant.machines;
        let blocks = machines.len() + 1;
        let mut image =
            Self { registers: vec![0; STRIDE * blocks], inputs: vec![false; STRIDE_BITS * blocks] };
        for row in SERVICE {
            row.put(plant, &mut image.registers[..STRIDE]);
        }
        for (index, machine) in machines.iter().enumerate() {
            let block = &mut image.registers[STRIDE * (index + 1)..STRIDE * (index + 2)];
            for row in MACHINE {
                row.put(machine, block);
            }
            for (at, _, read, _) in BITS {
                let set = read(machine);
                image.inputs[STRIDE_BITS * (index + 1) + at] = set;
                image.inputs[*at] |= set;
            }
        }
        image
    }

    /// Some registers; none where they are not all within the map.
    pub fn registers(&self, first: u16, count: u16) -> Option<&[u16]> {
        self.registers.get(usize::from(first)..usize::from(first) + usize::from(count))
    }

    /// Some inputs; none where they are not all within the map.
    pub fn inputs(&self, first: u16, count: u16) -> Option<&[bool]> {
        self.inputs.get(usize::from(first)..usize::from(first) + usize::from(count))
    }
}

/// The map of machines of these names as a table of comma-separated values, one address per line.
pub fn describe(names: &[&str]) -> String {
    let mut text = String::from("table,address,registers,type,block,name,meaning\n");
    list(&mut text, SERVICE, 0, "service");
    let named = || (1..=MOST_MACHINES).zip(names);
    for (block, name) in named() {
        list(&mut text, MACHINE, block, name);
    }
    for (block, name) in std::iter::once((0, &"service")).chain(named()) {
        for (at, bit, _, meaning) in BITS {
            let address = STRIDE_BITS * block + at;
            // Writing to a text cannot fail.
            let _ = writeln!(text, "discrete input,{address},1,bit,{name},{bit},\"{meaning}\"");
        }
    }
    text
}

fn list<T>(text: &mut String, rows: &[Row<T>], block: usize, block_name: &str) {
    for row in rows {
        let (address, registers) = (STRIDE * block + row.at, row.registers());
        let (kind, name, meaning) = (row.type_name(), row.name, row.meaning);
        let _ = writeln!(
            text,
            "input register,{address},{registers},{kind},{block_name},{name},\"{meaning}\""
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::{AlarmState, Troubles};

    fn pump() -> MachinePicture {
        MachinePicture {
            state: AlarmState::ActiveUnacknowledged,
            since_ms: 1_764_000_000_999,
            alarm: 70_000,
            running: true,
            troubles: Troubles::STALLED.and(Troubles::CLIPPED),
            score: Some(1.5),
            level_db: Some(-31.25),
            window_ms: Some(1_764_000_001_000),
            unacknowledged: 2,
            event: Some("pump-in-the-cellar.19ab12cd3ef.65537".to_owned()),
            ..MachinePicture::unknown("pump-in-the-cellar", "Pump", 1_764_000_004_500)
        }
    }

    fn plant() -> Plant {
        let press = MachinePicture::unknown("press", "Press", 1_764_000_004_500);
        Plant { at_ms: 1_764_000_004_500, beat: 65_537, machines: vec![pump(), press] }
    }

    /// The bytes of some registers, as they go over the wire.
    fn bytes(image: &Image, first: u16, count: u16) -> Vec<u8> {
        let registers = image.registers(first, count).expect("within the map");
        registers.iter().flat_map(|register| register.to_be_bytes()).collect()
    }

    #[test]
    fn values_lie_where_the_documentation_says() {
        let image = Image::of(&plant(), usize::MAX);
        assert_eq!(image.registers(0, 9), Some(&[1, 2, 32, 1, 26916, 33028, 1, 1, 1][..]));
        assert_eq!(image.registers(32, 2), Some(&[1, 9][..]));
        assert_eq!(bytes(&image, 34, 2), 1.5_f32.to_be_bytes());
        assert!(f32::from_be_bytes(bytes(&image, 36, 2).try_into().expect("4 bytes")).is_nan());
        assert_eq!(bytes(&image, 38, 2), (-31.25_f32).to_be_bytes());
        let (window, age) = (1_764_000_001_u32.to_be_bytes(), 3_u32.to_be_bytes());
        assert_eq!(bytes(&image, 40, 4), [window, age].concat());
        assert_eq!(image.registers(44, 2), Some(&[2, 1][..]));
        assert_eq!(bytes(&image, 46, 4), 0x019a_b12c_d3ef_u64.to_be_bytes());
        assert_eq!(image.registers(50, 4), Some(&[1, 1, 1, 4464][..]));
        assert_eq!(bytes(&image, 54, 2), 1_764_000_000_u32.to_be_bytes());
        assert_eq!(bytes(&image, 56, 8), b"pump-in-the-cell");
    }

    #[test]
    fn a_machine_that_nothing_is_known_of_says_so() {
        let image = Image::of(&plant(), usize::MAX);
        assert_eq!(image.registers(64, 2), Some(&[255, 0][..]));
        assert_eq!(image.registers(72, 4), Some(&[0, 0, 0xffff, 0xffff][..]));
        assert_eq!(bytes(&image, 88, 8), b"press\0\0\0\0\0\0\0\0\0\0\0");
    }

    #[test]
    fn inputs_of_the_service_are_those_of_any_machine() {
        let image = Image::of(&plant(), usize::MAX);
        let of = |block: u16| image.inputs(16 * block, 6).expect("within the map").to_vec();
        assert_eq!(of(1), [true, true, true, true, true, false]);
        assert_eq!(of(2), [false; 6]);
        assert_eq!(of(0), of(1));
    }

    #[test]
    fn machines_without_a_block_are_not_shown() {
        let image = Image::of(&plant(), 1);
        assert!(image.registers(63, 1).is_some() && image.registers(64, 1).is_none());
        assert_eq!(image.registers(1, 1), Some(&[1][..]));
    }

    #[test]
    fn the_map_ends_behind_the_last_machine() {
        let image = Image::of(&plant(), usize::MAX);
        assert!(image.registers(95, 1).is_some() && image.registers(96, 1).is_none());
        assert!(image.registers(65_535, 125).is_none() && image.registers(64, 33).is_none());
        assert!(image.inputs(47, 1).is_some() && image.inputs(47, 2).is_none());
    }

    fn fits<T>(rows: &[Row<T>]) {
        let mut free = 0;
        for row in rows {
            assert!(row.at >= free, "`{}` overlaps what is before it", row.name);
            free = row.at + row.registers();
        }
        assert!(free <= STRIDE);
    }

    #[test]
    fn no_values_overlap() {
        fits(SERVICE);
        fits(MACHINE);
        assert!(BITS.iter().enumerate().all(|(index, bit)| bit.0 == index));
        assert!(BITS.len() <= STRIDE_BITS);
    }

    #[test]
    fn more_machines_than_have_room_break_nothing() {
        let machines = vec![pump(); MOST_MACHINES + 5];
        let image = Image::of(&Plant { machines, ..plant() }, usize::MAX);
        assert_eq!(bytes(&image, 65_534, 2), b"cell");
    }

    #[test]
    fn the_list_has_every_address_of_every_block() {
        let text = describe(&["pump", "press"]);
        assert!(text.contains("\ninput register,34,2,f32,pump,score,"), "{text}");
        assert!(text.contains("\ninput register,66,2,f32,press,score,"), "{text}");
        assert!(text.contains("\ndiscrete input,34,1,bit,press,stalled,"), "{text}");
        assert_eq!(text.lines().count(), 1 + SERVICE.len() + 2 * MACHINE.len() + 3 * BITS.len());
    }
}
