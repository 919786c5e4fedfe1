//! `env` and `ca`: what clients need.

use anyhow::Context;

use quorate_region::Identity;

use crate::cli::{CaArgs, EnvArgs};
use crate::table::say;

/// Has the aws command line go to the endpoint whatever its version. Version 1 sends `rds` in us-east-1 to
/// rds.amazonaws.com unless the option is given (its overridesslcommonname.py), and versions before 1.29 and 2.13
/// do not read `AWS_ENDPOINT_URL` at all. An option that the user gives comes later, and so wins.
const AWS_FUNCTION: &str = r#"aws() { command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"; }
[ -z "${BASH_VERSION-}" ] || export -f aws"#;

/// Prints shell exports, and a function that the plain `aws` command goes through.
pub(crate) fn env(args: &EnvArgs) -> anyhow::Result<()> {
    let layout = args.data.layout()?;
    let credentials = layout.credentials()?;
    let running = layout
        .running()
        .context("no gateway has run here yet: start one with `quorate up`")?;
    let region = layout.pick_region(args.region.clone())?;
    for (name, value) in [
        ("AWS_ENDPOINT_URL", format!("http://{}", running.api)),
        ("AWS_ACCESS_KEY_ID", credentials.access_key_id),
        ("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key),
        ("AWS_REGION", region.to_string()),
        ("AWS_DEFAULT_REGION", region.to_string()),
    ] {
        say(&format!("export {name}={value}"));
    }
    // A session token of another account, still set in this shell, would be sent along and refused.
    say("unset AWS_SESSION_TOKEN AWS_PROFILE");
    say(AWS_FUNCTION);
    Ok(())
}

/// Prints the region's root certificate.
pub(crate) fn ca(args: &CaArgs) -> anyhow::Result<()> {
    let layout = args.data.layout()?;
    let region = layout.pick_region(args.region.clone())?;
    let identity = Identity::load(&layout.gateway_identity(&region))?;
    say(identity.root_pem().trim_end());
    Ok(())
}
