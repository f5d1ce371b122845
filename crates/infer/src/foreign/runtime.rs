//! ONNX Runtime, loaded when it is first needed: from `ORT_DYLIB_PATH`, else by the system's name of it.

use std::{
    env, fmt,
    sync::{Mutex, OnceLock, PoisonError},
};

use ort::{
    environment::Environment,
    session::{Session as OrtSession, SessionInputValue},
    value::Tensor as OrtTensor,
};

use super::{error::ForeignError, tensor::Tensor};

/// Where the library is.
const PATH: &str = "ORT_DYLIB_PATH";

/// A loaded ONNX file. One call runs at a time, on as many threads as offkey uses.
pub struct Session {
    loaded: Mutex<OrtSession>,
    inputs: Vec<String>,
    outputs: Vec<String>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("inputs", &self.inputs).finish_non_exhaustive()
    }
}

impl Session {
    /// Loads a file's bytes.
    ///
    /// # Errors
    /// [`ForeignError::Library`] when the runtime is not there, [`ForeignError::Runtime`] when it refuses
    /// the file.
    pub fn load(bytes: &[u8]) -> Result<Self, ForeignError> {
        let refused = |error: &dyn fmt::Display| ForeignError::Runtime {
            what: "load the file",
            problem: error.to_string(),
        };
        let builder = OrtSession::builder(environment()?).map_err(|error| refused(&error))?;
        let builder = builder
            .with_intra_threads(rayon::current_num_threads())
            .map_err(|error| refused(&error))?;
        // Waiting threads sleep: a monitor embeds a window now and then, beside other work.
        let mut builder = builder.with_intra_op_spinning(false).map_err(|error| refused(&error))?;
        let session = builder.commit_from_memory(bytes).map_err(|error| refused(&error))?;
        let names = |outlets: &[ort::value::Outlet]| {
            outlets.iter().map(|outlet| outlet.name().to_owned()).collect()
        };
        let (inputs, outputs) = (names(session.inputs()), names(session.outputs()));
        Ok(Self { loaded: Mutex::new(session), inputs, outputs })
    }

    /// Names of the inputs.
    pub fn inputs(&self) -> &[String] {
        &self.inputs
    }

    /// The outputs for inputs, in the file's order.
    ///
    /// # Errors
    /// [`ForeignError::Runtime`] when the runtime refuses the inputs, or an output is of other numbers than
    /// single precision.
    pub fn run(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, ForeignError> {
        let refused = |error: ort::Error| ForeignError::Runtime {
            what: "run the file",
            problem: error.to_string(),
        };
        let mut values: Vec<(String, SessionInputValue<'_>)> = Vec::new();
        for Tensor { name, shape, values: numbers } in inputs {
            let shape: Vec<i64> =
                shape.iter().map(|&length| i64::try_from(length).unwrap_or(i64::MAX)).collect();
            let tensor = OrtTensor::from_array((shape, numbers.clone())).map_err(refused)?;
            values.push((name.clone(), tensor.into()));
        }
        let mut session = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let given = session.run(values).map_err(refused)?;
        let mut outputs = Vec::new();
        for name in &self.outputs {
            let (shape, numbers) =
                given[name.as_str()].try_extract_tensor::<f32>().map_err(refused)?;
            let shape = shape.iter().map(|&length| length as usize).collect();
            outputs.push(Tensor { name: name.clone(), shape, values: numbers.to_vec() });
        }
        Ok(outputs)
    }
}

/// The runtime's process-wide state, made once.
fn environment() -> Result<&'static Environment, ForeignError> {
    static ENVIRONMENT: OnceLock<Result<Environment, String>> = OnceLock::new();
    let library = env::var(PATH).unwrap_or_else(|_| {
        format!("{}onnxruntime{}", env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX)
    });
    let made = ENVIRONMENT.get_or_init(|| {
        let builder = ort::init_from(&library).map_err(|error| error.to_string())?;
        builder.with_telemetry(false).build().map_err(|error| error.to_string())
    });
    made.as_ref().map_err(|problem| ForeignError::Library { library, problem: problem.clone() })
}
