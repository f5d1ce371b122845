//! Where embeddings are compared: a map after which every distance is Euclidean.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};
use offkey_core::Domain;
use rayon::prelude::*;

use crate::{
    Distance,
    linalg::{Whitening, ledoit_wolf, mean},
    normals::{Normals, is_target},
};

/// A distance fitted to references.
#[derive(Debug, Clone)]
pub(crate) enum Space {
    /// Unit length, and half the squared Euclidean distance.
    Sphere,
    /// As it is.
    Plain,
    /// Centred and scaled per dimension.
    Scaled { mean: Array1<f64>, deviation: Array1<f64> },
    /// Centred, rotated and scaled until the references' covariance is the identity.
    White(Box<Whitening>),
}

impl Space {
    /// `least_deviation`: what a standardised dimension is divided by at least.
    pub(crate) fn fit(distance: Distance, least_deviation: f64, normals: &Normals) -> Self {
        match distance {
            Distance::Cosine => Self::Sphere,
            Distance::Euclidean => Self::Plain,
            Distance::Standardized => {
                let points = normals.embeddings.mapv(f64::from);
                let deviation = points.std_axis(Axis(0), 0.0);
                let deviation = deviation.mapv(|value| {
                    let value = value.max(least_deviation);
                    if value > 0.0 { value } else { 1.0 }
                });
                Self::Scaled { mean: mean(points.view()), deviation }
            }
            Distance::Whitened => {
                let points = normals.embeddings.mapv(f64::from);
                let covariance = ledoit_wolf(within_domains(&points, &normals.domains).view());
                let whitening = Whitening::new(mean(points.view()), &covariance)
                    .expect("a shrunk covariance is positive definite");
                Self::White(Box::new(whitening))
            }
        }
    }

    /// The embeddings in this space, `[clips, dims]`; each row depends on its own embedding alone.
    pub(crate) fn map(&self, embeddings: ArrayView2<f32>) -> Array2<f32> {
        let mut mapped = Array2::zeros(embeddings.raw_dim());
        let rows = mapped.axis_iter_mut(Axis(0)).into_par_iter();
        rows.zip(embeddings.axis_iter(Axis(0)).into_par_iter()).for_each(|(mut to, from)| {
            to.assign(&self.map_one(from));
        });
        mapped
    }

    fn map_one(&self, embedding: ArrayView1<f32>) -> Array1<f32> {
        match self {
            Self::Sphere => unit(embedding),
            Self::Plain => embedding.to_owned(),
            Self::Scaled { mean, deviation } => {
                ((embedding.mapv(f64::from) - mean) / deviation).mapv(|value| value as f32)
            }
            Self::White(whitening) => whitening.map(embedding).mapv(|value| value as f32),
        }
    }

    /// A made-up point (a mean, an interpolation) brought back to where embeddings lie.
    pub(crate) fn project(&self, point: ArrayView1<f32>) -> Array1<f32> {
        match self {
            Self::Sphere => unit(point),
            Self::Plain | Self::Scaled { .. } | Self::White(_) => point.to_owned(),
        }
    }

    /// The distance that belongs to a squared Euclidean one in this space.
    pub(crate) fn distance(&self, squared: f64) -> f64 {
        match self {
            Self::Sphere => squared / 2.0,
            Self::Plain | Self::Scaled { .. } | Self::White(_) => squared.sqrt(),
        }
    }
}

/// The vector at unit length; the zero vector stays.
fn unit(vector: ArrayView1<f32>) -> Array1<f32> {
    let norm = vector.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt();
    let scale = if norm > 0.0 { norm } else { 1.0 };
    vector.mapv(|value| (f64::from(value) / scale) as f32)
}

/// Points minus the mean of their own domain, so that a shift between domains is no variance.
pub(crate) fn within_domains(points: &Array2<f64>, domains: &[Option<Domain>]) -> Array2<f64> {
    let mut centred = points.clone();
    for target in [false, true] {
        let rows: Vec<usize> =
            (0..domains.len()).filter(|&row| is_target(domains[row]) == target).collect();
        if rows.is_empty() {
            continue;
        }
        let centre = mean(points.select(Axis(0), &rows).view());
        for row in rows {
            let mut point = centred.row_mut(row);
            point -= &centre;
        }
    }
    centred
}
