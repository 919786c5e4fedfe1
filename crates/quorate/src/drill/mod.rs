//! Drills against a live region of this machine: the API as any client uses it, faults through the control
//! socket.

mod api;
mod faults;
mod live;
mod own;
mod table;

pub(crate) use faults::ZoneFaults;
pub(crate) use live::LiveRegion;
pub(crate) use own::OwnRegion;
pub(crate) use table::LiveTable;
