import express, { type Express } from 'express'

/**
 * An Express app whose requests and responses are made on these bases, with Express's methods on prototypes of its own: what
 * is done to those is done to no other app. `light-my-request` puts its own classes beneath those of an app that it is
 * handed; for an app as Express makes it, these are what all apps of the process share.
 */
export function expressOn(incoming: object, outgoing: object): Express {
  const app = express()
  const methodsOn = (base: object, methods: object) =>
    Object.create(Object.create(base, Object.getOwnPropertyDescriptors(methods)), { app: { value: app } })
  app.request = methodsOn(incoming, express.request)
  app.response = methodsOn(outgoing, express.response)
  return app
}
