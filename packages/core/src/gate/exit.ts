import type { NextFunction, Request, Response } from 'express'
import { settle } from '../async.js'
import { AccessDeniedError } from './access-denied-error.js'
import { type Answer, isOver, problemAnswer, sendAnswer } from './answer.js'
import type { Denial, OnDenied } from './gate-options.js'
import type { PrincipalBase } from './principal.js'
import { tellOperator } from './tell-operator.js'
import type { Refusal } from './verdict.js'

/** Where a decision leads: the next handler and the response of Express, or the listener and the socket of an upgrade. */
export interface Exit {
  /** Lets the request through; without a principal when none was presented. */
  admit(principal: PrincipalBase | undefined): void
  /** Answers a refusal. Where there is no Express, `onDenied` has no say. */
  refuse(refusal: Refusal, sent: Answer, onDenied: OnDenied): void
  /** Sends an answer, unless something has been sent. */
  send(sent: Answer): void
}

/**
 * The way out through Express. A class: one object for each request, where closures would be four. Its fields are private to
 * the compiler alone: to make `#` fields costs 5 % of a decision on Node 24.
 */
export class ExpressExit implements Exit {
  private readonly request: Request
  private readonly response: Response
  private readonly next: NextFunction

  constructor(request: Request, response: Response, next: NextFunction) {
    this.request = request
    this.response = response
    this.next = next
  }

  admit(): void {
    // Somebody answered while the gate was asking its store (a timeout middleware, say): the handler must not run.
    if (this.response.headersSent) return
    keepReadable(this.request)
    this.next()
  }

  refuse(verdict: Refusal, sent: Answer, onDenied: OnDenied): void {
    const response = this.response
    const next = this.next
    if (isOver(response)) return
    if (onDenied === 'respond') return sendAnswer(response, sent)
    if (onDenied === 'next' || verdict.outcome === 'failed') return next(new AccessDeniedError(verdict, sent))
    let isPassed = false
    const send = (what: Answer) => (isPassed ? undefined : sendAnswer(response, what))
    const respond = () => send(sent)
    const pass = (error: unknown) => {
      if (!(error instanceof Error)) return respond()
      if (isPassed || isOver(response)) return
      isPassed = true
      next(error)
    }
    const denial: Denial = { verdict, answer: sent, respond }
    void settle<void, void>(
      () => onDenied(denial, this.request, response, pass),
      () => undefined,
      (error) => {
        tellOperator({ outcome: 'failed', error }, { kind: 'onDenied', reasons: {}, request: this.request })
        send(problemAnswer(500))
      },
    )
  }

  send(sent: Answer): void {
    sendAnswer(this.response, sent)
  }
}

/**
 * Says of a body that nobody has read that it can be read, as a stream does. `@codegenie/serverless-express` declares a
 * request unreadable when the app does not answer in the same tick, and Express's parsers skip its body then.
 */
function keepReadable(request: Request): void {
  if (request.readable !== false) return
  if (!request.readableEnded && !request.destroyed && request.errored === null) request.readable = true
}
