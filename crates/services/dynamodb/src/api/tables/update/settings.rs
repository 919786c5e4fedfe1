//! Encryption, class, deletion protection and streams.

use crate::api::error::ApiError;
use crate::api::tables::request::{SseRequest, StreamRequest};
use crate::api::tables::rules::{no_streams, sse, table_class};
use crate::api::tables::update::{Change, busy};
use crate::model::TableRecord;

impl Change<'_> {
    /// Changes what has no effect on throughput or indexes.
    pub(super) fn change_settings(&self, record: &mut TableRecord) -> Result<(), ApiError> {
        if let Some(request) = &self.request.sse {
            self.change_encryption(request, record)?;
        }
        if let Some(class) = self.request.class {
            let class = table_class(class)?;
            if class != record.class {
                record.class = class;
                record.class_changed_at = Some(self.now);
            }
            busy(record);
        }
        if let Some(protection) = self.request.deletion_protection {
            record.deletion_protection = protection;
        }
        match &self.request.stream {
            Some(request) => Err(self.stream(request)),
            None => Ok(()),
        }
    }

    fn change_encryption(
        &self,
        request: &SseRequest<'_>,
        record: &mut TableRecord,
    ) -> Result<(), ApiError> {
        let key = sse(self.context, request)?;
        if key.is_none() && record.sse_key_arn.is_none() {
            return Err(ApiError::invalid("Table is already encrypted by default"));
        }
        // AWS compares nothing but ARNs that were sent.
        if request.key.is_some() && request.key == record.sse_key_arn.as_deref() {
            return Err(ApiError::invalid(
                "Table is already encrypted with given KMSMasterKeyId. Use KMSMasterKeyId parameter if you want to \
                 change Master Key",
            ));
        }
        record.sse_key_arn = key;
        Ok(())
    }

    /// Why a stream is not changed: no table has one.
    fn stream(&self, request: &StreamRequest<'_>) -> ApiError {
        match (request.enabled.unwrap_or(false), request.view) {
            (true, None) => {
                ApiError::invalid("If stream is being enabled then UpdateViewType is required")
            }
            (true, Some(_)) => no_streams(),
            (false, Some(_)) => ApiError::invalid(
                "If stream is being disabled, then UpdateViewType must not be specified",
            ),
            (false, None) => ApiError::validation(format!(
                "Table has no stream to disable: TableName: {}",
                self.name
            )),
        }
    }
}
