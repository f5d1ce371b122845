//! Losses and gradients of an independent `PyTorch` implementation: testdata/golden/losses.json.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Golden {
    cases: BTreeMap<String, Case>,
}

#[derive(Deserialize)]
struct Case {
    losses: Vec<f64>,
    gradient_of_mean: Vec<Vec<f64>>,
}

fn config_of(case: &str) -> LossConfig {
    match case {
        "compactness" | "compactness-unnormalized" => LossConfig::Compactness(CompactnessConfig {
            normalized: case == "compactness",
            ..Default::default()
        }),
        "intra-class-compactness" | "intra-class-compactness-unnormalized" => {
            LossConfig::IntraClassCompactness(IntraClassCompactnessConfig {
                normalized: case == "intra-class-compactness",
                ..Default::default()
            })
        }
        "intra-class-compactness-cross-entropy" => {
            LossConfig::IntraClassCompactnessCrossEntropy(IntraClassCompactnessCrossEntropyConfig {
                cross_entropy_weight: 0.5,
                ..Default::default()
            })
        }
        "cross-entropy" => LossConfig::CrossEntropy(CrossEntropyConfig {}),
        "aam" => LossConfig::Aam(AamConfig::default()),
        "aam-small" => LossConfig::Aam(AamConfig { scale: 8.0, margin: 0.2, ..Default::default() }),
        "noisy-arcmix" => LossConfig::NoisyArcmix(NoisyArcMixConfig::default()),
        "cosface" => LossConfig::Cosface(CosFaceConfig::default()),
        "cosface-small" => {
            LossConfig::Cosface(CosFaceConfig { scale: 8.0, margin: 0.2, ..Default::default() })
        }
        "adacos" => LossConfig::Adacos(AdaCosConfig::default()),
        "sub-cluster-adacos" => LossConfig::SubClusterAdacos(SubClusterAdaCosConfig {
            sub_clusters: 2,
            ..Default::default()
        }),
        "adaproj" => LossConfig::Adaproj(AdaProjConfig { sub_clusters: 2, ..Default::default() }),
        unknown => panic!("no loss for the golden case `{unknown}`"),
    }
}

/// A head with the example's centres; unit columns, except for linear layers.
fn head_of(config: &LossConfig) -> LossHead {
    let (_, w, _) = example();
    let mut head = init(config, 4, 3, Seed::new(1), &autodiff_cpu())
        .expect("the golden configurations are sound");
    let columns = match config {
        LossConfig::Compactness(_) => w.slice(s![.., ..1]).to_owned(),
        LossConfig::SubClusterAdacos(_) | LossConfig::Adaproj(_) => w,
        _ => first_of_class(&w),
    };
    write_matrices(&mut head, |_| reference::unit_columns(&columns));
    let linear = match config {
        LossConfig::CrossEntropy(_) => Some(0),
        LossConfig::IntraClassCompactnessCrossEntropy(_) => Some(1),
        _ => None,
    };
    if let Some(index) = linear {
        let matrix = &mut head.state.matrices[index];
        *matrix = matrix.clone().map(|_| tensor(&columns, &autodiff_cpu()).require_grad());
    }
    head
}

fn golden() -> Golden {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/golden/losses.json");
    let text = std::fs::read_to_string(path).expect("the golden file is part of the repository");
    serde_json::from_str(&text).expect("the golden file has the fields above")
}

#[test]
fn twins_and_tensors_agree_with_pytorch() {
    let (x, _, y) = example();
    for (name, case) in golden().cases {
        let config = config_of(&name);
        let mut head = head_of(&config);
        let expected: Vec<f64> = case.gradient_of_mean.concat();

        let losses = twin(&config, &mut head, &x, &y);
        // The twin reads the head's centres, which are single-precision.
        assert_all_close(&losses, &case.losses, 1e-5, &format!("{name}, twin"));

        let device = autodiff_cpu();
        let embeddings = tensor(&x, &device).require_grad();
        let loss = head.loss(embeddings.clone(), tensor(&y, &device));
        let gradients = loss.backward();
        let mean = case.losses.iter().sum::<f64>() / case.losses.len() as f64;
        let found = loss.into_scalar::<f32>() as f64;
        assert_close(found, mean, TENSOR_TOLERANCE, &name);
        let gradient = array(embeddings.grad(&gradients).expect("the loss depends on them"));
        assert_all_close(&gradient, &expected, TENSOR_TOLERANCE, &format!("{name}, gradient"));
    }
}

#[test]
fn the_closed_gradient_of_sub_cluster_adacos_agrees_with_pytorch() {
    let (x, w, y) = example();
    let scale = super::super::scale::fixed_scale(6);
    let gradient = reference::sub_cluster_adacos_gradient(&x, &w, &y, 2, scale) / 4.0;
    let case = &golden().cases["sub-cluster-adacos"];
    assert_all_close(&gradient, &case.gradient_of_mean.concat(), 1e-12, "gradient");
}
