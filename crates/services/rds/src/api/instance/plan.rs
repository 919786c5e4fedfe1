//! What becomes of a modification: which settings change at once, and which wait.
//!
//! Pure. Settings that need no work of an engine take effect with the answer. The others go to `pending`, and the
//! controller carries them out, at once or in the maintenance window.

use quorate_control::Stored;

use crate::api::error::RdsError;
use crate::api::instance::storage::{Storage, StorageType};
use crate::api::instance::window;
use crate::model::{Instance, PasswordVerifier, PendingChanges, Settings};

/// Storage grows by this share of itself at least.
const GROWTH_PERCENT_MIN: u32 = 10;

/// What a request asks, checked as far as it can be without the instance.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    pub(super) apply_immediately: bool,
    pub(super) class: Option<String>,
    pub(super) allocated_storage_gib: Option<u32>,
    pub(super) storage_type: Option<String>,
    pub(super) iops: Option<u32>,
    pub(super) max_allocated_storage_gib: Option<u32>,
    pub(super) multi_az: Option<bool>,
    pub(super) engine_version: Option<String>,
    pub(super) allow_major: bool,
    pub(super) verifier: Option<PasswordVerifier>,
    pub(super) port: Option<u16>,
    pub(super) new_id: Option<String>,
    pub(super) parameter_group: Option<String>,
    pub(super) subnet_group: Option<String>,
    pub(super) security_groups: Option<Vec<String>>,
    pub(super) backup_retention_days: Option<u32>,
    pub(super) backup_window: Option<String>,
    pub(super) maintenance_window: Option<String>,
    pub(super) auto_minor_version_upgrade: Option<bool>,
    pub(super) copy_tags_to_snapshot: Option<bool>,
    pub(super) deletion_protection: Option<bool>,
    pub(super) publicly_accessible: Option<bool>,
}

impl Asked {
    /// The instance's record after the request.
    pub(super) fn plan(self, stored: &Stored<Instance>) -> Result<Instance, RdsError> {
        let mut instance = stored.record.clone();
        if instance.source.is_some() {
            self.check_replica()?;
        }
        self.change_storage(&mut instance)?;
        self.change_settings(&mut instance.settings)?;
        self.change_pending(&stored.id, &mut instance);
        let pending = &mut instance.pending;
        // A new password does not wait for the window, nor does a new port.
        let nothing_else = PendingChanges {
            apply_now: pending.apply_now,
            master_verifier: pending.master_verifier.clone(),
            port: pending.port,
            ..PendingChanges::default()
        };
        let at_once = self.apply_immediately || *pending == nothing_else;
        pending.apply_now = !pending.is_empty() && (pending.apply_now || at_once);
        Ok(instance)
    }

    fn check_replica(&self) -> Result<(), RdsError> {
        let refused = |why: &str| Err(RdsError::InvalidCombination(why.to_owned()));
        if self.multi_az == Some(true) {
            return refused(
                "Multi-AZ read replicas are not offered yet: promote the replica first.",
            );
        }
        if self.verifier.is_some() {
            return refused(
                "MasterUserPassword cannot be modified on a read replica: modify its source.",
            );
        }
        Ok(())
    }

    /// Type, IOPS and upper size take effect at once; the size itself waits.
    fn change_storage(&self, instance: &mut Instance) -> Result<(), RdsError> {
        let (settings, pending) = (&mut instance.settings, &mut instance.pending);
        let touched = self.allocated_storage_gib.is_some()
            || self.storage_type.is_some()
            || self.iops.is_some()
            || self.max_allocated_storage_gib.is_some();
        if !touched {
            return Ok(());
        }
        let now = settings.allocated_storage_gib;
        if let Some(size) = self.allocated_storage_gib {
            check_growth(now, size)?;
        }
        let asked_kind = self.storage_type.as_ref();
        let other_kind = asked_kind.is_some_and(|kind| *kind != settings.storage_type);
        let kept_iops = settings.iops.filter(|_| !other_kind);
        let planned = self
            .allocated_storage_gib
            .or(pending.allocated_storage_gib)
            .unwrap_or(now);
        let storage = Storage {
            kind: StorageType::parse(asked_kind.unwrap_or(&settings.storage_type))?,
            size_gib: planned,
            iops: self.iops.or(kept_iops),
            size_max_gib: self.max_allocated_storage_gib.or(settings
                .max_allocated_storage_gib
                .filter(|most| *most > planned)),
        };
        let storage = storage.checked()?;
        storage.kind.as_str().clone_into(&mut settings.storage_type);
        settings.iops = storage.iops;
        settings.max_allocated_storage_gib = storage.size_max_gib;
        pending.allocated_storage_gib = Some(planned).filter(|size| *size != now);
        Ok(())
    }

    fn change_settings(&self, settings: &mut Settings) -> Result<(), RdsError> {
        let backup = self
            .backup_window
            .as_ref()
            .unwrap_or(&settings.backup_window);
        let maintenance = self
            .maintenance_window
            .as_ref()
            .unwrap_or(&settings.maintenance_window);
        if self.backup_window.is_some() || self.maintenance_window.is_some() {
            let windows = window::checked(backup, maintenance)?;
            (settings.backup_window, settings.maintenance_window) = windows;
        }
        set(&mut settings.parameter_group, self.parameter_group.as_ref());
        set(&mut settings.subnet_group, self.subnet_group.as_ref());
        set(&mut settings.security_groups, self.security_groups.as_ref());
        set(
            &mut settings.backup_retention_days,
            self.backup_retention_days.as_ref(),
        );
        set(
            &mut settings.auto_minor_version_upgrade,
            self.auto_minor_version_upgrade.as_ref(),
        );
        set(
            &mut settings.copy_tags_to_snapshot,
            self.copy_tags_to_snapshot.as_ref(),
        );
        set(
            &mut settings.deletion_protection,
            self.deletion_protection.as_ref(),
        );
        set(
            &mut settings.publicly_accessible,
            self.publicly_accessible.as_ref(),
        );
        Ok(())
    }

    fn change_pending(&self, id: &str, instance: &mut Instance) {
        let endpoint_port = instance.endpoint_port;
        let (settings, pending) = (&instance.settings, &mut instance.pending);
        wait(&mut pending.class, self.class.as_ref(), &settings.class);
        wait(
            &mut pending.multi_az,
            self.multi_az.as_ref(),
            &settings.multi_az,
        );
        wait(
            &mut pending.engine_version,
            self.engine_version.as_ref(),
            &settings.engine_version,
        );
        wait(&mut pending.port, self.port.as_ref(), &endpoint_port);
        wait(&mut pending.new_id, self.new_id.as_ref(), &id.to_owned());
        if let Some(verifier) = &self.verifier {
            pending.master_verifier = Some(verifier.clone());
        }
    }
}

fn set<T: Clone>(setting: &mut T, asked: Option<&T>) {
    if let Some(asked) = asked {
        setting.clone_from(asked);
    }
}

/// Lets a change wait. Asking for what is in force takes a waiting change back.
fn wait<T: Clone + PartialEq>(pending: &mut Option<T>, asked: Option<&T>, in_force: &T) {
    if let Some(asked) = asked {
        *pending = Some(asked.clone()).filter(|asked| asked != in_force);
    }
}

fn check_growth(now: u32, size: u32) -> Result<(), RdsError> {
    if size == now {
        return Ok(());
    }
    if size < now {
        return Err(RdsError::InvalidCombination(format!(
            "Requested storage size of {size} GiB is smaller than the allocated {now} GiB: storage cannot be reduced."
        )));
    }
    let least = now + (now * GROWTH_PERCENT_MIN).div_ceil(100);
    if size < least {
        return Err(RdsError::InvalidCombination(format!(
            "Requested storage size of {size} GiB is too small: storage must grow by at least {GROWTH_PERCENT_MIN} percent, to {least} GiB or more."
        )));
    }
    Ok(())
}
