import type { Request, Response } from 'express'
import type { Audit } from '../audit/emitter.js'
import { type Clock, systemClock } from '../clock.js'
import { type OptionRule, option } from '../options/rules.js'
import type { Answer } from './answer.js'
import type { Refusal } from './verdict.js'

/** A refusal as an `onDenied` function gets it. */
export interface Denial<R extends string = string, D extends string = string> {
  /** The verdict, with its reason or dependency. */
  readonly verdict: Refusal<R, D | 'audit_sink'>
  /** What the gate would send. */
  readonly answer: Answer
  /** Sends `answer`. */
  respond(): void
}

/**
 * Takes over the answering of refusals. `next` wants an error: called without one it sends the answer, since a refusal
 * must never become a way in.
 */
export type DenialHandler<R extends string = string, D extends string = string> = (
  denial: Denial<R, D>,
  request: Request,
  response: Response,
  next: (error: Error) => void,
) => void | PromiseLike<void>

/**
 * `'respond'` (default) answers; `'next'` passes an `AccessDeniedError` to the error handlers; a function takes over.
 * Responding is the default because `next(err)` makes Express print a stack for each refusal, which lets anyone flood
 * the logs.
 */
export type OnDenied<R extends string = string, D extends string = string> = 'respond' | 'next' | DenialHandler<R, D>

/** The options that every gate has. */
export interface GateOptions<R extends string = string, D extends string = string> {
  /** How refusals are answered. Default `'respond'`. */
  readonly onDenied?: OnDenied<R, D> | undefined
  /** Where decisions are reported. Default: the process-wide emitter, `audit`. */
  readonly audit?: Audit | undefined
  /** The route template that audit events name. Default: `req.route.path`, else `*`. */
  readonly route?: string | undefined
  /** Default: the system clock. */
  readonly clock?: Clock | undefined
}

/** The type of {@link gateOptionRules}. */
export type GateOptionRules = {
  readonly onDenied: OptionRule<OnDenied | undefined>
  readonly audit: OptionRule<Audit | undefined>
  readonly route: OptionRule<string | undefined>
  readonly clock: OptionRule<Clock>
}

/** The rules of the options that every gate has: see {@link GateOptions}. Spread them into a gate's own. */
export const gateOptionRules: GateOptionRules = {
  onDenied: option.custom<OnDenied>(`'respond', 'next' or a function`, (value) =>
    value === 'respond' || value === 'next' || typeof value === 'function' ? (value as OnDenied) : undefined,
  ),
  audit: option.port<Audit>('an emitter made by createAudit()', 'emit', 'subscribe'),
  route: option.string(),
  clock: option.clock().default(systemClock),
}
