import type { NextFunction, Request, Response } from 'express'

/**
 * An Express middleware that takes its types from the route: behind it, `request.params` keeps what the path says, which a
 * `RequestHandler` widens to any string.
 */
export type Middleware = <Params, ResBody, ReqBody, ReqQuery>(
  request: Request<Params, ResBody, ReqBody, ReqQuery>,
  response: Response<ResBody>,
  next: NextFunction,
) => void
