//! Laws that every loss holds to; a new one joins by its place in [`every_loss`].

use super::super::scale::{Scale, fixed_scale};
use super::*;

fn head(config: &LossConfig, batch: &Batch) -> LossHead {
    init(config, batch.dims, batch.classes, batch.seed, &autodiff_cpu())
        .expect("two classes are enough for every loss")
}

fn loss_of(head: &LossHead, x: &Array2<f64>, y: &Array2<f64>) -> f64 {
    let device = autodiff_cpu();
    let loss = head.loss(tensor(x, &device), tensor(y, &device));
    loss.into_scalar::<f32>() as f64
}

/// Loss and its gradient in the embeddings by automatic differentiation.
fn gradient_of(head: &LossHead, x: &Array2<f64>, y: &Array2<f64>) -> Array2<f64> {
    let device = autodiff_cpu();
    let embeddings = tensor(x, &device).require_grad();
    let gradients = head.loss(embeddings.clone(), tensor(y, &device)).backward();
    let gradient = embeddings.grad(&gradients);
    array(gradient.expect("every loss depends on the embeddings"))
}

proptest! {
    #![proptest_config(cases(24))]

    #[test]
    fn tensors_agree_with_their_twin(batch in batches()) {
        for config in every_loss() {
            let mut head = head(&config, &batch);
            let expected = twin(&config, &mut head, &batch.x, &batch.y).mean().unwrap();
            let found = loss_of(&head, &batch.x, &batch.y);
            assert_close(found, expected, TENSOR_TOLERANCE, &format!("{config:?}"));
        }
    }

    #[test]
    fn gradients_agree_with_finite_differences_of_the_twin(batch in batches()) {
        for config in every_loss() {
            let mut head = head(&config, &batch);
            let found = gradient_of(&head, &batch.x, &batch.y);
            let mean = |x: &Array2<f64>, head: &mut LossHead| {
                twin(&config, head, x, &batch.y).mean().unwrap()
            };
            let cell = std::cell::RefCell::new(&mut head);
            let expected = numeric_gradient(&batch.x, |x| mean(x, &mut cell.borrow_mut()));
            // Near a centre the angle's derivative amplifies the last digit of the cosine.
            assert_all_close(&found, &expected, 3e-3, &format!("{config:?}"));
        }
    }

    #[test]
    fn soft_labels_weigh_the_losses_of_their_classes(batch in batches(), share in 0.0..1.0_f64) {
        let other = {
            let mut rolled = batch.y.clone();
            for mut row in rolled.rows_mut() {
                let last = row[row.len() - 1];
                for class in (1..row.len()).rev() {
                    row[class] = row[class - 1];
                }
                row[0] = last;
            }
            rolled
        };
        let mixed = &batch.y * share + &other * (1.0 - share);
        // The margin of Noisy-ArcMix sits on the main class alone, which the mixture may change.
        let is_linear = |config: &LossConfig| !matches!(config, LossConfig::NoisyArcmix(_));
        for config in every_loss().into_iter().filter(is_linear) {
            let head = head(&config, &batch);
            let parts = share * loss_of(&head, &batch.x, &batch.y)
                + (1.0 - share) * loss_of(&head, &batch.x, &other);
            let whole = loss_of(&head, &batch.x, &mixed);
            assert_close(whole, parts, TENSOR_TOLERANCE, &format!("{config:?}"));
        }
    }

    #[test]
    fn naming_the_classes_otherwise_changes_nothing(batch in batches()) {
        for config in every_loss() {
            let mut head = head(&config, &batch);
            let before = loss_of(&head, &batch.x, &batch.y);
            write_matrices(&mut head, |matrix| {
                // Blocks of columns, one a class, in reversed order; one centre has no classes.
                let block = matrix.ncols() / batch.classes.min(matrix.ncols());
                let last = matrix.ncols() / block - 1;
                Array2::from_shape_fn(matrix.dim(), |(row, column)| {
                    matrix[[row, (last - column / block) * block + column % block]]
                })
            });
            let reversed = batch.y.slice(s![.., ..;-1]).to_owned();
            let after = loss_of(&head, &batch.x, &reversed);
            assert_close(after, before, TENSOR_TOLERANCE, &format!("{config:?}"));
        }
    }

    #[test]
    fn losses_on_the_sphere_ignore_length_and_push_across_the_embedding(
        batch in batches(),
        factor in 0.5..4.0_f64,
    ) {
        for config in every_loss().iter().filter(|config| ignores_length(config)) {
            let head = head(config, &batch);
            let longer = &batch.x * factor;
            let (before, after) = (loss_of(&head, &batch.x, &batch.y), loss_of(&head, &longer, &batch.y));
            assert_close(after, before, TENSOR_TOLERANCE, &format!("{config:?}"));

            let gradient = gradient_of(&head, &batch.x, &batch.y);
            for (row, x) in gradient.rows().into_iter().zip(batch.x.rows()) {
                let along = row.dot(&x);
                let size = 1.0 + row.dot(&row).sqrt() * x.dot(&x).sqrt();
                prop_assert!(along.abs() < 1e-4 * size, "{config:?}: {along}");
            }
        }
    }

    #[test]
    fn a_margin_lowers_the_true_class_alone(batch in batches(), margin in 0.01..1.0_f64) {
        let scale = 6.0;
        let hard = hardened(&batch.y);
        let w = Array2::from_shape_fn((batch.dims, batch.classes), |(i, c)| {
            (1.3 + 2.1 * i as f64 + 0.7 * (c * c) as f64 + batch.x[[0, i]]).sin()
        });
        let cosines = reference::cosines(&batch.x, &w);
        let plain = reference::adacos(&batch.x, &w, &hard, scale);
        let cosface = reference::cosface(&batch.x, &w, &hard, scale, margin);
        let aam = reference::aam(&batch.x, &w, &hard, scale, margin);
        // e^L - 1 = (sum over the others of exp z) / exp(m_own): if the others are as they were,
        // the margin shows as one factor, that of the own class.
        let odds = |loss: f64| loss.exp_m1();
        for clip in 0..batch.x.nrows() {
            let cosine = cosines[[clip, reference::argmax(hard.row(clip))]];
            let theta = cosine.acos();
            let factor = (scale * margin).exp();
            assert_close(odds(cosface[clip]) / odds(plain[clip]), factor, 1e-6, "cosface");
            let factor = (scale * (theta.cos() - (theta + margin).cos())).exp();
            assert_close(odds(aam[clip]) / odds(plain[clip]), factor, 1e-6, "aam");
            if theta < std::f64::consts::PI - margin {
                prop_assert!(aam[clip] > plain[clip]);
            }
            prop_assert!(cosface[clip] > plain[clip]);
        }
    }

    #[test]
    fn only_trainable_centres_get_a_gradient(batch in batches()) {
        for config in every_loss() {
            let trainable = config == config.with_trainable_centres();
            let mut head = head(&config, &batch);
            let device = autodiff_cpu();
            let x = tensor(&batch.x, &device).require_grad();
            let gradients = head.loss(x, tensor(&batch.y, &device)).backward();
            let centres = matrices(&mut head).swap_remove(0).val();
            prop_assert_eq!(centres.grad(&gradients).is_some(), trainable, "{:?}", config);
        }
    }

    #[test]
    fn training_changes_the_scale_only_where_it_is_dynamic(batch in batches()) {
        for config in every_loss() {
            let mut head = head(&config, &batch);
            let device = autodiff_cpu();
            let before = head.scale();
            let held_out = loss_of(&head, &batch.x, &batch.y);
            let loss = head.training_loss(tensor(&batch.x, &device), tensor(&batch.y, &device));
            if format!("{config:?}").contains("Dynamic") {
                let scale = head.scale().expect("a dynamic scale is a scale");
                prop_assert!((MINIMUM_SCALE..=MAXIMUM_SCALE).contains(&scale));
                let expected = loss_of(&head, &batch.x, &batch.y);
                prop_assert_eq!(loss.into_scalar::<f32>() as f64, expected);
            } else {
                prop_assert_eq!(head.scale(), before);
                prop_assert_eq!(loss.into_scalar::<f32>() as f64, held_out);
            }
        }
    }
}

#[test]
fn the_same_seed_draws_the_same_centres_and_another_draws_others() {
    for config in every_loss() {
        let drawn = |seed| {
            let head = init(&config, 8, 3, Seed::new(seed), &Device::flex());
            read_matrices(&mut head.expect("three classes are enough"))
        };
        assert_eq!(drawn(7), drawn(7), "{config:?}");
        assert_ne!(drawn(7), drawn(8), "{config:?}");
    }
}

#[test]
fn awkward_embeddings_give_finite_losses_and_gradients() {
    for config in every_loss() {
        let device = autodiff_cpu();
        let mut head = init(&config, 5, 2, Seed::new(3), &device).expect("two classes are enough");
        let centre = read_matrices(&mut head)[0].column(0).to_owned();
        let mut x = Array2::zeros((4, 5));
        x.row_mut(1).assign(&centre);
        x.row_mut(2).assign(&(-3.0 * &centre));
        x.row_mut(3).fill(1e4);
        let y = ndarray::array![[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.5, 0.5]];
        assert!(loss_of(&head, &x, &y).is_finite(), "{config:?}");
        let gradient = gradient_of(&head, &x, &y);
        assert!(gradient.iter().all(|g| g.is_finite()), "{config:?}");
    }
}

#[test]
fn an_embedding_of_zeros_gets_no_gradient_from_a_loss_on_the_sphere() {
    for config in every_loss().iter().filter(|config| ignores_length(config)) {
        let head =
            init(config, 5, 2, Seed::new(3), &autodiff_cpu()).expect("two classes are enough");
        let mut x = Array2::from_shape_fn((3, 5), |(clip, dim)| (clip + 2 * dim) as f64 - 3.3);
        x.row_mut(1).fill(0.0);
        let y = ndarray::array![[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]];
        let gradient = gradient_of(&head, &x, &y);
        assert!(gradient.row(1).iter().all(|&g| g == 0.0), "{config:?}: {gradient}");
        assert!(gradient.row(0).iter().any(|&g| g != 0.0), "{config:?}: {gradient}");
    }
}

#[test]
fn a_dynamic_scale_never_diverges() {
    for config in every_loss() {
        let device = autodiff_cpu();
        let mut head =
            init(&config, 6, 3, Seed::new(5), &device).expect("three classes are enough");
        let centre = read_matrices(&mut head)[0].column(0).to_owned();
        // Every clip on its own centre: an unbounded scale grows by sqrt(2) a step.
        let x = centre.broadcast((4, 6)).expect("a row repeats").to_owned();
        let mut y = Array2::zeros((4, 3));
        y.column_mut(0).fill(1.0);
        for _ in 0..40 {
            let loss = head.training_loss(tensor(&x, &device), tensor(&y, &device));
            assert!(loss.into_scalar::<f32>().is_finite(), "{config:?}");
            let scale = head.scale().unwrap_or(1.0);
            let largest = MAXIMUM_SCALE.max(fixed_scale(9));
            assert!((MINIMUM_SCALE..=largest).contains(&scale), "{config:?}: {scale}");
        }
        // With one centre a class the update divides by the cosine of the true angle, here zero.
        if let LossConfig::SubClusterAdacos(own) = &config
            && own.scale == ScaleRule::Dynamic
            && own.sub_clusters > 1
        {
            assert_eq!(head.scale(), Some(MAXIMUM_SCALE), "{config:?}");
        }
    }
}

#[test]
fn a_scale_that_is_not_a_number_is_passed_over() {
    let mut scale = Scale::new(ScaleRule::Dynamic, 10);
    let before = scale;
    scale.follow(f64::NAN);
    assert_eq!(scale, before);
    scale.follow(f64::INFINITY);
    assert_eq!(scale.value(), MAXIMUM_SCALE);
    scale.follow(f64::NEG_INFINITY);
    assert_eq!(scale.value(), MINIMUM_SCALE);
}

#[test]
fn a_checkpoint_restores_the_dynamic_scale_alone() {
    for config in every_loss() {
        let mut head =
            init(&config, 4, 3, Seed::new(1), &Device::flex()).expect("three classes are enough");
        let before = head.scale();
        head.restore_scale(3.25);
        if format!("{config:?}").contains("Dynamic") {
            assert_eq!(head.scale(), Some(3.25));
        } else {
            assert_eq!(head.scale(), before);
        }
    }
}

#[test]
fn telling_classes_apart_needs_two() {
    for config in every_loss() {
        let head = init(&config, 4, 1, Seed::new(1), &Device::flex());
        if config.needs_classes(&LossRegistry::default()).unwrap() {
            let error = head.expect_err("one class is an error");
            assert_eq!(
                error.to_string(),
                format!(
                    "the loss `{}` needs at least 2 classes among the training clips, found 1",
                    config.name()
                )
            );
        } else {
            assert!(head.is_ok(), "{config:?}");
        }
    }
}

#[test]
fn settings_out_of_range_are_named() {
    let cases = [
        (LossConfig::Aam(AamConfig { margin: -0.1, ..Default::default() }), "margin"),
        (LossConfig::Cosface(CosFaceConfig { scale: f64::NAN, ..Default::default() }), "scale"),
        (
            LossConfig::SubClusterAdacos(SubClusterAdaCosConfig {
                sub_clusters: 0,
                ..Default::default()
            }),
            "sub_clusters",
        ),
    ];
    for (config, expected) in cases {
        match config.check(&LossRegistry::default(), 4, 3) {
            Err(LossError::OutOfRange { setting, .. }) => assert_eq!(setting, expected),
            other => panic!("{config:?}: {other:?}"),
        }
    }
}

#[test]
fn recipes_name_losses_in_kebab_case_and_typos_are_errors() {
    for config in every_loss() {
        let text = serde_json::to_string(&config).expect("a configuration is plain data");
        assert!(text.starts_with(&format!("{{\"{}\":", config.name())), "{text}");
        let back: LossConfig = serde_json::from_str(&text).expect("what was written is read");
        assert_eq!(back, config);
    }
    let typo = serde_json::from_str::<LossConfig>(r#"{"sub-cluster-adacos":{"subclusters":4}}"#);
    let message = typo.expect_err("a typo is an error").to_string();
    assert!(message.contains("unknown field `subclusters`"), "{message}");
}
