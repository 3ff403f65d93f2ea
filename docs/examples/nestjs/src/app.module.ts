import { type MiddlewareConsumer, Module, type NestModule } from '@nestjs/common'
import { hmac, mcp, oauth, session } from './access'
import { CallersController } from './callers.controller'

@Module({ controllers: [CallersController] })
export class AppModule implements NestModule {
  configure(consumer: MiddlewareConsumer) {
    consumer.apply(hmac).forRoutes('internal/*path')
    consumer.apply(oauth).forRoutes('reports')
    consumer.apply(mcp).forRoutes('agents/*path')
    consumer.apply(session).forRoutes('settings')
  }
}
