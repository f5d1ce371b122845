//! A loss from outside learns as ours do.

use super::*;

/// `mean_i |phi_i - c_i|^2` with trained centres, as intra-class compactness without the sphere.
#[derive(Debug)]
struct Squares;

impl CustomLoss for Squares {
    fn matrices(&self, dims: usize, classes: usize, _seed: Seed) -> Vec<Array2<f32>> {
        vec![Array2::from_shape_fn((dims, classes), |(i, j)| (i as f32 - 2.0 * j as f32).sin())]
    }

    fn evaluate(
        &self,
        matrices: &[Array2<f32>],
        embeddings: ndarray::ArrayView2<'_, f32>,
        labels: ndarray::ArrayView2<'_, f32>,
    ) -> LossValue {
        let clips = embeddings.nrows() as f32;
        let mut by_embeddings = Array2::zeros(embeddings.dim());
        let mut by_centres = Array2::zeros(matrices[0].dim());
        let mut loss = 0.0;
        for (clip, label) in labels.rows().into_iter().enumerate() {
            for (class, &share) in label.iter().enumerate() {
                for dim in 0..embeddings.ncols() {
                    let difference = embeddings[[clip, dim]] - matrices[0][[dim, class]];
                    loss += share * difference * difference / clips;
                    by_embeddings[[clip, dim]] += 2.0 * share * difference / clips;
                    by_centres[[dim, class]] -= 2.0 * share * difference / clips;
                }
            }
        }
        LossValue { loss, by_embeddings, by_matrices: vec![by_centres] }
    }
}

#[test]
fn a_loss_from_outside_has_the_value_and_the_gradients_it_says() {
    let custom = LossRegistry::default().with("squares", Arc::new(Squares));
    let device = autodiff_cpu();
    let config: LossConfig = toml::from_str("custom = \"squares\"").unwrap();
    let mut head = config.head(&custom, (4, 3), Seed::new(1), &device).unwrap();
    let ours = LossConfig::IntraClassCompactness(IntraClassCompactnessConfig {
        normalized: false,
        centres: Centres::Trainable,
    });
    let mut twin = init(&ours, 4, 3, Seed::new(1), &device).unwrap();
    let centres = read_matrices(&mut head).remove(0);
    let matrix = &mut twin.state.matrices[0];
    *matrix = matrix.clone().map(|_| tensor(&centres, &device).require_grad());

    let (x, _, y) = example();
    let gradients = |head: &mut LossHead| {
        let embeddings = tensor(&x, &device).require_grad();
        let loss = head.training_loss(embeddings.clone(), tensor(&y, &device));
        let value = f64::from(loss.clone().into_scalar::<f32>());
        let gradients = loss.backward();
        let by_embeddings = array(embeddings.grad(&gradients).unwrap());
        let by_centres = array(matrices(head).remove(0).val().grad(&gradients).unwrap());
        (value, by_embeddings, by_centres)
    };
    let (found, expected) = (gradients(&mut head), gradients(&mut twin));
    assert_close(found.0, expected.0, TENSOR_TOLERANCE, "loss");
    assert_all_close(&found.1, &expected.1, TENSOR_TOLERANCE, "by embeddings");
    assert_all_close(&found.2, &expected.2, TENSOR_TOLERANCE, "by centres");
}

#[test]
fn a_loss_that_nobody_passed_is_named_with_those_that_are_known() {
    let custom = LossRegistry::default().with("squares", Arc::new(Squares));
    let error = LossConfig::Custom("cubes".to_owned()).check(&custom, 4, 3).unwrap_err();
    assert_eq!(error.to_string(), "there is no custom loss `cubes`, known are `squares`");
}
