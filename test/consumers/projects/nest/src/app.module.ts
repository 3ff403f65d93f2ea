import { type MiddlewareConsumer, Module, type NestModule } from '@nestjs/common'
import { hmac, mcp } from './access'
import { ExecutionsController } from './executions.controller'

@Module({ controllers: [ExecutionsController] })
export class AppModule implements NestModule {
  configure(consumer: MiddlewareConsumer) {
    consumer.apply(hmac).forRoutes('internal/*path')
    consumer.apply(mcp).forRoutes('agents/*path')
  }
}
