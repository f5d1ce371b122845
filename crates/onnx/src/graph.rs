//! A graph in the making: constants, operators, inputs and outputs. The first dimension of every input
//! and output is the batch, of any size.

use prost::Message;

use crate::proto::{self, ATTRIBUTE_INT, ATTRIBUTE_INTS, FLOAT, INT64};

/// Version of the operators that we write.
pub const OPSET: i64 = 17;
/// Version of the file's form that goes with it.
const IR_VERSION: i64 = 8;
/// Name of the first dimension.
const BATCH: &str = "batch";

/// A value in the graph, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Value(String);

/// An input or output of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// Its name.
    pub name: String,
    /// Its shape without the batch.
    pub shape: Vec<usize>,
}

/// A graph in the making.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    body: proto::Graph,
    scope: String,
    pub(crate) inputs: Vec<Port>,
    pub(crate) outputs: Vec<Port>,
}

/// A setting of an operator.
pub(crate) enum Setting<'a> {
    Integer(&'a str, i64),
    Integers(&'a str, &'a [usize]),
}

impl Graph {
    /// What the names of the next values begin with.
    pub(crate) fn enter(&mut self, scope: &str) {
        scope.clone_into(&mut self.scope);
    }

    /// A further input, `[batch, shape..]`.
    pub(crate) fn input(&mut self, name: &str, shape: &[usize]) -> Value {
        self.body.inputs.push(port(name, shape));
        self.inputs.push(Port { name: name.to_owned(), shape: shape.to_vec() });
        Value(name.to_owned())
    }

    /// Makes a value an output, `[batch, shape..]`.
    pub(crate) fn output(&mut self, value: &Value, name: &str, shape: &[usize]) {
        self.body.nodes.push(proto::Node {
            inputs: vec![value.0.clone()],
            outputs: vec![name.to_owned()],
            name: Some(format!("{name}/Identity")),
            operator: Some("Identity".to_owned()),
            attributes: Vec::new(),
        });
        self.body.outputs.push(port(name, shape));
        self.outputs.push(Port { name: name.to_owned(), shape: shape.to_vec() });
    }

    /// Numbers of a shape, the last dimension running fastest.
    pub(crate) fn floats(&mut self, shape: &[usize], values: &[f32]) -> Value {
        debug_assert_eq!(shape.iter().product::<usize>(), values.len());
        let raw = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(FLOAT, shape, raw)
    }

    /// One number, which every place of another value is combined with.
    pub(crate) fn scalar(&mut self, value: f32) -> Value {
        self.floats(&[1], &[value])
    }

    /// Whole numbers of a shape; -1 in the shape of a `Reshape` is whatever is left.
    pub(crate) fn integers(&mut self, shape: &[usize], values: &[i64]) -> Value {
        let raw = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(INT64, shape, raw)
    }

    fn constant(&mut self, element: i32, shape: &[usize], raw: Vec<u8>) -> Value {
        let name = format!("{}/constant_{}", self.scope, self.body.initializers.len());
        self.body.initializers.push(proto::Tensor {
            dims: shape.iter().map(|&length| length as i64).collect(),
            element: Some(element),
            name: Some(name.clone()),
            raw: Some(raw),
        });
        Value(name)
    }

    /// The result of an operator.
    pub(crate) fn node(
        &mut self,
        operator: &str,
        inputs: &[&Value],
        settings: &[Setting<'_>],
    ) -> Value {
        self.results(operator, inputs, settings, 1).remove(0)
    }

    /// The results of an operator that has several.
    pub(crate) fn results(
        &mut self,
        operator: &str,
        inputs: &[&Value],
        settings: &[Setting<'_>],
        count: usize,
    ) -> Vec<Value> {
        let name = format!("{}/{operator}_{}", self.scope, self.body.nodes.len());
        let outputs: Vec<String> = (0..count).map(|index| format!("{name}:{index}")).collect();
        self.body.nodes.push(proto::Node {
            inputs: inputs.iter().map(|value| value.0.clone()).collect(),
            outputs: outputs.clone(),
            name: Some(name),
            operator: Some(operator.to_owned()),
            attributes: settings.iter().map(attribute).collect(),
        });
        outputs.into_iter().map(Value).collect()
    }

    /// The same numbers in another shape; the batch is whatever is left.
    pub(crate) fn reshape(&mut self, value: &Value, shape: &[usize]) -> Value {
        let dims: Vec<i64> =
            [-1].into_iter().chain(shape.iter().map(|&length| length as i64)).collect();
        let dims = self.integers(&[dims.len()], &dims);
        self.node("Reshape", &[value, &dims], &[])
    }

    /// A sum along one dimension, which goes.
    pub(crate) fn sum(&mut self, value: &Value, axis: i64) -> Value {
        let axes = self.integers(&[1], &[axis]);
        self.node("ReduceSum", &[value, &axes], &[Setting::Integer("keepdims", 0)])
    }

    /// `value * scale + shift`, each of a shape that repeats over the batch.
    pub(crate) fn affine(
        &mut self,
        value: &Value,
        shape: &[usize],
        (scale, shift): (&[f64], &[f64]),
    ) -> Value {
        let single = |values: &[f64]| values.iter().map(|&v| v as f32).collect::<Vec<f32>>();
        let scale = self.floats(shape, &single(scale));
        let shift = self.floats(shape, &single(shift));
        let scaled = self.node("Mul", &[value, &scale], &[]);
        self.node("Add", &[&scaled, &shift], &[])
    }

    /// The bytes of the file, and its inputs and outputs.
    pub(crate) fn finish(mut self, metadata: &[(String, String)]) -> (Vec<u8>, [Vec<Port>; 2]) {
        self.body.name = Some("offkey".to_owned());
        let entry = |(key, value): &(String, String)| proto::Entry {
            key: Some(key.clone()),
            value: Some(value.clone()),
        };
        let model = proto::Model {
            ir_version: Some(IR_VERSION),
            producer_name: Some("offkey".to_owned()),
            producer_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            graph: Some(self.body),
            opset_import: vec![proto::OperatorSet {
                domain: Some(String::new()),
                version: Some(OPSET),
            }],
            metadata: metadata.iter().map(entry).collect(),
        };
        (model.encode_to_vec(), [self.inputs, self.outputs])
    }
}

fn attribute(setting: &Setting<'_>) -> proto::Attribute {
    match *setting {
        Setting::Integer(name, value) => proto::Attribute {
            name: Some(name.to_owned()),
            integer: Some(value),
            integers: Vec::new(),
            kind: Some(ATTRIBUTE_INT),
        },
        Setting::Integers(name, values) => proto::Attribute {
            name: Some(name.to_owned()),
            integer: None,
            integers: values.iter().map(|&value| value as i64).collect(),
            kind: Some(ATTRIBUTE_INTS),
        },
    }
}

fn port(name: &str, shape: &[usize]) -> proto::ValueInfo {
    let batch = proto::Dimension { value: None, parameter: Some(BATCH.to_owned()) };
    let length = |&length: &usize| proto::Dimension { value: Some(length as i64), parameter: None };
    let dims = [batch].into_iter().chain(shape.iter().map(length)).collect();
    let tensor = proto::TensorType { element: Some(FLOAT), shape: Some(proto::Shape { dims }) };
    proto::ValueInfo {
        name: Some(name.to_owned()),
        value_type: Some(proto::Type { tensor: Some(tensor) }),
    }
}
