/** What the architecture demands of Redis: id → demand. */
export const requirements: Record<string, string> = {
  'redis-replay-contract': 'the Redis replay store passes the contract of replay stores, on every kind of client',
  'redis-versions': 'ioredis 5.9 and 6, with any settings of the client',
  'redis-cluster': 'Redis Cluster works, and a master that is down costs the claims of its slots alone',
  'redis-one-command': 'one command a decision',
  'redis-deadline': 'every call has a deadline of its own',
  'redis-ready-rule': 'nothing is sent unless the client is ready',
  'redis-ping-rule': 'after a missed deadline nothing is sent but one probe, until it is answered',
  'redis-late-effect':
    'what timed out never takes effect later: SIGSTOP, kill, CLIENT PAUSE, a network that hangs, half-open',
  'redis-resent':
    'a command that ioredis sends again does nothing when it is late, and finds its own result when it is not',
  'redis-late-reply':
    'a claim whose reply came late is taken up by one retry in its process: it counts once, and no copy passes',
  'redis-own-stall': "a stall of the app's own event loop is no outage of Redis",
  'redis-demotion': 'a demoted primary behind a stable address costs one reconnection, at most once in 5 s',
  'redis-half-open': 'half-open sockets recover within the advised settings',
  'redis-recovery': 'recovery needs no restart of the app',
  'redis-faults':
    'under every fault each gate answers honest requests 200 or 503, nothing takes effect late or twice, and 200 comes back',
  'redis-flat-outage': 'in an outage of two minutes the lag of the event loop and the memory of the app stay flat',
  'redis-notices':
    'notices reach every process that listens, by every kind of client, and after a lost connection again',
  'redis-script-names': 'names carry a hash of the script: two versions on one client do not overwrite each other',
  'redis-script-flush': 'SCRIPT FLUSH is survived',
  'redis-server-error': 'an error of the server or of a script is unavailable, never an answer',
  'redis-readonly': 'a READONLY replica is unavailable',
  'redis-out-of-memory': 'OOM by maxmemory is unavailable, and the refused is not done',
  'redis-loading': 'a server that is loading is unavailable',
  'redis-key-tags': 'all keys of a call lie in one hash slot, and a store is spread over 16 partitions',
  'redis-server-clock': "deadlines computed from the server's clock are never later than meant",
  'redis-advice': 'adviseOnConnection warns, by name, about what would lose data or hang',
  'redis-options': 'a wrong option or client is refused at creation, with a code',
}
