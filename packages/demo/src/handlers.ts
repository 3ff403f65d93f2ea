import type { RequestHandler, Response } from 'express'

/** The field that marks an answer of a protected handler: nothing before it in the app sets it. */
export const REACHED = 'demo-handler'

/** Stands between a gate and what it protects: the answer then tells that the request came through. */
export const reached: RequestHandler = (_request, response, next) => {
  response.setHeader(REACHED, 'reached')
  next()
}

/** What both apps do for another service that gets in. */
export const runExecution: RequestHandler = (request, response) => {
  response.json({ started: request.body })
}

/** What both apps do for another service that asks for it. */
export const deleteSchedule: RequestHandler = (_request, response) => {
  response.json({ deleted: 'nightly' })
}

/** What both apps show to an OAuth client. */
export const listFiles: RequestHandler = (_request, response) => {
  response.json({ files: ['a.txt'] })
}

/** What both apps do for an OAuth client that may write. */
export const deleteFile: RequestHandler = (_request, response) => {
  response.status(204).end()
}

/** What both apps show on a route for two kinds of callers. */
export const showStatus: RequestHandler = (_request, response) => {
  response.json({ status: 'ready' })
}

/** A stream of an agent's thread. */
export interface ThreadStream {
  readonly handler: RequestHandler
  /** Sends a message to everyone who listens. */
  say(text: string): void
}

/** Server-sent events for an agent: what its thread does next. */
export function threadStream(): ThreadStream {
  const listening = new Set<Response>()
  return {
    handler: (_request, response) => {
      response.set({ 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' })
      response.write('data: connected\n\n')
      listening.add(response)
      response.on('close', () => listening.delete(response))
    },
    say: (text) => {
      for (const response of listening) response.write(`data: ${text}\n\n`)
    },
  }
}

/** The settings of a person, as a page. `who` is safe in HTML. */
export const settingsPage = (who: string): string => `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,"><link rel="stylesheet" href="/settings.css"><title>Settings</title></head>
<body><main><h1>Settings</h1><p>Signed in: ${who}.</p>
<form method="post" action="/settings/logout"><button>Sign out</button></form></main></body></html>
`
