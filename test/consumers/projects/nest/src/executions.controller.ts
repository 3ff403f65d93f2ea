import { principalOf } from '@countersign/core'
import { Body, Controller, Get, Param, Post, Req, UseGuards } from '@nestjs/common'
import type { Request } from 'express'
import { SchedulerGuard } from './scheduler.guard'

@Controller()
export class ExecutionsController {
  @Post('internal/executions/:id')
  @UseGuards(SchedulerGuard)
  start(@Req() request: Request, @Param('id') id: string, @Body() body: { job: number }) {
    return { caller: principalOf(request, 'hmac').caller, id, job: body.job }
  }

  @Get('agents/thread')
  thread(@Req() request: Request) {
    return { thread: principalOf(request, 'mcp-credential').threadId }
  }

  @Get('health')
  health() {
    return { ok: true }
  }
}
