import { principalOf } from '@countersign/core'
import { Body, Controller, Get, Post, Req, UseGuards } from '@nestjs/common'
import type { Request } from 'express'
import { credentials, settings } from './access'
import { SchedulerGuard } from './scheduler.guard'

@Controller()
export class CallersController {
  // Another service.
  @Post('internal/executions')
  @UseGuards(SchedulerGuard)
  execute(@Req() request: Request, @Body() body: { job: number }) {
    return { startedBy: principalOf(request, 'hmac').caller, job: body.job }
  }

  @Post('internal/agents')
  async startAgent(@Body() { threadId }: { threadId: string }) {
    const issued = await credentials.issue({ threadId, providerInstanceId: 'agent-1', capabilities: [] })
    return { authorization: issued.authorizationHeader }
  }

  @Post('internal/links')
  async issueLink(@Body() { userId }: { userId: string }) {
    const link = await settings.issueLink({ platform: 'web', userId })
    let url = ''
    await settings.deliver(link, (sensitive) => {
      url = sensitive.reveal('deliver-to-user')
    })
    return { url }
  }

  // An OAuth client.
  @Get('reports')
  reports(@Req() request: Request) {
    return { for: principalOf(request, 'oauth-bearer').clientId }
  }

  // An agent that this app started.
  @Get('agents/thread')
  thread(@Req() request: Request) {
    return { thread: principalOf(request, 'mcp-credential').threadId }
  }

  // A person who opened a link.
  @Get('settings')
  settings(@Req() request: Request) {
    return { settingsOf: principalOf(request, 'settings-session').userId }
  }

  @Get('health')
  health() {
    return { ok: true }
  }
}
