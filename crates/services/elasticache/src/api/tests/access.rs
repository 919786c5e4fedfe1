//! Users and user groups.

use super::world::{GROUP, World};
use crate::model::{Auth, User};

const USER: &str = "Action=CreateUser&Engine=redis&AccessString=on+~app:*+%2B@read&UserId=";

#[tokio::test]
async fn users_are_kept_without_their_passwords() {
    let world = World::new().await;
    let create = format!("{USER}Ann&UserName=ann&Passwords.member.1=0123456789abcdef");
    let answer = world.ok(&create).await;
    assert_eq!(answer.text("CreateUserResult/Status"), Some("active"));
    assert_eq!(answer.text("Authentication/PasswordCount"), Some("1"));
    let user: User = world.catalog.read("ann").await.unwrap().unwrap().record;
    assert!(!format!("{user:?}").contains("0123456789abcdef\""));
    assert_eq!(user.passwords[0].0.len(), 64);
    world.refuses(&create, "UserAlreadyExists", "ann").await;
    for (more, code, words) in [
        (
            "b&UserName=b",
            "InvalidParameterCombination",
            "NoPasswordRequired",
        ),
        (
            "b&UserName=b&Passwords.member.1=short",
            "InvalidParameterValue",
            "16",
        ),
        (
            "b&UserName=quorate&NoPasswordRequired=true",
            "InvalidParameterValue",
            "UserName",
        ),
        (
            "b&UserName=b&AuthenticationMode.Type=iam",
            "InvalidParameterCombination",
            "IAM",
        ),
        (
            "default&UserName=b&NoPasswordRequired=true",
            "UserAlreadyExists",
            "default",
        ),
        (
            "b&UserName=b&Passwords.member.1=0123456789abcdef&Passwords.member.2=1123456789abcdef&Passwords.member.3=2123456789abcdef",
            "InvalidParameterCombination",
            "two passwords",
        ),
    ] {
        world.refuses(&format!("{USER}{more}"), code, words).await;
    }
    let bad = USER.replace("%2B@read", "%2B@nothing");
    let bad = format!("{bad}b&UserName=b&NoPasswordRequired=true");
    world
        .refuses(&bad, "InvalidParameterValue", "@nothing")
        .await;
    let modify =
        "Action=ModifyUser&UserId=ann&AppendAccessString=-@dangerous&NoPasswordRequired=true";
    let answer = world.ok(modify).await;
    assert_eq!(
        answer.text("ModifyUserResult/AccessString"),
        Some("on ~app:* +@read -@dangerous")
    );
    assert_eq!(answer.text("Authentication/Type"), Some("no-password"));
    world
        .refuses(
            "Action=DeleteUser&UserId=default",
            "InvalidParameterValue",
            "default",
        )
        .await;
    let all = world.ok("Action=DescribeUsers").await;
    assert_eq!(all.texts("member/UserId"), ["ann", "default"]);
    let filtered = world
        .ok("Action=DescribeUsers&Filters.member.1.Name=user-name&Filters.member.1.Values.member.1=ann")
        .await;
    assert_eq!(filtered.texts("member/UserId"), ["ann"]);
}

#[tokio::test]
async fn a_group_has_one_default_user_and_serves_caches() {
    let world = World::new().await;
    world
        .ok(&format!("{USER}ann&UserName=ann&NoPasswordRequired=true"))
        .await;
    world
        .ok(&format!(
            "{USER}mine&UserName=default&NoPasswordRequired=true"
        ))
        .await;
    let create = "Action=CreateUserGroup&Engine=redis&UserGroupId=team";
    world
        .refuses(create, "DefaultUserRequired", "default")
        .await;
    let none = format!("{create}&UserIds.member.1=none");
    world.refuses(&none, "UserNotFound", "none").await;
    let both = format!("{create}&UserIds.member.1=default&UserIds.member.2=mine");
    world.refuses(&both, "DuplicateUserName", "default").await;
    world
        .ok(&format!(
            "{create}&UserIds.member.1=default&UserIds.member.2=ann"
        ))
        .await;
    let swap = "Action=ModifyUserGroup&UserGroupId=team&UserIdsToAdd.member.1=mine&UserIdsToRemove.member.1=default";
    let answer = world.ok(swap).await;
    assert_eq!(answer.texts("UserIds/member"), ["ann", "mine"]);
    world
        .refuses(
            "Action=DeleteUser&UserId=mine",
            "DefaultUserAssociatedToUserGroup",
            "team",
        )
        .await;

    let more = "&TransitEncryptionEnabled=true&UserGroupIds.member.1=team";
    let answer = world.ok(&format!("{GROUP}shop{more}")).await;
    assert_eq!(answer.texts("UserGroupIds/member"), ["team"]);
    assert_eq!(
        world.cache("shop").await.settings.auth,
        Auth::Users(vec!["team".into()])
    );
    let delete = "Action=DeleteUserGroup&UserGroupId=team";
    world.refuses(delete, "InvalidUserGroupState", "shop").await;
    let groups = world.ok("Action=DescribeUserGroups&UserGroupId=team").await;
    assert_eq!(groups.texts("ReplicationGroups/member"), ["shop"]);
    world.settle("shop").await;
    world
        .ok("Action=ModifyReplicationGroup&ReplicationGroupId=shop&RemoveUserGroups=true")
        .await;
    assert_eq!(
        world.ok(delete).await.text("DeleteUserGroupResult/Status"),
        Some("deleting")
    );
    let answer = world.ok("Action=DeleteUser&UserId=ann").await;
    assert_eq!(answer.text("DeleteUserResult/Status"), Some("deleting"));
}
