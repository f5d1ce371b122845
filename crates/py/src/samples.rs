//! Recordings in memory, judged as `Monitor::check` judges files.

use std::path::Path;

use offkey::monitor::{ClipVerdict, Monitor, MonitorError, Verdict, WindowVerdict, Windower};
use offkey_signal::{AudioError, AudioInfo, Codec, Container, resample};

/// Judges mono samples by their worst window, under a name that stands for the recording.
///
/// # Errors
/// [`MonitorError`] when a model refuses a window.
pub(crate) fn check_samples(
    monitor: &Monitor,
    name: &Path,
    (samples, rate_hz): (&[f32], u32),
    on_window: &mut dyn FnMut(&WindowVerdict),
) -> Result<ClipVerdict, MonitorError> {
    let cannot_tell = |reason: String| ClipVerdict {
        path: name.to_owned(),
        score: None,
        p_value: None,
        p_kind: None,
        verdict: Verdict::CannotTell,
        reason,
        damage: None,
        differs: None,
    };
    let listening = monitor.listening();
    if let Some(refusal) = listening.refusal(rate_hz) {
        return Ok(cannot_tell(refusal));
    }
    // How samples in memory were coded is not known: as those learned from.
    let codec = listening.codecs.first().copied().unwrap_or(Codec::Integer(16));
    let frames = samples.len() as u64;
    let info = AudioInfo { rate_hz, channels: 1, frames, container: Container::Raw, codec };
    let differs = listening.difference(&info);
    let rule = listening.windows;
    let refused = |_| {
        let (path, to_hz) = (name.to_owned(), rule.rate_hz);
        MonitorError::Audio(AudioError::Rate { path, from_hz: rate_hz, to_hz })
    };
    let samples = resample(samples, rate_hz, rule.rate_hz).map_err(refused)?;
    let mut worst: Option<WindowVerdict> = None;
    let mut windows = 0;
    Windower::new(rule, 0).push(&samples, |start, window| {
        let next = monitor.judge(start, window)?;
        on_window(&next);
        windows += 1;
        let key = |v: &WindowVerdict| (v.verdict, v.score.unwrap_or(f64::NEG_INFINITY));
        if worst.as_ref().is_none_or(|worst| key(&next) > key(worst)) {
            worst = Some(next);
        }
        Ok::<(), MonitorError>(())
    })?;
    let Some(worst) = worst else {
        let needed_s = rule.seconds(rule.samples as u64);
        return Ok(cannot_tell(format!(
            "lasts {:.1} s, and the model needs {needed_s:.1} s",
            info.duration_s()
        )));
    };
    let mut reason = worst.reason;
    if windows > 1 {
        let at_s = rule.seconds(worst.start);
        reason = format!("at {at_s:.0} s: {reason}");
    }
    if let Some(differs) = &differs {
        reason += &format!("; {differs}");
    }
    let WindowVerdict { score, p_value, p_kind, verdict, .. } = worst;
    let path = name.to_owned();
    Ok(ClipVerdict { path, score, p_value, p_kind, verdict, reason, damage: None, differs })
}
