//! The commands that access strings may name: those of Redis up to 7.4 and of Valkey up to 8.
//!
//! An engine refuses an access string with a command that it does not know. So must the API, as the answer comes before any
//! engine is asked. Source: `COMMAND LIST` of redis-server 7.0, and the pages of later commands.

const COMMANDS: &str = "\
    acl append asking auth bgrewriteaof bgsave bitcount bitfield bitfield_ro bitop bitpos blmove blmpop \
    blpop brpop brpoplpush bzmpop bzpopmax bzpopmin client cluster command config copy dbsize debug decr \
    decrby del discard dump echo eval eval_ro evalsha evalsha_ro exec exists expire expireat expiretime \
    failover fcall fcall_ro flushall flushdb function geoadd geodist geohash geopos georadius \
    georadius_ro georadiusbymember georadiusbymember_ro geosearch geosearchstore get getbit getdel getex \
    getrange getset hdel hello hexists hexpire hexpireat hexpiretime hget hgetall hincrby hincrbyfloat \
    hkeys hlen hmget hmset hpersist hpexpire hpexpireat hpexpiretime hpttl hrandfield hscan hset hsetnx \
    hstrlen httl hvals incr incrby incrbyfloat info keys lastsave latency lcs lindex linsert llen lmove \
    lmpop lolwut lpop lpos lpush lpushx lrange lrem lset ltrim memory mget migrate module monitor move \
    mset msetnx multi object persist pexpire pexpireat pexpiretime pfadd pfcount pfdebug pfmerge \
    pfselftest ping psetex psubscribe psync pttl publish pubsub punsubscribe quit randomkey readonly \
    readwrite rename renamenx replconf replicaof reset restore restore-asking role rpop rpoplpush rpush \
    rpushx sadd save scan scard script sdiff sdiffstore select set setbit setex setnx setrange shutdown \
    sinter sintercard sinterstore sismember slaveof slowlog smembers smismember smove sort sort_ro spop \
    spublish srandmember srem sscan ssubscribe strlen subscribe substr sunion sunionstore sunsubscribe \
    swapdb sync time touch ttl type unlink unsubscribe unwatch wait waitaof watch xack xadd xautoclaim \
    xclaim xdel xgroup xinfo xlen xpending xrange xread xreadgroup xrevrange xsetid xtrim zadd zcard \
    zcount zdiff zdiffstore zincrby zinter zintercard zinterstore zlexcount zmpop zmscore zpopmax \
    zpopmin zrandmember zrange zrangebylex zrangebyscore zrangestore zrank zrem zremrangebylex \
    zremrangebyrank zremrangebyscore zrevrange zrevrangebylex zrevrangebyscore zrevrank zscan zscore \
    zunion zunionstore";

/// Commands that are asked for by a second word.
const SUBCOMMANDS: &str = "\
    acl|cat acl|deluser acl|dryrun acl|genpass acl|getuser acl|help acl|list acl|load acl|log acl|save \
    acl|setuser acl|users acl|whoami client|caching client|capa client|getname client|getredir \
    client|help client|id client|import-source client|info client|kill client|list client|no-evict \
    client|no-touch client|pause client|reply client|setinfo client|setname client|tracking \
    client|trackinginfo client|unblock client|unpause cluster|addslots cluster|addslotsrange \
    cluster|bumpepoch cluster|count-failure-reports cluster|countkeysinslot cluster|delslots \
    cluster|delslotsrange cluster|failover cluster|flushslots cluster|forget cluster|getkeysinslot \
    cluster|help cluster|info cluster|keyslot cluster|links cluster|meet cluster|myid cluster|myshardid \
    cluster|nodes cluster|replicas cluster|replicate cluster|reset cluster|saveconfig \
    cluster|set-config-epoch cluster|setslot cluster|shards cluster|slaves cluster|slot-stats \
    cluster|slots command|count command|docs command|getkeys command|getkeysandflags command|help \
    command|info command|list config|get config|help config|resetstat config|rewrite config|set \
    function|delete function|dump function|flush function|help function|kill function|list function|load \
    function|restore function|stats latency|doctor latency|graph latency|help latency|histogram \
    latency|history latency|latest latency|reset memory|doctor memory|help memory|malloc-stats \
    memory|purge memory|stats memory|usage module|help module|list module|load module|loadex \
    module|unload object|encoding object|freq object|help object|idletime object|refcount \
    pubsub|channels pubsub|help pubsub|numpat pubsub|numsub pubsub|shardchannels pubsub|shardnumsub \
    script|debug script|exists script|flush script|help script|kill script|load slowlog|get slowlog|help \
    slowlog|len slowlog|reset xgroup|create xgroup|createconsumer xgroup|delconsumer xgroup|destroy \
    xgroup|help xgroup|setid xinfo|consumers xinfo|groups xinfo|help xinfo|stream";

/// Whether an access string may name a command, or (as `config|get`) a command and what follows it. A first argument may
/// be allowed of any command, and forbidden of none.
#[must_use]
pub fn is_command(name: &str, allowed: bool) -> bool {
    let name = name.to_ascii_lowercase();
    let known = |list: &str, name: &str| list.split_whitespace().any(|word| word == name);
    let Some((command, second)) = name.split_once('|') else {
        return known(COMMANDS, &name);
    };
    let prefix = format!("{command}|");
    if SUBCOMMANDS
        .split_whitespace()
        .any(|word| word.starts_with(&prefix))
    {
        return known(SUBCOMMANDS, &name);
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    allowed && known(COMMANDS, command) && !second.is_empty() && second.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_known_with_their_subcommands() {
        for (name, allowed, is) in [
            ("GET", true, true),
            ("hexpire", false, true),
            ("nosuch", true, false),
            ("config|get", false, true),
            ("client|nosuch", true, false),
            ("select|1", true, true),
            ("select|1", false, false),
            ("a|b|c", true, false),
            ("get|", true, false),
            ("", true, false),
        ] {
            assert_eq!(is_command(name, allowed), is, "{name}");
        }
    }
}
