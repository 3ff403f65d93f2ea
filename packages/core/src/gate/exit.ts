import type { NextFunction, Request, Response } from 'express'
import { settle } from '../async.js'
import { keepReadable } from '../request/keep-readable.js'
import { AccessDeniedError } from './access-denied-error.js'
import { type Answer, isOver, problemAnswer, sendAnswer } from './answer.js'
import type { Denial, OnDenied } from './gate-options.js'
import type { PrincipalBase } from './principal.js'
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

/** The way out through Express. */
export function expressExit(request: Request, response: Response, next: NextFunction): Exit {
  return {
    // Somebody answered while the gate was asking its store (a timeout middleware, say): the handler must not run.
    admit: () => {
      if (response.headersSent) return
      keepReadable(request)
      next()
    },
    refuse: (refusal, sent, onDenied) => refuseByExpress(request, response, next, refusal, sent, onDenied),
    send: (sent) => sendAnswer(response, sent),
  }
}

function refuseByExpress(
  request: Request,
  response: Response,
  next: NextFunction,
  verdict: Refusal,
  sent: Answer,
  onDenied: OnDenied,
): void {
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
    () => onDenied(denial, request, response, pass),
    () => undefined,
    () => send(problemAnswer(500)),
  )
}
