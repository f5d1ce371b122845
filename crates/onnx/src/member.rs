//! The file of one model, or of all members of a monitor's detector.

use offkey_infer::{ClipShape, Model};

use crate::{
    Input, OnnxError, Port,
    error::{AUTOENCODER, FOREIGN},
    front::{Feature, Front},
    graph::Graph,
    network, pooled,
};

/// A model, and what its embedding is called in the file.
#[derive(Debug, Clone)]
pub struct Member<'a> {
    /// Name of the output.
    pub output: String,
    /// What makes it: a network, a pooled spectrum or statistics.
    pub model: &'a Model,
}

/// A file that was written into memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// The ONNX file.
    pub bytes: Vec<u8>,
    /// What it takes.
    pub inputs: Vec<Port>,
    /// What it gives.
    pub outputs: Vec<Port>,
    /// The feature behind each input; none for sound.
    pub(crate) features: Vec<Option<Feature>>,
}

/// Protocol buffers end here.
const MOST_BYTES: usize = i32::MAX as usize;

/// Writes models for clips of one shape as one ONNX file of operator set [`crate::OPSET`]. The metadata
/// are written into it as they are.
///
/// # Errors
/// [`OnnxError::Kind`] for an autoencoder and for what was an ONNX file before, [`OnnxError::Transform`] when sound of this length has no transform by matrices,
/// [`OnnxError::TooLarge`] when the file would have 2 GB.
pub fn model(
    members: &[Member<'_>],
    clip: ClipShape,
    input: Input,
    metadata: &[(String, String)],
) -> Result<Written, OnnxError> {
    let mut graph = Graph::default();
    let mut front = Front::new(input, clip);
    for Member { output, model } in members {
        let (value, dims) = match model {
            Model::Network(encoder) => {
                (network::embedding(&mut graph, &mut front, encoder)?, encoder.config().dims())
            }
            Model::Pooled(config) => {
                (pooled::pooled(&mut graph, &mut front, config)?, config.dims())
            }
            Model::Statistics(own) => {
                let embedding =
                    pooled::statistics(&mut graph, &mut front, own.config(), own.scaling())?;
                (embedding, own.dims())
            }
            Model::Autoencoder(_) => return Err(OnnxError::Kind { kind: AUTOENCODER }),
            Model::Onnx(_) => return Err(OnnxError::Kind { kind: FOREIGN }),
        };
        graph.output(&value, output, &[dims]);
    }
    let features = front.into_features();
    let (bytes, [inputs, outputs]) = graph.finish(metadata);
    if bytes.len() > MOST_BYTES {
        return Err(OnnxError::TooLarge { name: "the ONNX file".to_owned(), bytes: bytes.len() });
    }
    Ok(Written { bytes, inputs, outputs, features })
}
