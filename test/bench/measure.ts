import { setImmediate as tick } from 'node:timers/promises'
import express, { type Application, type NextFunction, type RequestHandler, type Response } from 'express'
import { Redis } from 'ioredis'
import { type Case, shuffled, type Variant } from './case.js'
import { serverMicros } from './cases/redis.js'
import { median } from './statistics.js'
import { messageFactory, type Wire } from './wire.js'

const IN_FLIGHT = 16
const SLICE_MICROSECONDS = 20_000
const LEAST_SLICE = 32
const WARM_UP_ROUNDS = 2
/**
 * Until the compiler is done with what is called, or time is up. A peer of few lines is done after 8,000 requests; a gate, which is
 * more code, after 20,000 to 35,000: until then it costs up to twice what it will.
 */
const WARM_UP_REQUESTS = 30_000
/** µs of CPU. */
const WARM_UP_MICROSECONDS = 1_500_000
/** Bytes. */
const LARGE_BODY = 16 * 1024

/** µs of CPU for each request, all threads counted: the median of the rounds of one process. */
export interface Measured {
  readonly name: string
  readonly isOurs: boolean
  readonly size: string | undefined
  readonly inFlight: number
  /** Called one after the other in one tick; undefined for what answers later. */
  readonly inOneTick: number | undefined
  /** µs of its Redis server's CPU for each request in flight, where it asks one. */
  readonly redis: number | undefined
}

/** Not measured against: what a request costs without any middleware, twice, to show how far two equals differ. */
export const EMPTY = ['empty', 'empty again'] as const

export const pass: RequestHandler = (_request, _response, next) => next()
const make = messageFactory(express())

type Run = (variant: Variant, wires: readonly Wire[]) => void | Promise<void>

/** Measures one case in this process: slices of each variant in random order, round after round, in both modes. */
export async function measureCase(one: Case, rounds: number): Promise<Measured[]> {
  const { variants, close } = await one.setup()
  try {
    const ours = variants.find(({ isOurs }) => isOurs)
    if (ours === undefined) throw new Error(`${one.id} has no variant of ours`)
    const nothing = { isOurs: false, size: undefined, handler: pass, maxSlice: undefined, redis: undefined }
    const all = [...EMPTY.map((name) => ({ ...ours, ...nothing, name })), ...variants].map((variant) => ({
      ...variant,
      handler: one.app === undefined ? variant.handler : mountedIn(one.app(), variant.handler),
    }))
    for (const variant of all) await warmUp(variant)
    for (const variant of all) await compile(variant, one.maxSlice)
    const { maxSlice } = one
    const inFlight = await measureAll(all, runInFlight, { rounds, maxSlice })
    const atOnce = await synchronousOnes(all)
    const inOneTick = await measureAll(atOnce, runInOneTick, { rounds, maxSlice })
    return all.map((variant) => ({
      name: variant.name,
      isOurs: variant.isOurs,
      size: variant.size,
      inFlight: inFlight.get(variant)?.own ?? Number.NaN,
      inOneTick: inOneTick.get(variant)?.own,
      redis: inFlight.get(variant)?.redis,
    }))
  } finally {
    await close()
  }
}

/** Through the app's own routing, which is the same for an empty middleware, to a handler; behind its last one an app waits a turn. */
function mountedIn(app: Application, handler: RequestHandler): RequestHandler {
  const exits = new WeakMap<object, NextFunction>()
  app.use(handler, (request) => exits.get(request)?.())
  return (request, response, next) => {
    exits.set(request, next)
    app(request, response)
  }
}

/** The first request alone, since it may fetch keys; then each that will come again. */
export async function warmUp(variant: Variant): Promise<void> {
  await runInFlight(variant, await variant.wires(1))
  await runInFlight(variant, variant.seen?.() ?? [])
}

async function compile(variant: Variant, maxSlice = 500): Promise<void> {
  const before = process.cpuUsage()
  const isDue = () => {
    const { user, system } = process.cpuUsage(before)
    return user + system < WARM_UP_MICROSECONDS
  }
  for (let done = 0; done < WARM_UP_REQUESTS && isDue(); ) {
    const wires = await variant.wires(Math.min(500, variant.maxSlice ?? maxSlice))
    await runInFlight(variant, wires)
    done += wires.length
  }
}

async function measureAll(
  variants: readonly Variant[],
  run: Run,
  { rounds, maxSlice = 4000 }: { rounds: number; maxSlice: number | undefined },
): Promise<ReadonlyMap<Variant, { readonly own: number; readonly redis: number | undefined }>> {
  const sizes = new Map<Variant, number>()
  for (const variant of variants) sizes.set(variant, await sliceSize(variant, run, variant.maxSlice ?? maxSlice))
  const figures = new Map<Variant, Slice[]>(variants.map((variant) => [variant, []]))
  const servers = [...new Set(variants.flatMap(({ redis }) => redis ?? []))]
  const meters = new Map(servers.map((url) => [url, new Redis(url)]))
  for (let round = -WARM_UP_ROUNDS; round < rounds; round += 1) {
    for (const variant of shuffled(variants)) {
      const slice = await measureSlice(variant, run, sizes.get(variant) ?? LEAST_SLICE, meters.get(variant.redis ?? ''))
      if (round >= 0) figures.get(variant)?.push(slice)
    }
  }
  for (const meter of meters.values()) meter.disconnect()
  return new Map(
    Array.from(figures, ([variant, slices]) => [
      variant,
      {
        own: median(slices.map(({ own }) => own)),
        redis: variant.redis === undefined ? undefined : median(slices.map(({ redis }) => redis)),
      },
    ]),
  )
}

/** µs for each request: of this process's CPU, and of the Redis server's. */
interface Slice {
  readonly own: number
  readonly redis: number
}

async function measureSlice(variant: Variant, run: Run, count: number, meter?: Redis): Promise<Slice> {
  const wires = await variant.wires(count)
  collect(wires)
  const redisBefore = meter === undefined ? Number.NaN : await serverMicros(meter)
  await tick()
  const before = process.cpuUsage()
  await run(variant, wires)
  const { user, system } = process.cpuUsage(before)
  const redisAfter = meter === undefined ? Number.NaN : await serverMicros(meter)
  return { own: (user + system) / wires.length, redis: (redisAfter - redisBefore) / wires.length }
}

/**
 * What an earlier slice left must not be collected in this one, and the requests that are to be sent must not be moved in it:
 * twice collected, they lie among the old objects. Large bodies do not lie among the young ones.
 */
function collect([first]: readonly Wire[]): void {
  const isLarge = (first?.body?.length ?? 0) >= LARGE_BODY
  for (let time = 0; time < 2; time += 1) {
    global.gc?.({ type: isLarge ? 'major' : 'minor', execution: 'sync' } as never)
  }
}

async function sliceSize(variant: Variant, run: Run, most: number): Promise<number> {
  await measureSlice(variant, run, Math.min(LEAST_SLICE, most))
  const { own } = await measureSlice(variant, run, Math.min(256, most))
  return Math.min(most, Math.max(LEAST_SLICE, Math.round(SLICE_MICROSECONDS / own)))
}

/** So many at a time, as a server has them. */
export async function runInFlight(variant: Variant, wires: readonly Wire[]): Promise<void> {
  let index = 0
  const worker = async () => {
    for (let one = wires[index++]; one !== undefined; one = wires[index++]) await letThrough(variant, one)
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker))
}

/** Through the middleware and out: the response is ended too, since some do a part of their work then. */
function letThrough({ name, handler }: Variant, one: Wire): Promise<void> {
  return new Promise((resolve, reject) => {
    const { request, response } = make(one)
    let isThrough = false
    response.end = (() => {
      if (isThrough) resolve()
      else reject(new Error(`${name} refused with ${response.statusCode}`))
      finish(response)
      return response
    }) as never
    void handler(request, response, (error?: unknown) => {
      if (error !== undefined) return reject(error)
      isThrough = true
      response.end()
    })
  })
}

function runInOneTick(variant: Variant, wires: readonly Wire[]): void {
  for (const one of wires) {
    if (!decidesAtOnce(variant, one)) throw new Error(`${variant.name} did not decide in one tick`)
  }
}

function decidesAtOnce({ handler }: Variant, one: Wire): boolean {
  const { request, response } = make(one)
  let isThrough = false
  void handler(request, response, () => {
    isThrough = true
  })
  finish(response)
  return isThrough
}

/** What Node's server says and sets once an answer is out: some let go of what they hold for it only then. */
function finish(response: Response): void {
  response.emit('finish')
  response.destroyed = true
  response.emit('close')
}

async function synchronousOnes(variants: readonly Variant[]): Promise<Variant[]> {
  const found: Variant[] = []
  for (const variant of variants) {
    const wires = await variant.wires(LEAST_SLICE)
    if (wires.every((one) => decidesAtOnce(variant, one))) found.push(variant)
    // What decides later has one under way.
    await tick()
  }
  return found
}
