//! `DescribeDBParameters` and `DescribeEngineDefaultParameters`.

use std::collections::BTreeMap;

use quorate_wire::page::PageRequest;
use quorate_wire::xml::Element;

use crate::api::context::Context;
use crate::api::engines::Engines;
use crate::api::error::RdsError;
use crate::api::filter::Filters;
use crate::api::parameter_group::groups::{check_family, find};
use crate::api::parameter_group::spec::{self, FamilySpecs};
use crate::catalogue::find_default;
use crate::model::{ApplyMethod, ParameterSetting, ParameterSpec};

/// What was set in a group, by parameter name.
type Settings = BTreeMap<String, ParameterSetting>;

const SOURCES: [&str; 3] = ["user", "system", "engine-default"];

/// One parameter with its value in a group.
struct Parameter<'a> {
    name: &'a str,
    spec: &'a ParameterSpec,
    value: Option<String>,
    source: &'static str,
    apply_method: ApplyMethod,
}

/// `DescribeDBParameters`.
pub(crate) async fn describe_parameters(context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    let group = find(context, context.params.required("DBParameterGroupName")?).await?;
    let record = group.stored.as_ref().map(|stored| &stored.record);
    describe_settings(context, &group.family, record.map(|group| &group.settings)).await
}

/// The parameters of a family with their values in a group; `settings` is none for a default group.
pub(crate) async fn describe_settings(
    context: &Context<'_>,
    family: &str,
    settings: Option<&Settings>,
) -> Result<Vec<Element>, RdsError> {
    let page = PageRequest::read(&context.params)?;
    let filters = Filters::read(&context.params, &["parameter-name"])?;
    let source = context.params.text("Source");
    if let Some(unknown) = source.filter(|source| !SOURCES.contains(source)) {
        return Err(RdsError::InvalidValue(format!(
            "Invalid value '{unknown}' for Source. Must be one of: {}",
            SOURCES.join(", ")
        )));
    }
    let specs = FamilySpecs::read(context, family).await?;
    let mut parameters = in_group(&specs, settings);
    parameters.retain(|parameter| {
        source.is_none_or(|asked| asked == parameter.source)
            && filters.pass(|_, value| value.eq_ignore_ascii_case(parameter.name))
    });
    let page = page.cut(parameters, |parameter| parameter.name.to_owned());
    Ok(page.into_result("Parameters", |parameter| to_element(&parameter)))
}

/// `DescribeEngineDefaultParameters`.
pub(crate) async fn describe_defaults(context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    let page = PageRequest::read(&context.params)?;
    Filters::read(&context.params, &[])?;
    let family = context.params.required("DBParameterGroupFamily")?;
    check_family(&Engines::read(context).await?, family)?;
    let specs = FamilySpecs::read(context, family).await?;
    let page = page.cut(in_group(&specs, None), |parameter| {
        parameter.name.to_owned()
    });
    let defaults = Element::new("EngineDefaults")
        .field("DBParameterGroupFamily", family)
        .with_all(page.into_result("Parameters", |parameter| to_element(&parameter)));
    Ok(vec![defaults])
}

fn in_group<'a>(specs: &'a FamilySpecs, settings: Option<&Settings>) -> Vec<Parameter<'a>> {
    let of = |(name, spec): (&'a String, &'a ParameterSpec)| {
        let set = settings.and_then(|settings| settings.get(name));
        let default = find_default(&specs.version, name);
        let (value, source) = match (set, default) {
            (Some(set), _) => (Some(set.value.clone()), "user"),
            (None, Some(default)) => (Some(default.value.to_owned()), "system"),
            (None, None) => (None, "engine-default"),
        };
        Parameter {
            name,
            spec,
            value,
            source,
            apply_method: set.map_or(ApplyMethod::PendingReboot, |set| set.apply_method),
        }
    };
    specs.specs.iter().map(of).collect()
}

fn to_element(parameter: &Parameter<'_>) -> Element {
    let method = match parameter.apply_method {
        ApplyMethod::Immediate => "immediate",
        ApplyMethod::PendingReboot => "pending-reboot",
    };
    let spec = parameter.spec;
    Element::new("Parameter")
        .field("ParameterName", parameter.name)
        .field_if("ParameterValue", parameter.value.as_ref())
        .field("Description", &spec.description)
        .field("Source", parameter.source)
        .field("ApplyType", spec::apply_type(spec))
        .field("DataType", spec::data_type(spec))
        .field_if("AllowedValues", spec::allowed_values(spec))
        .field("IsModifiable", spec::is_modifiable(spec))
        .field("ApplyMethod", method)
}
