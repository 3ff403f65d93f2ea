import 'reflect-metadata'
import { NestFactory } from '@nestjs/core'
import { serveOwnRoutes } from './access'
import { AppModule } from './app.module'

async function bootstrap() {
  const app = await NestFactory.create(AppModule, { rawBody: true })
  serveOwnRoutes(app)
  await app.listen(3000)
  console.log('app: http://localhost:3000')
}
bootstrap()
