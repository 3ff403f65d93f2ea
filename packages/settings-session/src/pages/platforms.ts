/** Platforms as their owners write them. */
const NAMES: Readonly<Record<string, string>> = {
  discord: 'Discord',
  github: 'GitHub',
  gitlab: 'GitLab',
  googlechat: 'Google Chat',
  line: 'LINE',
  matrix: 'Matrix',
  mattermost: 'Mattermost',
  messenger: 'Messenger',
  msteams: 'Microsoft Teams',
  rocketchat: 'Rocket.Chat',
  signal: 'Signal',
  slack: 'Slack',
  teams: 'Microsoft Teams',
  telegram: 'Telegram',
  viber: 'Viber',
  webex: 'Webex',
  wechat: 'WeChat',
  whatsapp: 'WhatsApp',
  zoom: 'Zoom',
  zulip: 'Zulip',
}

/** A platform's name, for people. */
export function platformName(platform: string): string {
  const key = platform.toLowerCase().replace(/[-_ ]/g, '')
  return Object.hasOwn(NAMES, key) ? (NAMES[key] as string) : platform
}
