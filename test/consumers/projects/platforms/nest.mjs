import 'reflect-metadata'
import { Module } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'

/** A Nest app with these routes as the middleware of its module, behind Nest's own parsers. */
export async function startNest(router) {
  class AppModule {
    configure(consumer) {
      consumer.apply(router).forRoutes('/')
    }
  }
  Module({})(AppModule)
  const app = await NestFactory.create(AppModule, { rawBody: true, logger: false })
  await app.listen(0, '127.0.0.1')
  return { port: app.getHttpServer().address().port, close: () => app.close() }
}
