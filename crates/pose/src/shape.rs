//! Bodies in a posture: where joints are, on average and how far from it, in fractions of stature.
//!
//! Lengths of segments are those of Drillis and Contini 1966 (Winter 2009, Biomechanics and Motor Control of Human Movement,
//! figure 4.1). How a body holds them (soft knees, a step of gait, a trunk that leans while it sits down) is that of the
//! room simulator's bodies: means and standard deviations over 40 people of chance for 5 minutes each (`simulated`; upwards
//! the half width of the middle 68 %, as changes of posture make long tails; bodies of other seeds are in `tests/bodies.rs`). Real bodies vary more: nobody else's joints were measured for this.

use wavewitness_types::PostureClass;

/// A joint of a posture: forward, left and up in fractions of stature; along the floor from the middle of the hips, upwards
/// from the floor, or from what bears the body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Joint {
    pub mean: [f64; 3],
    pub sd: [f64; 3],
    /// Whether its height is over the seat or bed, not over the floor.
    pub is_borne: bool,
}

/// The left side of a body and its middle: nose, eye, ear, shoulder, elbow, wrist, hip, knee, ankle; then the centre of mass.
type Half = [Joint; 10];

const fn joint(mean: [f64; 3], sd: [f64; 3]) -> Joint {
    Joint { mean, sd, is_borne: false }
}

const fn borne(mean: [f64; 3], sd: [f64; 3]) -> Joint {
    Joint { mean, sd, is_borne: true }
}

const STANDING: Half = [
    joint([0.074, 0.0, 0.894], [0.026, 0.005, 0.003]),
    joint([0.062, 0.018, 0.927], [0.026, 0.005, 0.003]),
    joint([0.005, 0.044, 0.927], [0.026, 0.005, 0.003]),
    joint([0.005, 0.129, 0.809], [0.026, 0.005, 0.003]),
    joint([0.003, 0.152, 0.627], [0.013, 0.027, 0.005]),
    joint([0.027, 0.161, 0.492], [0.009, 0.034, 0.010]),
    joint([0.0, 0.096, 0.522], [0.005, 0.005, 0.008]),
    joint([0.048, 0.070, 0.283], [0.016, 0.005, 0.004]),
    joint([0.004, 0.045, 0.041], [0.019, 0.005, 0.003]),
    joint([0.010, 0.0, 0.571], [0.013, 0.005, 0.004]),
];

const WALKING: Half = [
    joint([0.082, 0.0, 0.889], [0.005, 0.005, 0.006]),
    joint([0.070, 0.018, 0.922], [0.005, 0.005, 0.006]),
    joint([0.013, 0.044, 0.922], [0.005, 0.005, 0.006]),
    joint([0.013, 0.129, 0.804], [0.005, 0.005, 0.006]),
    joint([-0.002, 0.148, 0.620], [0.024, 0.005, 0.006]),
    joint([0.024, 0.154, 0.480], [0.053, 0.005, 0.006]),
    joint([0.0, 0.095, 0.516], [0.005, 0.005, 0.009]),
    joint([0.055, 0.070, 0.284], [0.054, 0.006, 0.016]),
    joint([-0.018, 0.045, 0.068], [0.129, 0.011, 0.029]),
    joint([0.011, 0.0, 0.568], [0.005, 0.005, 0.006]),
];

/// On a chair.
const SITTING: Half = [
    borne([0.100, 0.0, 0.419], [0.041, 0.005, 0.012]),
    borne([0.087, 0.018, 0.451], [0.043, 0.005, 0.011]),
    borne([0.030, 0.044, 0.451], [0.042, 0.005, 0.010]),
    borne([0.032, 0.129, 0.333], [0.036, 0.005, 0.011]),
    borne([0.074, 0.147, 0.153], [0.013, 0.008, 0.012]),
    borne([0.205, 0.150, 0.097], [0.018, 0.011, 0.011]),
    borne([0.0, 0.096, 0.049], [0.005, 0.005, 0.010]),
    joint([0.241, 0.070, 0.285], [0.009, 0.005, 0.004]),
    joint([0.243, 0.045, 0.040], [0.022, 0.005, 0.003]),
    borne([0.071, 0.0, 0.142], [0.012, 0.005, 0.008]),
];

/// On the back, on a bed.
const LYING: Half = [
    borne([-0.368, 0.0, 0.144], [0.022, 0.005, 0.010]),
    borne([-0.401, 0.018, 0.133], [0.022, 0.005, 0.011]),
    borne([-0.402, 0.044, 0.077], [0.017, 0.005, 0.012]),
    borne([-0.285, 0.129, 0.073], [0.013, 0.005, 0.008]),
    borne([-0.104, 0.175, 0.069], [0.010, 0.005, 0.004]),
    borne([0.036, 0.210, 0.082], [0.011, 0.005, 0.003]),
    borne([0.0, 0.096, 0.065], [0.005, 0.005, 0.003]),
    borne([0.245, 0.070, 0.064], [0.005, 0.005, 0.003]),
    borne([0.490, 0.045, 0.057], [0.011, 0.005, 0.008]),
    borne([-0.046, 0.0, 0.068], [0.006, 0.005, 0.003]),
];

/// Where the centre of mass is in a half.
pub(crate) const CENTRE: usize = 9;

/// A joint on the side of a COCO keypoint, in a posture.
pub(crate) fn of(class: PostureClass, keypoint: usize) -> Joint {
    let half = match class {
        PostureClass::Standing => &STANDING,
        PostureClass::Walking => &WALKING,
        PostureClass::Sitting => &SITTING,
        PostureClass::Lying | PostureClass::Falling => &LYING,
    };
    let mut joint = half[keypoint.div_ceil(2)];
    if keypoint > 0 && keypoint.is_multiple_of(2) {
        joint.mean[1] = -joint.mean[1];
    }
    joint
}

/// The centre of mass in a posture.
pub(crate) fn centre(class: PostureClass) -> Joint {
    match class {
        PostureClass::Standing => STANDING[CENTRE],
        PostureClass::Walking => WALKING[CENTRE],
        PostureClass::Sitting => SITTING[CENTRE],
        PostureClass::Lying | PostureClass::Falling => LYING[CENTRE],
    }
}
