//! States that earlier versions wrote, read as what they mean today.

use offkey_monitor::{EventRule, EventState};
use serde::{Deserialize, Deserializer};

/// What tells whether the sound is wrong, as it is written now or was before `watch` and the service
/// shared their rule. Of the old form only whether an alarm is on is kept; counting begins anew.
pub(super) fn condition<'de, D: Deserializer<'de>>(from: D) -> Result<EventState, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Form {
        Present(EventState),
        Past { active: bool },
    }
    Ok(match Form::deserialize(from)? {
        Form::Present(state) => state,
        Form::Past { active } => EventState::going_on(EventRule::default(), active),
    })
}
