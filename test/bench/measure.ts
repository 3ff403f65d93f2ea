import { once } from 'node:events'
import { setImmediate as tick } from 'node:timers/promises'
import express, { type RequestHandler } from 'express'
import type { Case, Variant } from './case.js'
import { median } from './statistics.js'
import { messageFactory, type Wire } from './wire.js'

const IN_FLIGHT = 16
const SLICE_MICROSECONDS = 20_000
const WARM_UP_ROUNDS = 4

export interface Settings {
  readonly rounds: number
  /** Calls one after the other in one tick; variants that answer later have no figure. */
  readonly isSynchronous: boolean
}

/** µs of CPU for each request, all threads counted: the median of the rounds, by the variant's name. */
export type ProcessResult = Readonly<Record<string, number>>

/** Not measured against: what a request costs without any middleware, twice, to show how far two equals differ. */
export const EMPTY = ['empty', 'empty again'] as const

const empty: RequestHandler = (_request, _response, next) => next()
const make = messageFactory(express())

/** Measures one case in this process: slices of each variant in random order, round after round. */
export async function measureCase(one: Case, settings: Settings): Promise<ProcessResult> {
  const { variants, close } = await one.setup()
  try {
    const ours = variants.find(({ isOurs }) => isOurs) ?? variants[0]
    if (ours === undefined) throw new Error(`${one.id} has no variants`)
    const all = [...EMPTY.map((name) => ({ ...ours, name, handler: empty })), ...variants]
    const taking = settings.isSynchronous ? await synchronousOnes(all) : all
    const sizes = new Map<string, number>()
    for (const variant of taking) sizes.set(variant.name, await sliceSize(variant, one.maxSlice ?? 4000))
    const figures = new Map<string, number[]>(taking.map(({ name }) => [name, []]))
    for (let round = -WARM_UP_ROUNDS; round < settings.rounds; round += 1) {
      for (const variant of shuffled(taking)) {
        const figure = await measureSlice(variant, sizes.get(variant.name) ?? 64, settings)
        if (round >= 0) figures.get(variant.name)?.push(figure)
      }
    }
    return Object.fromEntries(Array.from(figures, ([name, values]) => [name, median(values)]))
  } finally {
    await close()
  }
}

async function measureSlice(variant: Variant, count: number, settings: Settings): Promise<number> {
  const wires = await variant.wires(count)
  global.gc?.({ type: 'minor', execution: 'sync' } as never)
  await tick()
  const before = process.cpuUsage()
  if (settings.isSynchronous) runInOneTick(variant, wires)
  else await runInFlight(variant, wires)
  const { user, system } = process.cpuUsage(before)
  return (user + system) / wires.length
}

async function runInFlight(variant: Variant, wires: readonly Wire[]): Promise<void> {
  let index = 0
  const worker = async () => {
    for (let one = wires[index++]; one !== undefined; one = wires[index++]) await pass(variant, one)
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker))
}

/** Through the middleware and out: the response is ended too, since some do a part of their work then. */
function pass({ name, handler }: Variant, one: Wire): Promise<void> {
  return new Promise((resolve, reject) => {
    const { request, response } = make(one)
    let isThrough = false
    response.end = (() => {
      if (isThrough) resolve()
      else reject(new Error(`${name} refused with ${response.statusCode}`))
      return response
    }) as never
    void handler(request, response, (error?: unknown) => {
      if (error !== undefined) return reject(error)
      isThrough = true
      response.end()
    })
  })
}

function runInOneTick({ name, handler }: Variant, wires: readonly Wire[]): void {
  for (const one of wires) {
    const { request, response } = make(one)
    let isThrough = false
    void handler(request, response, () => {
      isThrough = true
    })
    if (!isThrough) throw new Error(`${name} did not decide in one tick`)
  }
}

async function synchronousOnes(variants: readonly Variant[]): Promise<Variant[]> {
  const found: Variant[] = []
  for (const variant of variants) {
    // The first decision may fetch keys; the second is the one that counts.
    for (const one of await variant.wires(1)) await pass(variant, one)
    const wires = await variant.wires(1)
    try {
      runInOneTick(variant, wires)
      found.push(variant)
    } catch {
      await tick()
    }
  }
  return found
}

async function sliceSize(variant: Variant, most: number): Promise<number> {
  const settings = { rounds: 1, isSynchronous: false }
  await measureSlice(variant, Math.min(32, most), settings)
  const each = await measureSlice(variant, Math.min(256, most), settings)
  return Math.max(32, Math.min(most, Math.round(SLICE_MICROSECONDS / each)))
}

function shuffled<T>(values: readonly T[]): T[] {
  return values
    .map((value) => ({ value, order: Math.random() }))
    .sort((one, other) => one.order - other.order)
    .map(({ value }) => value)
}

/** A child process: measures the case that its parent names, once, and sends the figures. */
export async function serveParent(cases: readonly Case[]): Promise<void> {
  const [{ id, settings }] = (await once(process, 'message')) as [{ id: string; settings: Settings }]
  const one = cases.find((candidate) => candidate.id === id)
  if (one === undefined) throw new Error(`no case is called ${id}`)
  process.send?.(await measureCase(one, settings))
  process.disconnect()
}
