import type { createSettingsSessions } from '@countersign/settings-session'
import type { Express } from 'express'
import { Browser } from '../../../packages/demo/src/browser.js'
import { type RunningServer, serve } from '../../support/http-server.js'

type Settings = ReturnType<typeof createSettingsSessions>

const cookieHeader = ({ cookies }: Browser) => Array.from(cookies, ([name, value]) => `${name}=${value}`).join('; ')

/** The cookies of a person who opened a link of their own in a browser of their own. */
export async function openSession(settings: Settings, userId: string): Promise<string> {
  const browser = new Browser()
  let link = ''
  await settings.deliver(await settings.issueLink({ platform: 'bench', userId }), (url) => {
    link = url.reveal('deliver-to-user')
  })
  await (await browser.confirm(link)).arrayBuffer()
  return cookieHeader(browser)
}

/** The cookies of so many people who each signed in by `POST /sign-in`. */
export async function signIn(app: Express, people: number): Promise<string[]> {
  const running: RunningServer = await serve(app)
  try {
    const cookies: string[] = []
    for (let index = 0; index < people; index += 1) {
      const browser = new Browser()
      await browser.open(`${running.url}/sign-in`, { method: 'POST' })
      cookies.push(cookieHeader(browser))
    }
    return cookies
  } finally {
    await running.close()
  }
}
