//! Every setting that a running server knows, with defaults and the words of enumerations.

use tokio_postgres::{Client, Row};

use crate::error::EngineError;
use crate::settings::{SettingContext, SettingInfo, SettingType};

/// Every built-in setting, by name.
///
/// # Errors
/// [`EngineError::Sql`]; [`EngineError::Unexpected`] for a context or type that is not known here.
pub async fn describe_settings(client: &Client) -> Result<Vec<SettingInfo>, EngineError> {
    const QUERY: &str = "
        SELECT name, context, category, vartype, min_val, max_val, boot_val, unit,
               coalesce(enumvals, '{}'), concat_ws(' ', short_desc, extra_desc)
          FROM pg_settings WHERE category <> 'Customized Options' ORDER BY name";
    let rows = client.query(QUERY, &[]).await;
    let rows = rows.map_err(EngineError::sql("ask for the settings"))?;
    rows.iter().map(read).collect()
}

fn read(row: &Row) -> Result<SettingInfo, EngineError> {
    let unknown = |what: &str| EngineError::Unexpected {
        doing: String::from("read the settings"),
        answer: what.to_owned(),
    };
    let fields = || -> Result<_, tokio_postgres::Error> {
        let context: &str = row.try_get(1)?;
        let vartype: &str = row.try_get(3)?;
        let info = SettingInfo {
            name: row.try_get(0)?,
            context: SettingContext::Internal,
            group: row.try_get(2)?,
            vartype: SettingType::String,
            min: row.try_get(4)?,
            max: row.try_get(5)?,
            default: row.try_get(6)?,
            unit: row.try_get(7)?,
            enum_values: row.try_get(8)?,
            description: row.try_get(9)?,
        };
        Ok((info, context, vartype))
    };
    let (info, context, vartype) = fields().map_err(EngineError::sql("read the settings"))?;
    Ok(SettingInfo {
        context: SettingContext::from_name(context).ok_or_else(|| unknown(context))?,
        vartype: SettingType::from_name(vartype).ok_or_else(|| unknown(vartype))?,
        ..info
    })
}
