import { principalOf } from '@countersign/core'
import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common'
import type { Request } from 'express'

@Injectable()
export class SchedulerGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<Request>()
    return principalOf(request, 'hmac').caller === 'scheduler'
  }
}
