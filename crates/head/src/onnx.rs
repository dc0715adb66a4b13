//! ONNX models, run by tract.

use crate::{Evidence, Input, KEYPOINTS, PEOPLE, PoseHead};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use tract_onnx::prelude::{
    Framework, InferenceModelExt, IntoRunnable, IntoTensor, Tensor, TypedRunnableModel, tvec,
};

/// Names of the inputs, in the order in which [`Input`] has them.
const INPUTS: [&str; 5] = ["csi", "seen", "motion", "ends_m", "room_m"];
const OUTPUTS: [&str; 3] = ["existence", "keypoints_m", "sigma_m"];

/// Why a model can't be used.
#[derive(Debug)]
pub enum HeadError {
    /// tract does not take it.
    Model(String),
    /// It has an input or output that is not specified, or lacks one that is.
    Interface(String),
}

impl fmt::Display for HeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HeadError::Model(e) => write!(f, "the model can't be run: {e}"),
            HeadError::Interface(e) => write!(f, "the model does not fit docs/pose-head.md: {e}"),
        }
    }
}

impl std::error::Error for HeadError {}

/// A model of a file.
pub struct OnnxHead {
    model: Arc<TypedRunnableModel>,
    /// Which tensor each of the model's inputs takes.
    takes: Vec<usize>,
    /// Which of the model's outputs each of [`OUTPUTS`] is.
    gives: [Option<usize>; 3],
}

impl OnnxHead {
    /// Reads a model and makes it ready to run.
    ///
    /// # Errors
    /// If it is no ONNX model that tract runs, or its inputs and outputs are not those of `docs/pose-head.md`.
    pub fn open(path: &Path) -> Result<OnnxHead, HeadError> {
        let model = |e: tract_onnx::prelude::TractError| HeadError::Model(format!("{e:#}"));
        let graph = tract_onnx::onnx().model_for_path(path).map_err(model)?;
        let name = |o: &tract_onnx::prelude::OutletId| {
            graph.outlet_label(*o).map_or_else(|| graph.node(o.node).name.clone(), str::to_owned)
        };
        let takes = graph.inputs.iter().map(|o| {
            let name = name(o);
            INPUTS.iter().position(|i| *i == name).ok_or_else(|| {
                HeadError::Interface(format!("input {name}: allowed are {}", INPUTS.join(", ")))
            })
        });
        let takes = takes.collect::<Result<Vec<_>, _>>()?;
        let names: Vec<String> = graph.outputs.iter().map(name).collect();
        let gives = OUTPUTS.map(|wanted| names.iter().position(|n| n == wanted));
        if gives[0].is_none() || gives[1].is_none() {
            let error = format!("outputs {}: existence and keypoints_m are needed", names.join(", "));
            return Err(HeadError::Interface(error));
        }
        let model = graph.into_optimized().and_then(|m| m.into_runnable()).map_err(model)?;
        Ok(OnnxHead { model, takes, gives })
    }

    fn output(&self, which: usize, outputs: &[Tensor], size: usize) -> Result<Vec<f32>, HeadError> {
        let Some(k) = self.gives[which] else { return Ok(Vec::new()) };
        let view = outputs[k].to_plain_array_view::<f32>().map_err(|e| HeadError::Model(format!("{e:#}")))?;
        if view.len() != size {
            let error = format!("output {} has {} numbers: {size} are needed", OUTPUTS[which], view.len());
            return Err(HeadError::Interface(error));
        }
        Ok(view.iter().copied().collect())
    }
}

impl PoseHead for OnnxHead {
    type Error = HeadError;

    fn run(&mut self, input: &Input) -> Result<Evidence, HeadError> {
        let tensor = |which: usize| -> Tensor {
            match which {
                0 => input.csi.clone().into_tensor(),
                1 => input.seen.clone().into_tensor(),
                2 => input.motion.clone().into_tensor(),
                3 => input.ends_m.clone().into_tensor(),
                _ => input.room_m.clone().into_tensor(),
            }
        };
        let mut inputs = tvec!();
        for &which in &self.takes {
            inputs.push(tensor(which).into());
        }
        let outputs = self.model.run(inputs).map_err(|e| HeadError::Model(format!("{e:#}")))?;
        let outputs: Vec<Tensor> = outputs.into_iter().map(|t| t.into_tensor()).collect();
        let size = PEOPLE * KEYPOINTS * 3;
        Ok(Evidence {
            existence: self.output(0, &outputs, PEOPLE)?,
            keypoints_m: self.output(1, &outputs, size)?,
            sigma_m: self.output(2, &outputs, size)?,
        })
    }
}
