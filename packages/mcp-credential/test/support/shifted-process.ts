// A process whose wall clock is wrong. Arguments: the Redis, and by how many milliseconds.
const shiftMs = Number(process.argv[3])
const rightNow = Date.now
Date.now = () => rightNow() + shiftMs

const { createMcpCredentials } = await import('@countersign/mcp-credential')
const { redisCredentials } = await import('@countersign/mcp-credential/redis')
const { Redis } = await import('ioredis')

const credentials = createMcpCredentials({
  store: redisCredentials(new Redis(process.argv[2] ?? ''), { commandTimeoutMs: 10_000 }),
})

async function answer(message: { issue?: string; resolve?: string; revokeThread?: string }): Promise<object> {
  const clock = Date.now()
  if (message.issue !== undefined) {
    const { token, expiresAt, idleAt } = await credentials.issue({ threadId: message.issue, providerInstanceId: 'p' })
    return { token, standing: 'live', expiresAt, idleAt, clock }
  }
  if (message.revokeThread !== undefined) return { done: await credentials.revokeThread(message.revokeThread) }
  const { standing, credential } = await credentials.resolve(message.resolve ?? '')
  return { standing, expiresAt: credential?.expiresAt, idleAt: credential?.idleAt, clock }
}

process.on('message', (message: object) => {
  const told = answer(message).catch((error: unknown) => ({ error: String(error) }))
  void told.then((reply) => process.send?.(reply))
})
process.on('disconnect', () => process.exit())
process.send?.({ ready: true })

export {}
