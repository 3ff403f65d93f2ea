import type { createSettingsSessions } from '@countersign/settings-session'

export declare function openLink(settings: ReturnType<typeof createSettingsSessions>): Promise<string>
